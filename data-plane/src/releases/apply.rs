//! From a signed manifest to a served tenant: verify, assemble, rehearse, seal, swap; or refuse.
//!
//! The order is the point (R-NODE-03 to R-NODE-05). Nothing is looked at before the signature holds,
//! nothing is served before a token was minted and verified with it in the shadow, nothing is served that
//! is not on disk, and the swap is one pointer. Whatever fails, the last good version keeps serving, the
//! control plane is told why, and an alarm is logged and counted. Input that panics this code is a bug.

use std::sync::Arc;

use contract::{
    frames::Outcome,
    ids::TenantId,
    jws::{JwsError, TrustRoot},
    manifest::{FORMAT, Manifest},
    release::{Release, ReleaseError},
    tenant::Region,
};
use host::Clock;
use tokio::sync::Mutex;

use super::{
    Releases, Snapshot, SnapshotError, TenantRuntime,
    index::Expected,
    slot::Slot,
    snapshot::{Bodies, Record},
};
use crate::{
    keys::{KeySource, KeysError},
    metrics::NodeMetrics,
};

/// Why a release is not served. Texts go to the control plane and into the log: no personal data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("the manifest {0}")]
    Manifest(#[from] JwsError),
    #[error("the manifest belongs to another tenant than the frame")]
    OtherTenant,
    #[error("the manifest is for region {0}, and this node stands elsewhere")]
    OtherRegion(Region),
    #[error("the release needs node version {0} or newer")]
    NodeTooOld(String),
    #[error("version {offered} is not newer than {highest}, the highest applied here")]
    Rollback { offered: u64, highest: u64 },
    #[error("version {0} was applied with other content")]
    OtherContent(u64),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error("another tenant on this node has the same slug or host")]
    NameTaken,
    #[error("the tenant's signing keys are of no use: {0}")]
    Keys(#[from] KeysError),
    #[error("the node is stopping")]
    Interrupted,
    #[error("it cannot be kept: {0}")]
    Snapshot(#[from] SnapshotError),
}

/// Applies releases, one at a time.
pub(crate) struct Applier {
    pub(crate) region: Region,
    pub(crate) software_version: String,
    pub(crate) trust: TrustRoot,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) keys: KeySource,
    pub(crate) clock: Clock,
    pub(crate) metrics: NodeMetrics,
    pub(crate) releases: Arc<Releases>,
    /// What the region's index asks for.
    pub(crate) expected: Expected,
    pub(crate) turn: Mutex<()>,
}

/// A release that has passed every check.
struct Candidate {
    runtime: TenantRuntime,
    bodies: Bodies,
}

impl Applier {
    /// Verifies and serves a release; says what to answer. Never serves a part of one.
    pub(crate) async fn apply(
        &self,
        tenant: TenantId,
        jws: &str,
        fresh: Bodies,
    ) -> (Option<u64>, Outcome) {
        let _turn = self.turn.lock().await;
        let claimed = Manifest::verify(jws, &self.trust);
        let version = claimed.as_ref().ok().map(|manifest| manifest.version);
        let result = match claimed {
            Ok(manifest) => self.advance(tenant, manifest, jws, fresh).await,
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(()) => (version, Outcome::Applied),
            Err(error) => {
                let reason = error.to_string();
                self.alarm(tenant, version, &reason);
                (version, Outcome::Rejected { reason })
            }
        }
    }

    async fn advance(
        &self,
        tenant: TenantId,
        manifest: Manifest,
        jws: &str,
        fresh: Bodies,
    ) -> Result<(), ApplyError> {
        self.check_addressee(tenant, &manifest)?;
        let served = self.releases.find(tenant);
        if let Some(served) = served.filter(|served| served.entry().version == manifest.version) {
            let same = served.entry().manifest == Manifest::hash_of(jws);
            return same
                .then_some(())
                .ok_or(ApplyError::OtherContent(manifest.version));
        }
        let record = match self.snapshot.record(tenant) {
            // It is written anew; how far it had come is known from the index as well.
            Err(error) if error.is_damage() => None,
            record => record?,
        };
        let reached = self.expected.reached(tenant);
        if manifest.version < reached {
            return Err(ApplyError::Rollback {
                offered: manifest.version,
                highest: reached,
            });
        }
        let highest = record.as_ref().map_or(0, |record| record.highest);
        // The very release that was accepted before is no step back: it repairs a damaged snapshot.
        let repairs = manifest.version == highest
            && record
                .as_ref()
                .is_some_and(|record| record.manifest.as_deref() == Some(jws));
        if manifest.version <= highest && !repairs {
            return Err(ApplyError::Rollback {
                offered: manifest.version,
                highest,
            });
        }
        let version = manifest.version;
        let Candidate { runtime, bodies } = self.rehearse(manifest, jws, (fresh, record)).await?;
        let runtime = Arc::new(runtime);
        self.seal(&runtime, jws, bodies).await?;
        self.releases.swap_in(vec![Slot::open(runtime)]);
        self.metrics.release_applied();
        tracing::info!(%tenant, version, "release applied");
        Ok(())
    }

    /// Writes and syncs away from the threads that answer requests.
    async fn seal(
        &self,
        runtime: &Arc<TenantRuntime>,
        jws: &str,
        bodies: Bodies,
    ) -> Result<(), ApplyError> {
        let (snapshot, runtime) = (Arc::clone(&self.snapshot), Arc::clone(runtime));
        let (jws, software) = (jws.to_owned(), self.software_version.clone());
        let written = tokio::task::spawn_blocking(move || {
            snapshot.store(&runtime.release().manifest, &jws, &bodies, &software)
        });
        written.await.map_err(|_| ApplyError::Interrupted)??;
        Ok(())
    }

    pub(super) fn check_addressee(
        &self,
        tenant: TenantId,
        manifest: &Manifest,
    ) -> Result<(), ApplyError> {
        if manifest.format > FORMAT {
            return Err(ReleaseError::Format(manifest.format).into());
        }
        if manifest.tenant != tenant {
            return Err(ApplyError::OtherTenant);
        }
        if manifest.region != self.region {
            return Err(ApplyError::OtherRegion(manifest.region.clone()));
        }
        if !is_at_least(&self.software_version, &manifest.min_node_version) {
            return Err(ApplyError::NodeTooOld(manifest.min_node_version.clone()));
        }
        Ok(())
    }

    /// Everything short of serving it.
    async fn rehearse(
        &self,
        manifest: Manifest,
        jws: &str,
        (fresh, record): (Bodies, Option<Record>),
    ) -> Result<Candidate, ApplyError> {
        let tenant = manifest.tenant;
        let bodies = self.bodies(&manifest, fresh, record);
        let release = Release::assemble(manifest, |hash| bodies.get(hash).map(String::as_str))?;
        if self.releases.name_taken(&release.tenant) {
            return Err(ApplyError::NameTaken);
        }
        let keys = match self.releases.by_id(tenant) {
            Some(served) => Arc::clone(&served.keys),
            None => self.keys.of(tenant),
        };
        let issuer = &release.tenant.issuer;
        keys.load(issuer).await?;
        keys.prove(issuer, self.clock.now())?;
        let runtime = TenantRuntime::new(release, Manifest::hash_of(jws), keys);
        Ok(Candidate { runtime, bodies })
    }

    /// The content of the manifest's sections: what came with it, and what lies on disk.
    pub(super) fn bodies(
        &self,
        manifest: &Manifest,
        fresh: Bodies,
        record: Option<Record>,
    ) -> Bodies {
        let mut packed = record.map(|record| record.bodies).unwrap_or_default();
        let mut bodies = fresh;
        for hash in manifest.sections.values() {
            if !bodies.contains_key(hash) {
                let kept = packed.remove(hash);
                let kept = kept.or_else(|| self.snapshot.section(manifest.tenant, hash));
                bodies.extend(kept.map(|body| (hash.clone(), body)));
            }
        }
        bodies
    }

    pub(super) fn alarm(&self, tenant: TenantId, version: Option<u64>, reason: &str) {
        self.metrics.release_rejected();
        tracing::error!(%tenant, version, reason, "ALARM: release refused; the last good one stays");
    }
}

/// Whether `ours` is at least `needed`, both `major.minor.patch`. What cannot be read is not satisfied.
fn is_at_least(ours: &str, needed: &str) -> bool {
    let parts = |text: &str| -> Option<[u64; 3]> {
        let numbers: Vec<u64> = text
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    match (parts(ours), parts(needed)) {
        (Some(ours), Some(needed)) => ours >= needed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for (ours, needed, enough) in [
            ("0.1.0", "0.1.0", true),
            ("0.10.0", "0.9.9", true),
            ("1.0.0", "0.99.0", true),
            ("0.1.0", "0.1.1", false),
            ("0.1.0", "1", false),
            ("0.1.0", "latest", false),
            ("dev", "0.0.1", false),
        ] {
            assert_eq!(is_at_least(ours, needed), enough, "{ours} {needed}");
        }
    }
}
