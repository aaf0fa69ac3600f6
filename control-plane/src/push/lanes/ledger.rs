//! Writing down what nodes say, in batches: a thousand confirmations that come at once are a few transactions.
//!
//! Whoever notes something finds either somebody who writes, and what they note is in that one's next batch, or
//! nobody, and then they begin: nothing waits for a clock. What cannot be written is tried again for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use contract::{
    ids::{ContainmentId, NodeId},
    tenant::Region,
};

use crate::{
    ControlPlane, Refusal,
    containments::{LaneLink, Said, Word},
    store::News,
};

/// Pause before what could not be written is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries to write one batch.
const TRIES: u32 = 30;

/// Something to be written down.
pub(super) enum Line {
    /// A node of a region said something about a revision.
    Said(Region, Word),
    /// What became of a lane.
    Link(LaneLink),
    /// When the commit of a revision was over.
    Accepted {
        /// Of which containment.
        id: ContainmentId,
        /// Which revision.
        revision: u32,
        /// When.
        at: DateTime<Utc>,
    },
}

/// What waits to be written, and whether somebody writes.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    lines: Vec<Line>,
    somebody_writes: bool,
}

/// Lines put in order: one of a kind, so that no statement touches a row twice, and sorted, so that two replicas
/// that write at once do not wait for each other.
#[derive(Default)]
struct Batch {
    words: BTreeMap<(ContainmentId, u32, NodeId), Word>,
    links: BTreeMap<NodeId, LaneLink>,
    accepted: BTreeMap<ContainmentId, (u32, DateTime<Utc>)>,
    regions: BTreeSet<Region>,
}

impl ControlPlane {
    /// Has something written down soon.
    pub(super) fn note(&self, line: Line) {
        let begins = {
            let mut waiting = self.lanes().ledger.waiting();
            waiting.lines.push(line);
            !mem::replace(&mut waiting.somebody_writes, true)
        };
        if begins {
            tokio::spawn(write_all(self.clone()));
        }
    }

    async fn write_lines(&self, batch: &Batch) -> Result<(), Refusal> {
        let tx = self.store().begin().await?;
        for (id, (revision, at)) in &batch.accepted {
            tx.accept_containment(*id, *revision, *at).await?;
        }
        let words: Vec<Word> = batch.words.values().cloned().collect();
        tx.put_words(&words).await?;
        let links: Vec<LaneLink> = batch.links.values().cloned().collect();
        tx.put_lane_links(&links).await?;
        for region in &batch.regions {
            let news = News::Containments(region.clone());
            tx.put_news(&news, self.clock().now()).await?;
        }
        tx.commit().await?;
        if !batch.regions.is_empty() {
            self.bus().ring();
        }
        Ok(())
    }
}

async fn write_all(control_plane: ControlPlane) {
    while let Some(batch) = control_plane.lanes().ledger.take() {
        for tried in 1..=TRIES {
            match control_plane.write_lines(&batch).await {
                Ok(()) => break,
                Err(error) if tried == TRIES => {
                    tracing::error!(?error, "what nodes said about containments is lost");
                }
                Err(error) => {
                    tracing::warn!(?error, "what nodes said cannot be written; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        control_plane.lanes().tell_changed();
    }
}

impl Ledger {
    /// Everything that waits. With nothing left, whoever asked does not write any more.
    fn take(&self) -> Option<Batch> {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() {
            waiting.somebody_writes = false;
            return None;
        }
        let mut batch = Batch::default();
        for line in mem::take(&mut waiting.lines) {
            batch.add(line);
        }
        Some(batch)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock; were that to change, the list would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn add(&mut self, line: Line) {
        match line {
            Line::Said(region, word) => {
                self.regions.insert(region);
                let of = (word.containment, word.revision, word.node);
                // The first confirmation stands; a refusal stands until then.
                let stands = |word: &Word| matches!(word.said, Said::Confirmed { .. });
                if !self.words.get(&of).is_some_and(stands) {
                    self.words.insert(of, word);
                }
            }
            Line::Link(link) => {
                self.links.insert(link.node, link);
            }
            Line::Accepted { id, revision, at } => {
                self.accepted.insert(id, (revision, at));
            }
        }
    }
}
