//! Keeping a node's lane open over the network, beside its other connection and independent of it.
//!
//! The control plane is heard each second, so a silence of a few is the end of a connection, and the next attempt
//! comes soon: until then this node cannot hear of a containment (R-REV-02).

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use contract::lane::{LANE_PATH, MAX_FRAME_BYTES};
use host::{
    HostPort, Shutdown,
    wire::{self, Carried, Limits, Link},
};
use tokio::sync::mpsc;

use super::{
    NodeLink,
    backoff::{Backoff, Pace},
    credentials::Credentials,
    lane,
    network::{Ended, Way, stand_down},
};
use crate::node::Node;

/// Three pulses that did not come.
const LIMITS: Limits = Limits {
    frame_bytes: MAX_FRAME_BYTES,
    silence: Duration::from_secs(4),
    stall: Duration::from_secs(4),
};
/// Frames that wait in each direction.
const QUEUE: usize = 16;
/// A lane that lived this long was a good one: the next wait is short.
const SETTLED: TimeDelta = TimeDelta::seconds(10);
/// How often it is said how long nobody was heard, while nobody is.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// A node's way to hear of containments.
pub(super) struct LaneNetwork {
    pub(super) node: Node,
    pub(super) credentials: Arc<Credentials>,
    pub(super) address: Option<HostPort>,
    pub(super) pace: Pace,
}

impl LaneNetwork {
    /// Keeps the lane open until `shutdown`.
    pub(super) async fn keep_listening(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.requested() => {}
            () = self.listen() => {}
            () = self.judge() => {}
        }
    }

    async fn listen(&self) {
        let mut backoff = Backoff::new(self.pace.eager(), self.node.entropy().clone());
        let mut told = String::new();
        loop {
            match self.session().await {
                Ok((opened_at, how)) => {
                    if self.node.clock().now() - opened_at >= SETTLED {
                        backoff.reset();
                    }
                    told.clear();
                    tracing::warn!(%how, "the lane of containments ended");
                }
                Err(why) if why == told => {}
                Err(why) => {
                    tracing::warn!(
                        why,
                        "no lane to the control plane: this node cannot hear of containments"
                    );
                    told = why;
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn session(&self) -> Result<(chrono::DateTime<chrono::Utc>, Carried), String> {
        let identity = self.credentials.identity();
        let key = identity.lane_key().map_err(|error| error.to_string())?;
        let way = Way {
            identity: &identity,
            address: self.address.as_ref(),
            path: LANE_PATH,
            limits: LIMITS,
        };
        let socket = match way.open(self.node.clock()).await {
            Ok(socket) => socket,
            Err(Ended::Failed { why, .. } | Ended::Refused(why)) => return Err(why),
            Err(Ended::Revoked(why)) => {
                stand_down(&self.node, &self.credentials).await;
                return Err(why);
            }
            Err(Ended::Carried(_, how)) => return Err(how.to_string()),
        };
        let opened_at = self.node.clock().now();
        let (to_control, to_peer) = mpsc::channel(QUEUE);
        let (from_peer, from_control) = mpsc::channel(QUEUE);
        let carrying = tokio::spawn(wire::carry(socket, Link { to_peer, from_peer }, LIMITS));
        let link = NodeLink {
            from_control,
            to_control,
        };
        lane::run(&self.node, link, key).await;
        Ok((opened_at, carrying.await.unwrap_or(Carried::Gone)))
    }

    async fn judge(&self) {
        loop {
            self.node.judge_containments();
            tokio::time::sleep(JUDGE_EVERY).await;
        }
    }
}
