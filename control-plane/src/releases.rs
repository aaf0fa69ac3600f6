//! Releases: what was signed for the nodes, version by version.
//!
//! A release is compiled inside the change that made it necessary ([`compile`]), so no committed state
//! exists that nodes do not get. Versions only grow, and a version is only given to content that differs.

mod compile;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId},
    manifest::Manifest,
    permission::Permission,
    section::ContentHash,
};

pub(crate) use self::compile::Compiled;
use crate::{
    Caller, ControlPlane, Page, PageRequest, Refusal,
    nodes::Holding,
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
}

/// What one node serves of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The node.
    pub node: NodeId,
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
        Ok(releases.map(|stored| ReleaseSummary::from(&stored)))
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
        Ok(ReleaseDetail {
            summary: ReleaseSummary::from(&stored),
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
        let connected = self.connected_nodes(tx, &tenant.region).await?;
        let mut held: BTreeMap<NodeId, Holding> = tx
            .list_holdings_of_tenant(tenant.id)
            .await?
            .into_iter()
            .map(|holding| (holding.node, holding))
            .collect();
        let nodes: BTreeSet<NodeId> = connected.iter().chain(held.keys()).copied().collect();
        let serving: Vec<Serving> = nodes
            .into_iter()
            .map(|node| {
                let holding = held.remove(&node);
                Serving {
                    node,
                    connected: connected.contains(&node),
                    applied: holding.as_ref().map_or(0, |held| held.applied_version),
                    rejected: holding
                        .filter(|held| held.rejected_version == Some(version))
                        .map(|held| held.reason.unwrap_or_default()),
                }
            })
            .collect();
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
            serving,
        })
    }
}
