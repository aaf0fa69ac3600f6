//! Making a tenant: complete at once, so that there is no moment at which a node would have to guess.

use chrono::{DateTime, Utc};
use contract::{
    index::MAX_INDEX_TENANTS,
    permission::Permission,
    policies::{Policy, RegistrationMode},
    tenant::{Environment, Host, PLATFORM_SLUG, Region, Slug, TenantName, TenantStatus},
};

use super::Tenant;
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    authz::Ground,
    change::{Change, Done, Target},
    operators::{Enlisted, Invited, Invitee, refuse_address},
    policies::PublishedPolicy,
    responsibilities::MatrixRow,
    store::Tx,
};

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

impl ControlPlane {
    /// Makes a tenant, with its matrix, policies, first release and, if named, first owner.
    ///
    /// # Errors
    /// Needs `platform.tenants.create`. [`Refusal::Conflict`] for a slug or host that is taken, and for a
    /// region that has no room.
    pub async fn create_tenant(
        &self,
        caller: &Caller,
        new: NewTenant,
        mode: Mode,
    ) -> Result<TenantCreated, Refusal> {
        let change = self
            .change(caller, Target::Platform, Permission::TenantsCreate, mode)
            .await?;
        if let Some(admin) = &new.first_admin {
            admin.check()?;
        }
        self.check_new(change.tx(), &new).await?;
        let tenant = self.new_tenant(&new, change.at());
        change.tx().insert_tenant(&tenant).await?;
        furnish(&change, &tenant).await?;
        let invitation = match &new.first_admin {
            Some(admin) => match self.enlist_first_owner(&change, &tenant, admin).await {
                Ok(enlisted) => Some(enlisted),
                Err(refusal) => return Err(refuse_address(change, refusal).await),
            },
            None => None,
        };
        let event = Event::new(
            "tenants.create",
            format!("Created the tenant \u{201c}{}\u{201d}.", tenant.name),
        )
        .object("tenant", tenant.id, &tenant.name)
        .after(&tenant);
        let id = tenant.id;
        let role = invitation.as_ref().map(Enlisted::told);
        let mut done = Done::new((tenant, invitation), event).concerns(id);
        if let Some(role) = role {
            done = done.tells(id, role);
        }
        let ((tenant, invitation), releases) = change.finish_with_releases(done).await?;
        let first_admin = match invitation {
            Some(pending) => Some(self.deliver(caller, pending, mode).await),
            None => None,
        };
        Ok(TenantCreated {
            tenant: releases.current(tenant),
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
        // One more than the index has room for, and no node of the region would hear of anything again.
        if tx.count_tenants(&new.region).await? >= MAX_INDEX_TENANTS as u64 {
            return Err(Refusal::conflict(
                "region_full",
                format!(
                    "The region {} has its {MAX_INDEX_TENANTS} tenants; choose another.",
                    new.region
                ),
            ));
        }
        if tx.find_tenant_by_slug(&new.slug).await?.is_some() {
            return Err(Refusal::conflict(
                "slug_taken",
                format!("Another tenant has the short name {}.", new.slug),
            ));
        }
        self.check_host_free(tx, new.host.as_ref()).await
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
}

/// Gives a new tenant its matrix and its policies.
async fn furnish(change: &Change<'_>, tenant: &Tenant) -> Result<(), Refusal> {
    let ground = Ground::of(tenant);
    let by = change.caller().name();
    let matrix: Vec<MatrixRow> = contract::duty::DutyKey::all()
        .map(|duty| MatrixRow {
            responsibility: ground.row(duty),
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
