//! A node's greeting: who it is, whether it may be, and what it holds, by name.
//!
//! A node is believed about what it holds, also where we remember otherwise; but not about tenants that are not
//! of its region nor about versions that were never released. Buckets whose names are equal need no further
//! word: only what we remember differently of them is written. Of the others the node is asked.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    frames::{MAX_GREETING_BYTES, Up},
    ids::{NodeId, TenantId},
    index::{Bucket, BucketHashes, IndexEntry},
    tenant,
};
use host::wire::Text;
use tokio::sync::{broadcast, mpsc};

use super::{
    inbound::printable,
    session::{Ended, Proof},
    state::{Change, Difference, Known, Region},
};
use crate::{
    ControlPlane, Refusal,
    nodes::{Holding, Node, NodeStanding, Ring, embedded_name},
    store::Tx,
};

/// Longest wait for a node's greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// How much of a node's software version is kept.
const MAX_SOFTWARE_CHARS: usize = 100;

/// What a node says first.
pub(super) struct Greeting {
    /// Who speaks.
    pub(super) node: NodeId,
    /// Where it stands.
    pub(super) region: tenant::Region,
    /// Its software version.
    software: String,
    /// The names of what it serves.
    buckets: BucketHashes,
    /// The fingerprint of the certificate by which it proved who it is; none for a node of this process.
    pub(super) certificate: Option<String>,
}

/// Where a session begins.
pub(super) struct Opening {
    /// What the node should hold.
    pub(super) region: Arc<Region>,
    /// Every change since the difference.
    pub(super) changes: broadcast::Receiver<Arc<Change>>,
    /// In what the node differs.
    pub(super) difference: Difference,
    /// Whether it serves anything.
    pub(super) serves: bool,
}

/// Hears a greeting and remembers the node.
pub(super) async fn hear(
    control_plane: &ControlPlane,
    proof: &Proof,
    up: &mut mpsc::Receiver<Text>,
) -> Result<(Greeting, Opening), Ended> {
    let text = tokio::time::timeout(GREETING_LIMIT, up.recv())
        .await
        .map_err(|_| Ended::Silent)?
        .ok_or(Ended::Gone)?;
    let greeting = read(proof, &text)?;
    if !control_plane.regions().contains(&greeting.region) {
        return Err(Ended::Protocol("its region is not one of ours"));
    }
    let ring = ring_of(control_plane, greeting.node).await?;
    let region = control_plane.region(&greeting.region, ring).await?;
    // Listening starts before the states are compared, so nothing falls between the two.
    let changes = region.subscribe();
    let known = Known::Said(&greeting.buckets);
    let difference = region.difference(known, &control_plane.inner.signer)?;
    let opening = Opening {
        region,
        changes,
        difference,
        serves: !greeting.buckets.is_empty(),
    };
    match register(control_plane, &greeting, &opening).await {
        // Another node of a process took the name at the same moment; there is another one left.
        Err(Ended::Failed(refusal)) if refusal.is_conflict("already_there") => {
            register(control_plane, &greeting, &opening).await?;
        }
        other => other?,
    }
    Ok((greeting, opening))
}

/// The ring of a node; one that greets for the first time is of the wide one.
pub(super) async fn ring_of(control_plane: &ControlPlane, node: NodeId) -> Result<Ring, Refusal> {
    let tx = control_plane.store().begin_read().await?;
    let known = tx.find_node(node).await?;
    Ok(known.map(|node| node.ring).unwrap_or_default())
}

fn read(proof: &Proof, text: &str) -> Result<Greeting, Ended> {
    if text.len() > MAX_GREETING_BYTES {
        return Err(Ended::Protocol("its greeting is too long"));
    }
    let Ok(Up::Hello {
        node,
        region,
        version,
        buckets,
    }) = serde_json::from_str(text)
    else {
        return Err(Ended::Protocol("its first frame is not a greeting"));
    };
    let certificate = match proof {
        Proof::Certificate {
            admitted,
            certificate,
        } => {
            if (node, &region) != (admitted.node, &admitted.region) {
                return Err(Ended::Protocol(
                    "it says it is another node than its certificate",
                ));
            }
            Some(sha256_hex(certificate))
        }
        Proof::SameProcess => None,
    };
    Ok(Greeting {
        node,
        region,
        software: printable(&version).take(MAX_SOFTWARE_CHARS).collect(),
        buckets,
        certificate,
    })
}

/// Remembers the node, and what it holds as far as that is known already.
async fn register(
    control_plane: &ControlPlane,
    greeting: &Greeting,
    opening: &Opening,
) -> Result<(), Ended> {
    let at = control_plane.clock().now();
    let node = greeting.node;
    let tx = control_plane.store().begin().await?;
    recognize(&tx, greeting, at).await?;
    tx.put_node_link(node, &greeting.region, control_plane.replica(), at)
        .await?;
    settle_equal(&tx, (node, at), opening).await?;
    settle_empty(&tx, (node, at), opening).await?;
    tx.commit().await?;
    control_plane.hub().tell_heard();
    Ok(())
}

/// A node whose name of a bucket is ours holds all of it: what we remember otherwise is put right. For a node
/// that comes back as it left, that is nothing.
async fn settle_equal(
    tx: &Tx,
    (node, at): (NodeId, DateTime<Utc>),
    opening: &Opening,
) -> Result<(), Ended> {
    if !opening.serves {
        return Ok(());
    }
    let place = (opening.region.name(), opening.region.ring());
    for tenant in tx.list_unconfirmed(node, place).await? {
        if !opening.difference.is_equal(Bucket::of(tenant)) {
            continue;
        }
        if let Some(entry) = opening.region.find_entry(tenant) {
            tx.put_holding(&served(node, tenant, &entry, at)).await?;
        }
    }
    Ok(())
}

/// Of an empty bucket nothing is held any more.
async fn settle_empty(
    tx: &Tx,
    (node, at): (NodeId, DateTime<Utc>),
    opening: &Opening,
) -> Result<(), Ended> {
    let empty: BTreeSet<Bucket> = opening.difference.empty.iter().copied().collect();
    if empty.is_empty() {
        return Ok(());
    }
    for known in tx.list_holdings_of_node(node).await? {
        if known.applied_version > 0 && empty.contains(&Bucket::of(known.tenant)) {
            tx.put_holding(&gone(known, at)).await?;
        }
    }
    Ok(())
}

/// What we remember of a node that serves this.
pub(super) fn served(
    node: NodeId,
    tenant: TenantId,
    entry: &IndexEntry,
    at: DateTime<Utc>,
) -> Holding {
    Holding {
        node,
        tenant,
        applied_version: entry.version,
        rejected_version: None,
        reason: None,
        at,
    }
}

/// What we remember of a node that does not serve the tenant any more.
pub(super) fn gone(known: Holding, at: DateTime<Utc>) -> Holding {
    Holding {
        applied_version: 0,
        at,
        ..known
    }
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
