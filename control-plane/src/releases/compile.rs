//! Compiling: a tenant's published state becomes sections, a signed manifest and frames.
//!
//! Runs inside the transaction of the change. Equal content compiles to equal sections and gives no new
//! version. What compiles is assembled again exactly as a node will do it, so that a release nodes would
//! refuse fails the change that caused it, where a person sees why.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{
    canonical,
    ids::TenantId,
    manifest::{FORMAT, Manifest},
    policies::PolicySet,
    release::{Release, ReleaseContent},
    section::{ContentHash, MAX_SECTION_BYTES, SectionName},
    tenant::{Region, TenantProfile},
};
use serde_json::json;

use super::Reach;
use crate::{
    ControlPlane, Refusal,
    store::{News, StoredRelease, Tx},
    tenants::Tenant,
};

/// The oldest node software that understands what we write today.
const MIN_NODE_VERSION: &str = "0.1.0";

/// A new version, ready to be told to nodes once it is committed.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Whose nodes.
    pub(crate) region: Region,
    /// Which of them.
    pub(crate) reach: Reach,
    /// The version before, if there is one.
    pub(crate) before: Option<u64>,
    /// Which one.
    pub(crate) version: u64,
    /// When it was signed.
    pub(crate) issued_at: DateTime<Utc>,
    /// The signed manifest.
    pub(crate) manifest: String,
    /// Its name.
    pub(crate) manifest_hash: ContentHash,
    /// The sections that the version before did not have.
    pub(crate) new_sections: BTreeMap<ContentHash, String>,
}

impl Compiled {
    /// What the other replicas hear of it.
    pub(crate) fn news(&self) -> News {
        News::Release {
            tenant: self.tenant,
            region: self.region.clone(),
            version: self.version,
            reach: self.reach,
        }
    }
}

impl ControlPlane {
    /// Compiles the tenant's state as the transaction sees it; `None` if nothing changed for nodes.
    pub(crate) async fn compile(
        &self,
        tx: &Tx,
        tenant: TenantId,
        at: DateTime<Utc>,
    ) -> Result<Option<Compiled>, Refusal> {
        let tenant = tx
            .find_tenant(tenant)
            .await?
            .ok_or(Refusal::NotFound { what: "tenant" })?;
        let sections = match self.held_back(tx, &tenant).await? {
            Some(sections) => sections,
            None => Release::sections(self.gather(tx, &tenant).await?)?,
        };
        check_sizes(&sections)?;
        let last = tx.find_latest_release(tenant.id).await?;
        self.write_release(tx, &tenant, (sections, last), at).await
    }

    /// Writes the next version, which consists of `sections`; `None` if that would be the last one again.
    pub(super) async fn write_release(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        (sections, last): (BTreeMap<SectionName, String>, Option<StoredRelease>),
        at: DateTime<Utc>,
    ) -> Result<Option<Compiled>, Refusal> {
        let hashes = hashes(&sections);
        let content = canonical::to_canonical(&json!({
            "region": tenant.region, "sections": hashes, "status": tenant.status,
        }))?;
        let released = last.as_ref().map_or(0, |last| last.version);
        // Above what nodes proved to hold, if this database was restored to an earlier state.
        let floor = tx.find_floor(tenant.id, released).await?;
        if floor.is_none() && last.as_ref().is_some_and(|last| last.content == content) {
            return Ok(None);
        }
        let before = last.as_ref().map(|last| last.version);
        let manifest = Manifest {
            format: FORMAT,
            tenant: tenant.id,
            version: floor.unwrap_or(released) + 1,
            region: tenant.region.clone(),
            issued_at: at,
            min_node_version: MIN_NODE_VERSION.to_owned(),
            status: tenant.status,
            sections: hashes,
        };
        let signed = manifest.sign(&self.inner.signer)?;
        let known = self.sections_of(last.as_ref())?;
        let bodies: BTreeMap<ContentHash, String> = sections
            .into_values()
            .map(|body| (ContentHash::of(body.as_bytes()), body))
            .collect();
        check_assembles(&manifest, &bodies)?;
        let stored = StoredRelease {
            tenant: tenant.id,
            version: manifest.version,
            manifest_hash: Manifest::hash_of(&signed),
            manifest: signed.clone(),
            content,
            issued_at: at,
        };
        tx.insert_release(&stored, &bodies).await?;
        Ok(Some(Compiled {
            tenant: tenant.id,
            region: tenant.region.clone(),
            reach: Reach::Everybody,
            before,
            version: manifest.version,
            issued_at: at,
            manifest: signed,
            manifest_hash: stored.manifest_hash,
            new_sections: bodies
                .into_iter()
                .filter(|(hash, _)| !known.contains(hash))
                .collect(),
        }))
    }

    async fn gather(&self, tx: &Tx, tenant: &Tenant) -> Result<ReleaseContent, Refusal> {
        let mut policies = PolicySet::default();
        for published in tx.list_published_policies(tenant.id).await? {
            policies.set(published.document);
        }
        Ok(ReleaseContent {
            tenant: TenantProfile {
                id: tenant.id,
                slug: tenant.slug.clone(),
                name: tenant.name.clone(),
                environment: tenant.environment,
                issuer: self.issuer(tenant),
                host: tenant.host.clone(),
            },
            policies,
            apis: tx.list_released_apis(tenant.id).await?,
            applications: tx.list_released_applications(tenant.id).await?,
            client_grants: tx.list_released_client_grants(tenant.id).await?,
        })
    }

    fn sections_of(
        &self,
        release: Option<&StoredRelease>,
    ) -> Result<BTreeSet<ContentHash>, Refusal> {
        let Some(release) = release else {
            return Ok(BTreeSet::new());
        };
        let manifest =
            Manifest::verify(&release.manifest, &self.trust_root()).map_err(Refusal::internal)?;
        Ok(manifest.sections.into_values().collect())
    }
}

/// Refuses what does not come together again as a node puts it together.
fn check_assembles(
    manifest: &Manifest,
    bodies: &BTreeMap<ContentHash, String>,
) -> Result<(), Refusal> {
    let assembled = Release::assemble(manifest.clone(), |hash| {
        bodies.get(hash).map(String::as_str)
    });
    assembled.map(drop).map_err(|error| {
        Refusal::conflict(
            "release_refused",
            format!("Nodes would refuse the result: {error}."),
        )
    })
}

/// Refuses what no node would take, in words an administrator can act on: a node could only reject the
/// whole release, long after the change that made it too large.
fn check_sizes(sections: &BTreeMap<SectionName, String>) -> Result<(), Refusal> {
    for (name, body) in sections {
        if body.len() > MAX_SECTION_BYTES {
            let what = match name {
                SectionName::Tenant => "the tenant's profile",
                SectionName::Policies => "the policies",
                SectionName::Apis => "all APIs with their scopes",
                SectionName::Applications(_) => {
                    "the applications that travel together with this one"
                }
                SectionName::ClientGrants(_) => "the client grants of this application",
            };
            let kib = body.len().div_ceil(1024);
            return Err(Refusal::conflict(
                "release_too_large",
                format!(
                    "Nodes accept at most 1024 KiB in one piece, but {what} would take {kib} KiB. Nothing was changed."
                ),
            ));
        }
    }
    Ok(())
}

fn hashes(sections: &BTreeMap<SectionName, String>) -> BTreeMap<SectionName, ContentHash> {
    sections
        .iter()
        .map(|(name, body)| (*name, ContentHash::of(body.as_bytes())))
        .collect()
}
