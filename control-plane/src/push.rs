//! Push: nodes hear of each release as it is committed, and tell what became of it.
//!
//! Level-triggered: a session compares what a node says it holds with what it should hold, bucket by bucket
//! and by name, and sends the difference; announcements only make it look sooner. A frame that is lost, or a
//! session that is too slow to hear every announcement, therefore costs time and never truth (design section 5).
//!
//! Nothing here decides anything about content, and nothing a node says changes what it should hold.

mod asking;
mod follower;
mod frames;
mod greeting;
mod holds;
mod hub;
mod inbound;
mod lanes;
mod listener;
mod outbound;
mod session;
mod state;
mod strangers;

use std::time::Duration;

use contract::ids::{NodeId, TenantId};
use host::wire::Text;
use tokio::sync::mpsc;

use self::session::Proof;
pub(crate) use self::{
    hub::{Hub, frame},
    lanes::Lanes,
};
use crate::{
    ControlPlane, Refusal,
    nodes::{Holding, Ring},
};

/// Frames that may wait on a link in each direction.
const LINK_DEPTH: usize = 256;

/// The node's end of a link or a lane inside this process; frames are JSON text, as over any other transport.
#[derive(Debug)]
pub struct NodeLink {
    /// What the control plane says ([`contract::frames::Down`], on a lane [`contract::lane::LaneDown`]).
    pub to_node: mpsc::Receiver<Text>,
    /// What the node says ([`contract::frames::Up`], [`contract::lane::LaneUp`]). Dropping it ends the session.
    pub from_node: mpsc::Sender<Text>,
}

impl ControlPlane {
    /// Opens a link for a node in this process. Must be called on a tokio runtime; the session lives
    /// until the node's end is dropped.
    pub fn attach_node(&self) -> NodeLink {
        let (down, to_node) = mpsc::channel(LINK_DEPTH);
        let (from_node, up) = mpsc::channel(LINK_DEPTH);
        let session = session::run(self.clone(), Proof::SameProcess, None, (up, down));
        tokio::spawn(session);
        NodeLink { to_node, from_node }
    }

    /// Waits until each node of the tenant's region that is connected to this process, and at least one,
    /// serves `version` or a later one, as far as its ring is given it.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] after `limit`; [`Refusal::NotFound`] for the tenant.
    pub async fn wait_applied(
        &self,
        tenant: TenantId,
        version: u64,
        limit: Duration,
    ) -> Result<(), Refusal> {
        let wait = async {
            loop {
                let heard = self.hub().heard();
                if self.is_applied(tenant, version).await? {
                    return Ok(());
                }
                heard.await;
            }
        };
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| {
            Err(Refusal::Unavailable {
                detail: format!("No node confirmed version {version} in time."),
            })
        })
    }

    async fn is_applied(&self, tenant: TenantId, version: u64) -> Result<bool, Refusal> {
        let tx = self.store().begin_read().await?;
        let found = tx.find_tenant(tenant).await?;
        let region = found.ok_or(Refusal::NotFound { what: "tenant" })?.region;
        // Only those that this process knows at first hand: what is remembered of a connection may be of a
        // process that ended, and what a node said then may not be true of it any more.
        let nodes = self.hub().connected_and_known(&region, tenant);
        // While a rollout is open, the wide ring is not given it yet.
        let open = tx.find_open_rollout(tenant).await?;
        let rings = tx.list_rings(&region).await?;
        let wanted = |node: &NodeId| match (&open, rings.get(node)) {
            (Some(open), Some(Ring::Wide)) => version.min(open.base_version),
            _ => version,
        };
        let holdings = tx.list_holdings_of_tenant(tenant).await?;
        let serves = |(node, is_known): (&NodeId, &bool)| {
            let held = |held: &Holding| held.node == *node && held.applied_version >= wanted(node);
            *is_known && holdings.iter().any(held)
        };
        Ok(!nodes.is_empty() && nodes.iter().all(serves))
    }
}
