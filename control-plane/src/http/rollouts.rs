//! `/v1/rollouts`: releases on their way from the canary ring to all nodes, and who decides about them.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    enrolment::NodeName,
    ids::{NodeId, RolloutId, TenantId},
    permission::Permission as P,
    tenant::{Region, Slug},
    traffic::Traffic,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{Answer, Listed},
    asking::{Asking, Deciding, InTenant, Paging, Params, page},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::{
    nodes::Ring,
    rollouts::{
        Gate, RolloutAt, RolloutEvent, RolloutFilter, RolloutPhase, RolloutState, RolloutStep,
        Wave, WaveNode,
    },
};

const ALL: &str = "/rollouts";
const ONE: &str = "/rollouts/{rollout}";
const HOLD: &str = "/rollouts/{rollout}/hold";
const PROMOTE: &str = "/rollouts/{rollout}/promote";
const ROLL_BACK: &str = "/rollouts/{rollout}/roll-back";
const OF_TENANT: &str = "/tenants/{tenant}/rollouts";
const ONE_OF_TENANT: &str = "/tenants/{tenant}/rollouts/{rollout}";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let why = || json!({"reason": "Support sees sign-ins fail"});
    vec![
        Operation::new("listRollouts", Method::GET, ALL, list)
            .summary("Lists rollouts of all tenants, newest first.")
            .needs(P::RolloutsView)
            .query::<Filtering>()
            .gives::<Listed<RolloutView>>(),
        Operation::new("getRollout", Method::GET, ONE, get)
            .summary("Reads a rollout: its rings with their nodes, its gates, why it waits, what happened.")
            .needs(P::RolloutsView)
            .gives::<RolloutView>()
            .versioned(),
        Operation::new("holdRollout", Method::POST, HOLD, hold)
            .summary("Keeps a release in the canary ring until somebody decides. If-Match is compared if it is sent.")
            .needs(P::RolloutsManage)
            .takes::<ReasonBody>(why())
            .gives::<RolloutView>()
            .compares()
            .versioned(),
        Operation::new("promoteRollout", Method::POST, PROMOTE, promote)
            .summary("Gives a release to all nodes now, whatever its gates say. If-Match is compared if it is sent.")
            .needs(P::RolloutsManage)
            .takes::<ReasonBody>(why())
            .gives::<RolloutView>()
            .compares()
            .versioned(),
        Operation::new("rollBackRollout", Method::POST, ROLL_BACK, roll_back)
            .summary("Gives all nodes a new version with the content of the one before. What was changed stays configured: the next release contains it again unless it is undone. If-Match is compared if it is sent.")
            .needs(P::RolloutsManage)
            .takes::<ReasonBody>(why())
            .gives::<RolloutView>()
            .compares()
            .versioned(),
        Operation::new("listTenantRollouts", Method::GET, OF_TENANT, list_of_tenant)
            .summary("Lists the tenant's rollouts, newest first.")
            .needs(P::SettingsView)
            .query::<Paging>()
            .gives::<Listed<RolloutView>>(),
        Operation::new("getTenantRollout", Method::GET, ONE_OF_TENANT, get_of_tenant)
            .summary("Reads a rollout of the tenant.")
            .needs(P::SettingsView)
            .gives::<RolloutView>()
            .versioned(),
    ]
}

/// Which rollouts, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Filtering {
    /// Only of this tenant, by id.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// Only those that have come so far.
    #[param(inline)]
    state: Option<RolloutPhase>,
    /// Things per page, 1 to 100; 25 if left out.
    limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Why something is decided.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    /// One line, which the log of the platform and of the tenant show.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// A rollout.
#[derive(Debug, Serialize, ToSchema)]
struct RolloutView {
    id: RolloutId,
    tenant: TenantId,
    tenant_slug: Slug,
    region: Region,
    /// The release.
    release: u64,
    /// What the wide ring holds until it is decided.
    base: u64,
    state: RolloutPhase,
    started_at: DateTime<Utc>,
    /// For how long a canary node serves it before it is let through.
    bake_seconds: u32,
    /// Until when the canary ring is watched; `null` before a canary node serves it, and once it is decided.
    bakes_until: Option<DateTime<Utc>>,
    /// Why it is not decided yet.
    waits: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
    /// Why it is held, or was decided as it was.
    reason: Option<String>,
    /// The release with the content of the one before, once it was rolled back.
    reverted_by: Option<u64>,
    /// What speaks for it and against it: at this moment, or when it was decided.
    gates: Vec<Gate>,
    /// The rings, in the order in which they are given it.
    waves: Vec<WaveView>,
    /// What happened, oldest first.
    events: Vec<RolloutEvent>,
    version: i64,
}

/// A ring of a rollout.
#[derive(Debug, Serialize, ToSchema)]
struct WaveView {
    ring: Ring,
    /// The release that the ring should hold now.
    wanted: u64,
    nodes: Vec<WaveNodeView>,
}

/// A node of a ring.
#[derive(Debug, Serialize, ToSchema)]
struct WaveNodeView {
    node: NodeId,
    name: NodeName,
    connected: bool,
    /// The release it confirmed; 0 for none.
    applied: u64,
    /// Why it refused the rollout's release.
    rejected: Option<String>,
    /// What it counted since the rollout began; `null` if it told nothing.
    traffic: Option<TrafficView>,
}

/// What a node counted.
#[derive(Debug, Serialize, ToSchema)]
struct TrafficView {
    requests: u64,
    /// Answers with 5xx.
    failures: u64,
    /// The 95th percentile of the time an answer took, in milliseconds.
    p95_ms: Option<u64>,
    sign_ins: u64,
    sign_ins_failed: u64,
}

impl From<RolloutState> for RolloutView {
    fn from(state: RolloutState) -> Self {
        let rollout = state.rollout;
        Self {
            id: rollout.id,
            tenant: rollout.tenant,
            tenant_slug: state.tenant_slug,
            region: rollout.region,
            release: rollout.version,
            base: rollout.base_version,
            state: rollout.phase,
            started_at: rollout.started_at,
            bake_seconds: rollout.bake_seconds,
            bakes_until: state.bakes_until,
            waits: state.waits,
            decided_at: rollout.decided_at,
            decided_by: rollout.decided_by,
            reason: rollout.reason,
            reverted_by: rollout.reverted_by,
            gates: rollout.gates,
            waves: state.waves.into_iter().map(Into::into).collect(),
            events: rollout.events,
            version: rollout.revision,
        }
    }
}

impl From<Wave> for WaveView {
    fn from(wave: Wave) -> Self {
        Self {
            ring: wave.ring,
            wanted: wave.wanted,
            nodes: wave.nodes.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<WaveNode> for WaveNodeView {
    fn from(node: WaveNode) -> Self {
        Self {
            node: node.node,
            name: node.name,
            connected: node.connected,
            applied: node.applied,
            rejected: node.rejected,
            traffic: node.traffic.map(Into::into),
        }
    }
}

impl From<Traffic> for TrafficView {
    fn from(traffic: Traffic) -> Self {
        Self {
            requests: traffic.requests,
            failures: traffic.failures,
            p95_ms: traffic.p95_ms(),
            sign_ins: traffic.sign_ins,
            sign_ins_failed: traffic.sign_ins_failed,
        }
    }
}

/// A rollout with its tag: its version, and a digest of everything that changes without one.
fn shown(state: RolloutState) -> Answer<RolloutView> {
    let view = RolloutView::from(state);
    let version = view.version;
    let text = serde_json::to_vec(&view).expect("a view has string keys");
    let digest: [u8; 32] = Sha256::digest(text).into();
    let (first, _) = digest.split_first_chunk().expect("32 bytes begin with 8");
    Answer::ok(view)
        .version(version)
        .also(u64::from_be_bytes(*first))
}

async fn list(
    ask: Asking,
    Params(asked): Params<Filtering>,
) -> Result<Listed<RolloutView>, Problem> {
    let page = page(asked.limit, asked.cursor.as_deref())?;
    let filter = RolloutFilter {
        tenant: asked.tenant,
        phase: asked.state,
    };
    let found = ask.plane.list_rollouts(&ask.caller, filter, &page).await?;
    Ok(Listed::page(found))
}

async fn get(ask: Asking, path: Path<RolloutId>) -> Result<Answer<RolloutView>, Problem> {
    Ok(shown(ask.plane.get_rollout(&ask.caller, *path).await?))
}

async fn list_of_tenant(
    ask: InTenant,
    Params(paging): Params<Paging>,
) -> Result<Listed<RolloutView>, Problem> {
    let page = paging.page()?;
    let found = ask
        .plane
        .list_rollouts_of(&ask.caller, ask.tenant, &page)
        .await?;
    Ok(Listed::page(found))
}

async fn get_of_tenant(
    ask: InTenant,
    path: Path<(String, RolloutId)>,
) -> Result<Answer<RolloutView>, Problem> {
    let found = ask
        .plane
        .get_rollout_of(&ask.caller, ask.tenant, path.1)
        .await?;
    Ok(shown(found))
}

async fn hold(
    ask: Asking,
    path: Path<RolloutId>,
    write: Deciding,
    body: JsonBody<ReasonBody>,
) -> Result<Answer<RolloutView>, Problem> {
    decide(ask, (*path, RolloutStep::Hold), write, body).await
}

async fn promote(
    ask: Asking,
    path: Path<RolloutId>,
    write: Deciding,
    body: JsonBody<ReasonBody>,
) -> Result<Answer<RolloutView>, Problem> {
    decide(ask, (*path, RolloutStep::Promote), write, body).await
}

async fn roll_back(
    ask: Asking,
    path: Path<RolloutId>,
    write: Deciding,
    body: JsonBody<ReasonBody>,
) -> Result<Answer<RolloutView>, Problem> {
    decide(ask, (*path, RolloutStep::RollBack), write, body).await
}

async fn decide(
    ask: Asking,
    (id, step): (RolloutId, RolloutStep),
    write: Deciding,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<Answer<RolloutView>, Problem> {
    let at = RolloutAt {
        id,
        expected: write.expected,
    };
    let state = ask
        .plane
        .decide_rollout(&ask.caller, at, (step, body.reason), write.mode)
        .await?;
    Ok(shown(state).mode(write.mode))
}
