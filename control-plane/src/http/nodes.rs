//! `/v1/nodes`: the processes that answer sign-ins.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    enrolment::NodeName,
    ids::{NodeId, TenantId},
    permission::Permission as P,
    tenant::Region,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, Asking, Overwriting},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::{
    Mode,
    nodes::{Lag, Lead, NewNode, NodeAt, NodeStanding, NodeState, Ring},
};

const ALL: &str = "/nodes";
const ONE: &str = "/nodes/{node}";
const TOKENS: &str = "/nodes/{node}/join-tokens";
const REVOKE: &str = "/nodes/{node}/revoke";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listNodes", Method::GET, ALL, list)
            .summary("Lists nodes and what each one holds.")
            .needs(P::NodesView)
            .gives::<Listed<NodeView>>(),
        Operation::new("createNode", Method::POST, ALL, create)
            .summary("Makes a node, for a process that enrols with a join token. Name and region stay.")
            .needs(P::NodesManage)
            .takes::<NewNode>(json!({"name": "eu-1", "region": "local"}))
            .creates::<NodeView>()
            .versioned(),
        Operation::new("getNode", Method::GET, ONE, get)
            .summary("Reads a node.")
            .needs(P::NodesView)
            .gives::<NodeView>()
            .versioned(),
        Operation::new("updateNode", Method::PATCH, ONE, update)
            .summary("Moves a node to a ring: `canary` is given each release at once, `wide` what has proven itself there.")
            .needs(P::NodesManage)
            .takes::<NodeChangeBody>(json!({"ring": "canary"}))
            .gives::<NodeView>()
            .versioned(),
        Operation::new("deleteNode", Method::DELETE, ONE, delete)
            .summary("Deletes a node that waits for its process or was revoked; its name is free again.")
            .needs(P::NodesManage),
        Operation::new("createJoinToken", Method::POST, TOKENS, create_token)
            .summary("Makes a join token, shown only here, good once and for 15 minutes; it voids an earlier one. Location is the node's.")
            .needs(P::NodesManage)
            .creates::<JoinTokenView>(),
        Operation::new("revokeNode", Method::POST, REVOKE, revoke)
            .summary("Revokes a node at once and for good: its certificates and its token are void.")
            .needs(P::NodesManage)
            .takes::<RevocationBody>(json!({"reason": "the machine was stolen"}))
            .gives::<NodeView>()
            .versioned(),
    ]
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
struct NodeView {
    id: NodeId,
    name: NodeName,
    region: Region,
    /// Which releases it is given when.
    ring: Ring,
    standing: NodeStanding,
    software: Option<String>,
    connected: bool,
    /// Whether it was heard within 2 s on its connection for containments.
    lane_connected: bool,
    /// When it was last heard there.
    lane_heard_at: Option<DateTime<Utc>>,
    first_seen_at: Option<DateTime<Utc>>,
    last_seen_at: Option<DateTime<Utc>>,
    /// When its newest certificate ends; `null` without one, as for a node in the control plane's process.
    certificate_ends_at: Option<DateTime<Utc>>,
    /// How many tenants it holds.
    tenants: usize,
    /// Tenants of which it does not hold the newest release.
    behind: Vec<LagView>,
    /// Tenants of which it proved to hold a release that this control plane does not know: its database was restored
    /// to an earlier state.
    ahead: Vec<LeadView>,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revoked_reason: Option<String>,
    version: i64,
    updated_at: DateTime<Utc>,
}

/// A tenant of which a node does not hold the newest release.
#[derive(Debug, Serialize, ToSchema)]
struct LagView {
    tenant: TenantId,
    released: u64,
    /// When the newest release was signed: since then the node is behind.
    released_at: Option<DateTime<Utc>>,
    applied: u64,
    /// Why the node refused the newest release.
    rejected: Option<String>,
}

/// A tenant of which a node holds a release that the control plane does not know.
#[derive(Debug, Serialize, ToSchema)]
struct LeadView {
    tenant: TenantId,
    released: u64,
    held: u64,
    at: DateTime<Utc>,
}

impl From<Lead> for LeadView {
    fn from(lead: Lead) -> Self {
        Self {
            tenant: lead.tenant,
            released: lead.released,
            held: lead.held,
            at: lead.at,
        }
    }
}

/// A join token.
#[derive(Debug, Serialize, ToSchema)]
struct JoinTokenView {
    /// Its text, this once; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// When it stops working, used or not.
    expires_at: DateTime<Utc>,
}

/// What of a node changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NodeChangeBody {
    ring: Ring,
}

/// Why a node is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevocationBody {
    /// One line, which the node is told as well.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

impl From<NodeState> for NodeView {
    fn from(state: NodeState) -> Self {
        let node = state.node;
        Self {
            id: node.id,
            name: node.name,
            region: node.region,
            ring: node.ring,
            standing: node.standing,
            software: node.software,
            connected: state.connected,
            lane_connected: state.lane.connected,
            lane_heard_at: state.lane.heard_at,
            first_seen_at: node.first_seen_at,
            last_seen_at: node.last_seen_at,
            certificate_ends_at: node.certificate_ends_at,
            tenants: state.tenants,
            behind: state.behind.into_iter().map(Into::into).collect(),
            ahead: state.ahead.into_iter().map(Into::into).collect(),
            created_at: node.created_at,
            revoked_at: node.revoked_at,
            revoked_reason: node.revoked_reason,
            version: node.version,
            updated_at: node.updated_at,
        }
    }
}

impl From<Lag> for LagView {
    fn from(lag: Lag) -> Self {
        Self {
            tenant: lag.tenant,
            released: lag.released,
            released_at: lag.released_at,
            applied: lag.applied,
            rejected: lag.rejected,
        }
    }
}

/// A node with its tag: its version, and a digest of everything that changes without one.
fn shown(state: NodeState) -> Answer<NodeView> {
    let view = NodeView::from(state);
    let version = view.version;
    let text = serde_json::to_vec(&view).expect("a view has string keys");
    let digest: [u8; 32] = Sha256::digest(text).into();
    let (first, _) = digest.split_first_chunk().expect("32 bytes begin with 8");
    Answer::ok(view)
        .version(version)
        .also(u64::from_be_bytes(*first))
}

async fn list(ask: Asking) -> Result<Listed<NodeView>, Problem> {
    Ok(Listed::all(ask.plane.list_nodes(&ask.caller).await?))
}

async fn get(ask: Asking, path: Path<NodeId>) -> Result<Answer<NodeView>, Problem> {
    Ok(shown(ask.plane.get_node(&ask.caller, *path).await?))
}

async fn create(
    ask: Asking,
    write: Adding,
    JsonBody(new): JsonBody<NewNode>,
) -> Result<Answer<NodeView>, Problem> {
    let state = ask.plane.create_node(&ask.caller, new, write.mode).await?;
    let location = format!("{ALL}/{}", state.node.id);
    Ok(shown(state).made_at(location).mode(write.mode))
}

async fn update(
    ask: Asking,
    path: Path<NodeId>,
    write: Overwriting,
    JsonBody(body): JsonBody<NodeChangeBody>,
) -> Result<Answer<NodeView>, Problem> {
    let at = NodeAt {
        id: *path,
        expected: write.expected,
    };
    let state = ask
        .plane
        .change_node_ring(&ask.caller, at, body.ring, write.mode)
        .await?;
    Ok(shown(state).mode(write.mode))
}

async fn delete(
    ask: Asking,
    path: Path<NodeId>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    let at = NodeAt {
        id: *path,
        expected: write.expected,
    };
    ask.plane.delete_node(&ask.caller, at, write.mode).await?;
    Ok(Answer::done(write.mode))
}

/// A token has no address to be read at.
async fn create_token(
    ask: Asking,
    path: Path<NodeId>,
    write: Adding,
) -> Result<Answer<JoinTokenView>, Problem> {
    let made = ask
        .plane
        .make_join_token(&ask.caller, *path, write.mode)
        .await?;
    let view = JoinTokenView {
        token: (write.mode == Mode::Commit).then(|| made.text.expose().to_owned()),
        expires_at: made.expires_at,
    };
    Ok(Answer::created(view, format!("{ALL}/{path}")).mode(write.mode))
}

/// Without `If-Match`: whoever has to stop a node must not be held up by a change of somebody else's.
async fn revoke(
    ask: Asking,
    path: Path<NodeId>,
    write: Adding,
    JsonBody(body): JsonBody<RevocationBody>,
) -> Result<Answer<NodeView>, Problem> {
    let at = NodeAt {
        id: *path,
        expected: None,
    };
    let state = ask
        .plane
        .revoke_node(&ask.caller, at, body.reason, write.mode)
        .await?;
    Ok(shown(state).mode(write.mode))
}
