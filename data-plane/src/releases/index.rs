//! The region's index as this node accepted it: what it should hold, believed because of one signature.
//!
//! It is kept sealed beside the releases, so that a start verifies it and then only hashes; and with it how far
//! each tenant had come, so that a release file that was put back to an earlier state is noticed. An index that
//! is older than the accepted one is refused, also after a restart.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use contract::{
    Invalid,
    ids::TenantId,
    index::{self, Bucket, Entries, IndexEntry, RegionIndex},
    jws::{JwsError, TrustRoot},
    section::ContentHash,
    tenant::Region,
};
use serde::{Deserialize, Serialize};

use super::{Releases, SnapshotError, apply::Applier};

/// Why an index is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("it {0}")]
    Untrusted(#[from] JwsError),
    #[error("it is of region {0}, and this node stands elsewhere")]
    OtherRegion(Region),
    #[error("it is older than the one at hand")]
    Older,
    /// The only one that is no alarm: what is missing may be on its way.
    #[error("the documents of {0} buckets are not at hand")]
    Incomplete(usize),
    #[error("{0}")]
    Document(Invalid),
    #[error("it cannot be kept: {0}")]
    NotKept(#[from] SnapshotError),
}

/// Documents that arrived, by the name they have.
pub(crate) type Documents = BTreeMap<ContentHash, (Bucket, String)>;

/// What a start needs of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptIndex {
    pub(super) jws: String,
    pub(super) documents: BTreeMap<Bucket, String>,
    /// The versions that were held: nothing below is taken back.
    pub(super) reached: BTreeMap<TenantId, u64>,
}

/// An accepted index.
pub(super) struct Accepted {
    jws: String,
    index: RegionIndex,
    entries: BTreeMap<Bucket, Arc<Entries>>,
}

/// The index at hand, if there is one.
#[derive(Default)]
pub(crate) struct Expected(Mutex<State>);

#[derive(Default)]
struct State {
    accepted: Option<Arc<Accepted>>,
    reached: BTreeMap<TenantId, u64>,
    /// How many tenants of a bucket are absent or old; a bucket without any is absent.
    behind: BTreeMap<Bucket, usize>,
}

impl Accepted {
    /// Reads what was kept; everything is verified again.
    pub(super) fn read(kept: KeptIndex, trust: &TrustRoot) -> Result<Self, IndexError> {
        let index = RegionIndex::verify(&kept.jws, trust)?;
        let mut entries = BTreeMap::new();
        for (bucket, hash) in &index.buckets {
            let body = kept
                .documents
                .get(bucket)
                .ok_or(IndexError::Incomplete(1))?;
            let read = index::read_document(*bucket, hash, body).map_err(IndexError::Document)?;
            entries.insert(*bucket, Arc::new(read));
        }
        Ok(Self {
            jws: kept.jws,
            index,
            entries,
        })
    }

    fn keep(&self, held: &Releases) -> Result<KeptIndex, IndexError> {
        let mut documents = BTreeMap::new();
        for (bucket, entries) in &self.entries {
            let body = index::document(entries).map_err(IndexError::Document)?;
            documents.extend(body.map(|body| (*bucket, body)));
        }
        let buckets = Bucket::all().flat_map(|bucket| held.bucket(bucket));
        Ok(KeptIndex {
            jws: self.jws.clone(),
            documents,
            reached: buckets
                .map(|(tenant, entry)| (tenant, entry.version))
                .collect(),
        })
    }

    /// What it says of a tenant.
    pub(super) fn find(&self, tenant: TenantId) -> Option<&IndexEntry> {
        self.entries.get(&Bucket::of(tenant))?.get(&tenant)
    }

    pub(super) fn region(&self) -> &Region {
        &self.index.region
    }
}

impl Expected {
    /// From now on it is this one; `reached`, if given, is what was kept with it.
    pub(super) fn set(
        &self,
        accepted: Arc<Accepted>,
        reached: Option<BTreeMap<TenantId, u64>>,
        held: &Releases,
    ) {
        let buckets = Bucket::all().map(|bucket| (bucket, behind(&accepted, bucket, held)));
        let behind = buckets.filter(|(_, behind)| *behind > 0).collect();
        let mut state = self.state();
        state.accepted = Some(accepted);
        state.behind = behind;
        if let Some(reached) = reached {
            state.reached = reached;
        }
    }

    pub(super) fn accepted(&self) -> Option<Arc<Accepted>> {
        self.state().accepted.clone()
    }

    /// How far a tenant had come when the index was kept; 0 if that is not known.
    pub(super) fn reached(&self, tenant: TenantId) -> u64 {
        self.state().reached.get(&tenant).copied().unwrap_or(0)
    }

    /// Counts a bucket anew, because one of its tenants changed, and says how many are behind altogether.
    pub(crate) fn count(&self, tenant: TenantId, held: &Releases) -> usize {
        let bucket = Bucket::of(tenant);
        let mut state = self.state();
        let now = state
            .accepted
            .as_ref()
            .map_or(0, |accepted| behind(accepted, bucket, held));
        match now {
            0 => state.behind.remove(&bucket),
            now => state.behind.insert(bucket, now),
        };
        state.behind.values().sum()
    }

    /// How many tenants are absent or old.
    pub(crate) fn behind(&self) -> usize {
        self.state().behind.values().sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the state; were that to change, its parts would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many tenants of a bucket are absent or old.
fn behind(accepted: &Accepted, bucket: Bucket, held: &Releases) -> usize {
    let Some(wanted) = accepted.entries.get(&bucket) else {
        return 0;
    };
    if held.bucket_hash(bucket).as_ref() == accepted.index.buckets.get(&bucket) {
        return 0;
    }
    let held = held.bucket(bucket);
    let is_behind = |(tenant, wanted): &(&TenantId, &IndexEntry)| {
        held.get(tenant)
            .is_none_or(|held| held.version < wanted.version)
    };
    wanted.iter().filter(is_behind).count()
}

impl Applier {
    /// Takes an index if it is to be believed and everything it names is at hand: among `arrived`, in the index
    /// before, or because it is exactly what is held. Stops serving the tenants it no longer names.
    pub(crate) async fn take_index(
        &self,
        jws: &str,
        arrived: &Documents,
    ) -> Result<(), IndexError> {
        let _turn = self.turn.lock().await;
        let before = self.expected.accepted();
        if before.as_ref().is_some_and(|before| before.jws == jws) {
            return Ok(());
        }
        let index = RegionIndex::verify(jws, &self.trust)?;
        if index.region != self.region {
            return Err(IndexError::OtherRegion(index.region));
        }
        // An old index replayed must neither drop a tenant nor lower an expectation.
        let is_older = |before: &Arc<Accepted>| index.issued_at < before.index.issued_at;
        if before.as_ref().is_some_and(is_older) {
            return Err(IndexError::Older);
        }
        let entries = self.documents(&index, before.as_deref(), arrived)?;
        let accepted = Arc::new(Accepted {
            jws: jws.to_owned(),
            index,
            entries,
        });
        self.drop_unlisted(&accepted);
        self.keep_index(accepted).await
    }

    fn documents(
        &self,
        index: &RegionIndex,
        before: Option<&Accepted>,
        arrived: &Documents,
    ) -> Result<BTreeMap<Bucket, Arc<Entries>>, IndexError> {
        let mut entries = BTreeMap::new();
        let mut missing = 0;
        for (bucket, hash) in &index.buckets {
            let known = before.filter(|before| before.index.buckets.get(bucket) == Some(hash));
            let known = known.and_then(|before| before.entries.get(bucket).cloned());
            let found = match (known, arrived.get(hash)) {
                (Some(known), _) => known,
                (None, Some((_, body))) => Arc::new(
                    index::read_document(*bucket, hash, body).map_err(IndexError::Document)?,
                ),
                (None, None) if self.releases.bucket_hash(*bucket).as_ref() == Some(hash) => {
                    Arc::new(self.releases.bucket(*bucket))
                }
                (None, None) => {
                    missing += 1;
                    continue;
                }
            };
            entries.insert(*bucket, found);
        }
        if missing > 0 {
            return Err(IndexError::Incomplete(missing));
        }
        Ok(entries)
    }

    fn drop_unlisted(&self, accepted: &Accepted) {
        for bucket in Bucket::all() {
            if self.releases.bucket_hash(bucket).as_ref() == accepted.index.buckets.get(&bucket) {
                continue;
            }
            for tenant in self.releases.bucket(bucket).into_keys() {
                let Some(slot) = self.releases.find(tenant) else {
                    continue;
                };
                // One that was made after the index was stated is not dropped by it.
                let newer = accepted.index.issued_at > slot.issued_at();
                if accepted.find(tenant).is_some() || !newer {
                    continue;
                }
                self.releases.swap_out(tenant);
                tracing::warn!(%tenant, "the region's index no longer names the tenant; it is not served any more");
                let version = slot.entry().version;
                if let Err(error) = self.snapshot.drop_release(tenant, version) {
                    tracing::error!(%tenant, %error, "the dropped release stays on disk");
                }
            }
        }
    }

    /// Keeps it away from the threads that answer requests. One that cannot be kept is believed all the same:
    /// the next start verifies more signatures.
    async fn keep_index(&self, accepted: Arc<Accepted>) -> Result<(), IndexError> {
        let (snapshot, releases) = (Arc::clone(&self.snapshot), Arc::clone(&self.releases));
        let writing = Arc::clone(&accepted);
        let written = tokio::task::spawn_blocking(move || {
            let kept = writing.keep(&releases)?;
            snapshot.store_index(&kept)?;
            Ok::<_, IndexError>(kept.reached)
        });
        let (reached, outcome) = match written.await {
            Ok(Ok(reached)) => (Some(reached), Ok(())),
            Ok(Err(error)) => (None, Err(error)),
            // The process is stopping.
            Err(_) => (None, Ok(())),
        };
        self.expected.set(accepted, reached, &self.releases);
        outcome
    }
}
