//! A tenant as those who run the platform must see it, whatever its customer decides.
//!
//! Suspending a tenant, resuming it and finding out why nodes refuse it are duties of the vendor that no
//! row of the customer's matrix can take away; so the view that these need comes with the platform's own
//! permission. It shows how the tenant runs and nothing of how it is configured or of who is in it: that
//! stays with the duty of configuration oversight, which is the customer's to give.

use chrono::{DateTime, Utc};
use contract::{ids::TenantId, permission::Permission, tenant::Slug};

use super::Tenant;
use crate::{
    Caller, ControlPlane, Refusal, Scope,
    assignments::Member,
    change::{NO_TENANT, Target},
    releases::Effectiveness,
    store::Tx,
};

/// How a tenant runs.
#[derive(Debug, Clone)]
pub struct TenantOversight {
    /// The tenant.
    pub tenant: Tenant,
    /// How far its current version has come.
    pub effectiveness: Effectiveness,
    /// Whether anybody governs it.
    pub first_owner: FirstOwner,
}

/// Whether a tenant has somebody who governs it. Says nothing about who that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstOwner {
    /// Nobody was invited to.
    Nobody,
    /// Somebody was invited and has not come yet: the vendor may send the invitation again
    /// ([`ControlPlane::resend_first_invitation`]).
    Invited {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// An owner came.
    Accepted,
}

impl ControlPlane {
    /// Reads how a tenant runs.
    ///
    /// # Errors
    /// Needs `platform.tenants.view`; [`Refusal::NotFound`] for a stranger.
    pub async fn oversee_tenant(
        &self,
        caller: &Caller,
        slug: &Slug,
    ) -> Result<TenantOversight, Refusal> {
        let known = self.enter_by_slug(caller, slug).await?;
        self.oversee(caller, known.id).await
    }

    /// Reads how a tenant runs, for a door that has admitted the caller to it.
    pub(crate) async fn oversee(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<TenantOversight, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::TenantsView)
            .await?;
        let tx = view.tx();
        let tenant = tx.find_tenant(tenant).await?.ok_or(NO_TENANT)?;
        Ok(TenantOversight {
            effectiveness: self.effectiveness_of(tx, &tenant).await?,
            first_owner: first_owner(tx, &tenant).await?,
            tenant,
        })
    }
}

async fn first_owner(tx: &Tx, tenant: &Tenant) -> Result<FirstOwner, Refusal> {
    let members = tx.list_members(Scope::Tenant(tenant.id)).await?;
    if members.iter().any(Member::is_standing_owner) {
        return Ok(FirstOwner::Accepted);
    }
    let invited = members.iter().filter(|member| member.is_owner());
    let since = invited
        .flat_map(|member| member.roles.iter().map(|held| held.created_at))
        .min();
    Ok(since.map_or(FirstOwner::Nobody, |since| FirstOwner::Invited { since }))
}
