//! Releases: what was signed for the nodes, version by version.
//!
//! A release is compiled inside the change that made it necessary ([`compile`]), so no committed state
//! exists that nodes do not get. Versions only grow, and a version is only given to content that differs.

mod again;
mod compile;
mod recover;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, RolloutId, TenantId},
    manifest::Manifest,
    permission::Permission,
    section::ContentHash,
};

pub(crate) use self::compile::Compiled;
pub use self::recover::Recovery;
use crate::{
    Caller, ControlPlane, Page, PageRequest, Refusal,
    nodes::{Holding, Ring},
    rollouts::RolloutPhase,
    store::{StoredRelease, Tx},
    tenants::Tenant,
};

/// One version of a tenant, and who runs it.
#[derive(Debug, Clone)]
pub struct ReleaseSummary {
    /// The version.
    pub version: u64,
    /// When it was signed.
    pub issued_at: DateTime<Utc>,
    /// The name of its signed manifest.
    pub manifest_hash: ContentHash,
    /// The rollout that it began, or that ended with it; none if it went to all nodes at once.
    pub rollout: Option<RolloutOf>,
}

/// What a version has to do with a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutOf {
    /// Which rollout.
    pub id: RolloutId,
    /// How far it has come.
    pub phase: RolloutPhase,
    /// Whether the version is the one with old content that ended it: what was changed stays configured, so the
    /// next release contains it again unless it is undone.
    pub reverts: bool,
}

/// One version in full.
#[derive(Debug, Clone)]
pub struct ReleaseDetail {
    /// What the list says about it.
    pub summary: ReleaseSummary,
    /// What was signed.
    pub manifest: Manifest,
    /// The signed form, verifiable with the trust root alone.
    pub signed: String,
}

/// How far a tenant's current version has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effectiveness {
    /// The current version.
    pub version: u64,
    /// Nodes of the tenant's region that serve it.
    pub applied: usize,
    /// Nodes of the tenant's region that are connected or serve any version of it.
    pub nodes: usize,
    /// Nodes that refused it, with their reasons.
    pub rejected: Vec<(NodeId, String)>,
    /// Each of those nodes, by id.
    pub serving: Vec<Serving>,
    /// The highest version that a node proved to hold though this control plane does not know it: its database was
    /// restored to an earlier state, and nodes refuse what it releases until [`ControlPlane::recover_releases`].
    pub ahead: Option<u64>,
}

/// What one node serves of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The node.
    pub node: NodeId,
    /// Which releases it is given when.
    pub ring: Ring,
    /// The version it should hold now: while a rollout is open, the wide ring keeps the version before.
    pub wanted: u64,
    /// Whether it is connected to this control plane now.
    pub connected: bool,
    /// The version it confirmed; 0 for none.
    pub applied: u64,
    /// Why it refused the current version, if it did.
    pub rejected: Option<String>,
}

impl From<&StoredRelease> for ReleaseSummary {
    fn from(stored: &StoredRelease) -> Self {
        Self {
            version: stored.version,
            issued_at: stored.issued_at,
            manifest_hash: stored.manifest_hash.clone(),
            rollout: None,
        }
    }
}

/// Which rings a release is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Both.
    Everybody,
    /// The canary ring only.
    Canary,
    /// The wide ring: the canary ring has it.
    Wide,
}

impl Reach {
    /// Whether nodes of a ring are given it.
    pub(crate) fn includes(self, ring: Ring) -> bool {
        match self {
            Self::Everybody => true,
            Self::Canary => ring == Ring::Canary,
            Self::Wide => ring == Ring::Wide,
        }
    }
}

impl ControlPlane {
    /// Lists a tenant's versions, newest first.
    ///
    /// # Errors
    /// Needs `tenant.settings.view`.
    pub async fn list_releases(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<ReleaseSummary>, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        let releases = view.tx().list_releases(tenant, page).await?;
        let mut releases = releases.map(|stored| ReleaseSummary::from(&stored));
        tell_rollouts(view.tx(), tenant, &mut releases.items).await?;
        Ok(releases)
    }

    /// Reads one version.
    ///
    /// # Errors
    /// Needs `tenant.settings.view`; [`Refusal::NotFound`].
    pub async fn get_release(
        &self,
        caller: &Caller,
        tenant: TenantId,
        version: u64,
    ) -> Result<ReleaseDetail, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        let stored = view
            .tx()
            .find_release(tenant, version)
            .await?
            .ok_or(Refusal::NotFound { what: "release" })?;
        let manifest =
            Manifest::verify(&stored.manifest, &self.trust_root()).map_err(Refusal::internal)?;
        let mut summary = [ReleaseSummary::from(&stored)];
        tell_rollouts(view.tx(), tenant, &mut summary).await?;
        let [summary] = summary;
        Ok(ReleaseDetail {
            summary,
            manifest,
            signed: stored.manifest,
        })
    }

    /// How far a tenant's current version has come: "effective on n of n nodes".
    ///
    /// # Errors
    /// Needs `tenant.settings.view`.
    pub async fn effectiveness(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Effectiveness, Refusal> {
        let view = self.view(caller, tenant, Permission::SettingsView).await?;
        self.effectiveness_of(view.tx(), view.tenant()).await
    }

    pub(crate) async fn effectiveness_of(
        &self,
        tx: &Tx,
        tenant: &Tenant,
    ) -> Result<Effectiveness, Refusal> {
        let version = tenant.release_version;
        let open = tx.find_open_rollout(tenant.id).await?;
        let kept = open.map_or(version, |rollout| rollout.base_version);
        let rings = tx.list_rings(&tenant.region).await?;
        let connected = self.connected_nodes(tx, &tenant.region).await?;
        let mut held: BTreeMap<NodeId, Holding> = tx
            .list_holdings_of_tenant(tenant.id)
            .await?
            .into_iter()
            .map(|holding| (holding.node, holding))
            .collect();
        let nodes: BTreeSet<NodeId> = connected.iter().chain(held.keys()).copied().collect();
        let serving = |node: NodeId| {
            let holding = held.remove(&node);
            let ring = rings.get(&node).copied().unwrap_or_default();
            Serving {
                node,
                ring,
                wanted: match ring {
                    Ring::Canary => version,
                    Ring::Wide => kept,
                },
                connected: connected.contains(&node),
                applied: holding.as_ref().map_or(0, |held| held.applied_version),
                rejected: holding
                    .filter(|held| held.rejected_version == Some(version))
                    .map(|held| held.reason.unwrap_or_default()),
            }
        };
        let serving: Vec<Serving> = nodes.into_iter().map(serving).collect();
        let ahead = tx.list_ahead(tenant.id, version).await?;
        let rejected = serving
            .iter()
            .filter_map(|node| Some((node.node, node.rejected.clone()?)));
        Ok(Effectiveness {
            version,
            nodes: serving.len(),
            applied: serving
                .iter()
                .filter(|node| node.applied >= version)
                .count(),
            rejected: rejected.collect(),
            ahead: ahead.first().map(|ahead| ahead.version),
            serving,
        })
    }
}

/// Says of each version what it has to do with a rollout.
async fn tell_rollouts(
    tx: &Tx,
    tenant: TenantId,
    releases: &mut [ReleaseSummary],
) -> Result<(), Refusal> {
    let versions: Vec<u64> = releases.iter().map(|release| release.version).collect();
    let rollouts = tx.list_rollouts_of_versions(tenant, &versions).await?;
    for release in releases {
        let version = release.version;
        let of = rollouts
            .iter()
            .find(|rollout| rollout.version == version || rollout.reverted_by == Some(version));
        release.rollout = of.map(|rollout| RolloutOf {
            id: rollout.id,
            phase: rollout.phase,
            reverts: rollout.version != version,
        });
    }
    Ok(())
}
