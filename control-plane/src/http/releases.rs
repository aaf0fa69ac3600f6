//! `/v1/tenants/{tenant}/releases` and the keys that sign the tenant's tokens.

use std::collections::BTreeMap;

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    application::SigningAlgorithm,
    frames::PublicKey,
    ids::{NodeId, RolloutId},
    permission::Permission as P,
    section::ContentHash,
    tenant::TenantStatus,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, InTenant, Paging, Params},
    operation::Operation,
    problem::Problem,
};
use crate::{
    nodes::Ring,
    releases::{Effectiveness, Recovery, ReleaseDetail, ReleaseSummary, RolloutOf, Serving},
    rollouts::RolloutPhase,
};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            "listReleases",
            Method::GET,
            "/tenants/{tenant}/releases",
            list,
        )
        .summary("Lists the tenant's releases, newest first.")
        .needs(P::SettingsView)
        .query::<Paging>()
        .gives::<Listed<ReleaseView>>(),
        Operation::new(
            "getRelease",
            Method::GET,
            "/tenants/{tenant}/releases/{version}",
            get,
        )
        .summary("Reads a release: its sections by hash, and the signed manifest.")
        .needs(P::SettingsView)
        .gives::<ReleaseDetailView>(),
        Operation::new(
            "getEffectiveness",
            Method::GET,
            "/tenants/{tenant}/effectiveness",
            effectiveness,
        )
        .summary("Says how far the current release has come: which node serves which version.")
        .needs(P::SettingsView)
        .gives::<EffectivenessView>(),
        Operation::new(
            "recoverReleases",
            Method::POST,
            "/tenants/{tenant}/recover",
            recover,
        )
        .summary("Goes on above the versions that nodes hold, after this control plane's database was restored to an earlier state.")
        .needs(P::NodesManage)
        .gives::<RecoveryView>(),
        Operation::new("listKeys", Method::GET, "/tenants/{tenant}/keys", keys)
            .summary("Lists the public keys that sign the tenant's tokens.")
            .needs(P::KeysView)
            .gives::<Listed<KeyView>>(),
    ]
}

/// A release.
#[derive(Debug, Serialize, ToSchema)]
struct ReleaseView {
    version: u64,
    issued_at: DateTime<Utc>,
    /// SHA-256 of the signed manifest.
    manifest_hash: ContentHash,
    /// The rollout that it began or ended; `null` if it went to all nodes at once.
    rollout: Option<RolloutOfView>,
}

/// What a release has to do with a rollout.
#[derive(Debug, Serialize, ToSchema)]
struct RolloutOfView {
    id: RolloutId,
    state: RolloutPhase,
    /// Whether the release has old content and ended the rollout: what was changed stays configured, so the next
    /// release contains it again unless it is undone.
    reverts: bool,
}

impl From<RolloutOf> for RolloutOfView {
    fn from(of: RolloutOf) -> Self {
        Self {
            id: of.id,
            state: of.phase,
            reverts: of.reverts,
        }
    }
}

impl From<ReleaseSummary> for ReleaseView {
    fn from(summary: ReleaseSummary) -> Self {
        Self {
            version: summary.version,
            issued_at: summary.issued_at,
            manifest_hash: summary.manifest_hash,
            rollout: summary.rollout.map(Into::into),
        }
    }
}

/// A release with what it consists of.
#[derive(Debug, Serialize, ToSchema)]
struct ReleaseDetailView {
    version: u64,
    issued_at: DateTime<Utc>,
    manifest_hash: ContentHash,
    /// The rollout that it began or ended; `null` if it went to all nodes at once.
    rollout: Option<RolloutOfView>,
    status: TenantStatus,
    min_node_version: String,
    /// The hash of each section, by its name.
    sections: BTreeMap<String, ContentHash>,
    /// The manifest as nodes get it: a JWS.
    signed_manifest: String,
}

impl From<ReleaseDetail> for ReleaseDetailView {
    fn from(detail: ReleaseDetail) -> Self {
        let sections = detail.manifest.sections.into_iter();
        Self {
            version: detail.summary.version,
            issued_at: detail.summary.issued_at,
            manifest_hash: detail.summary.manifest_hash,
            rollout: detail.summary.rollout.map(Into::into),
            status: detail.manifest.status,
            min_node_version: detail.manifest.min_node_version,
            sections: sections
                .map(|(name, hash)| (name.to_string(), hash))
                .collect(),
            signed_manifest: detail.signed,
        }
    }
}

/// How far a tenant's current release has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EffectivenessView {
    /// The current release.
    version: u64,
    /// How many nodes serve it or a later one.
    applied: usize,
    /// The nodes of the tenant's region that are connected or said anything about the tenant.
    nodes: Vec<ServingView>,
    /// The highest release that a node proved to hold and this control plane does not know, because its database was
    /// restored to an earlier state; else `null`.
    ahead: Option<u64>,
}

/// A tenant whose releases go on above what nodes hold.
#[derive(Debug, Serialize, ToSchema)]
struct RecoveryView {
    /// The last release this control plane knew.
    known: u64,
    /// The highest release that a node proved to hold.
    held: u64,
    /// The release that is current now.
    version: u64,
}

impl From<Recovery> for RecoveryView {
    fn from(recovery: Recovery) -> Self {
        Self {
            known: recovery.known,
            held: recovery.held,
            version: recovery.version,
        }
    }
}

/// What one node serves of a tenant.
#[derive(Debug, Serialize, ToSchema)]
struct ServingView {
    node: NodeId,
    /// Which releases it is given when.
    ring: Ring,
    /// The release it should hold now: while a rollout is open, the wide ring keeps the one before.
    wanted: u64,
    connected: bool,
    /// The release it confirmed; 0 for none.
    applied: u64,
    /// Why it refused the current release.
    rejected: Option<String>,
}

impl From<Effectiveness> for EffectivenessView {
    fn from(reach: Effectiveness) -> Self {
        Self {
            version: reach.version,
            applied: reach.applied,
            nodes: reach.serving.into_iter().map(Into::into).collect(),
            ahead: reach.ahead,
        }
    }
}

impl From<Serving> for ServingView {
    fn from(serving: Serving) -> Self {
        Self {
            node: serving.node,
            ring: serving.ring,
            wanted: serving.wanted,
            connected: serving.connected,
            applied: serving.applied,
            rejected: serving.rejected,
        }
    }
}

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    kid: String,
    alg: SigningAlgorithm,
    /// The key (RFC 7517).
    #[schema(value_type = Object)]
    jwk: Value,
    created_at: DateTime<Utc>,
}

impl From<PublicKey> for KeyView {
    fn from(key: PublicKey) -> Self {
        Self {
            jwk: key.to_jwk(),
            kid: key.kid,
            alg: key.alg,
            created_at: key.created_at,
        }
    }
}

async fn list(
    at: InTenant,
    Params(paging): Params<Paging>,
) -> Result<Listed<ReleaseView>, Problem> {
    let page = paging.page()?;
    Ok(Listed::page(
        at.plane.list_releases(&at.caller, at.tenant, &page).await?,
    ))
}

async fn get(
    at: InTenant,
    path: Path<(String, u64)>,
) -> Result<Answer<ReleaseDetailView>, Problem> {
    Ok(Answer::ok(
        at.plane
            .get_release(&at.caller, at.tenant, path.1)
            .await?
            .into(),
    ))
}

async fn effectiveness(at: InTenant) -> Result<Answer<EffectivenessView>, Problem> {
    Ok(Answer::ok(
        at.plane.effectiveness(&at.caller, at.tenant).await?.into(),
    ))
}

async fn recover(at: InTenant, write: Adding) -> Result<Answer<RecoveryView>, Problem> {
    let recovered = at
        .plane
        .recover_releases(&at.caller, at.tenant, write.mode)
        .await?;
    Ok(Answer::ok(recovered.into()).mode(write.mode))
}

async fn keys(at: InTenant) -> Result<Listed<KeyView>, Problem> {
    Ok(Listed::all(
        at.plane.list_keys(&at.caller, at.tenant).await?,
    ))
}
