//! Recovering a version line after this database was restored to an earlier state (F-10).
//!
//! Nodes never go back, so they refuse what a restored control plane releases until its numbers are above what they
//! hold. What they hold they prove with manifests that we signed ourselves ([`crate::push`]); a number that nobody
//! proved raises nothing. Going on above it replaces what the fleet serves by what this database knows, which may be
//! older than what was decided meanwhile: a person decides that, for each tenant, and it is audited. It must never
//! happen by itself.

use contract::{ids::TenantId, permission::Permission};
use serde_json::json;

use crate::{
    Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    change::{Done, NO_TENANT},
    tenants::Tenant,
};

/// A tenant whose versions go on above what nodes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The last version this control plane knew.
    pub known: u64,
    /// The highest version that a node proved to hold.
    pub held: u64,
    /// The version that is released now.
    pub version: u64,
}

impl ControlPlane {
    /// Releases what this control plane knows of the tenant above every version that nodes proved to hold.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::NotFound`] for a stranger; [`Refusal::Conflict`] (`not_behind`) if no
    /// node proved to hold more than was released.
    pub async fn recover_releases(
        &self,
        caller: &Caller,
        tenant: TenantId,
        mode: Mode,
    ) -> Result<Recovery, Refusal> {
        let change = self
            .change_about(caller, tenant, Permission::NodesManage, mode)
            .await?;
        let before = change.tx().lock_tenant(tenant).await?.ok_or(NO_TENANT)?;
        let known = before.release_version;
        let ahead = change.tx().list_ahead(tenant, known).await?;
        let Some(highest) = ahead.first().map(|ahead| ahead.version) else {
            return Err(Refusal::conflict(
                "not_behind",
                "No node holds a release of the tenant that this control plane does not know.",
            ));
        };
        change.tx().accept_ahead(tenant).await?;
        let event = recovered(&before, highest);
        let done = Done::new((), event).concerns(tenant);
        let ((), releases) = change.finish_with_releases(done).await?;
        let version = releases.current(before).release_version;
        Ok(Recovery {
            known,
            held: highest,
            version,
        })
    }
}

fn recovered(tenant: &Tenant, held: u64) -> Event {
    let known = tenant.release_version;
    let sentence = format!(
        "Released the tenant \u{201c}{}\u{201d} above version {held}, which nodes hold; this control plane knew {known}.",
        tenant.name
    );
    Event::new("releases.recover", sentence)
        .object("tenant", tenant.id, &tenant.name)
        .before(&json!({ "release_version": known }))
        .after(&json!({ "release_version": held + 1 }))
}
