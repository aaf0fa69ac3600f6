//! A new version with the content of an earlier one: how a release is taken back (R-NODE-06).
//!
//! Versions only grow (R-NODE-04), so nothing is ever taken back by giving nodes an older one. What the tenant's
//! people configured stays as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    manifest::Manifest,
    section::{ContentHash, SectionName},
    tenant::TenantStatus,
};

use super::Compiled;
use crate::{
    ControlPlane, Refusal,
    store::{StoredRelease, Tx},
    tenants::Tenant,
};

impl ControlPlane {
    /// Writes a version with the content of `earlier`, for all nodes. The tenant's status is the one of now.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] (`same_content`) if the newest version has that content.
    pub(crate) async fn release_again(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        earlier: u64,
        at: DateTime<Utc>,
    ) -> Result<Compiled, Refusal> {
        let sections = self.sections_again(tx, tenant, earlier).await?;
        let last = tx.find_latest_release(tenant.id).await?;
        let written = self.write_release(tx, tenant, (sections, last), at);
        written.await?.ok_or_else(|| {
            Refusal::conflict(
                "same_content",
                "The current release has that content already.",
            )
        })
    }

    /// What a suspension is released with while a rollout is open: the content that all nodes have. What was
    /// not let through must not get to them by the way.
    pub(super) async fn held_back(
        &self,
        tx: &Tx,
        tenant: &Tenant,
    ) -> Result<Option<BTreeMap<SectionName, String>>, Refusal> {
        if tenant.status != TenantStatus::Suspended {
            return Ok(None);
        }
        let Some(open) = tx.find_open_rollout(tenant.id).await? else {
            return Ok(None);
        };
        let Some(base) = tx.find_release(tenant.id, open.base_version).await? else {
            return Ok(None);
        };
        if self.manifest_of(&base)?.status == TenantStatus::Suspended {
            return Ok(None);
        }
        let sections = self.sections_again(tx, tenant, open.base_version);
        sections.await.map(Some)
    }

    async fn sections_again(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        version: u64,
    ) -> Result<BTreeMap<SectionName, String>, Refusal> {
        let gone = || Refusal::internal(format!("version {version} is not there any more"));
        let earlier = tx
            .find_release(tenant.id, version)
            .await?
            .ok_or_else(gone)?;
        let names = self.manifest_of(&earlier)?.sections;
        let hashes: Vec<ContentHash> = names.values().cloned().collect();
        let bodies = tx.list_sections(tenant.id, &hashes).await?;
        names
            .into_iter()
            .map(|(name, hash)| Ok((name, bodies.get(&hash).ok_or_else(gone)?.clone())))
            .collect()
    }

    fn manifest_of(&self, release: &StoredRelease) -> Result<Manifest, Refusal> {
        Manifest::verify(&release.manifest, &self.trust_root()).map_err(Refusal::internal)
    }
}
