//! Tenants: made by the vendor, named by either side, governed by their own matrix.
//!
//! A new tenant is complete at once: a matrix, published policies and a first release, so that there is no
//! moment at which a node would have to guess. Its issuer follows from its slug or host and is never
//! typed by anyone.

mod change;
mod create;
mod oversee;

use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    permission::Permission,
    tenant::{Environment, Host, PLATFORM_SLUG, Region, Slug, TenantName, TenantStatus},
};
use serde::Serialize;

pub use self::{
    change::TenantChanges,
    create::{NewTenant, TenantCreated},
    oversee::{FirstOwner, TenantOversight},
};
use crate::{Caller, ControlPlane, Page, PageRequest, Refusal, Scope, change::Target};

/// A tenant, as the control plane knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name in addresses.
    pub slug: Slug,
    /// Its display name.
    pub name: TenantName,
    /// What it is used for.
    pub environment: Environment,
    /// Where its users' data and its nodes are.
    pub region: Region,
    /// Its own host, if it has one.
    pub host: Option<Host>,
    /// Whether nodes serve it.
    pub status: TenantStatus,
    /// For `If-Match`: grows with each change of name, host or status.
    pub version: i64,
    /// Grows with each change of the responsibility matrix.
    #[serde(skip)]
    pub matrix_version: i64,
    /// The current release.
    #[serde(skip)]
    pub release_version: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Tenant {
    /// Whether it is the vendor's own tenant.
    pub fn is_platform(&self) -> bool {
        self.slug.as_str() == PLATFORM_SLUG
    }
}

impl ControlPlane {
    /// The issuer identifier under which the tenant speaks: on its own host, or under a path of the shared one.
    pub fn issuer(&self, tenant: &Tenant) -> String {
        let base = self.base_of(&tenant.region);
        match &tenant.host {
            Some(host) => match base.port() {
                Some(port) => format!("{}://{host}:{port}", base.scheme()),
                None => format!("{}://{host}", base.scheme()),
            },
            None => format!("{}/t/{}", base.as_str().trim_end_matches('/'), tenant.slug),
        }
    }

    /// Lists tenants by short name: all of them for staff, otherwise those the caller has a role in.
    /// `text` must occur in slug, name or host.
    ///
    /// # Errors
    /// Needs `platform.tenants.view` to see more than one's own.
    pub async fn list_tenants(
        &self,
        caller: &Caller,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Tenant>, Refusal> {
        if caller.is_staff() || caller.is_system() {
            let view = self
                .view(caller, Target::Platform, Permission::TenantsView)
                .await?;
            return Ok(view.tx().list_tenants(text, None, page).await?);
        }
        let own: Vec<TenantId> = caller
            .roles()
            .iter()
            .filter_map(|held| match held.scope {
                Scope::Tenant(tenant) => Some(tenant),
                Scope::Platform => None,
            })
            .collect();
        let tx = self.store().begin_read().await?;
        Ok(tx.list_tenants(text, Some(&own), page).await?)
    }

    /// Reads a tenant.
    ///
    /// # Errors
    /// Needs `tenant.settings.view`; [`Refusal::NotFound`] for a stranger.
    pub async fn get_tenant(&self, caller: &Caller, tenant: TenantId) -> Result<Tenant, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        Ok(view.tenant().clone())
    }

    /// Reads a tenant by its short name.
    ///
    /// # Errors
    /// As [`ControlPlane::get_tenant`].
    pub async fn get_tenant_by_slug(
        &self,
        caller: &Caller,
        slug: &Slug,
    ) -> Result<Tenant, Refusal> {
        let tenant = self.enter_by_slug(caller, slug).await?;
        self.get_tenant(caller, tenant.id).await
    }

    /// As [`ControlPlane::enter`], by short name.
    async fn enter_by_slug(&self, caller: &Caller, slug: &Slug) -> Result<Tenant, Refusal> {
        let found = {
            let tx = self.store().begin_read().await?;
            tx.find_tenant_by_slug(slug).await?
        };
        self.admit(caller, found).await
    }

    pub(crate) async fn slug_of(&self, tenant: TenantId) -> Result<Slug, Refusal> {
        let tx = self.store().begin_read().await?;
        let found = tx.find_tenant(tenant).await?;
        Ok(found.ok_or(Refusal::NotFound { what: "tenant" })?.slug)
    }
}
