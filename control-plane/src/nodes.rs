//! Nodes: who may be one, who is out there, and what each one serves.
//!
//! A node is made here first, by name and region; the process that takes its place proves itself with a
//! join token and holds a certificate from then on (R-NODE-01). A node in the control plane's own process
//! needs neither: whoever runs it holds everything a node could be kept from.
//!
//! What is shown is what nodes confirmed, never what was sent to them: a version counts as effective on a
//! node when the node said so.

mod certificates;
mod create;
mod enrol;
mod join;
mod revoke;
mod ring;

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    Invalid,
    enrolment::NodeName,
    ids::{NodeId, TenantId},
    permission::Permission,
    tenant::Region,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::{
    certificates::{Admitted, NodeCertificate, NotAdmitted},
    join::{JoinRecord, Unfit},
};
pub use self::{create::NewNode, join::MadeJoinToken, revoke::NodeAt, ring::Ring};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    change::{Change, Target},
    containments::Reach,
    store::{Ahead, Tx},
};

/// How long a connection counts that nobody renews: four pings.
const LINK_KEPT: TimeDelta = TimeDelta::seconds(60);

/// A node, as it last showed itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// What people call it; unique in the installation.
    pub name: NodeName,
    /// Where it stands.
    pub region: Region,
    /// Which releases it is given when.
    pub ring: Ring,
    /// Whether it may connect.
    pub standing: NodeStanding,
    /// Its software version; none until it was seen.
    pub software: Option<String>,
    /// When it was first seen.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When it last said anything.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When its newest certificate ends; none for a node that has no good one, and none in this process.
    pub certificate_ends_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why, in the words of whoever did it.
    pub revoked_reason: Option<String>,
    /// Grows with every decision about it, not with what it says.
    pub version: i64,
    /// When something was last decided about it.
    pub updated_at: DateTime<Utc>,
}

/// Whether a node may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeStanding {
    /// Made; no process has taken its place yet.
    Awaiting,
    /// A process is this node.
    Enrolled,
    /// It must never connect again (R-NODE-10).
    Revoked,
}

impl NodeStanding {
    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Enrolled => "enrolled",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for NodeStanding {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Awaiting, Self::Enrolled, Self::Revoked]
            .into_iter()
            .find(|standing| standing.as_str() == text)
            .ok_or_else(|| Invalid::new("standing", "must be awaiting, enrolled or revoked"))
    }
}

impl Node {
    /// A node of this process that greets for the first time.
    pub(crate) fn embedded(id: NodeId, name: NodeName, region: Region, at: DateTime<Utc>) -> Self {
        Self {
            standing: NodeStanding::Enrolled,
            first_seen_at: Some(at),
            last_seen_at: Some(at),
            ..Self::awaiting(id, name, region, at)
        }
    }

    /// A node whose place no process has taken.
    fn awaiting(id: NodeId, name: NodeName, region: Region, at: DateTime<Utc>) -> Self {
        Self {
            id,
            name,
            region,
            ring: Ring::default(),
            standing: NodeStanding::Awaiting,
            software: None,
            first_seen_at: None,
            last_seen_at: None,
            certificate_ends_at: None,
            created_at: at,
            revoked_at: None,
            revoked_reason: None,
            version: 1,
            updated_at: at,
        }
    }

    /// Whether it runs in a control plane's own process, where no certificate stands between the two.
    fn is_embedded(&self) -> bool {
        self.standing == NodeStanding::Enrolled && self.certificate_ends_at.is_none()
    }

    /// Something was decided about it.
    fn touch(&mut self, at: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = at;
    }
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
    /// Whether it hears of containments, which it does on a connection of its own.
    pub lane: LaneState,
    /// How many tenants it should serve.
    pub tenants: usize,
    /// Those of them where it serves an older version than the current one, or none.
    pub behind: Vec<Lag>,
    /// Those of which it proved to hold a version that this control plane does not know.
    pub ahead: Vec<Lead>,
}

/// A tenant of which a node holds more than this control plane knows: its database was restored to an earlier state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The tenant.
    pub tenant: TenantId,
    /// The current version here.
    pub released: u64,
    /// The version the node proved to hold.
    pub held: u64,
    /// When it did.
    pub at: DateTime<Utc>,
}

/// A node's connection for containments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneState {
    /// Whether something was heard on it within 2 s.
    pub connected: bool,
    /// When something was last heard on it; none for a node that never had one.
    pub heard_at: Option<DateTime<Utc>>,
}

/// A tenant of which a node does not serve the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The tenant.
    pub tenant: TenantId,
    /// The current version.
    pub released: u64,
    /// When that was signed: since then the node is behind.
    pub released_at: Option<DateTime<Utc>>,
    /// The version the node serves; 0 for none.
    pub applied: u64,
    /// Why it refused the current one, if it did.
    pub rejected: Option<String>,
}

impl ControlPlane {
    /// Lists all nodes with their lag, by region and name.
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
        let node = existing(view.tx(), node).await?;
        self.state_of(view.tx(), node).await
    }

    /// The nodes of a region that are connected, to this replica or to another one.
    pub(crate) async fn connected_nodes(
        &self,
        tx: &Tx,
        region: &Region,
    ) -> Result<BTreeSet<NodeId>, Refusal> {
        let mut connected = tx
            .list_linked_nodes(region, self.clock().now() - LINK_KEPT)
            .await?;
        connected.extend(self.hub().connected(region));
        Ok(connected)
    }

    async fn state_of(&self, tx: &Tx, node: Node) -> Result<NodeState, Refusal> {
        let held: BTreeMap<TenantId, Holding> = tx
            .list_holdings_of_node(node.id)
            .await?
            .into_iter()
            .map(|holding| (holding.tenant, holding))
            .collect();
        // A node that waits for its process, or must not serve any more, is behind with nothing.
        let current = match node.standing {
            NodeStanding::Enrolled => tx.list_current_releases(&node.region, node.ring).await?,
            NodeStanding::Awaiting | NodeStanding::Revoked => Vec::new(),
        };
        let lag = |(tenant, released): (TenantId, u64)| {
            let holding = held.get(&tenant);
            let applied = holding.map_or(0, |holding| holding.applied_version);
            let refused = holding.filter(|holding| holding.rejected_version == Some(released));
            (applied < released).then(|| Lag {
                tenant,
                released,
                released_at: None,
                applied,
                rejected: refused.and_then(|holding| holding.reason.clone()),
            })
        };
        let tenants = current.len();
        let released: BTreeMap<TenantId, u64> = current
            .iter()
            .map(|(tenant, version, _)| (*tenant, *version))
            .collect();
        let mut behind: Vec<Lag> = current
            .into_iter()
            .filter_map(|(tenant, released, _)| lag((tenant, released)))
            .collect();
        date(tx, &mut behind).await?;
        let ahead = tx.list_ahead_of_node(node.id).await?;
        Ok(NodeState {
            ahead: ahead
                .iter()
                .filter_map(|ahead| lead(ahead, &released))
                .collect(),
            connected: self
                .connected_nodes(tx, &node.region)
                .await?
                .contains(&node.id),
            lane: self.lane_of(tx, &node).await?,
            tenants,
            behind,
            node,
        })
    }

    async fn lane_of(&self, tx: &Tx, node: &Node) -> Result<LaneState, Refusal> {
        let reach = self.reach(tx, &node.region).await?;
        let lane = reach.get(&node.id).map(
            |Reach {
                 connected,
                 heard_at,
             }| LaneState {
                connected: *connected,
                heard_at: Some(*heard_at),
            },
        );
        Ok(lane.unwrap_or_default())
    }

    /// Begins a change of one node.
    async fn change_node<'a>(
        &'a self,
        caller: &'a Caller,
        node: NodeId,
        mode: Mode,
    ) -> Result<(Change<'a>, Node), Refusal> {
        let change = self
            .change(caller, Target::Platform, Permission::NodesManage, mode)
            .await?;
        let node = existing(change.tx(), node).await?;
        Ok((change, node))
    }
}

/// Looks up since when each release waits.
async fn date(tx: &Tx, behind: &mut [Lag]) -> Result<(), Refusal> {
    let wanted: Vec<(TenantId, u64)> = behind
        .iter()
        .map(|lag| (lag.tenant, lag.released))
        .collect();
    let issued = tx.list_issued_at(&wanted).await?;
    for lag in behind {
        lag.released_at = issued.get(&lag.tenant).copied();
    }
    Ok(())
}

/// What a node proved, as long as no release is above it.
fn lead(ahead: &Ahead, released: &BTreeMap<TenantId, u64>) -> Option<Lead> {
    let released = *released.get(&ahead.tenant)?;
    (ahead.version >= released).then_some(Lead {
        tenant: ahead.tenant,
        released,
        held: ahead.version,
        at: ahead.at,
    })
}

async fn existing(tx: &Tx, node: NodeId) -> Result<Node, Refusal> {
    let found = tx.find_node(node).await?;
    found.ok_or(Refusal::NotFound { what: "node" })
}

fn event(action: &'static str, sentence: impl Into<String>, node: &Node) -> Event {
    Event::new(action, sentence).object("node", node.id, &node.name)
}

/// The name of a node of this process: unlike others it is given none.
pub(crate) async fn embedded_name(tx: &Tx, id: NodeId) -> Result<NodeName, Refusal> {
    let plain: NodeName = "embedded".parse()?;
    if tx.find_node_by_name(&plain).await?.is_none() {
        return Ok(plain);
    }
    let id = id.to_string();
    let end = &id[id.len() - 6..];
    Ok(format!("embedded-{end}").parse()?)
}

#[cfg(test)]
pub(crate) mod tests;
