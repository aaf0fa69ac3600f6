//! Operators: people who sign in to the console, and the power they were given.
//!
//! An operator is an account of the platform tenant plus what this control plane says about it. The
//! account's id is chosen here and sent to the region with the invitation, so that a role can be given
//! before the person has ever signed in; the password is set in the region and never comes here.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    Invalid,
    frames::{Command, CommandOutcome, Delivery},
    ids::{OperatorId, UserId},
    permission::Permission,
    role::{Party, Role},
    text,
};
use serde::Serialize;

use crate::{
    Caller, ControlPlane, Mode, Refusal, Scope,
    assignments::{Assignment, check_fit},
    audit::Event,
    caller::HeldRole,
    change::{Change, Done, Target},
    store::Tx,
    tenants::Tenant,
};

/// How long an invitation can be used.
const INVITATION_LIFE: TimeDelta = TimeDelta::days(7);

/// A person, or the stand-in for whoever may read the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// The account in the platform tenant.
    pub subject: UserId,
    /// The address, in lower case.
    pub email: String,
    /// The name people read.
    pub name: String,
    /// Whose people they belong to.
    pub party: Party,
    /// A person or not.
    pub kind: OperatorKind,
    /// When they were first given a role.
    pub created_at: DateTime<Utc>,
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
    /// It is on its way.
    Sent,
    /// The person has an account already.
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
pub(crate) struct Pending {
    operator: Operator,
    assignment: Assignment,
    is_new: bool,
}

impl ControlPlane {
    /// Invites a person and gives them a role in one go. Someone who is an operator already gets the role.
    ///
    /// # Errors
    /// Needs `tenant.roles.manage`, on the platform `platform.staff.manage`, and everything the role
    /// brings. [`Refusal::Unavailable`] while no node could send the invitation.
    pub async fn invite_operator(
        &self,
        caller: &Caller,
        wanted: HeldRole,
        invitee: Invitee,
        mode: Mode,
    ) -> Result<Invited, Refusal> {
        let HeldRole { role, scope } = wanted;
        invitee.check()?;
        check_fit(role, scope)?;
        let change = self.change_roles(caller, scope, mode).await?;
        let change = self.check_may_give(change, role).await?;
        let pending = self.enlist(&change, wanted, &invitee).await?;
        let event = Event::new(
            "operators.invite",
            format!("Gave {} the role {}.", pending.operator.name, role.title()),
        )
        .object("operator", pending.operator.id, &pending.operator.name)
        .after(&pending.assignment);
        let pending = change.finish(Done::new(pending, event)).await?;
        Ok(self.deliver(caller, pending, mode).await)
    }

    /// Sends an operator's invitation again; an earlier link stops working.
    ///
    /// # Errors
    /// As [`ControlPlane::invite_operator`]; [`Refusal::NotFound`] for someone without a role in `scope`.
    pub async fn resend_invitation(
        &self,
        caller: &Caller,
        scope: Scope,
        operator: OperatorId,
    ) -> Result<Invitation, Refusal> {
        let change = self.change_roles(caller, scope, Mode::Commit).await?;
        let members = change.tx().list_members(scope).await?;
        let operator = members
            .into_iter()
            .map(|member| member.operator)
            .find(|member| member.id == operator && member.kind == OperatorKind::Person)
            .ok_or(Refusal::NotFound { what: "operator" })?;
        self.check_can_send(change.tx()).await?;
        let event = Event::new(
            "operators.resend",
            format!("Sent {} the invitation again.", operator.name),
        )
        .object("operator", operator.id, &operator.name);
        let operator = change.finish(Done::new(operator, event)).await?;
        Ok(self.send_invitation(caller, &operator).await)
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
            .change(
                &caller,
                Target::Platform,
                Permission::StaffManage,
                Mode::Commit,
            )
            .await?;
        let party = roles
            .first()
            .map_or(Party::Customer, |held| held.role.party());
        let operator = self.new_operator(subject, &invitee, party, change.at());
        check_address_free(change.tx(), &operator.email).await?;
        change.tx().insert_operator(&operator).await?;
        for held in roles {
            check_fit(held.role, held.scope)?;
            let given = self.new_assignment(&change, operator.id, *held);
            change.tx().insert_assignment(&given).await?;
        }
        let event = Event::new("operators.adopt", format!("Took in {}.", operator.name))
            .object("operator", operator.id, &operator.name)
            .after(&operator);
        change.finish(Done::new(operator, event)).await
    }

    /// The stand-in for whoever may read the data directory, with `role` in `scope`; made when first asked
    /// for. Every use is audited, because the token that is made for it is not asked for again.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a role that cannot count in `scope`; [`Refusal::NotFound`] for the tenant.
    pub async fn local_operator(&self, role: Role, scope: Scope) -> Result<Operator, Refusal> {
        check_fit(role, scope)?;
        let caller = self.system_caller();
        let target = match scope {
            Scope::Platform => Target::Platform,
            Scope::Tenant(tenant) => Target::Tenant(tenant),
        };
        let change = self
            .change(&caller, target, Permission::RolesManage, Mode::Commit)
            .await?;
        let invitee = Invitee {
            name: format!("Data directory ({})", role.title()),
            email: format!("data-dir:{role}:{}", change.tenant().slug),
        };
        let known = change.tx().find_operator_by_email(&invitee.email).await?;
        let operator = match known {
            Some(operator) => operator,
            None => {
                let mut operator =
                    self.new_operator(self.new_id(), &invitee, role.party(), change.at());
                operator.kind = OperatorKind::DataDir;
                change.tx().insert_operator(&operator).await?;
                let given = self.new_assignment(&change, operator.id, HeldRole { role, scope });
                change.tx().insert_assignment(&given).await?;
                operator
            }
        };
        let event = Event::new(
            "operators.local_access",
            format!(
                "Gave a token of the role {} to a reader of the data directory.",
                role.title()
            ),
        )
        .object("operator", operator.id, &operator.name);
        change.finish(Done::new(operator, event)).await
    }

    /// Writes a new tenant's first owner. Creating tenants includes inviting their first admin, so no
    /// further permission is asked.
    pub(crate) async fn enlist_first_owner(
        &self,
        change: &Change<'_>,
        tenant: &Tenant,
        admin: &Invitee,
    ) -> Result<Pending, Refusal> {
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
    ) -> Result<Pending, Refusal> {
        let tx = change.tx();
        let known = tx
            .find_operator_by_email(&invitee.email.to_lowercase())
            .await?;
        let is_new = known.is_none();
        let operator = match known {
            Some(operator) => operator,
            None => {
                self.check_can_send(tx).await?;
                let operator =
                    self.new_operator(self.new_id(), invitee, wanted.role.party(), change.at());
                tx.insert_operator(&operator).await?;
                operator
            }
        };
        let assignment = self.give(change, &operator, wanted).await?;
        Ok(Pending {
            operator,
            assignment,
            is_new,
        })
    }

    /// Sends what was written, after it was committed. A failure is told, not raised: the role stands.
    pub(crate) async fn deliver(&self, caller: &Caller, pending: Pending, mode: Mode) -> Invited {
        let invitation = match (mode, pending.is_new) {
            (_, false) => Invitation::NotNeeded,
            (Mode::DryRun, true) => Invitation::Tried,
            (Mode::Commit, true) => self.send_invitation(caller, &pending.operator).await,
        };
        Invited {
            operator: pending.operator,
            assignment: pending.assignment,
            invitation,
        }
    }

    async fn send_invitation(&self, caller: &Caller, operator: &Operator) -> Invitation {
        let sent = self
            .command_invitation(operator, caller.name(), Delivery::Mail)
            .await;
        match sent {
            Ok(CommandOutcome::Done | CommandOutcome::Link { .. }) => Invitation::Sent,
            Ok(CommandOutcome::Failed { reason }) => Invitation::NotSent { reason },
            Err(refusal) => Invitation::NotSent {
                reason: refusal.to_string(),
            },
        }
    }

    /// Asks the platform tenant's region to make a one-time link.
    pub(crate) async fn command_invitation(
        &self,
        operator: &Operator,
        inviter: &str,
        delivery: Delivery,
    ) -> Result<CommandOutcome, Refusal> {
        let (platform, purpose) = {
            let tx = self.store().begin_read().await?;
            (
                self.platform_tenant(&tx).await?,
                purpose(&tx, operator).await?,
            )
        };
        let command = Command::InviteUser {
            user: operator.subject,
            email: operator.email.clone(),
            name: operator.name.clone(),
            inviter: inviter.to_owned(),
            purpose,
            expires_at: self.clock().now() + INVITATION_LIFE,
            delivery,
        };
        self.hub()
            .command(&platform.region, platform.id, self.new_id(), command)
            .await
    }

    async fn check_can_send(&self, tx: &Tx) -> Result<(), Refusal> {
        let region = self.platform_tenant(tx).await?.region;
        if self.hub().connected(&region).is_empty() {
            return Err(Refusal::Unavailable {
                detail: format!(
                    "No node of the region {region} is connected, so no invitation could be sent. Nothing was changed."
                ),
            });
        }
        Ok(())
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
            email: invitee.email.to_lowercase(),
            name: invitee.name.clone(),
            party,
            kind: OperatorKind::Person,
            created_at: at,
        }
    }
}

/// What an operator is invited to be, in the words of their invitation.
async fn purpose(tx: &Tx, operator: &Operator) -> Result<String, Refusal> {
    let given = tx.list_assignments_of(operator.id).await?;
    let Some(first) = given.first() else {
        // Only the first operator is invited before the role is written.
        return Ok(format!("{} of Bailiwick", Role::PlatformOwner.title()));
    };
    let place = match first.scope {
        Scope::Platform => "Bailiwick".to_owned(),
        Scope::Tenant(tenant) => tx
            .find_tenant(tenant)
            .await?
            .map_or_else(|| "a tenant".to_owned(), |tenant| tenant.name.to_string()),
    };
    Ok(format!("{} of {place}", first.role.title()))
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
