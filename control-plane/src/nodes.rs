//! Nodes: who is out there, and what each one serves.
//!
//! What is shown is what nodes confirmed, never what was sent to them: a version counts as effective on a
//! node when the node said so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId},
    permission::Permission,
    tenant::Region,
};

use crate::{Caller, ControlPlane, Refusal, change::Target, store::Tx};

/// A node, as it last showed itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Where it stands.
    pub region: Region,
    /// Its software version.
    pub software: String,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// When it last said anything.
    pub last_seen_at: DateTime<Utc>,
}

/// What a node said about one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The node.
    pub node: NodeId,
    /// The tenant.
    pub tenant: TenantId,
    /// The version it serves; 0 for none.
    pub applied_version: u64,
    /// The version it refused last, if newer than what it serves.
    pub rejected_version: Option<u64>,
    /// Why.
    pub reason: Option<String>,
    /// When it said so.
    pub at: DateTime<Utc>,
}

/// A node and how far behind it is.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// The node.
    pub node: Node,
    /// Whether it is connected to this control plane now.
    pub connected: bool,
    /// How many tenants it should serve.
    pub tenants: usize,
    /// Those of them where it serves an older version than the current one, or none.
    pub behind: Vec<Lag>,
}

/// A tenant of which a node does not serve the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The tenant.
    pub tenant: TenantId,
    /// The current version.
    pub released: u64,
    /// The version the node serves; 0 for none.
    pub applied: u64,
    /// Why it refused the current one, if it did.
    pub rejected: Option<String>,
}

impl ControlPlane {
    /// Lists all nodes with their lag, by region and id.
    ///
    /// # Errors
    /// Needs `platform.nodes.view`.
    pub async fn list_nodes(&self, caller: &Caller) -> Result<Vec<NodeState>, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::NodesView)
            .await?;
        let nodes = view.tx().list_nodes().await?;
        let mut states = Vec::with_capacity(nodes.len());
        for node in nodes {
            states.push(self.state_of(view.tx(), node).await?);
        }
        Ok(states)
    }

    /// Reads one node.
    ///
    /// # Errors
    /// Needs `platform.nodes.view`; [`Refusal::NotFound`].
    pub async fn get_node(&self, caller: &Caller, node: NodeId) -> Result<NodeState, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::NodesView)
            .await?;
        let found = view.tx().find_node(node).await?;
        let node = found.ok_or(Refusal::NotFound { what: "node" })?;
        self.state_of(view.tx(), node).await
    }

    async fn state_of(&self, tx: &Tx, node: Node) -> Result<NodeState, Refusal> {
        let held: BTreeMap<TenantId, Holding> = tx
            .list_holdings_of_node(node.id)
            .await?
            .into_iter()
            .map(|holding| (holding.tenant, holding))
            .collect();
        let current = tx.list_current_releases(&node.region).await?;
        let lag = |(tenant, released): (TenantId, u64)| {
            let holding = held.get(&tenant);
            let applied = holding.map_or(0, |holding| holding.applied_version);
            let refused = holding.filter(|holding| holding.rejected_version == Some(released));
            (applied < released).then(|| Lag {
                tenant,
                released,
                applied,
                rejected: refused.and_then(|holding| holding.reason.clone()),
            })
        };
        Ok(NodeState {
            connected: self.hub().connected(&node.region).contains(&node.id),
            tenants: current.len(),
            behind: current
                .into_iter()
                .filter_map(|(tenant, released, _)| lag((tenant, released)))
                .collect(),
            node,
        })
    }
}
