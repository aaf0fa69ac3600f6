//! Changing a tenant: its name and address by whoever may edit settings, its status by the platform.

use contract::{
    permission::Permission,
    tenant::{Host, TenantName, TenantStatus},
};

use super::Tenant;
use crate::{
    At, Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    change::{Done, check_version},
    store::Tx,
};

/// What of a tenant changes; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct TenantChanges {
    /// Another display name.
    pub name: Option<TenantName>,
    /// Another host, or none.
    pub host: Option<Option<Host>>,
}

impl ControlPlane {
    /// Renames a tenant or moves it to another host.
    ///
    /// # Errors
    /// Needs `tenant.settings.edit`. [`Refusal::Stale`], [`Refusal::Conflict`] for a host that is taken.
    pub async fn update_tenant(
        &self,
        caller: &Caller,
        at: At,
        changes: TenantChanges,
        mode: Mode,
    ) -> Result<Tenant, Refusal> {
        let At { tenant, expected } = at;
        let change = self
            .change(caller, tenant, Permission::SettingsEdit, mode)
            .await?;
        let before = change.tenant().clone();
        check_version(expected, before.version)?;
        let mut after = before.clone();
        if let Some(name) = changes.name {
            after.name = name;
        }
        if let Some(host) = changes.host.filter(|host| *host != before.host) {
            if before.is_platform() {
                return Err(Refusal::conflict(
                    "platform_tenant",
                    "The console signs in at the platform's issuer, so it stays where it is.",
                ));
            }
            self.check_host_free(change.tx(), host.as_ref()).await?;
            after.host = host;
        }
        after.version += 1;
        change.tx().update_tenant(&after).await?;
        let event = Event::new("tenants.update", "Changed the tenant's name or address.")
            .object("tenant", tenant, &after.name)
            .before(&before)
            .after(&after);
        let done = Done::new(after, event).releases();
        let (after, releases) = change.finish_with_releases(done).await?;
        Ok(releases.current(after))
    }

    /// Suspends a tenant, so that nodes refuse to serve it, or resumes it.
    ///
    /// # Errors
    /// Needs `platform.tenants.update`. [`Refusal::NotFound`] for a stranger; [`Refusal::Stale`]; [`Refusal::Conflict`] for the platform itself.
    pub async fn set_tenant_status(
        &self,
        caller: &Caller,
        at: At,
        status: TenantStatus,
        mode: Mode,
    ) -> Result<Tenant, Refusal> {
        let At { tenant, expected } = at;
        let change = self
            .change_about(caller, tenant, Permission::TenantsUpdate, mode)
            .await?;
        let before = change
            .tx()
            .lock_tenant(tenant)
            .await?
            .ok_or(Refusal::NotFound { what: "tenant" })?;
        if before.is_platform() {
            return Err(Refusal::conflict(
                "platform_tenant",
                "The platform's own tenant cannot be suspended: nobody could sign in to resume it.",
            ));
        }
        check_version(expected, before.version)?;
        let mut after = before.clone();
        after.status = status;
        after.version += 1;
        change.tx().update_tenant(&after).await?;
        let (action, verb) = match status {
            TenantStatus::Active => ("tenants.resume", "Resumed"),
            TenantStatus::Suspended => ("tenants.suspend", "Suspended"),
        };
        let event = Event::new(
            action,
            format!("{verb} the tenant \u{201c}{}\u{201d}.", after.name),
        )
        .object("tenant", tenant, &after.name)
        .before(&before)
        .after(&after);
        let done = Done::new(after, event).concerns(tenant);
        let (after, releases) = change.finish_with_releases(done).await?;
        Ok(releases.current(after))
    }
}

impl ControlPlane {
    /// Refuses a host that belongs to someone else already: another tenant, or the installation itself, on
    /// whose shared hosts every other tenant lives.
    pub(super) async fn check_host_free(
        &self,
        tx: &Tx,
        host: Option<&Host>,
    ) -> Result<(), Refusal> {
        let Some(host) = host else { return Ok(()) };
        if self.is_shared_host(host.as_str()) {
            return Err(Refusal::conflict(
                "host_reserved",
                format!("{host} is the address tenants share."),
            ));
        }
        match tx.find_tenant_by_host(host).await? {
            None => Ok(()),
            Some(_) => Err(Refusal::conflict(
                "host_taken",
                format!("Another tenant lives at {host}."),
            )),
        }
    }
}
