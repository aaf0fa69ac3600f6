//! What the nodes of each ring of each region should hold, in memory, so that a session costs what differs.
//!
//! A region is read from the database once, when its first node comes. From then on commits of this replica
//! and the outbox of the others change one bucket each; the index is signed when a session needs it, once for
//! all of them. Sessions hear of changes in the order in which they were made here, numbered without gaps, so
//! that each knows whether it missed one.
//!
//! Nothing here is truth: it is a copy of the database that knows how far it got ([`Region::catch_up`]), and
//! whatever does not fit is read again.

mod difference;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    index::{Bucket, Entries, IndexEntry},
    section::ContentHash,
    tenant,
};
use host::wire::Text;
use tokio::sync::broadcast;

pub(super) use self::difference::{Difference, Known};
use super::frames;
use crate::{
    ControlPlane, Refusal,
    change::Promotion,
    nodes::Ring,
    releases::{Compiled, Reach},
    store::{News, StoredRelease, Tx},
};

/// Announcements a session may fall behind before it compares states again instead.
const BACKLOG: usize = 256;
/// News that are read at a time.
const BATCH: u64 = 500;
/// What is lost of a time before it is signed: less than every database keeps, so that all replicas state the
/// same one.
const DIGITS_OF_SECOND: u16 = 3;

/// The rings of regions that have had a node here.
#[derive(Default)]
pub(crate) struct Regions {
    known: Mutex<BTreeMap<(tenant::Region, Ring), Arc<Region>>>,
    signed: Arc<AtomicU64>,
}

/// One ring of a region.
pub(super) struct Region {
    name: tenant::Region,
    ring: Ring,
    /// The number of the newest news that is in it, once it was read. Whoever holds this reads.
    heard: tokio::sync::Mutex<Option<u64>>,
    content: Mutex<Content>,
    changes: broadcast::Sender<Arc<Change>>,
    /// Counts signatures of all regions.
    signed: Arc<AtomicU64>,
}

/// A change of a region, as its sessions hear of it.
#[derive(Debug)]
pub(super) struct Change {
    /// Its number; the next change has the next one.
    pub(super) generation: u64,
    /// What changed; `None` if it was so much that states are to be compared.
    pub(super) release: Option<Announcement>,
}

/// A committed release as frames, serialized once for all nodes.
#[derive(Debug)]
pub(super) struct Announcement {
    /// Whose.
    pub(super) tenant: TenantId,
    /// What whoever holds the version before lacks of it, then the release.
    pub(super) frames: Vec<Text>,
}

/// A release that is to become part of a region.
struct Step {
    /// The version that was current before; 0 for none.
    base: u64,
    entry: IndexEntry,
    issued_at: DateTime<Utc>,
    announcement: Announcement,
}

struct Content {
    generation: u64,
    shelves: Vec<Shelf>,
    /// The time of the newest change.
    newest: DateTime<Utc>,
    /// The index as a frame, until the next change.
    index: Option<Text>,
    /// Whether it was read from the database.
    is_read: bool,
}

/// One bucket.
#[derive(Default)]
struct Shelf {
    entries: Entries,
    /// The last change.
    changed: u64,
    /// Made when somebody needs it.
    document: Option<Document>,
}

/// A bucket's name and its frame; neither, if it is empty.
#[derive(Clone)]
struct Document(Option<(ContentHash, Text)>);

impl Regions {
    fn get(&self, name: &tenant::Region, ring: Ring) -> Arc<Region> {
        let mut known = lock(&self.known);
        let region = known.entry((name.clone(), ring)).or_insert_with(|| {
            let signed = Arc::clone(&self.signed);
            Arc::new(Region::new((name.clone(), ring), signed))
        });
        Arc::clone(region)
    }

    /// The rings of a region that somebody asked for before.
    pub(super) fn rings(&self, name: &tenant::Region) -> Vec<Arc<Region>> {
        let known = lock(&self.known);
        Ring::ALL
            .into_iter()
            .filter_map(|ring| known.get(&(name.clone(), ring)).cloned())
            .collect()
    }

    /// Tells the sessions of a release that was committed here. Rings that hold another version than the one
    /// before are left out: they are told once it was read what they lack.
    pub(super) fn announce_own(&self, release: Compiled) {
        // A ring that is not known here yet is read as a whole by its first session.
        for region in self.rings(&release.region) {
            if !release.reach.includes(region.ring) {
                region.observe(release.issued_at);
                continue;
            }
            let sections = release.new_sections.clone();
            let manifest = release.manifest.clone();
            region.take(Step {
                // If another replica committed that one a moment ago, the outbox tells of both in their order.
                base: release.version - 1,
                entry: IndexEntry {
                    version: release.version,
                    manifest: release.manifest_hash.clone(),
                },
                issued_at: release.issued_at,
                announcement: Announcement {
                    tenant: release.tenant,
                    frames: frames::of_release(release.tenant, manifest, sections),
                },
            });
        }
    }
}

impl ControlPlane {
    /// A ring of a region as the database has it now.
    ///
    /// Must not be called with a transaction open: it takes its turn with others that need one.
    pub(super) async fn region(
        &self,
        name: &tenant::Region,
        ring: Ring,
    ) -> Result<Arc<Region>, Refusal> {
        let region = self.hub().regions().get(name, ring);
        region.catch_up(self).await?;
        Ok(region)
    }

    /// Tells nodes of what was committed here. Whatever fails is told once the outbox is read.
    pub(crate) async fn announce(&self, releases: Vec<Compiled>, promotions: Vec<Promotion>) {
        let regions = self.hub().regions();
        let mut late = Vec::new();
        for release in releases {
            let (tenant, version) = (release.tenant, release.version);
            let (name, reach) = (release.region.clone(), release.reach);
            regions.announce_own(release);
            late.push((name, (tenant, version), reach));
        }
        late.extend(promotions.into_iter().map(|promoted| {
            let release = (promoted.tenant, promoted.version);
            (promoted.region, release, Reach::Wide)
        }));
        for (name, release, reach) in late {
            let rings = regions.rings(&name);
            // Most are in step by now, and nothing is to be read for them.
            let behind = rings.iter().filter(|region| {
                let behind = region.behind(release.0, release.1).is_some();
                behind && reach.includes(region.ring) && !region.is_deserted()
            });
            for region in behind {
                if let Err(error) = region.hear_alone(self, release).await {
                    tracing::warn!(?error, "nodes hear of a release late");
                }
            }
        }
    }

    /// How many indexes this process signed: one per state of a region, however many nodes ask for it.
    pub fn signed_indexes(&self) -> u64 {
        self.hub().regions().signed.load(Ordering::Relaxed)
    }
}

impl Region {
    fn new((name, ring): (tenant::Region, Ring), signed: Arc<AtomicU64>) -> Self {
        Self {
            name,
            ring,
            heard: tokio::sync::Mutex::default(),
            content: Mutex::new(Content {
                generation: 0,
                shelves: Bucket::all().map(|_| Shelf::default()).collect(),
                newest: DateTime::UNIX_EPOCH,
                index: None,
                is_read: false,
            }),
            changes: broadcast::Sender::new(BACKLOG),
            signed,
        }
    }

    /// Which one it is.
    pub(super) fn name(&self) -> &tenant::Region {
        &self.name
    }

    /// Which ring of it.
    pub(super) fn ring(&self) -> Ring {
        self.ring
    }

    /// Hears of changes from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Whether nobody would hear of a change.
    pub(super) fn is_deserted(&self) -> bool {
        self.changes.receiver_count() == 0
    }

    /// Makes sure that everything that is committed by now is in it.
    pub(super) async fn catch_up(&self, control_plane: &ControlPlane) -> Result<(), Refusal> {
        let mut heard = self.heard.lock().await;
        loop {
            let tx = control_plane.store().begin_read().await?;
            let Some(number) = *heard else {
                *heard = Some(self.read(&tx).await?);
                // What was committed meanwhile found nothing to become part of.
                continue;
            };
            if tx.newest_news().await? <= number {
                return Ok(());
            }
            let news = tx.list_news(number, BATCH).await?;
            if news.first().is_none_or(|(first, _)| *first != number + 1) {
                // News are forgotten after a while: too much was missed to be told one by one.
                *heard = None;
                continue;
            }
            for (number, news) in news {
                if let News::Release {
                    tenant,
                    region,
                    version,
                    reach,
                } = news
                    && region == self.name
                {
                    let release = (tenant, version);
                    self.attend(control_plane, &tx, (release, reach)).await?;
                }
                *heard = Some(number);
            }
        }
    }

    /// Reads the whole, and says up to which news it reaches at least.
    async fn read(&self, tx: &Tx) -> Result<u64, Refusal> {
        let number = tx.newest_news().await?;
        let newest = tx.newest_release_at(&self.name).await?;
        let mut buckets: BTreeMap<Bucket, Entries> = BTreeMap::new();
        for (tenant, version, manifest) in tx.list_current_releases(&self.name, self.ring).await? {
            let entry = IndexEntry { version, manifest };
            let entries = buckets.entry(Bucket::of(tenant)).or_default();
            entries.insert(tenant, entry);
        }
        let mut content = lock(&self.content);
        let generation = content.generation + 1;
        content.generation = generation;
        content.newest = newest.unwrap_or(DateTime::UNIX_EPOCH).max(content.newest);
        content.index = None;
        content.is_read = true;
        for bucket in Bucket::all() {
            let entries = buckets.remove(&bucket).unwrap_or_default();
            let shelf = &mut content.shelves[bucket.number()];
            if shelf.entries != entries {
                *shelf = Shelf {
                    entries,
                    changed: generation,
                    document: None,
                };
            }
        }
        self.tell(Change {
            generation,
            release: None,
        });
        Ok(number)
    }

    /// Makes a release part of it if it is for this ring.
    pub(super) async fn attend(
        &self,
        control_plane: &ControlPlane,
        tx: &Tx,
        ((tenant, version), reach): ((TenantId, u64), Reach),
    ) -> Result<(), Refusal> {
        if reach.includes(self.ring) {
            return self.hear(control_plane, tx, (tenant, version)).await;
        }
        if let Some(release) = tx.find_release(tenant, version).await? {
            self.observe(release.issued_at);
        }
        Ok(())
    }

    /// Something was signed for the other ring. A node that changes its ring must not take what this one is told
    /// for older than what it had there.
    fn observe(&self, issued_at: DateTime<Utc>) {
        let mut content = lock(&self.content);
        if content.newest < issued_at {
            content.newest = issued_at;
            content.index = None;
        }
    }

    /// As [`Region::hear`], with a transaction of its own.
    async fn hear_alone(
        &self,
        control_plane: &ControlPlane,
        release: (TenantId, u64),
    ) -> Result<(), Refusal> {
        let tx = control_plane.store().begin_read().await?;
        self.hear(control_plane, &tx, release).await
    }

    /// Makes a release part of it that was committed elsewhere, or here, and tells of it.
    async fn hear(
        &self,
        control_plane: &ControlPlane,
        tx: &Tx,
        (tenant, version): (TenantId, u64),
    ) -> Result<(), Refusal> {
        while let Some(base) = self.behind(tenant, version) {
            let Some(release) = tx.find_release(tenant, version).await? else {
                return Ok(());
            };
            let step = self.step(control_plane, tx, (base, release)).await?;
            // If another step came in between, this one starts where that one ended.
            self.take(step);
        }
        Ok(())
    }

    /// The version that is current here if that is an earlier one; 0 for none.
    fn behind(&self, tenant: TenantId, version: u64) -> Option<u64> {
        let content = lock(&self.content);
        let shelf = &content.shelves[Bucket::of(tenant).number()];
        let known = shelf.entries.get(&tenant).map_or(0, |entry| entry.version);
        (content.is_read && known < version).then_some(known)
    }

    async fn step(
        &self,
        control_plane: &ControlPlane,
        tx: &Tx,
        (base, release): (u64, StoredRelease),
    ) -> Result<Step, Refusal> {
        let (tenant, version) = (release.tenant, release.version);
        let before = tx.find_release(tenant, base).await?;
        Ok(Step {
            base,
            entry: IndexEntry {
                version,
                manifest: release.manifest_hash.clone(),
            },
            issued_at: release.issued_at,
            announcement: Announcement {
                tenant,
                frames: control_plane
                    .frames_between(tx, before.as_ref(), release)
                    .await?,
            },
        })
    }

    /// Makes a release part of it and tells of it; `false` if it does not follow on what is there.
    fn take(&self, step: Step) -> bool {
        let mut content = lock(&self.content);
        let tenant = step.announcement.tenant;
        let generation = content.generation + 1;
        let is_read = content.is_read;
        let shelf = &mut content.shelves[Bucket::of(tenant).number()];
        let known = shelf.entries.get(&tenant).map_or(0, |entry| entry.version);
        if known != step.base || !is_read {
            return false;
        }
        shelf.entries.insert(tenant, step.entry);
        shelf.changed = generation;
        shelf.document = None;
        content.generation = generation;
        content.newest = content.newest.max(step.issued_at);
        content.index = None;
        // Told while it is locked, so that all sessions hear of changes in their order.
        self.tell(Change {
            generation,
            release: Some(step.announcement),
        });
        true
    }

    fn tell(&self, change: Change) {
        // Nobody listening is no loss: whoever connects compares states.
        let _ = self.changes.send(Arc::new(change));
    }

    /// What nodes should hold of a tenant.
    pub(super) fn find_entry(&self, tenant: TenantId) -> Option<IndexEntry> {
        let content = lock(&self.content);
        let shelf = &content.shelves[Bucket::of(tenant).number()];
        shelf.entries.get(&tenant).cloned()
    }

    /// What nodes should hold of a bucket, and as of which change.
    pub(super) fn bucket(&self, bucket: Bucket) -> (u64, Entries) {
        let content = lock(&self.content);
        let entries = content.shelves[bucket.number()].entries.clone();
        (content.generation, entries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one; were that to change, the content would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests;
