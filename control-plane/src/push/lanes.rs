//! Lanes: nodes hear of containments on a connection that carries nothing else, and confirm them.
//!
//! Per region there is one state in memory ([`told::Told`]): the newest documents, the signed roll of them, and its
//! number. A change is put into it the moment it is committed and wakes every lane of this replica; another
//! replica's is read when its news come. A lane compares what its node holds with that state, so whatever is lost
//! costs a second and never truth. Numbers have no gaps: one that is missing here was committed elsewhere and is
//! read before anything is told.
//!
//! A lane waits for nothing but its own link, and writes nothing itself: what nodes say is gathered by the
//! [`ledger`] and written in batches.

mod greeting;
mod hearing;
mod ledger;
mod session;
mod told;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use contract::{ids::NodeId, tenant::Region};
use tokio::sync::{mpsc, watch};

pub(super) use self::session::run;
use self::{
    ledger::{Ledger, Line},
    told::{LINGERS, Told},
};
use super::{LINK_DEPTH, NodeLink, session::Proof};
use crate::{ControlPlane, Refusal, containments::ContainmentRecord};

/// Which nodes hear of containments here, and what they are to hold.
#[derive(Default)]
pub(crate) struct Lanes {
    feeds: Mutex<BTreeMap<Region, Arc<Feed>>>,
    ledger: Ledger,
    /// Counts what was recorded, here or elsewhere.
    changes: watch::Sender<u64>,
}

/// One region.
#[derive(Default)]
struct Feed {
    told: watch::Sender<Arc<Told>>,
    /// Held by whoever reads the database, so that of many who need it one does.
    reading: tokio::sync::Mutex<()>,
    lanes: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    of: BTreeMap<NodeId, Lane>,
    count: u64,
}

/// A node's lane.
struct Lane {
    session: u64,
    heard_at: DateTime<Utc>,
    /// Set once a newer lane of the node took this one's place.
    replaced: watch::Sender<bool>,
    /// Counts the reasons to ask whether the node may still be here.
    doubts: watch::Sender<u64>,
}

impl ControlPlane {
    /// Opens a lane for a node in this process, as [`ControlPlane::attach_node`] opens a link: frames are
    /// [`contract::lane::LaneDown`] and [`contract::lane::LaneUp`].
    pub fn attach_lane(&self) -> NodeLink {
        let (down, to_node) = mpsc::channel(LINK_DEPTH);
        let (from_node, up) = mpsc::channel(LINK_DEPTH);
        let session = run(self.clone(), Proof::SameProcess, None, (up, down));
        tokio::spawn(session);
        NodeLink { to_node, from_node }
    }

    /// Tells every lane here of a revision that was committed this moment.
    pub(crate) async fn tell_contained(&self, record: &ContainmentRecord) {
        let containment = &record.containment;
        let region = &containment.region;
        if let Some(feed) = self.lanes().find(region)
            && !feed.take(self, record)
            && let Err(error) = self.read_feed(&feed, region).await
        {
            // The news of it are in the outbox, and will be heard like anybody else's.
            tracing::error!(?error, containment = %containment.id, "a containment cannot be told at once");
        }
        let (id, revision) = (containment.id, containment.revision);
        let at = record.accepted_at;
        self.note(Line::Accepted { id, revision, at });
        self.lanes().tell_changed();
    }

    /// Hears that something was contained, lifted or confirmed in a region, whoever recorded it.
    pub(crate) async fn hear_containments(&self, region: &Region) -> Result<(), Refusal> {
        if let Some(feed) = self.lanes().find(region) {
            self.read_feed(&feed, region).await?;
        }
        self.lanes().tell_changed();
        Ok(())
    }

    /// Reads what a region's nodes are to hold, as far as it is not known yet.
    async fn read_feed(&self, feed: &Feed, region: &Region) -> Result<(), Refusal> {
        let _alone = feed.reading.lock().await;
        let known = feed.told().known();
        let now = self.clock().now();
        let tx = self.store().begin_read().await?;
        let sequence = tx.containment_sequence(region).await?;
        if known == Some(sequence) {
            return Ok(());
        }
        let after = known.unwrap_or(0);
        let since = now - LINGERS;
        let records = tx.list_containments_after(region, after, since).await?;
        drop(tx);
        feed.publish(|told| told.with(&records, (region, sequence), now, self.signer()));
        Ok(())
    }
}

impl Lanes {
    /// Moves whenever something was recorded, here or elsewhere.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Something was recorded.
    pub(crate) fn tell_changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// When the nodes of a region with a lane here were last heard.
    pub(crate) fn heard(&self, region: &Region) -> Vec<(NodeId, DateTime<Utc>)> {
        let Some(feed) = self.find(region) else {
            return Vec::new();
        };
        let sessions = feed.sessions();
        let heard = sessions
            .of
            .iter()
            .map(|(node, lane)| (*node, lane.heard_at));
        heard.collect()
    }

    /// Has the lane of a node look whether it may still be here.
    pub(crate) fn doubt(&self, node: NodeId) {
        for feed in self.feeds().values() {
            if let Some(lane) = feed.sessions().of.get(&node) {
                lane.doubts.send_modify(|doubts| *doubts += 1);
            }
        }
    }

    fn find(&self, region: &Region) -> Option<Arc<Feed>> {
        self.feeds().get(region).cloned()
    }

    fn feed(&self, region: &Region) -> Arc<Feed> {
        Arc::clone(self.feeds().entry(region.clone()).or_default())
    }

    fn feeds(&self) -> MutexGuard<'_, BTreeMap<Region, Arc<Feed>>> {
        // Nothing panics while it holds one of these locks; were that to change, the maps would still be whole.
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told.borrow())
    }

    /// Takes a revision that was committed here; `false` if something before it is not known yet.
    fn take(&self, control_plane: &ControlPlane, record: &ContainmentRecord) -> bool {
        let containment = &record.containment;
        let now = control_plane.clock().now();
        let mut is_next = false;
        self.publish(|told| {
            is_next = told.known().map(|known| known + 1) == Some(containment.sequence);
            let upto = (&containment.region, containment.sequence);
            match is_next {
                true => told.with(
                    std::slice::from_ref(record),
                    upto,
                    now,
                    control_plane.signer(),
                ),
                false => None,
            }
        });
        is_next
    }

    /// Lets go of what may be forgotten by now.
    fn forget(&self, control_plane: &ControlPlane, region: &Region) {
        let now = control_plane.clock().now();
        if self.told().is_due(now) {
            self.publish(|told| {
                let upto = (region, told.sequence());
                told.with(&[], upto, now, control_plane.signer())
            });
        }
    }

    /// Puts another state in the place of the present one and wakes all lanes, if there is one.
    fn publish(&self, next: impl FnOnce(&Told) -> Option<Told>) {
        self.told.send_if_modified(|told| match next(told) {
            Some(next) => {
                *told = Arc::new(next);
                true
            }
            None => false,
        });
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a lane until what is returned is dropped; a newer one of the same node takes its place.
    fn join(&self, node: NodeId, now: DateTime<Utc>) -> Presence<'_> {
        let mut sessions = self.sessions();
        sessions.count += 1;
        let session = sessions.count;
        let (replaced, is_replaced) = watch::channel(false);
        let (doubts, doubted) = watch::channel(0);
        let lane = Lane {
            session,
            heard_at: now,
            replaced,
            doubts,
        };
        if let Some(older) = sessions.of.insert(node, lane) {
            older.replaced.send_replace(true);
        }
        Presence {
            feed: self,
            node,
            session,
            is_replaced,
            doubted,
        }
    }
}

/// A node that has a lane, for as long as this lives; however it ends, the node leaves with it.
#[must_use = "the node leaves as soon as this is dropped"]
struct Presence<'a> {
    feed: &'a Feed,
    node: NodeId,
    session: u64,
    is_replaced: watch::Receiver<bool>,
    doubted: watch::Receiver<u64>,
}

impl Presence<'_> {
    /// The node said something.
    fn touch(&self, now: DateTime<Utc>) {
        if let Some(lane) = self.feed.sessions().of.get_mut(&self.node)
            && lane.session == self.session
        {
            lane.heard_at = now;
        }
    }

    /// When the node last said something; nothing if a newer lane took this one's place.
    fn heard_at(&self) -> Option<DateTime<Utc>> {
        let sessions = self.feed.sessions();
        let lane = sessions.of.get(&self.node);
        let own = lane.filter(|lane| lane.session == self.session);
        own.map(|lane| lane.heard_at)
    }

    /// Ends when the node connected anew.
    async fn replaced(&self) {
        let mut is_replaced = self.is_replaced.clone();
        let _ = is_replaced.wait_for(|replaced| *replaced).await;
    }

    /// Tells of reasons to ask whether the node may still be here.
    fn doubts(&self) -> watch::Receiver<u64> {
        self.doubted.clone()
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let mut sessions = self.feed.sessions();
        let lane = sessions.of.get(&self.node);
        if lane.is_some_and(|lane| lane.session == self.session) {
            sessions.of.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests;
