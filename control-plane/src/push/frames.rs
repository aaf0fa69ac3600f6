//! Frames of a release: whoever tells of one, to whomever, tells it in these words.

use std::collections::BTreeMap;

use contract::{frames::Down, ids::TenantId, manifest::Manifest, section::ContentHash};
use host::wire::Text;

use super::hub::frame;
use crate::{
    ControlPlane, Refusal,
    store::{StoredRelease, Tx},
};

/// The sections, then the release that needs them.
pub(super) fn of_release(
    tenant: TenantId,
    manifest: String,
    sections: BTreeMap<ContentHash, String>,
) -> Vec<Text> {
    let sections = sections
        .into_iter()
        .map(|(hash, body)| frame(&Down::Section { hash, body }));
    let release = frame(&Down::Release { tenant, manifest });
    sections.chain([release]).collect()
}

impl ControlPlane {
    /// The frames that bring a node from `base`, or from nothing, to `release`.
    pub(super) async fn frames_between(
        &self,
        tx: &Tx,
        base: Option<&StoredRelease>,
        release: StoredRelease,
    ) -> Result<Vec<Text>, Refusal> {
        let trust = self.trust_root();
        let read = |release: &StoredRelease| {
            Manifest::verify(&release.manifest, &trust).map_err(Refusal::internal)
        };
        let manifest = read(&release)?;
        let base = base.map(read).transpose()?;
        let missing: Vec<ContentHash> = manifest
            .missing_from(base.as_ref())
            .into_iter()
            .map(|(_, hash)| hash.clone())
            .collect();
        let sections = tx.list_sections(release.tenant, &missing).await?;
        Ok(of_release(release.tenant, release.manifest, sections))
    }
}
