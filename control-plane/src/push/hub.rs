//! The hub: which nodes are connected, what they are asked, and where a committed release is announced.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::{
    frames::{Command, CommandOutcome, Down},
    ids::{CommandId, NodeId, TenantId},
    index::Bucket,
    tenant::Region,
};
use host::wire::Text;
use tokio::sync::{Notify, futures::OwnedNotified, mpsc, oneshot, watch};

use super::{asking::Asking, state::Regions};
use crate::Refusal;

/// Longest wait for a node's answer to a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// One connected node, as the hub sees it.
struct Lane {
    region: Region,
    commands: mpsc::UnboundedSender<Text>,
    /// What the node has yet to say.
    asking: Arc<Asking>,
    session: u64,
    /// Set once a newer session of the node took this one's place.
    replaced: watch::Sender<bool>,
    /// Counts the reasons to ask whether the node may still be here.
    doubts: watch::Sender<u64>,
}

/// A command whose answer somebody waits for.
struct Waiting {
    /// The node it was sent to: only that one can answer.
    node: NodeId,
    answer: oneshot::Sender<CommandOutcome>,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<NodeId, Lane>,
    pending: HashMap<CommandId, Waiting>,
    sessions: u64,
}

/// Which nodes are connected, and what they are to hear.
pub(crate) struct Hub {
    state: Mutex<State>,
    regions: Regions,
    heard: Arc<Notify>,
    /// Counts changes of the authorities.
    authorities: watch::Sender<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            regions: Regions::default(),
            heard: Arc::default(),
            authorities: watch::Sender::new(0),
        }
    }
}

impl Hub {
    /// What the nodes of each region should hold.
    pub(super) fn regions(&self) -> &Regions {
        &self.regions
    }

    /// The nodes of a region that are connected to this replica now.
    pub(crate) fn connected(&self, region: &Region) -> BTreeSet<NodeId> {
        let state = self.state();
        let here = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.region == *region);
        here.map(|(node, _)| *node).collect()
    }

    /// Those of them of which is known what they hold of a tenant: the others are asked at this moment.
    pub(super) fn connected_and_known(
        &self,
        region: &Region,
        tenant: TenantId,
    ) -> BTreeMap<NodeId, bool> {
        let (state, bucket) = (self.state(), Bucket::of(tenant));
        let here = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.region == *region);
        here.map(|(node, lane)| (*node, !lane.asking.is_open(bucket)))
            .collect()
    }

    /// Says something to each node of a region that is connected here.
    pub(crate) fn tell(&self, region: &Region, text: &Text) {
        let state = self.state();
        for lane in state.lanes.values().filter(|lane| lane.region == *region) {
            // A session that ends at this moment hears nothing any more.
            let _ = lane.commands.send(text.clone());
        }
    }

    /// Whether a node is connected here.
    pub(super) fn has(&self, node: NodeId) -> bool {
        self.state().lanes.contains_key(&node)
    }

    /// Has one node of `region` do something, and waits for its answer.
    pub(crate) async fn command(
        &self,
        region: &Region,
        tenant: TenantId,
        id: CommandId,
        command: Command,
    ) -> Result<CommandOutcome, Refusal> {
        let unavailable = |detail: String| Refusal::Unavailable { detail };
        let text = frame(&Down::Command {
            id,
            tenant,
            command,
        });
        let (answer, outcome) = oneshot::channel();
        let _pending = {
            let mut state = self.state();
            let taken_by = state
                .lanes
                .iter()
                .filter(|(_, lane)| lane.region == *region)
                .find(|(_, lane)| lane.commands.send(text.clone()).is_ok())
                .map(|(node, _)| *node);
            let Some(node) = taken_by else {
                return Err(unavailable(format!(
                    "No node of the region {region} is connected."
                )));
            };
            state.pending.insert(id, Waiting { node, answer });
            Pending { hub: self, id }
        };
        match tokio::time::timeout(COMMAND_LIMIT, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            _ => Err(unavailable("The node did not answer in time.".to_owned())),
        }
    }

    /// Hands a node's answer to whoever waits for it. An answer that nobody waits for, or that comes from
    /// another node than was asked, changes nothing.
    pub(super) fn answer(&self, node: NodeId, id: CommandId, outcome: CommandOutcome) {
        let mut state = self.state();
        match state.pending.remove(&id) {
            Some(waiting) if waiting.node == node => {
                // Whoever asked may have given up.
                let _ = waiting.answer.send(outcome);
            }
            Some(other) => {
                state.pending.insert(id, other);
                tracing::warn!(%node, command = %id, "a node answered a command of another node");
            }
            None => tracing::debug!(%node, command = %id, "nobody waits for this answer any more"),
        }
    }

    /// Registers a session until what is returned is dropped; a newer one of the same node takes the older
    /// one's place.
    pub(super) fn join(
        &self,
        node: NodeId,
        region: Region,
        commands: mpsc::UnboundedSender<Text>,
        asking: Arc<Asking>,
    ) -> Presence<'_> {
        let mut state = self.state();
        state.sessions += 1;
        let session = state.sessions;
        let (replaced, is_replaced) = watch::channel(false);
        let (doubts, doubted) = watch::channel(0);
        let lane = Lane {
            region,
            commands,
            asking,
            session,
            replaced,
            doubts,
        };
        if let Some(older) = state.lanes.insert(node, lane) {
            older.replaced.send_replace(true);
        }
        Presence {
            hub: self,
            node,
            session,
            is_replaced,
            doubted,
        }
    }

    /// Has the session of a node look whether it may still be here.
    pub(crate) fn doubt(&self, node: NodeId) {
        if let Some(lane) = self.state().lanes.get(&node) {
            lane.doubts.send_modify(|doubts| *doubts += 1);
        }
    }

    /// The authorities changed: listeners and sessions look again.
    pub(super) fn tell_authorities_changed(&self) {
        self.authorities.send_modify(|changes| *changes += 1);
    }

    /// Hears of changes of the authorities from now on.
    pub(super) fn authorities_changes(&self) -> watch::Receiver<u64> {
        self.authorities.subscribe()
    }

    /// Ends a session, unless a newer one took its place.
    fn leave(&self, node: NodeId, session: u64) {
        let mut state = self.state();
        if state
            .lanes
            .get(&node)
            .is_some_and(|lane| lane.session == session)
        {
            state.lanes.remove(&node);
        }
    }

    /// Something a node said was recorded.
    pub(super) fn tell_heard(&self) {
        self.heard.notify_waiters();
    }

    /// Ends when the next thing a node says was recorded; listens from the moment it is made.
    pub(super) fn heard(&self) -> OwnedNotified {
        self.heard.clone().notified_owned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the state; were that to change, the maps would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node that is connected, for as long as this lives. However a session ends (also by a panic, also
/// aborted), the node leaves with it: a ghost would be sent commands that nobody hears.
#[must_use = "the node leaves as soon as this is dropped"]
pub(super) struct Presence<'a> {
    hub: &'a Hub,
    node: NodeId,
    session: u64,
    is_replaced: watch::Receiver<bool>,
    doubted: watch::Receiver<u64>,
}

impl Presence<'_> {
    /// Ends when the node connected anew.
    pub(super) async fn replaced(&self) {
        let mut is_replaced = self.is_replaced.clone();
        // The sender lives as long as the entry; an entry that is gone means a newer session.
        let _ = is_replaced.wait_for(|replaced| *replaced).await;
    }

    /// Tells of reasons to ask whether the node may still be here.
    pub(super) fn doubts(&self) -> watch::Receiver<u64> {
        self.doubted.clone()
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.hub.leave(self.node, self.session);
        self.hub.tell_heard();
    }
}

/// The entry of a command under way; gone when nobody waits any more, whoever gave up.
struct Pending<'a> {
    hub: &'a Hub,
    id: CommandId,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.hub.state().pending.remove(&self.id);
    }
}

/// The text of a frame.
pub(crate) fn frame(frame: &Down) -> Text {
    let text = serde_json::to_string(frame);
    text.expect("frames have string keys and always serialize")
        .into()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contract::{
        frames::Delivery,
        ids::{TypedId, UserId},
    };
    use uuid::Uuid;

    use super::*;

    fn id<I: TypedId>(number: u128) -> I {
        I::from_uuid(Uuid::from_u128(number))
    }

    fn region() -> Region {
        "local".parse().unwrap()
    }

    fn invite() -> Command {
        Command::InviteUser {
            user: id::<UserId>(1),
            email: "ada@example.com".into(),
            name: "Ada".into(),
            inviter: "Grace".into(),
            purpose: "Tenant owner of Acme".into(),
            expires_at: DateTime::UNIX_EPOCH,
            delivery: Delivery::Mail,
        }
    }

    fn asked(
        hub: &Arc<Hub>,
        number: u128,
    ) -> tokio::task::JoinHandle<Result<CommandOutcome, Refusal>> {
        let hub = Arc::clone(hub);
        tokio::spawn(async move { hub.command(&region(), id(9), id(number), invite()).await })
    }

    #[tokio::test]
    async fn a_session_that_panics_or_is_aborted_leaves_no_ghost() {
        let hub = Arc::new(Hub::default());
        for end_by_panic in [true, false] {
            let (here, joined) = (Arc::clone(&hub), oneshot::channel());
            let session = tokio::spawn(async move {
                let _presence =
                    here.join(id(1), region(), mpsc::unbounded_channel().0, Arc::default());
                joined.0.send(()).unwrap();
                assert!(!end_by_panic, "on purpose");
                std::future::pending::<()>().await;
            });
            joined.1.await.unwrap();
            session.abort();
            assert!(session.await.is_err());
            assert!(hub.connected(&region()).is_empty());
        }
    }

    #[tokio::test]
    async fn an_older_session_does_not_take_the_newer_one_with_it() {
        let hub = Hub::default();
        let older = hub.join(id(1), region(), mpsc::unbounded_channel().0, Arc::default());
        let newer = hub.join(id(1), region(), mpsc::unbounded_channel().0, Arc::default());
        drop(older);
        assert_eq!(hub.connected(&region()).len(), 1);
        drop(newer);
        assert!(hub.connected(&region()).is_empty());
    }

    #[tokio::test]
    async fn a_command_nobody_waits_for_is_forgotten() {
        let hub = Arc::new(Hub::default());
        let (lane, mut queued) = mpsc::unbounded_channel();
        let _node = hub.join(id(1), region(), lane, Arc::default());
        let asking = asked(&hub, 5);
        queued.recv().await.unwrap();
        assert_eq!(hub.state().pending.len(), 1);
        asking.abort();
        assert!(asking.await.is_err());
        assert!(hub.state().pending.is_empty());
        // Its answer comes too late, and one that was never asked for comes too.
        hub.answer(id(1), id(5), CommandOutcome::Done);
        hub.answer(id(1), id(6), CommandOutcome::Done);
        assert!(hub.state().pending.is_empty());
    }

    #[tokio::test]
    async fn only_the_node_that_was_asked_answers() {
        let hub = Arc::new(Hub::default());
        let (lane, mut queued) = mpsc::unbounded_channel();
        let _asked = hub.join(id(1), region(), lane, Arc::default());
        let _other = hub.join(id(2), region(), mpsc::unbounded_channel().0, Arc::default());
        let asking = asked(&hub, 5);
        queued.recv().await.unwrap();
        let forged = CommandOutcome::Failed {
            reason: "forged".into(),
        };
        hub.answer(id(2), id(5), forged);
        hub.answer(id(1), id(5), CommandOutcome::Done);
        assert_eq!(asking.await.unwrap().unwrap(), CommandOutcome::Done);
        assert!(hub.state().pending.is_empty());
    }
}
