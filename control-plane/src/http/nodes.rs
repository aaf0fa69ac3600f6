//! `/v1/nodes`: the processes that answer sign-ins.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId},
    permission::Permission as P,
    tenant::Region,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::Asking,
    operation::Operation,
    problem::Problem,
};
use crate::nodes::{Lag, NodeState};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listNodes", Method::GET, "/nodes", list)
            .summary("Lists nodes and what each one holds.")
            .needs(P::NodesView)
            .gives::<Listed<NodeView>>(),
        Operation::new("getNode", Method::GET, "/nodes/{node}", get)
            .summary("Reads a node.")
            .needs(P::NodesView)
            .gives::<NodeView>(),
    ]
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
struct NodeView {
    id: NodeId,
    region: Region,
    software: String,
    connected: bool,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    /// How many tenants it holds.
    tenants: usize,
    /// Tenants of which it does not hold the newest release.
    behind: Vec<LagView>,
}

/// A tenant of which a node does not hold the newest release.
#[derive(Debug, Serialize, ToSchema)]
struct LagView {
    tenant: TenantId,
    released: u64,
    applied: u64,
    /// Why the node refused the newest release.
    rejected: Option<String>,
}

impl From<NodeState> for NodeView {
    fn from(state: NodeState) -> Self {
        Self {
            id: state.node.id,
            region: state.node.region,
            software: state.node.software,
            connected: state.connected,
            first_seen_at: state.node.first_seen_at,
            last_seen_at: state.node.last_seen_at,
            tenants: state.tenants,
            behind: state.behind.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Lag> for LagView {
    fn from(lag: Lag) -> Self {
        Self {
            tenant: lag.tenant,
            released: lag.released,
            applied: lag.applied,
            rejected: lag.rejected,
        }
    }
}

async fn list(ask: Asking) -> Result<Listed<NodeView>, Problem> {
    Ok(Listed::all(ask.plane.list_nodes(&ask.caller).await?))
}

async fn get(ask: Asking, path: Path<NodeId>) -> Result<Answer<NodeView>, Problem> {
    Ok(Answer::ok(
        ask.plane.get_node(&ask.caller, *path).await?.into(),
    ))
}
