//! Tenants: made by the vendor, named by either side, governed by their own matrix.
//!
//! A new tenant is complete at once: a matrix, published policies and a first release, so that there is no
//! moment at which a node would have to guess. Its issuer follows from its slug or host and is never
//! typed by anyone.

use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    permission::Permission,
    policies::{Policy, RegistrationMode},
    responsibility::Responsibility,
    tenant::{Environment, Host, PLATFORM_SLUG, Region, Slug, TenantName, TenantStatus},
};
use serde::Serialize;
use url::Url;

use crate::{
    At, Caller, ControlPlane, Mode, Page, PageRequest, Refusal, Scope,
    audit::Event,
    change::{Change, Done, Target, check_version},
    operators::{Invited, Invitee},
    policies::PublishedPolicy,
    responsibilities::MatrixRow,
    store::Tx,
};

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

/// What a new tenant is made of.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its short name; unique.
    pub slug: Slug,
    /// Its display name.
    pub name: TenantName,
    /// What it is used for.
    pub environment: Environment,
    /// Where it lives; cannot be changed later.
    pub region: Region,
    /// Its own host, if it has one.
    pub host: Option<Host>,
    /// Who becomes its first owner.
    pub first_admin: Option<Invitee>,
}

/// What making a tenant came to.
#[derive(Debug, Clone)]
pub struct TenantCreated {
    /// The tenant.
    pub tenant: Tenant,
    /// Its first owner, if one was named.
    pub first_admin: Option<Invited>,
}

/// What of a tenant changes; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct TenantChanges {
    /// Another display name.
    pub name: Option<TenantName>,
    /// Another host, or none.
    pub host: Option<Option<Host>>,
}

impl ControlPlane {
    /// The issuer identifier under which the tenant speaks: on its own host, or under a path of the shared one.
    pub fn issuer(&self, tenant: &Tenant) -> String {
        let base = &self.inner.auth_base_url;
        match &tenant.host {
            Some(host) => match base.port() {
                Some(port) => format!("{}://{host}:{port}", base.scheme()),
                None => format!("{}://{host}", base.scheme()),
            },
            None => format!("{}/t/{}", base.as_str().trim_end_matches('/'), tenant.slug),
        }
    }

    /// Makes a tenant, with its matrix, policies, first release and, if named, first owner.
    ///
    /// # Errors
    /// Needs `platform.tenants.create`. [`Refusal::Conflict`] for a slug or host that is taken.
    pub async fn create_tenant(
        &self,
        caller: &Caller,
        new: NewTenant,
        mode: Mode,
    ) -> Result<TenantCreated, Refusal> {
        if let Some(admin) = &new.first_admin {
            admin.check()?;
        }
        let change = self
            .change(caller, Target::Platform, Permission::TenantsCreate, mode)
            .await?;
        self.check_new(change.tx(), &new).await?;
        let tenant = self.new_tenant(&new, change.at());
        change.tx().insert_tenant(&tenant).await?;
        furnish(&change, &tenant).await?;
        let invitation = match &new.first_admin {
            Some(admin) => Some(self.enlist_first_owner(&change, &tenant, admin).await?),
            None => None,
        };
        let event = Event::new(
            "tenants.create",
            format!("Created the tenant \u{201c}{}\u{201d}.", tenant.name),
        )
        .object("tenant", tenant.id, &tenant.name)
        .after(&tenant);
        let id = tenant.id;
        let (tenant, invitation) = change
            .finish(Done::new((tenant, invitation), event).concerns(id))
            .await?;
        let first_admin = match invitation {
            Some(pending) => Some(self.deliver(caller, pending, mode).await),
            None => None,
        };
        Ok(TenantCreated {
            tenant,
            first_admin,
        })
    }

    async fn check_new(&self, tx: &Tx, new: &NewTenant) -> Result<(), Refusal> {
        if !self.regions().contains(&new.region) {
            return Err(Refusal::invalid(
                "region",
                "is not one of the platform's regions",
            ));
        }
        if tx.find_tenant_by_slug(&new.slug).await?.is_some() {
            return Err(Refusal::conflict(
                "slug_taken",
                format!("Another tenant has the short name {}.", new.slug),
            ));
        }
        check_host_free(tx, &self.inner.auth_base_url, new.host.as_ref()).await
    }

    fn new_tenant(&self, new: &NewTenant, at: DateTime<Utc>) -> Tenant {
        Tenant {
            id: self.new_id(),
            slug: new.slug.clone(),
            name: new.name.clone(),
            environment: new.environment,
            region: new.region.clone(),
            host: new.host.clone(),
            status: TenantStatus::Active,
            version: 1,
            matrix_version: 1,
            release_version: 0,
            created_at: at,
        }
    }

    /// Makes the vendor's own tenant; there is nobody to ask yet, so only the product itself may.
    pub(crate) async fn found_platform(&self) -> Result<Tenant, Refusal> {
        let caller = self.system_caller();
        let at = self.clock().now();
        let new = NewTenant {
            slug: PLATFORM_SLUG.parse()?,
            name: "Platform".parse()?,
            environment: Environment::Production,
            region: self.regions()[0].clone(),
            host: None,
            first_admin: None,
        };
        let tenant = self.new_tenant(&new, at);
        let change = self.found(&caller, tenant.clone()).await?;
        furnish(&change, &tenant).await?;
        let event = Event::new("tenants.create", "Founded the platform.")
            .object("tenant", tenant.id, &tenant.name)
            .after(&tenant);
        change.finish(Done::new(tenant, event).releases()).await
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
        let view = self
            .view(caller, Target::Tenant(tenant), Permission::SettingsView)
            .await?;
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
        let found = {
            let tx = self.store().begin_read().await?;
            tx.find_tenant_by_slug(slug).await?
        };
        let tenant = found.ok_or(Refusal::NotFound { what: "tenant" })?;
        self.get_tenant(caller, tenant.id).await
    }

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
            .change(
                caller,
                Target::Tenant(tenant),
                Permission::SettingsEdit,
                mode,
            )
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
            check_host_free(change.tx(), &self.inner.auth_base_url, host.as_ref()).await?;
            after.host = host;
        }
        after.version += 1;
        change.tx().update_tenant(&after).await?;
        let event = Event::new("tenants.update", "Changed the tenant's name or address.")
            .object("tenant", tenant, &after.name)
            .before(&before)
            .after(&after);
        change.finish(Done::new(after, event).releases()).await
    }

    /// Suspends a tenant, so that nodes refuse to serve it, or resumes it.
    ///
    /// # Errors
    /// Needs `platform.tenants.update`. [`Refusal::Stale`]; [`Refusal::Conflict`] for the platform itself.
    pub async fn set_tenant_status(
        &self,
        caller: &Caller,
        at: At,
        status: TenantStatus,
        mode: Mode,
    ) -> Result<Tenant, Refusal> {
        let At { tenant, expected } = at;
        let change = self
            .change(caller, Target::Platform, Permission::TenantsUpdate, mode)
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
        change
            .finish(Done::new(after, event).concerns(tenant))
            .await
    }

    pub(crate) async fn slug_of(&self, tenant: TenantId) -> Result<Slug, Refusal> {
        let tx = self.store().begin_read().await?;
        let found = tx.find_tenant(tenant).await?;
        Ok(found.ok_or(Refusal::NotFound { what: "tenant" })?.slug)
    }
}

/// Gives a new tenant its matrix and its policies.
async fn furnish(change: &Change<'_>, tenant: &Tenant) -> Result<(), Refusal> {
    let row = if tenant.is_platform() {
        Responsibility::platform
    } else {
        Responsibility::default_for
    };
    let by = change.caller().name();
    let matrix: Vec<MatrixRow> = contract::duty::DutyKey::all()
        .map(|duty| MatrixRow {
            responsibility: row(duty),
            version: 1,
            updated_at: change.at(),
            updated_by: by.to_owned(),
        })
        .collect();
    change
        .tx()
        .insert_responsibilities(tenant.id, &matrix)
        .await?;
    for kind in Policy::WRITABLE {
        let mut document =
            Policy::default_for(kind).expect("each kind that has documents has a default");
        if let (true, Policy::Registration(registration)) = (tenant.is_platform(), &mut document) {
            registration.mode = RegistrationMode::InviteOnly;
        }
        let published = PublishedPolicy::new(document, 1, change.at(), by);
        change.tx().insert_policy(tenant.id, &published).await?;
    }
    Ok(())
}

/// Refuses a host that belongs to someone else already: another tenant, or the installation itself, whose
/// shared host every other tenant lives on.
async fn check_host_free(tx: &Tx, shared: &Url, host: Option<&Host>) -> Result<(), Refusal> {
    let Some(host) = host else { return Ok(()) };
    if shared.host_str() == Some(host.as_str()) {
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
