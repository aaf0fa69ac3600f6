//! Rollouts: a release goes to the canary ring first, and to all nodes once it has proven itself there (R-NODE-06).
//!
//! A rollout begins in the transaction that commits its release ([`begin`]). While it is open, nodes of the wide
//! ring should hold the version before; nothing else distinguishes the rings. It is judged by counts that nodes
//! keep anyway ([`gates`]) and ends in one transaction that only one replica can commit ([`judge`], [`decide`]):
//! all nodes are given the version, or a new version with the content of the one before.
//!
//! A rollout never changes what a tenant's people configured. After it was rolled back, the next release contains
//! their change again unless they undo it; the rollout, the log and the list of releases say so.

mod begin;
mod decide;
pub mod gates;
mod judge;
mod measure;
mod state;

use chrono::{DateTime, Utc};
use contract::{
    enrolment::NodeName,
    ids::{NodeId, RolloutId, TenantId},
    permission::Permission,
    section::ContentHash,
    tenant::{Region, Slug},
    traffic::Traffic,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::measure::Measure;
pub use self::{
    decide::{RolloutAt, RolloutStep},
    gates::{Gate, GateKind, Verdict},
};
use crate::{
    Caller, ControlPlane, Page, PageRequest, Refusal, change::Target, nodes::Ring, store::Tx,
};

/// For how long a canary node serves a release before it is let through, unless configured otherwise.
pub const DEFAULT_BAKE_SECONDS: u32 = 30;
/// The longest that can be configured: a day.
pub const MAX_BAKE_SECONDS: u32 = 86_400;

/// How far a rollout has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RolloutPhase {
    /// The canary ring serves it, and it is watched.
    Baking,
    /// Somebody holds it: it stays in the canary ring until somebody decides.
    Held,
    /// All nodes are given it.
    Promoted,
    /// A new version with the content of the one before took its place.
    RolledBack,
    /// A newer release took its place before it was decided.
    Superseded,
}

impl RolloutPhase {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Baking,
        Self::Held,
        Self::Promoted,
        Self::RolledBack,
        Self::Superseded,
    ];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baking => "baking",
            Self::Held => "held",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Superseded => "superseded",
        }
    }

    /// Whether the wide ring still has the version before.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Baking | Self::Held)
    }
}

impl std::str::FromStr for RolloutPhase {
    type Err = contract::Invalid;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| contract::Invalid::new("state", "is not one of a rollout"))
    }
}

/// A rollout, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// Whose release.
    pub tenant: TenantId,
    /// Where the tenant lives.
    pub region: Region,
    /// The release.
    pub version: u64,
    /// What the wide ring holds until it is decided.
    pub base_version: u64,
    /// The name of that version's manifest.
    pub base_manifest: ContentHash,
    /// How far it has come.
    pub phase: RolloutPhase,
    /// When the release was committed.
    pub started_at: DateTime<Utc>,
    /// For how long a canary node serves it before it is let through, in seconds.
    pub bake_seconds: u32,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided it, by name.
    pub decided_by: Option<String>,
    /// Why it is held, or was decided as it was.
    pub reason: Option<String>,
    /// The version with the content of the one before, once it was rolled back.
    pub reverted_by: Option<u64>,
    /// What the gates said when it was decided.
    pub gates: Vec<Gate>,
    /// What happened, oldest first.
    pub events: Vec<RolloutEvent>,
    /// For `If-Match`: grows with each event.
    pub revision: i64,
}

/// Something that happened to a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it, by name.
    pub by: String,
    /// How far it had come then.
    pub state: RolloutPhase,
    /// What happened, in words.
    pub says: String,
}

/// A rollout and how it fares.
#[derive(Debug, Clone)]
pub struct RolloutState {
    /// The rollout. While it is open, its gates are those of this moment.
    pub rollout: Rollout,
    /// The tenant's short name.
    pub tenant_slug: Slug,
    /// The tenant's name.
    pub tenant_name: String,
    /// Until when the canary ring is watched; none before a canary node serves it, and once it is decided.
    pub bakes_until: Option<DateTime<Utc>>,
    /// Why it is not decided yet.
    pub waits: Option<String>,
    /// The rings, in the order in which they are given it.
    pub waves: Vec<Wave>,
}

/// The nodes of one ring.
#[derive(Debug, Clone)]
pub struct Wave {
    /// Which ring.
    pub ring: Ring,
    /// The version that the ring should hold of the tenant now.
    pub wanted: u64,
    /// Its nodes, by name.
    pub nodes: Vec<WaveNode>,
}

/// A node of a ring.
#[derive(Debug, Clone)]
pub struct WaveNode {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Whether it is connected, here or to another replica.
    pub connected: bool,
    /// The version that it confirmed; 0 for none.
    pub applied: u64,
    /// Why it refused the rollout's version, if it did.
    pub rejected: Option<String>,
    /// What it counted since the rollout began, if it told.
    pub traffic: Option<Traffic>,
}

/// Which rollouts are wanted; all of them unless said.
#[derive(Debug, Clone, Copy, Default)]
pub struct RolloutFilter {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only these.
    pub phase: Option<RolloutPhase>,
}

impl ControlPlane {
    /// Lists rollouts of all tenants, newest first.
    ///
    /// # Errors
    /// Needs `platform.rollouts.view`.
    pub async fn list_rollouts(
        &self,
        caller: &Caller,
        filter: RolloutFilter,
        page: &PageRequest,
    ) -> Result<Page<RolloutState>, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::RolloutsView)
            .await?;
        self.rollout_states(view.tx(), filter, page).await
    }

    /// Reads one rollout, its rings, its gates and what happened.
    ///
    /// # Errors
    /// Needs `platform.rollouts.view`; [`Refusal::NotFound`].
    pub async fn get_rollout(
        &self,
        caller: &Caller,
        id: RolloutId,
    ) -> Result<RolloutState, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::RolloutsView)
            .await?;
        let rollout = existing(view.tx(), id).await?;
        self.state_of_rollout(view.tx(), rollout).await
    }

    /// Lists a tenant's rollouts, newest first, for its own people.
    ///
    /// # Errors
    /// Needs `tenant.settings.view`; [`Refusal::NotFound`] for a stranger.
    pub async fn list_rollouts_of(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<RolloutState>, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        let filter = RolloutFilter {
            tenant: Some(tenant),
            phase: None,
        };
        self.rollout_states(view.tx(), filter, page).await
    }

    /// Reads one rollout of a tenant, for its own people.
    ///
    /// # Errors
    /// Needs `tenant.settings.view`; [`Refusal::NotFound`], also for a rollout of another tenant.
    pub async fn get_rollout_of(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: RolloutId,
    ) -> Result<RolloutState, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        let rollout = existing(view.tx(), id).await?;
        if rollout.tenant != tenant {
            return Err(NO_ROLLOUT);
        }
        self.state_of_rollout(view.tx(), rollout).await
    }

    async fn rollout_states(
        &self,
        tx: &Tx,
        filter: RolloutFilter,
        page: &PageRequest,
    ) -> Result<Page<RolloutState>, Refusal> {
        let Page { items, next } = tx.list_rollouts(filter, page).await?;
        let mut states = Vec::with_capacity(items.len());
        for rollout in items {
            states.push(self.state_of_rollout(tx, rollout).await?);
        }
        Ok(Page {
            items: states,
            next,
        })
    }
}

const NO_ROLLOUT: Refusal = Refusal::NotFound { what: "rollout" };

async fn existing(tx: &Tx, id: RolloutId) -> Result<Rollout, Refusal> {
    tx.find_rollout(id).await?.ok_or(NO_ROLLOUT)
}
