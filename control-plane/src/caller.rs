//! Callers: who asks, for which party, with which roles.
//!
//! A caller is built from the control plane's own records and never from what a token or a cookie claims
//! about roles, so that removing a role works on the next request. Only this file can make one: code that
//! holds a `Caller` holds a proof that the operator exists.

use std::collections::BTreeSet;

use contract::{
    ids::{OperatorId, TenantId, TypedId, UserId},
    role::{Party, Role},
};
use uuid::Uuid;

use crate::{
    ControlPlane, Refusal,
    assignments::Assignment,
    audit::Event,
    idempotency::Claim,
    operators::{Operator, OperatorKind},
};

/// Where a role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// On the platform and, as far as its matrix lets the vendor act, in every tenant.
    Platform,
    /// In one tenant.
    Tenant(TenantId),
}

/// A role someone holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRole {
    /// Which role.
    pub role: Role,
    /// Where it counts.
    pub scope: Scope,
}

/// Through which door the request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The operator console.
    Console,
    /// The admin API.
    AdminApi,
    /// Someone who can read the data directory (`bailiwick token`).
    DataDir,
    /// The product itself, for example while it starts.
    System,
}

impl Via {
    /// The form stored in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::AdminApi => "admin_api",
            Self::DataDir => "data_dir",
            Self::System => "system",
        }
    }
}

/// Someone who asks for something. Made only by the methods below.
#[derive(Debug, Clone)]
pub struct Caller {
    operator: OperatorId,
    subject: UserId,
    name: String,
    party: Party,
    roles: Vec<HeldRole>,
    request_id: String,
    via: Via,
    claim: Option<Claim>,
}

impl Caller {
    /// An operator at a door, without any role yet.
    pub(crate) fn of(operator: Operator, via: Via, request_id: String) -> Self {
        Self {
            operator: operator.id,
            subject: operator.subject,
            name: operator.name,
            party: operator.party,
            roles: Vec::new(),
            claim: None,
            request_id,
            // Whoever came by the data directory stays recognisable behind every door.
            via: match operator.kind {
                OperatorKind::DataDir => Via::DataDir,
                OperatorKind::Person => via,
            },
        }
    }

    fn with_roles(mut self, held: &[Assignment]) -> Self {
        self.roles = held
            .iter()
            .map(|held| HeldRole {
                role: held.role,
                scope: held.scope,
            })
            .collect();
        self
    }

    /// Who it is; the nil id for the product itself.
    pub fn operator(&self) -> OperatorId {
        self.operator
    }

    /// The account in the platform tenant; the nil id for the product itself.
    pub fn subject(&self) -> UserId {
        self.subject
    }

    /// The name people read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose people they belong to.
    pub fn party(&self) -> Party {
        self.party
    }

    /// Every role they hold, in any scope.
    pub fn roles(&self) -> &[HeldRole] {
        &self.roles
    }

    /// The request this caller made, for logs and the audit log.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The door the request came through.
    pub fn via(&self) -> Via {
        self.via
    }

    /// The same caller, whose changes are made under an `Idempotency-Key`.
    pub(crate) fn under(self, claim: Claim) -> Self {
        Self {
            claim: Some(claim),
            ..self
        }
    }

    /// The key under which this caller's changes are made, if there is one.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Whether it is the product itself.
    pub fn is_system(&self) -> bool {
        self.via == Via::System
    }

    /// The roles that count in `tenant`: those on the platform and those in it.
    pub fn roles_in(&self, tenant: TenantId) -> impl Iterator<Item = Role> + '_ {
        self.roles
            .iter()
            .filter(move |held| {
                matches!(held.scope, Scope::Platform) || held.scope == Scope::Tenant(tenant)
            })
            .map(|held| held.role)
    }

    /// Whether any role of theirs counts in `tenant`. To anyone else it does not exist.
    pub(crate) fn knows(&self, tenant: TenantId) -> bool {
        self.is_system() || self.roles_in(tenant).next().is_some()
    }

    /// Whether they hold any role on the platform.
    pub fn is_staff(&self) -> bool {
        self.roles.iter().any(|held| held.scope == Scope::Platform)
    }
}

impl ControlPlane {
    /// The caller behind an account of the platform tenant, whom the door has proven by the region's word.
    /// The first time somebody comes with an account, its invitation counts as accepted.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the account belongs to no operator: signing in alone gives no power.
    pub async fn caller_for_subject(
        &self,
        subject: UserId,
        via: Via,
        request_id: impl Into<String>,
    ) -> Result<Caller, Refusal> {
        let tx = self.store().begin_read().await?;
        let operator = tx
            .find_operator_by_subject(subject)
            .await?
            .ok_or(Refusal::NotFound { what: "operator" })?;
        let roles = tx.list_assignments_of(operator.id).await?;
        drop(tx);
        let is_invited = operator.is_invited();
        let caller = Caller::of(operator, via, request_id.into()).with_roles(&roles);
        if is_invited {
            self.accept_invitation(&caller).await?;
        }
        Ok(caller)
    }

    /// Writes down that somebody came for the first time, in the log of each place they have a role in.
    async fn accept_invitation(&self, caller: &Caller) -> Result<(), Refusal> {
        let tx = self.store().begin().await?;
        let platform = self.platform_tenant(&tx).await?.id;
        let scopes: BTreeSet<Scope> = caller.roles().iter().map(|held| held.scope).collect();
        // The platform comes first and tenants in order, as in every change: two of them cannot wait for
        // each other.
        let logs = scopes.into_iter().map(|scope| match scope {
            Scope::Platform => platform,
            Scope::Tenant(tenant) => tenant,
        });
        let mut logs: Vec<TenantId> = logs.collect();
        if logs.is_empty() {
            logs.push(platform);
        }
        for log in &logs {
            tx.lock_tenant(*log).await?;
        }
        if tx
            .accept_operator(caller.operator(), self.clock().now())
            .await?
        {
            let event = Event::new("operators.accept", "Took up the invitation.").object(
                "operator",
                caller.operator(),
                caller.name(),
            );
            for log in logs {
                self.record(&tx, caller, log, &event).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// The product itself: what it does at start and for the demo is audited like anyone's work.
    pub fn system_caller(&self) -> Caller {
        Caller {
            operator: OperatorId::from_uuid(Uuid::nil()),
            subject: UserId::from_uuid(Uuid::nil()),
            name: "Bailiwick".to_owned(),
            party: Party::Vendor,
            roles: Vec::new(),
            claim: None,
            request_id: String::new(),
            via: Via::System,
        }
    }
}
