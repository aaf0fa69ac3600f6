//! Keys: the public halves of the keys that sign tenants' tokens, as the regions report them.
//!
//! Private halves are made and kept in the region and cannot come here: there is no frame for them
//! (R-KEY-03).

use contract::{frames::PublicKey, ids::TenantId, permission::Permission};

use crate::{Caller, ControlPlane, Refusal};

impl ControlPlane {
    /// Lists the keys that sign a tenant's tokens.
    ///
    /// # Errors
    /// Needs `tenant.keys.view`.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Vec<PublicKey>, Refusal> {
        let view = self.view(caller, tenant, Permission::KeysView).await?;
        Ok(view.tx().list_tenant_keys(tenant).await?)
    }

    /// The keys that sign tokens of the platform tenant, with which the admin API knows its callers. Empty
    /// until a node of the platform's region has reported them.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] before the platform was set up.
    pub async fn platform_keys(&self) -> Result<Vec<PublicKey>, Refusal> {
        let tx = self.store().begin_read().await?;
        let platform = self.platform_tenant(&tx).await?;
        Ok(tx.list_tenant_keys(platform.id).await?)
    }

    /// The issuer of the platform tenant's tokens.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] before the platform was set up.
    pub async fn platform_issuer(&self) -> Result<String, Refusal> {
        let tx = self.store().begin_read().await?;
        let platform = self.platform_tenant(&tx).await?;
        Ok(self.issuer(&platform))
    }
}
