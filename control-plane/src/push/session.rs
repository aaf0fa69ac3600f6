//! One node's session: greet, then hear and tell at the same time until either side is gone.

use std::{sync::Arc, time::Duration};

use contract::ids::NodeId;
use host::wire::Text;
use tokio::sync::mpsc;

use super::{
    asking::Asking,
    greeting::{self, Greeting, Opening},
    hub::Presence,
    inbound::Inbound,
    outbound::Outbound,
    strangers::Place,
};
use crate::{
    ControlPlane, Refusal,
    nodes::{Admitted, NotAdmitted, Ring},
};

/// How often a node's standing is asked of the ledger.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks in vain after which nobody is believed to be admitted: together less than 60 s (R-NODE-10).
const UNREAD_LOOKS: u32 = 3;

/// How a node is known before it says a word.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// It runs in this process, opened by the same hands.
    SameProcess,
    /// It holds the key of a certificate of ours.
    Certificate {
        /// Whom the ledger says it stands for.
        admitted: Admitted,
        /// The certificate, in DER: the ledger is asked again and again.
        certificate: Vec<u8>,
    },
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The node's end is gone.
    #[error("the node closed the connection")]
    Gone,
    /// It does not speak as agreed.
    #[error("the node broke the protocol: {0}")]
    Protocol(&'static str),
    /// Its certificate reached its end; it comes again with a newer one.
    #[error("the node's certificate ended")]
    Expired,
    /// It was revoked or removed, or enrolled again.
    #[error("{0}")]
    NoLongerAdmitted(String),
    /// It was moved to another ring; it comes again and is compared anew.
    #[error("the node was moved to another ring")]
    Moved,
    /// It connected anew.
    #[error("the node connected anew")]
    Replaced,
    /// It stopped answering.
    #[error("the node does not answer")]
    Silent,
    /// We cannot serve it.
    #[error("the control plane failed")]
    Failed(#[from] Refusal),
}

impl Ended {
    /// Logs what somebody should look at.
    fn tell(&self) {
        match self {
            Self::Failed(error) => tracing::error!(?error, "a node's session failed"),
            Self::Protocol(reason) => tracing::warn!(reason, "a node broke the protocol"),
            Self::NoLongerAdmitted(reason) => tracing::warn!(reason, "a node was sent away"),
            Self::Expired | Self::Moved | Self::Replaced | Self::Gone | Self::Silent => {}
        }
    }
}

impl From<crate::store::StoreError> for Ended {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs a session to its end. A stranger's `place` is given back once the node has greeted.
pub(super) async fn run(
    control_plane: ControlPlane,
    proof: Proof,
    place: Option<Place>,
    (mut up, down): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
) -> Ended {
    let greeted = greeting::hear(&control_plane, &proof, &mut up).await;
    // From here on the node is no stranger.
    drop(place);
    let ended = match greeted {
        Ok(greeted) => converse(&control_plane, &proof, greeted, (up, down)).await,
        Err(ended) => ended,
    };
    ended.tell();
    ended
}

/// Ends when the node may not be here any more. Its standing is asked of the ledger when somebody doubts it, and
/// now and then in any case: another replica may have revoked it (R-NODE-10: refused within 60 s).
async fn no_longer_admitted(
    control_plane: &ControlPlane,
    proof: &Proof,
    presence: &Presence<'_>,
) -> Ended {
    let Proof::Certificate {
        admitted,
        certificate,
    } = proof
    else {
        return std::future::pending().await;
    };
    let mut doubts = presence.doubts();
    // At once as well: something may have happened between the handshake and the greeting.
    let mut unread = 0;
    loop {
        if control_plane.clock().now() >= admitted.ends_at {
            return Ended::Expired;
        }
        match control_plane.admit_node(certificate).await {
            Ok(_) => unread = 0,
            Err(NotAdmitted::Expired) => return Ended::Expired,
            // A ledger that cannot be read takes nobody's standing at once, and leaves it to nobody for long.
            Err(NotAdmitted::Failed(error)) if unread < UNREAD_LOOKS => {
                unread += 1;
                tracing::error!(?error, "the ledger cannot be read");
            }
            Err(NotAdmitted::Failed(error)) => return Ended::Failed(error),
            Err(refused) => return Ended::NoLongerAdmitted(refused.reason()),
        }
        tokio::select! {
            Ok(()) = doubts.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Ends when the node is not of `ring` any more: looked at when somebody doubts it, and now and then.
async fn moved(
    control_plane: &ControlPlane,
    (node, ring): (NodeId, Ring),
    presence: &Presence<'_>,
) -> Ended {
    let mut doubts = presence.doubts();
    loop {
        tokio::select! {
            Ok(()) = doubts.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match greeting::ring_of(control_plane, node).await {
            Ok(now) if now == ring => {}
            Ok(_) => return Ended::Moved,
            // It is looked at again soon.
            Err(error) => tracing::error!(?error, "the ring of a node cannot be read"),
        }
    }
}

async fn converse(
    control_plane: &ControlPlane,
    proof: &Proof,
    (greeting, opening): (Greeting, Opening),
    (up, down): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
) -> Ended {
    let node = greeting.node;
    tracing::info!(%node, region = %greeting.region, "a node connected");
    let (commands, queued) = mpsc::unbounded_channel();
    let (todo, work) = mpsc::unbounded_channel();
    // What is to be asked counts as open before the node counts as connected.
    let asking = Arc::new(Asking::default());
    let questions = asking.ask(opening.difference.ask.clone(), 0);
    let region = greeting.region.clone();
    let presence = control_plane
        .hub()
        .join(node, region, commands, Arc::clone(&asking));
    let inbound = Inbound::new(control_plane.clone(), &greeting, todo, Arc::clone(&asking));
    let region = Arc::clone(&opening.region);
    let ring = region.ring();
    let outbound = Outbound::new(control_plane.clone(), greeting, region, (asking, down));
    // Both run in one task: while one waits for a full link, the other keeps emptying the opposite one,
    // so the two ends cannot wait for each other for ever.
    let ended = tokio::select! {
        ended = inbound.run(up) => ended,
        ended = outbound.run((opening, questions), queued, work) => ended,
        ended = no_longer_admitted(control_plane, proof, &presence) => ended,
        ended = moved(control_plane, (node, ring), &presence) => ended,
        () = presence.replaced() => Ended::Replaced,
    };
    drop(presence);
    tracing::info!(%node, reason = %ended, "a node's session ended");
    leave(control_plane, node).await;
    ended
}

async fn leave(control_plane: &ControlPlane, node: NodeId) {
    if let Err(error) = unlink(control_plane, node).await {
        // It is told apart from a living one soon: nobody renews it.
        tracing::warn!(?error, %node, "the end of a node's connection could not be written");
    }
}

/// Writes that the node is not connected here any more, unless it has a newer session here.
async fn unlink(control_plane: &ControlPlane, node: NodeId) -> Result<(), Refusal> {
    if control_plane.hub().has(node) {
        return Ok(());
    }
    let tx = control_plane.store().begin().await?;
    tx.drop_node_link(node, control_plane.replica()).await?;
    Ok(tx.commit().await?)
}
