//! What the node serves now: one verified release per tenant, behind one atomic pointer.
//!
//! A request asks here once, gets an `Arc` of an immutable [`TenantRuntime`] and keeps it to its end, so a
//! release that arrives meanwhile never changes the rules of a request under way. Reading takes no lock
//! and awaits nothing. Only `apply` makes runtimes, and only from releases it has verified.

pub(crate) mod apply;
mod directory;
pub(crate) mod index;
mod slot;
mod snapshot;
mod start;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use actix_web::web::Bytes;
use contract::{
    api::Api,
    application::Application,
    client_grant::ClientGrant,
    ids::{ApiId, ApplicationId, TenantId},
    policies::PolicySet,
    release::Release,
    section::ContentHash,
    tenant::{Slug, TenantProfile, TenantStatus},
};

pub(crate) use self::{
    directory::Releases,
    snapshot::{Snapshot, SnapshotError},
};
use crate::{
    keys::{KeysError, TenantKeys},
    traffic::Counts,
};

/// One version of one tenant, indexed for requests. Immutable.
pub struct TenantRuntime {
    release: Release,
    manifest_hash: ContentHash,
    keys: Arc<TenantKeys>,
    applications: HashMap<ApplicationId, usize>,
    apis: HashMap<ApiId, usize>,
    audiences: HashMap<String, usize>,
    grants: HashMap<ApplicationId, Vec<usize>>,
    discovery: OnceLock<Bytes>,
    counts: Counts,
}

impl fmt::Debug for TenantRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.id(), self.version())
    }
}

impl TenantRuntime {
    fn new(release: Release, manifest_hash: ContentHash, keys: Arc<TenantKeys>) -> Self {
        let position = |(at, id)| (id, at);
        let mut grants: HashMap<ApplicationId, Vec<usize>> = HashMap::new();
        for (at, grant) in release.client_grants.iter().enumerate() {
            grants.entry(grant.application).or_default().push(at);
        }
        let applications = release.applications.iter().map(|item| item.id);
        let apis = release.apis.iter().map(|item| item.id);
        let audiences = release.apis.iter().map(|item| item.audience.to_string());
        Self {
            applications: applications.enumerate().map(position).collect(),
            apis: apis.enumerate().map(|(at, id)| (id, at)).collect(),
            audiences: audiences.enumerate().map(|(at, id)| (id, at)).collect(),
            grants,
            release,
            manifest_hash,
            keys,
            discovery: OnceLock::new(),
            counts: Counts::default(),
        }
    }

    /// The tenant.
    pub fn id(&self) -> TenantId {
        self.release.manifest.tenant
    }

    /// Its short name.
    pub fn slug(&self) -> &Slug {
        &self.release.tenant.slug
    }

    /// Its display name.
    pub fn name(&self) -> &str {
        self.release.tenant.name.as_str()
    }

    /// Its issuer, byte for byte (R-DISC-01).
    pub fn issuer(&self) -> &str {
        &self.release.tenant.issuer
    }

    /// Who it is.
    pub fn profile(&self) -> &TenantProfile {
        &self.release.tenant
    }

    /// What it requires.
    pub fn policies(&self) -> &PolicySet {
        &self.release.policies
    }

    /// The version of the release.
    pub fn version(&self) -> u64 {
        self.release.manifest.version
    }

    /// Whether the tenant is served; a suspended one answers "not available".
    pub fn is_active(&self) -> bool {
        self.release.manifest.status == TenantStatus::Active
    }

    /// The release itself.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The application with this `client_id`, disabled or not.
    pub fn application(&self, client_id: &str) -> Option<&Application> {
        self.application_by_id(client_id.parse().ok()?)
    }

    /// The application with this id, disabled or not.
    pub fn application_by_id(&self, id: ApplicationId) -> Option<&Application> {
        self.applications
            .get(&id)
            .map(|at| &self.release.applications[*at])
    }

    /// The API with this audience.
    pub fn api(&self, audience: &str) -> Option<&Api> {
        self.audiences
            .get(audience)
            .map(|at| &self.release.apis[*at])
    }

    /// The API with this id.
    pub fn api_by_id(&self, id: ApiId) -> Option<&Api> {
        self.apis.get(&id).map(|at| &self.release.apis[*at])
    }

    /// What an application may call.
    pub fn client_grants(&self, application: ApplicationId) -> impl Iterator<Item = &ClientGrant> {
        let places = self.grants.get(&application).into_iter().flatten();
        places.map(|at| &self.release.client_grants[*at])
    }

    /// The tenant's signing keys; at hand once [`TenantRuntime::warm`] was waited for.
    pub fn keys(&self) -> &TenantKeys {
        &self.keys
    }

    /// Has the signing keys at hand. Whoever serves a request waits for it first; only the first one waits long.
    ///
    /// # Errors
    /// See [`KeysError`]; the next call tries again.
    pub async fn warm(&self) -> Result<(), KeysError> {
        self.keys.load(self.issuer()).await
    }

    /// Whether the signing keys are at hand.
    pub fn is_warm(&self) -> bool {
        self.keys.is_loaded()
    }

    /// How it fares with this version.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The discovery document, built by the first caller and kept with this version.
    pub fn discovery(&self, build: impl FnOnce(&TenantRuntime) -> Bytes) -> Bytes {
        self.discovery.get_or_init(|| build(self)).clone()
    }
}
