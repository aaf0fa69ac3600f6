//! Operators: people who sign in to the console, and the power they were given.
//!
//! An operator is an account of the platform tenant plus what this control plane says about it. The
//! account's id is chosen here and sent to the region with the invitation, so that a role can be given
//! before the person has ever signed in; the password is set in the region and never comes here.

mod invitations;
mod stand_in;

use chrono::{DateTime, Utc};
use contract::{
    Invalid,
    ids::{OperatorId, UserId},
    role::{Party, Role},
    text,
};
use serde::Serialize;

use self::invitations::Letter;
use crate::{
    Caller, ControlPlane, Mode, Refusal, Scope,
    assignments::{Assignment, check_fit, told_given},
    audit::Event,
    caller::HeldRole,
    change::{Change, Done},
    store::Tx,
    tenants::Tenant,
};

/// The code of the refusal of an address that somebody has who cannot have this role, or not this way.
const ADDRESS_UNUSABLE: &str = "address_unusable";

/// A person, or the stand-in for whoever may read the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// The account in the platform tenant.
    pub subject: UserId,
    /// The address, in its normal form ([`text::normalize_email`]).
    pub email: String,
    /// The name people read.
    pub name: String,
    /// Whose people they belong to.
    pub party: Party,
    /// A person or not.
    pub kind: OperatorKind,
    /// When they were first given a role.
    pub created_at: DateTime<Utc>,
    /// When they first came with their account, which proves that they took the invitation up. The region
    /// alone knows when the password was chosen; what counts here is that somebody holds the account.
    pub accepted_at: Option<DateTime<Utc>>,
}

impl Operator {
    /// Whether it is a person who was invited and has not been seen since.
    pub fn is_invited(&self) -> bool {
        self.kind == OperatorKind::Person && self.accepted_at.is_none()
    }
}

/// Whether a person is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorKind {
    /// A person who signs in.
    Person,
    /// Whoever can read the data directory (`bailiwick token`).
    DataDir,
}

impl OperatorKind {
    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::DataDir => "data_dir",
        }
    }
}

impl std::str::FromStr for OperatorKind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Person, Self::DataDir]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Invalid::new("kind", "must be person or data_dir"))
    }
}

/// A person to be invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitee {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
}

impl Invitee {
    /// Checks name and address.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Invalid> {
        text::check_name("name", &self.name)?;
        text::check_email("email", &self.email)
    }
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invitation {
    /// It is on its way, unless the person can sign in already: which of the two is not told to somebody
    /// who did not know them.
    Sent,
    /// The person is a member here already.
    NotNeeded,
    /// Only tried (`dry_run`).
    Tried,
    /// The role was given, but the invitation did not go out; it can be sent again.
    NotSent {
        /// Why.
        reason: String,
    },
}

/// An operator with a new role.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The operator.
    pub operator: Operator,
    /// The role they were given.
    pub assignment: Assignment,
    /// What became of the invitation.
    pub invitation: Invitation,
}

/// Written, not yet sent.
pub(crate) struct Enlisted {
    /// The operator, as whoever invites them may see them.
    shown: Operator,
    assignment: Assignment,
    owed: Owed,
}

impl Enlisted {
    /// What the log says of the role that was written.
    pub(crate) fn told(&self) -> Event {
        told_given(&self.shown, &self.assignment)
    }
}

/// What an invited person is owed once the role is written.
enum Owed {
    /// Nothing: they are a member here already.
    Nothing,
    /// Nothing, but whoever invites is not to know that they have an account.
    Discretion,
    /// The invitation.
    Invitation(Letter),
}

impl ControlPlane {
    /// Invites a person and gives them a role in one go. Someone who is an operator already gets the role.
    ///
    /// Whether the address is known elsewhere is not told: until the person is a member here, the answer
    /// says what was typed, whoever it belongs to, and a dry run names nobody.
    ///
    /// # Errors
    /// Needs `tenant.roles.manage`, on the platform `platform.staff.manage`, and everything the role
    /// brings. [`Refusal::Conflict`] for a role they hold here (`role_held`) and for an address that cannot
    /// be used here (`address_unusable`); [`Refusal::Unavailable`] while no node could send the invitation.
    pub async fn invite_operator(
        &self,
        caller: &Caller,
        wanted: HeldRole,
        invitee: Invitee,
        mode: Mode,
    ) -> Result<Invited, Refusal> {
        let HeldRole { role, scope } = wanted;
        let change = self.change_roles(caller, scope, mode).await?;
        invitee.check()?;
        check_fit(role, scope)?;
        let change = self.check_may_give(change, role).await?;
        let enlisted = match self.enlist(&change, wanted, &invitee).await {
            Ok(enlisted) => enlisted,
            Err(refusal) => return Err(refuse_address(change, refusal).await),
        };
        let shown = &enlisted.shown;
        let event = Event::new(
            "operators.invite",
            format!("Gave {} the role {}.", shown.name, role.title()),
        )
        .object("operator", shown.id, &shown.name)
        .after(&enlisted.assignment);
        let enlisted = change.finish(Done::new(enlisted, event)).await?;
        Ok(self.deliver(caller, enlisted, mode).await)
    }

    /// Takes in an operator whose account exists already, with roles and without an invitation. For the
    /// demo's seed; the product itself does it.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] for an address that is taken.
    pub async fn adopt_operator(
        &self,
        subject: UserId,
        invitee: Invitee,
        roles: &[HeldRole],
    ) -> Result<Operator, Refusal> {
        invitee.check()?;
        let caller = self.system_caller();
        let change = self
            .change_roles(&caller, Scope::Platform, Mode::Commit)
            .await?;
        let party = roles
            .first()
            .map_or(Party::Customer, |held| held.role.party());
        let mut operator = self.new_operator(subject, &invitee, party, change.at());
        operator.accepted_at = Some(change.at());
        check_address_free(change.tx(), &operator.email).await?;
        change.tx().insert_operator(&operator).await?;
        let event = Event::new("operators.adopt", format!("Took in {}.", operator.name))
            .object("operator", operator.id, &operator.name)
            .after(&operator);
        let mut done = Done::new(operator.clone(), event);
        for held in roles {
            check_fit(held.role, held.scope)?;
            let given = self.new_assignment(&change, operator.id, *held);
            change.tx().insert_assignment(&given).await?;
            let log = match held.scope {
                Scope::Platform => change.tenant().id,
                Scope::Tenant(tenant) => tenant,
            };
            done = done.tells(log, told_given(&operator, &given));
        }
        change.finish(done).await
    }

    /// Writes a new tenant's first owner. Creating tenants includes inviting their first admin, so no
    /// further permission is asked.
    pub(crate) async fn enlist_first_owner(
        &self,
        change: &Change<'_>,
        tenant: &Tenant,
        admin: &Invitee,
    ) -> Result<Enlisted, Refusal> {
        let owner = HeldRole {
            role: Role::TenantOwner,
            scope: Scope::Tenant(tenant.id),
        };
        self.enlist(change, owner, admin).await
    }

    async fn enlist(
        &self,
        change: &Change<'_>,
        wanted: HeldRole,
        invitee: &Invitee,
    ) -> Result<Enlisted, Refusal> {
        let tx = change.tx();
        let known = tx
            .find_operator_by_email(&text::normalize_email(&invitee.email))
            .await?;
        let typed = self.new_operator(self.new_id(), invitee, wanted.role.party(), change.at());
        let Some(known) = known else {
            self.check_can_send(tx).await?;
            tx.insert_operator(&typed).await?;
            let assignment = self.give(change, &typed, wanted).await?;
            let owed = Owed::Invitation(Letter::new(typed.clone(), wanted));
            return Ok(Enlisted {
                shown: typed,
                assignment,
                owed,
            });
        };
        let held = tx.list_assignments_of(known.id).await?;
        if held.iter().any(|held| held.scope == wanted.scope) {
            let assignment = self.give(change, &known, wanted).await?;
            return Ok(Enlisted {
                shown: known,
                assignment,
                owed: Owed::Nothing,
            });
        }
        // From here on as if nobody knew the address: the same questions, the same answer.
        self.check_can_send(tx).await?;
        if known.party != typed.party || known.kind != OperatorKind::Person {
            return Err(address_unusable());
        }
        self.enlist_from_elsewhere(change, wanted, (known, typed))
            .await
    }

    /// Gives a role to somebody who is known, but not here: `typed` is what the answer says of them.
    async fn enlist_from_elsewhere(
        &self,
        change: &Change<'_>,
        wanted: HeldRole,
        (known, typed): (Operator, Operator),
    ) -> Result<Enlisted, Refusal> {
        let mut assignment = self.give(change, &known, wanted).await?;
        // Whoever commits makes them a member, whom the list names by this id from now on.
        let (id, subject) = match change.is_dry_run() {
            true => (typed.id, typed.subject),
            false => (known.id, known.subject),
        };
        assignment.operator = id;
        let letter = Letter {
            called: typed.name.clone(),
            ..Letter::new(known, wanted)
        };
        Ok(Enlisted {
            shown: Operator {
                id,
                subject,
                ..typed
            },
            assignment,
            owed: match letter.to.is_invited() {
                true => Owed::Invitation(letter),
                false => Owed::Discretion,
            },
        })
    }

    pub(crate) fn new_operator(
        &self,
        subject: UserId,
        invitee: &Invitee,
        party: Party,
        at: DateTime<Utc>,
    ) -> Operator {
        Operator {
            id: self.new_id(),
            subject,
            email: text::normalize_email(&invitee.email),
            name: invitee.name.clone(),
            party,
            kind: OperatorKind::Person,
            created_at: at,
            accepted_at: None,
        }
    }
}

fn address_unusable() -> Refusal {
    Refusal::conflict(
        ADDRESS_UNUSABLE,
        "This address cannot be given a role here. Invite the person with another one.",
    )
}

/// Gives up on an invitation. The one answer that says something about a stranger's address leaves a trace,
/// also of a dry run: whoever tries one address after the other is seen.
pub(crate) async fn refuse_address(change: Change<'_>, refusal: Refusal) -> Refusal {
    if !refusal.is_conflict(ADDRESS_UNUSABLE) {
        return refusal;
    }
    let event = Event::new(
        "operators.invite",
        "Tried to invite somebody whose address cannot be used here.",
    );
    change.refuse_as(event, refusal).await
}

pub(crate) async fn check_address_free(tx: &Tx, email: &str) -> Result<(), Refusal> {
    match tx.find_operator_by_email(email).await? {
        None => Ok(()),
        Some(_) => Err(Refusal::conflict(
            "email_taken",
            "Another operator has this address.",
        )),
    }
}
