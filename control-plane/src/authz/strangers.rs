//! Strangers: whoever asks for a tenant they have no role in is told that there is none, and written down.
//! So is whoever looks at what their roles do not show, and whoever presents a join token that is none.
//!
//! Every such attempt is refused; the log tells of the first one within a while. Somebody who tries a
//! thousand times is one fact, and must not be able to bury the others under it (R-AUD-01). An attempt to
//! change something is never left out: each one is a fact of its own, and [`crate::change`] records it.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{NodeId, OperatorId, TenantId},
    permission::Permission,
};
use moka::future::Cache;

use crate::{
    Caller, ControlPlane, Denial, Refusal, audit::Event, change::NO_TENANT, nodes::Unfit,
    tenants::Tenant,
};

/// How long one line stands for the same attempt.
const QUIET: TimeDelta = TimeDelta::minutes(10);
/// Attempts that are remembered; about 100 bytes each.
const REMEMBERED: u64 = 10_000;

/// What makes two attempts the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Attempt {
    /// Who asked, for which tenant, and lacking which permission; none for a stranger, who lacks any.
    Tenant(OperatorId, TenantId, Option<Permission>),
    /// Somebody presented a join token: whose it was, if it was anybody's, and what is wrong with it. Nothing
    /// that they chose themselves, or each attempt could look like a new one.
    Enrolment(Option<NodeId>, Unfit),
    /// A certificate of ours, by its SHA-256, admits nobody any more.
    Certificate(String),
}

/// What was recorded lately, in this process.
pub(crate) struct Strangers {
    recorded: Cache<Attempt, DateTime<Utc>>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            recorded: Cache::new(REMEMBERED),
        }
    }
}

impl Strangers {
    /// Whether the attempt should be recorded; from then on it counts as recorded.
    pub(crate) async fn is_news(&self, attempt: Attempt, now: DateTime<Utc>) -> bool {
        let last = self.recorded.get(&attempt).await;
        if last.is_some_and(|last| now < last + QUIET) {
            return false;
        }
        self.recorded.insert(attempt, now).await;
        true
    }
}

impl ControlPlane {
    /// Whether it is news that this certificate admits nobody. Its key was proven, so it is one of ours, and
    /// there are only so many of them.
    pub(crate) async fn is_new_refusal(&self, certificate: &[u8]) -> bool {
        let attempt = Attempt::Certificate(sha256_hex(certificate));
        let now = self.clock().now();
        self.inner.strangers.is_news(attempt, now).await
    }

    /// Lets somebody with a role in the tenant pass; for anyone else there is no such tenant.
    pub(crate) async fn enter(&self, caller: &Caller, tenant: TenantId) -> Result<Tenant, Refusal> {
        let found = {
            let tx = self.store().begin_read().await?;
            tx.find_tenant(tenant).await?
        };
        self.admit(caller, found).await
    }

    /// As [`ControlPlane::enter`], for a tenant that was looked for already.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        found: Option<Tenant>,
    ) -> Result<Tenant, Refusal> {
        let tenant = found.ok_or(NO_TENANT)?;
        match caller.knows(tenant.id) {
            true => Ok(tenant),
            false => Err(self.turn_away(caller, &tenant).await),
        }
    }

    /// Tells a stranger that there is no such tenant, and the platform's log that they asked.
    pub(crate) async fn turn_away(&self, caller: &Caller, tenant: &Tenant) -> Refusal {
        let (who, now) = (caller.operator(), self.clock().now());
        let attempt = Attempt::Tenant(who, tenant.id, None);
        if self.inner.strangers.is_news(attempt, now).await {
            match self.platform_id().await {
                Ok(log) => {
                    let event = Event::stranger(tenant);
                    self.record_alone(caller, log, event).await;
                }
                Err(error) => tracing::error!(?error, "a stranger could not be recorded"),
            }
        }
        NO_TENANT
    }

    /// Tells the log of a look that was refused, unless it has just been told.
    pub(crate) async fn tell_refused_look(
        &self,
        caller: &Caller,
        tenant: TenantId,
        denial: &Denial,
    ) {
        let attempt = Attempt::Tenant(caller.operator(), tenant, Some(denial.permission));
        if self
            .inner
            .strangers
            .is_news(attempt, self.clock().now())
            .await
        {
            self.record_alone(caller, tenant, Event::refused_look(denial))
                .await;
        }
    }
}
