//! The hub: which nodes are connected, and the one place a committed release is announced.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use contract::{
    frames::{Command, CommandOutcome, Down},
    ids::{CommandId, NodeId, TenantId},
    tenant::Region,
};
use tokio::sync::{Notify, broadcast, futures::OwnedNotified, mpsc, oneshot};

use crate::{Refusal, releases::Compiled};

/// Announcements a session may fall behind before it compares states again instead.
const BACKLOG: usize = 256;
/// Longest wait for a node's answer to a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// A committed release as frames, serialized once for all nodes.
#[derive(Debug)]
pub(super) struct Announcement {
    /// Whose.
    pub(super) tenant: TenantId,
    /// Whose nodes.
    pub(super) region: Region,
    /// Which one.
    pub(super) version: u64,
    /// The sections the version before did not have, then the release.
    pub(super) frames: Vec<String>,
}

/// One connected node, as the hub sees it.
struct Lane {
    region: Region,
    commands: mpsc::UnboundedSender<String>,
    session: u64,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<NodeId, Lane>,
    pending: HashMap<CommandId, oneshot::Sender<CommandOutcome>>,
    sessions: u64,
}

/// Which nodes are connected, and what they are to hear.
pub(crate) struct Hub {
    state: Mutex<State>,
    announcements: broadcast::Sender<Arc<Announcement>>,
    heard: Arc<Notify>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            announcements: broadcast::Sender::new(BACKLOG),
            heard: Arc::default(),
        }
    }
}

impl Hub {
    /// Tells every session of a committed release.
    pub(crate) fn announce(&self, release: Compiled) {
        let mut frames: Vec<String> = release
            .new_sections
            .into_iter()
            .map(|(hash, body)| frame(&Down::Section { hash, body }))
            .collect();
        frames.push(frame(&Down::Release {
            tenant: release.tenant,
            manifest: release.manifest,
        }));
        let announcement = Announcement {
            tenant: release.tenant,
            region: release.region,
            version: release.version,
            frames,
        };
        // Nobody listening is no loss: whoever connects compares states.
        let _ = self.announcements.send(Arc::new(announcement));
    }

    /// The nodes of a region that are connected now.
    pub(crate) fn connected(&self, region: &Region) -> BTreeSet<NodeId> {
        let state = self.state();
        let here = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.region == *region);
        here.map(|(node, _)| *node).collect()
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
        {
            let mut state = self.state();
            let sent = state
                .lanes
                .values()
                .filter(|lane| lane.region == *region)
                .any(|lane| lane.commands.send(text.clone()).is_ok());
            if !sent {
                return Err(unavailable(format!(
                    "No node of the region {region} is connected."
                )));
            }
            state.pending.insert(id, answer);
        }
        let outcome = tokio::time::timeout(COMMAND_LIMIT, outcome).await;
        self.state().pending.remove(&id);
        match outcome {
            Ok(Ok(outcome)) => Ok(outcome),
            _ => Err(unavailable("The node did not answer in time.".to_owned())),
        }
    }

    /// Hands a node's answer to whoever waits for it.
    pub(super) fn answer(&self, id: CommandId, outcome: CommandOutcome) {
        if let Some(waiting) = self.state().pending.remove(&id) {
            // Whoever asked may have given up.
            let _ = waiting.send(outcome);
        }
    }

    /// Registers a session; a newer one of the same node takes the older one's place.
    pub(super) fn join(
        &self,
        node: NodeId,
        region: Region,
        commands: mpsc::UnboundedSender<String>,
    ) -> u64 {
        let mut state = self.state();
        state.sessions += 1;
        let session = state.sessions;
        let lane = Lane {
            region,
            commands,
            session,
        };
        state.lanes.insert(node, lane);
        session
    }

    /// Ends a session, unless a newer one took its place.
    pub(super) fn leave(&self, node: NodeId, session: u64) {
        let mut state = self.state();
        if state
            .lanes
            .get(&node)
            .is_some_and(|lane| lane.session == session)
        {
            state.lanes.remove(&node);
        }
    }

    /// Hears of releases from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Announcement>> {
        self.announcements.subscribe()
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
        self.state
            .lock()
            .expect("nothing panics while it holds the hub's state")
    }
}

/// The text of a frame.
pub(super) fn frame(frame: &Down) -> String {
    serde_json::to_string(frame).expect("frames have string keys and always serialize")
}
