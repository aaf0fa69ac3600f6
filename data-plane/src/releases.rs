//! What the node serves now: one verified release per tenant, behind one atomic pointer.
//!
//! A request asks here once, gets an `Arc` of an immutable [`TenantRuntime`] and keeps it to its end, so a
//! release that arrives meanwhile never changes the rules of a request under way. Reading takes no lock
//! and awaits nothing. Only `apply` makes runtimes, and only from releases it has verified.

pub(crate) mod apply;
mod snapshot;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use actix_web::web::Bytes;
use arc_swap::ArcSwap;
use contract::{
    api::Api,
    application::Application,
    client_grant::ClientGrant,
    frames::Held,
    ids::{ApiId, ApplicationId, TenantId},
    policies::PolicySet,
    release::Release,
    section::ContentHash,
    tenant::{Slug, TenantProfile, TenantStatus},
};

pub(crate) use self::snapshot::{Snapshot, SnapshotError};
use crate::keys::KeyRing;

/// One version of one tenant, indexed for requests. Immutable.
pub struct TenantRuntime {
    release: Release,
    manifest_hash: ContentHash,
    keys: Arc<KeyRing>,
    applications: HashMap<ApplicationId, usize>,
    apis: HashMap<ApiId, usize>,
    audiences: HashMap<String, usize>,
    grants: HashMap<ApplicationId, Vec<usize>>,
    discovery: OnceLock<Bytes>,
}

impl fmt::Debug for TenantRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.id(), self.version())
    }
}

impl TenantRuntime {
    fn new(release: Release, manifest_hash: ContentHash, keys: Arc<KeyRing>) -> Self {
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

    /// The tenant's signing keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The discovery document, built by the first caller and kept with this version.
    pub fn discovery(&self, build: impl FnOnce(&TenantRuntime) -> Bytes) -> Bytes {
        self.discovery.get_or_init(|| build(self)).clone()
    }

    /// What the node tells the control plane that it holds.
    pub(crate) fn held(&self) -> Held {
        Held {
            tenant: self.id(),
            version: self.version(),
            manifest: self.manifest_hash.clone(),
        }
    }
}

/// The tenants by their three names. Replaced as a whole, never changed.
#[derive(Default, Clone)]
struct Directory {
    by_id: HashMap<TenantId, Arc<TenantRuntime>>,
    by_slug: HashMap<Slug, TenantId>,
    by_host: HashMap<String, TenantId>,
}

impl Directory {
    fn insert(&mut self, runtime: Arc<TenantRuntime>) {
        self.remove(runtime.id());
        let profile = runtime.profile();
        self.by_slug.insert(profile.slug.clone(), runtime.id());
        if let Some(host) = &profile.host {
            self.by_host.insert(host.to_string(), runtime.id());
        }
        self.by_id.insert(runtime.id(), runtime);
    }

    fn remove(&mut self, tenant: TenantId) {
        self.by_id.remove(&tenant);
        self.by_slug.retain(|_, holder| *holder != tenant);
        self.by_host.retain(|_, holder| *holder != tenant);
    }
}

/// The releases a node serves.
#[derive(Default)]
pub(crate) struct Releases(ArcSwap<Directory>);

impl Releases {
    pub(crate) fn by_id(&self, tenant: TenantId) -> Option<Arc<TenantRuntime>> {
        self.0.load().by_id.get(&tenant).cloned()
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<Arc<TenantRuntime>> {
        let slug: Slug = slug.parse().ok()?;
        let directory = self.0.load();
        let tenant = directory.by_slug.get(&slug)?;
        directory.by_id.get(tenant).cloned()
    }

    pub(crate) fn by_host(&self, host: &str) -> Option<Arc<TenantRuntime>> {
        let directory = self.0.load();
        let tenant = directory.by_host.get(host)?;
        directory.by_id.get(tenant).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<TenantRuntime>> {
        self.0.load().by_id.values().cloned().collect()
    }

    /// Whether another tenant answers to one of this tenant's names.
    fn name_taken(&self, profile: &TenantProfile) -> bool {
        let directory = self.0.load();
        let host = profile.host.as_ref();
        let by_host = host.and_then(|host| directory.by_host.get(host.as_str()));
        let holders = [directory.by_slug.get(&profile.slug), by_host];
        holders
            .into_iter()
            .flatten()
            .any(|holder| *holder != profile.id)
    }

    fn swap_in(&self, runtimes: Vec<Arc<TenantRuntime>>) {
        let mut directory = Directory::clone(&self.0.load());
        for runtime in runtimes {
            directory.insert(runtime);
        }
        self.0.store(Arc::new(directory));
    }

    fn swap_out(&self, tenant: TenantId) {
        let mut directory = Directory::clone(&self.0.load());
        directory.remove(tenant);
        self.0.store(Arc::new(directory));
    }
}
