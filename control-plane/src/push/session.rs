//! One node's session: greet, then hear and tell at the same time until either side is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    frames::{Held, Up},
    ids::{NodeId, TenantId},
    section::ContentHash,
    tenant::Region,
};
use host::wire::Text;
use tokio::sync::mpsc;

use super::{
    hub::Presence,
    inbound::{Inbound, printable},
    outbound::Outbound,
    strangers::Place,
};
use crate::{
    ControlPlane, Refusal,
    nodes::{Admitted, Holding, Node, NodeStanding, NotAdmitted, embedded_name},
    store::Tx,
};

/// Longest wait for a node's greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// How often a node's standing is asked of the ledger.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks in vain after which nobody is believed to be admitted: together less than 60 s (R-NODE-10).
const UNREAD_LOOKS: u32 = 3;

/// How much of a node's software version is kept.
const MAX_SOFTWARE_CHARS: usize = 100;

/// What a node says first.
pub(super) struct Greeting {
    /// Who speaks.
    pub(super) node: NodeId,
    /// Where it stands.
    pub(super) region: Region,
    /// Its software version.
    software: String,
    /// What it serves, as far as we believe it.
    pub(super) holds: Vec<Held>,
    /// The fingerprint of the certificate by which it proved who it is; none for a node of this process.
    pub(super) certificate: Option<String>,
}

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
            Self::Expired | Self::Replaced | Self::Gone | Self::Silent => {}
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
    let greeted = greet(&control_plane, &proof, &mut up).await;
    // From here on the node is no stranger.
    drop(place);
    let ended = match greeted {
        Ok(greeting) => converse(&control_plane, &proof, greeting, (up, down)).await,
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

async fn converse(
    control_plane: &ControlPlane,
    proof: &Proof,
    greeting: Greeting,
    (up, down): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
) -> Ended {
    let node = greeting.node;
    tracing::info!(%node, region = %greeting.region, "a node connected");
    let (commands, queued) = mpsc::unbounded_channel();
    let (todo, work) = mpsc::unbounded_channel();
    // Listening starts before the states are compared, so nothing falls between the two.
    let announcements = control_plane.hub().subscribe();
    let presence = control_plane
        .hub()
        .join(node, greeting.region.clone(), commands);
    let inbound = Inbound::new(control_plane.clone(), &greeting, todo);
    let outbound = Outbound::new(control_plane.clone(), greeting, down);
    // Both run in one task: while one waits for a full link, the other keeps emptying the opposite one,
    // so the two ends cannot wait for each other for ever.
    let ended = tokio::select! {
        ended = inbound.run(up) => ended,
        ended = outbound.run(announcements, queued, work) => ended,
        ended = no_longer_admitted(control_plane, proof, &presence) => ended,
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

async fn greet(
    control_plane: &ControlPlane,
    proof: &Proof,
    up: &mut mpsc::Receiver<Text>,
) -> Result<Greeting, Ended> {
    let text = tokio::time::timeout(GREETING_LIMIT, up.recv())
        .await
        .map_err(|_| Ended::Silent)?
        .ok_or(Ended::Gone)?;
    let mut greeting = match serde_json::from_str(&text) {
        Ok(Up::Hello {
            node,
            region,
            version,
            holds,
        }) => Greeting {
            node,
            region,
            software: printable(&version).take(MAX_SOFTWARE_CHARS).collect(),
            holds,
            certificate: match proof {
                Proof::Certificate { certificate, .. } => Some(sha256_hex(certificate)),
                Proof::SameProcess => None,
            },
        },
        _ => return Err(Ended::Protocol("its first frame is not a greeting")),
    };
    if let Proof::Certificate { admitted, .. } = proof
        && (greeting.node, &greeting.region) != (admitted.node, &admitted.region)
    {
        return Err(Ended::Protocol(
            "it says it is another node than its certificate",
        ));
    }
    let mut named = BTreeSet::new();
    if !greeting.holds.iter().all(|held| named.insert(held.tenant)) {
        return Err(Ended::Protocol("it names a tenant twice"));
    }
    if !control_plane.regions().contains(&greeting.region) {
        return Err(Ended::Protocol("its region is not one of ours"));
    }
    match register(control_plane, &mut greeting).await {
        // Another node of a process took the name at the same moment; there is another one left.
        Err(Ended::Failed(refusal)) if refusal.is_conflict("already_there") => {
            register(control_plane, &mut greeting).await?;
        }
        other => other?,
    }
    Ok(greeting)
}

/// Remembers the node and believes what it says it serves, also where we remember otherwise; but not about
/// tenants that are not of its region nor about versions that were never released. What is not believed
/// counts as not held, so the node is sent the whole of it.
async fn register(control_plane: &ControlPlane, greeting: &mut Greeting) -> Result<(), Ended> {
    let at = control_plane.clock().now();
    let tx = control_plane.store().begin().await?;
    let released = tx.list_current_releases(&greeting.region).await?;
    let released = released
        .into_iter()
        .map(|(tenant, version, manifest)| (tenant, (version, manifest)))
        .collect();
    let said = greeting.holds.len();
    greeting.holds.retain(|held| is_credible(held, &released));
    let doubted = said - greeting.holds.len();
    if doubted > 0 {
        tracing::warn!(node = %greeting.node, doubted, "a node says it holds what was never released to it");
    }
    recognize(&tx, greeting, at).await?;
    tx.put_node_link(greeting.node, &greeting.region, control_plane.replica(), at)
        .await?;
    for known in tx.list_holdings_of_node(greeting.node).await? {
        if !greeting
            .holds
            .iter()
            .any(|held| held.tenant == known.tenant)
        {
            let gone = Holding {
                applied_version: 0,
                at,
                ..known
            };
            tx.put_holding(&gone).await?;
        }
    }
    for held in &greeting.holds {
        let holding = Holding {
            node: greeting.node,
            tenant: held.tenant,
            applied_version: held.version,
            rejected_version: None,
            reason: None,
            at,
        };
        tx.put_holding(&holding).await?;
    }
    tx.commit().await?;
    control_plane.hub().tell_heard();
    Ok(())
}

/// Writes down who greeted. A node with a certificate was made and enrolled before; one of this process needs
/// neither, and is a node from its first word on.
async fn recognize(tx: &Tx, greeting: &Greeting, at: DateTime<Utc>) -> Result<(), Ended> {
    let id = greeting.node;
    if greeting.certificate.is_some() {
        return match tx.greet_node(id, &greeting.software, at).await? {
            true => Ok(()),
            false => Err(Ended::NoLongerAdmitted("the node was revoked".to_owned())),
        };
    }
    let mut node = match tx.find_node(id).await? {
        Some(node) if node.standing == NodeStanding::Revoked => {
            return Err(Ended::NoLongerAdmitted("the node was revoked".to_owned()));
        }
        Some(node) => node,
        None => Node::embedded(
            id,
            embedded_name(tx, id).await?,
            greeting.region.clone(),
            at,
        ),
    };
    node.region = greeting.region.clone();
    node.software = Some(greeting.software.clone());
    node.last_seen_at = Some(at);
    Ok(tx.put_node(&node).await?)
}

/// Whether what a node says it holds was released: by what is current in its region.
fn is_credible(held: &Held, released: &BTreeMap<TenantId, (u64, ContentHash)>) -> bool {
    released
        .get(&held.tenant)
        .is_some_and(|(version, manifest)| {
            (1..*version).contains(&held.version)
                || (held.version == *version && held.manifest == *manifest)
        })
}
