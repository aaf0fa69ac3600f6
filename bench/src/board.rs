//! Where nodes write down when they were done with what, and how many bytes that took.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use contract::ids::{ContainmentId, TenantId};

/// What a node is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A version of a tenant was checked, and acknowledged.
    Release(TenantId, u64),
    /// A revision of a containment was applied, and confirmed.
    Containment(ContainmentId, u32),
    /// The region's index came: the node is greeted.
    Index,
}

/// Shared by all nodes of a run.
#[derive(Default)]
pub struct Board {
    seen: Mutex<HashMap<Event, HashMap<usize, Instant>>>,
    bytes: AtomicU64,
    refusals: AtomicU64,
    largest_section: AtomicUsize,
    largest_pulse: AtomicUsize,
    largest_document: AtomicUsize,
}

impl Board {
    /// A node is done; the first time counts.
    pub fn note(&self, event: Event, node: usize, at: Instant) {
        self.seen()
            .entry(event)
            .or_default()
            .entry(node)
            .or_insert(at);
    }

    /// Waits until as many `nodes` are done, `limit` at most, and takes down when each was.
    pub async fn wait(&self, event: Event, nodes: usize, limit: Duration) -> Vec<Instant> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if self.seen().get(&event).map_or(0, HashMap::len) >= nodes {
                break;
            }
            // The times are taken where they happen; this only notices that the last one came.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let taken = self.seen().remove(&event).unwrap_or_default();
        taken.into_values().collect()
    }

    /// Forgets what nobody waits for.
    pub fn clear(&self) {
        self.seen().clear();
    }

    /// Bytes of frames about releases that came to light nodes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// What light nodes refused.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Relaxed)
    }

    /// The largest frame of each kind: a section, a pulse, a containment.
    pub fn largest(&self) -> [usize; 3] {
        [
            &self.largest_section, &self.largest_pulse, &self.largest_document,
        ]
        .map(|one| one.load(Relaxed))
    }

    pub(crate) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn count_refusal(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }

    pub(crate) fn section(&self, bytes: usize) {
        self.largest_section.fetch_max(bytes, Relaxed);
    }

    pub(crate) fn pulse(&self, bytes: usize) {
        self.largest_pulse.fetch_max(bytes, Relaxed);
    }

    pub(crate) fn document(&self, bytes: usize) {
        self.largest_document.fetch_max(bytes, Relaxed);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Event, HashMap<usize, Instant>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
