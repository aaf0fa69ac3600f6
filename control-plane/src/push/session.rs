//! One node's session: greet, then hear and tell at the same time until either side is gone.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    frames::{Held, Up},
    ids::{NodeId, TenantId},
    section::ContentHash,
    tenant::Region,
};
use tokio::sync::mpsc;

use super::{
    inbound::{Inbound, printable},
    outbound::Outbound,
};
use crate::{
    ControlPlane, Refusal,
    nodes::{Holding, Node},
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
    pub(super) region: Region,
    /// Its software version.
    software: String,
    /// What it serves, as far as we believe it.
    pub(super) holds: Vec<Held>,
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
    /// It stopped answering.
    #[error("the node does not answer")]
    Silent,
    /// We cannot serve it.
    #[error("the control plane failed")]
    Failed(#[from] Refusal),
}

impl From<crate::store::StoreError> for Ended {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs a session to its end.
pub(super) async fn run(
    control_plane: ControlPlane,
    mut up: mpsc::Receiver<String>,
    down: mpsc::Sender<String>,
) {
    let ended = match greet(&control_plane, &mut up).await {
        Ok(greeting) => converse(control_plane, greeting, up, down).await,
        Err(ended) => ended,
    };
    match ended {
        Ended::Failed(error) => tracing::error!(?error, "a node's session failed"),
        Ended::Protocol(reason) => tracing::warn!(reason, "a node broke the protocol"),
        Ended::Gone | Ended::Silent => {}
    }
}

async fn converse(
    control_plane: ControlPlane,
    greeting: Greeting,
    up: mpsc::Receiver<String>,
    down: mpsc::Sender<String>,
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
    };
    drop(presence);
    tracing::info!(%node, reason = %ended, "a node's session ended");
    ended
}

async fn greet(
    control_plane: &ControlPlane,
    up: &mut mpsc::Receiver<String>,
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
        },
        _ => return Err(Ended::Protocol("its first frame is not a greeting")),
    };
    if !control_plane.regions().contains(&greeting.region) {
        return Err(Ended::Protocol("its region is not one of ours"));
    }
    register(control_plane, &mut greeting).await?;
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
    let node = Node {
        id: greeting.node,
        region: greeting.region.clone(),
        software: greeting.software.clone(),
        first_seen_at: at,
        last_seen_at: at,
    };
    tx.put_node(&node).await?;
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

/// Whether what a node says it holds was released: by what is current in its region.
fn is_credible(held: &Held, released: &BTreeMap<TenantId, (u64, ContentHash)>) -> bool {
    released
        .get(&held.tenant)
        .is_some_and(|(version, manifest)| {
            (1..*version).contains(&held.version)
                || (held.version == *version && held.manifest == *manifest)
        })
}
