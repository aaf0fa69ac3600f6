//! Light nodes: they enrol, connect and speak as nodes do, over real mutual TLS, and check by hash instead of by
//! signature; they serve nobody.
//!
//! A thousand of them in one process stand for a thousand machines, so what each does is kept to what a node says
//! on the wire. It must never acknowledge what it did not check: a section whose hash is wrong, or a manifest whose
//! sections did not come, is refused in the node's words, and the run counts it.

mod enrol;
mod lane;
mod push;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::{
    ids::{ContainmentId, NodeId},
    index::{self, Bucket, BucketHashes, Entries},
    section::ContentHash,
    tenant::Region,
};
use host::{
    HostPort,
    statement::StatementKey,
    wire::{Client, Limits},
};
use tokio::task::JoinHandle;

pub use self::enrol::enrol;
use crate::board::Board;

/// As a node's own.
const LIMITS: Limits = Limits {
    frame_bytes: 24 * 1024 * 1024,
    silence: Duration::from_secs(50),
    stall: Duration::from_secs(45),
};
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Pause before the next attempt, and what it grows by; a light node's own number spreads them.
const RETRY: Duration = Duration::from_millis(100);

/// One of them.
pub struct Light {
    number: usize,
    node: NodeId,
    region: Region,
    address: HostPort,
    client: Client,
    key: StatementKey,
    held: Mutex<Held>,
    board: Arc<Board>,
}

/// What it holds.
#[derive(Default)]
struct Held {
    releases: Entries,
    sections: BTreeSet<ContentHash>,
    containments: BTreeMap<ContainmentId, u32>,
    sequence: u64,
    /// Hears and says nothing more, like a machine behind a cut wire.
    mute: bool,
}

impl Light {
    /// Its id.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Keeps both of its connections until what is returned is aborted.
    pub fn connect(self: &Arc<Self>) -> [JoinHandle<()>; 2] {
        let (one, other) = (Arc::clone(self), Arc::clone(self));
        [
            tokio::spawn(async move { one.keep(false).await }),
            tokio::spawn(async move { other.keep(true).await }),
        ]
    }

    /// From now on it neither hears nor says anything on its lane, or does again.
    pub fn mute(&self, mute: bool) {
        self.held().mute = mute;
    }

    async fn keep(&self, lane: bool) {
        let mut failed: u32 = 0;
        loop {
            let ended = match lane {
                true => lane::session(self).await,
                false => push::session(self).await,
            };
            failed = match ended {
                Ok(()) => 0,
                Err(_) => (failed + 1).min(5),
            };
            let spread = u32::try_from(self.number % 10).unwrap_or(0) + 1;
            tokio::time::sleep(RETRY * (failed + 1) * spread / 5).await;
        }
    }

    fn buckets(&self) -> BucketHashes {
        let held = self.held();
        let mut shelves: BTreeMap<Bucket, Entries> = BTreeMap::new();
        for (tenant, entry) in &held.releases {
            let shelf = shelves.entry(Bucket::of(*tenant)).or_default();
            shelf.insert(*tenant, entry.clone());
        }
        let named = shelves.iter().filter_map(|(bucket, entries)| {
            let body = index::document(entries).ok().flatten()?;
            Some((*bucket, ContentHash::of(body.as_bytes())))
        });
        named.collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
