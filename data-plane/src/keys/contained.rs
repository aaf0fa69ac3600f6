//! Keys that are contained: they sign nothing and are in no JWKS, and another takes their place at once.

use contract::ids::TenantId;

use super::KeysError;
use crate::Node;

impl Node {
    /// Replaces signing keys of a tenant that are contained, and has the new ones reported.
    pub(crate) async fn renew_keys(&self, tenant: TenantId) {
        if let Err(error) = self.refresh_keys(tenant).await {
            tracing::error!(%tenant, %error, "ALARM: a contained signing key cannot be replaced; the tenant issues nothing with it");
        }
    }

    /// Has a tenant's keys stand as its containments say; another is made where none is left that may sign, and the
    /// control plane is told. A tenant whose keys nobody needed yet has them read with that in mind later.
    ///
    /// # Errors
    /// The region's database does not answer: what is contained signs on until it does, and is believed by nobody.
    pub(crate) async fn refresh_keys(&self, tenant: TenantId) -> Result<(), KeysError> {
        match self.tenant(tenant) {
            Some(runtime) if runtime.is_warm() => runtime.keys().reload(runtime.issuer()).await,
            _ => Ok(()),
        }
    }
}
