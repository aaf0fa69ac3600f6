//! Invitations: how a person who was given a role comes to their account.
//!
//! The role is written first and the letter goes out after the commit, from the platform tenant's region.
//! Each attempt leaves two entries in the log, that it was asked for and what became of it, so that the log
//! is true also when no node could deliver. An invitation is open until somebody came with the account.

use chrono::TimeDelta;
use contract::{
    frames::{Command, CommandOutcome, Delivery},
    ids::{OperatorId, TenantId},
    permission::Permission,
    role::Role,
    text,
};

use super::{
    Enlisted, Invitation, Invited, Operator, OperatorKind, Owed, address_unusable, refuse_address,
};
use crate::{
    Caller, ControlPlane, Mode, Refusal, Scope,
    assignments::Member,
    audit::Event,
    caller::HeldRole,
    change::{Change, Done},
    store::Tx,
};

/// How long an invitation can be used.
const INVITATION_LIFE: TimeDelta = TimeDelta::days(7);

/// An invitation to be sent.
pub(super) struct Letter {
    /// Whom it is for; under their own name, as they are to read it.
    pub(super) to: Operator,
    /// What the log calls them, which is all that whoever invites them knows.
    pub(super) called: String,
    /// What the person is invited to be.
    pub(super) role: HeldRole,
}

impl Letter {
    pub(super) fn new(to: Operator, role: HeldRole) -> Self {
        let called = to.name.clone();
        Self { to, called, role }
    }

    /// An entry of the log about this letter.
    fn event(&self, action: &str, sentence: impl Into<String>) -> Event {
        Event::new(action, sentence).object("operator", self.to.id, &self.called)
    }

    fn not_sent(&self, reason: &str) -> Event {
        let text = format!("The invitation of {} was not sent: {reason}", self.called);
        self.event("operators.invitation", text).unsuccessful()
    }
}

impl ControlPlane {
    /// Sends an operator's invitation again; an earlier link stops working.
    ///
    /// # Errors
    /// Needs `tenant.roles.manage`, on the platform `platform.staff.manage`. [`Refusal::NotFound`] for
    /// someone without a role in `scope`; [`Refusal::Conflict`] (`already_accepted`) for someone who has
    /// come already; [`Refusal::Unavailable`] while no node could send it.
    pub async fn resend_invitation(
        &self,
        caller: &Caller,
        scope: Scope,
        operator: OperatorId,
        mode: Mode,
    ) -> Result<Invitation, Refusal> {
        let change = self.change_roles(caller, scope, mode).await?;
        let members = change.tx().list_members(scope).await?;
        let Member { operator, roles } = members
            .into_iter()
            .find(|member| {
                member.operator.id == operator && member.operator.kind == OperatorKind::Person
            })
            .ok_or(Refusal::NotFound { what: "operator" })?;
        if !operator.is_invited() {
            return Err(Refusal::conflict(
                "already_accepted",
                format!("{} has accepted the invitation already.", operator.name),
            ));
        }
        let role = roles.first().map_or(Role::UserSupport, |held| held.role);
        let letter = Letter::new(operator, HeldRole { role, scope });
        self.resend(change, letter, mode).await
    }

    /// Sends the invitation of a tenant's first owner again, to another address if one is given.
    ///
    /// Nobody in the tenant could: without an owner who came, only the vendor knows that there is a tenant.
    /// It ends the moment an owner comes; from then on owners invite, and the matrix decides (R-ADM-02).
    ///
    /// # Errors
    /// Needs `platform.tenants.create`. [`Refusal::NotFound`] for the tenant, or if nobody was invited to own
    /// it; [`Refusal::Conflict`] once an owner came (`owner_accepted`), for an address that is taken
    /// (`address_unusable`, recorded), and for another address of someone who was invited elsewhere too (`invited_elsewhere`);
    /// [`Refusal::Invalid`] for the address; [`Refusal::Unavailable`] while no node could send it.
    pub async fn resend_first_invitation(
        &self,
        caller: &Caller,
        tenant: TenantId,
        email: Option<&str>,
        mode: Mode,
    ) -> Result<Invitation, Refusal> {
        let change = self
            .change_about(caller, tenant, Permission::TenantsCreate, mode)
            .await?;
        let scope = Scope::Tenant(tenant);
        let members = change.tx().list_members(scope).await?;
        if members.iter().any(Member::is_standing_owner) {
            return Err(Refusal::conflict(
                "owner_accepted",
                "The tenant has an owner who came. Its owners invite everyone else.",
            ));
        }
        // Ids of assignments grow with time: the smallest is the first that was given.
        let first = members
            .into_iter()
            .filter(Member::is_owner)
            .min_by_key(|member| member.roles.iter().map(|held| held.id).min());
        let Some(Member { mut operator, .. }) = first else {
            return Err(Refusal::NotFound {
                what: "first owner",
            });
        };
        if let Some(email) = email
            && let Err(refusal) = readdress(change.tx(), &mut operator, email).await
        {
            return Err(refuse_address(change, refusal).await);
        }
        let role = Role::TenantOwner;
        let letter = Letter::new(operator, HeldRole { role, scope });
        self.resend(change, letter, mode).await
    }

    /// Writes down that an invitation is to go out again, and sends it.
    async fn resend(
        &self,
        change: Change<'_>,
        letter: Letter,
        mode: Mode,
    ) -> Result<Invitation, Refusal> {
        let caller = change.caller();
        let own = change.tenant().id;
        let concerned = match letter.role.scope {
            Scope::Tenant(tenant) => tenant,
            Scope::Platform => own,
        };
        let mut logs = vec![own, concerned];
        logs.dedup();
        if let Err(refusal) = self.check_can_send(change.tx()).await {
            let event = letter.not_sent(&refusal.to_string());
            return Err(change.refuse_as(event, refusal).await);
        }
        let text = format!("Had the invitation of {} sent again.", letter.called);
        let event = letter.event("operators.resend", text);
        let letter = change
            .finish(Done::new(letter, event).also_told(concerned))
            .await?;
        match mode {
            Mode::DryRun => Ok(Invitation::Tried),
            Mode::Commit => Ok(self.send(caller, &letter, &logs).await),
        }
    }

    /// Sends what was written, after it was committed. A failure is told, not raised: the role stands.
    pub(crate) async fn deliver(&self, caller: &Caller, enlisted: Enlisted, mode: Mode) -> Invited {
        let invitation = match (mode, &enlisted.owed) {
            (_, Owed::Nothing) => Invitation::NotNeeded,
            (Mode::DryRun, _) => Invitation::Tried,
            (Mode::Commit, Owed::Discretion) => Invitation::Sent,
            (Mode::Commit, Owed::Invitation(letter)) => {
                let log = match letter.role.scope {
                    Scope::Tenant(tenant) => Some(tenant),
                    Scope::Platform => self.platform_id().await.ok(),
                };
                self.send(caller, letter, log.as_slice()).await
            }
        };
        Invited {
            operator: enlisted.shown,
            assignment: enlisted.assignment,
            invitation,
        }
    }

    async fn send(&self, caller: &Caller, letter: &Letter, logs: &[TenantId]) -> Invitation {
        let sent = self
            .command_invitation(letter, caller.name(), Delivery::Mail)
            .await;
        let (invitation, event) = match sent {
            Ok(CommandOutcome::Done | CommandOutcome::Link { .. }) => {
                let text = format!("The invitation of {} went out.", letter.called);
                (Invitation::Sent, letter.event("operators.invitation", text))
            }
            Ok(CommandOutcome::Counted { .. }) => {
                let reason = "The node answered something else.".to_owned();
                let event = letter.not_sent(&reason);
                (Invitation::NotSent { reason }, event)
            }
            Ok(CommandOutcome::Failed { reason }) => {
                let event = letter.not_sent(&reason);
                (Invitation::NotSent { reason }, event)
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                let event = letter.not_sent(&reason);
                (Invitation::NotSent { reason }, event)
            }
        };
        for log in logs {
            self.record_alone(caller, *log, event.clone()).await;
        }
        invitation
    }

    /// Has the platform tenant's region make the one-time link of the first operator.
    pub(crate) async fn command_first_link(
        &self,
        operator: &Operator,
    ) -> Result<CommandOutcome, Refusal> {
        let role = HeldRole {
            role: Role::PlatformOwner,
            scope: Scope::Platform,
        };
        let letter = Letter::new(operator.clone(), role);
        self.command_invitation(&letter, "Bailiwick", Delivery::Return)
            .await
    }

    /// Asks the platform tenant's region to make a one-time link.
    async fn command_invitation(
        &self,
        letter: &Letter,
        inviter: &str,
        delivery: Delivery,
    ) -> Result<CommandOutcome, Refusal> {
        let (platform, purpose) = {
            let tx = self.store().begin_read().await?;
            (
                self.platform_tenant(&tx).await?,
                purpose(&tx, letter.role).await?,
            )
        };
        let Operator {
            subject,
            email,
            name,
            ..
        } = letter.to.clone();
        let command = Command::InviteUser {
            user: subject,
            email,
            name,
            inviter: inviter.to_owned(),
            purpose,
            expires_at: self.clock().now() + INVITATION_LIFE,
            delivery,
        };
        self.hub()
            .command(&platform.region, platform.id, self.new_id(), command)
            .await
    }

    pub(super) async fn check_can_send(&self, tx: &Tx) -> Result<(), Refusal> {
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
}

/// Corrects the address of somebody who never came. It is theirs alone to correct if they hold roles in
/// several places: one tenant's vendor contact must not redirect another tenant's invitation.
async fn readdress(tx: &Tx, operator: &mut Operator, email: &str) -> Result<(), Refusal> {
    text::check_email("email", email)?;
    let email = text::normalize_email(email);
    if email == operator.email {
        return Ok(());
    }
    let held = tx.list_assignments_of(operator.id).await?;
    if held.iter().any(|one| one.scope != held[0].scope) {
        return Err(Refusal::conflict(
            "invited_elsewhere",
            "The person was invited elsewhere too, so their address stays as it is.",
        ));
    }
    if tx.find_operator_by_email(&email).await?.is_some() {
        return Err(address_unusable());
    }
    tx.readdress_operator(operator.id, &email).await?;
    operator.email = email;
    Ok(())
}

/// What somebody is invited to be, in the words of their invitation.
async fn purpose(tx: &Tx, held: HeldRole) -> Result<String, Refusal> {
    let place = match held.scope {
        Scope::Platform => "Bailiwick".to_owned(),
        Scope::Tenant(tenant) => tx
            .find_tenant(tenant)
            .await?
            .map_or_else(|| "a tenant".to_owned(), |tenant| tenant.name.to_string()),
    };
    Ok(format!("{} of {place}", held.role.title()))
}
