//! One tenant as the node holds it: its names and its version at once, its release when somebody first asks.
//!
//! What was validated before it was sealed, and is vouched for by hashes, need not be read again before it is
//! used: a node starts in the time it takes to hash what it holds.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    index::IndexEntry,
    manifest::Manifest,
    release::Release,
    tenant::{Slug, TenantProfile},
};

use super::{TenantRuntime, snapshot::Bodies};
use crate::keys::TenantKeys;

/// A held tenant.
pub(crate) struct Slot {
    tenant: TenantId,
    entry: IndexEntry,
    issued_at: DateTime<Utc>,
    slug: Slug,
    host: Option<String>,
    closed: Mutex<Option<Closed>>,
    runtime: OnceLock<Option<Arc<TenantRuntime>>>,
}

/// A release that was not read yet; each body is what the manifest names.
pub(super) struct Closed {
    pub(super) manifest: Manifest,
    pub(super) bodies: Bodies,
    pub(super) keys: Arc<TenantKeys>,
}

impl Slot {
    /// A release that was read.
    pub(super) fn open(runtime: Arc<TenantRuntime>) -> Self {
        let entry = IndexEntry {
            version: runtime.version(),
            manifest: runtime.manifest_hash.clone(),
        };
        let manifest = &runtime.release().manifest;
        let slot = Self::new(entry, runtime.profile(), manifest, None);
        let _ = slot.runtime.set(Some(runtime));
        slot
    }

    /// A release that is read at its first use.
    pub(super) fn closed(entry: IndexEntry, profile: &TenantProfile, closed: Closed) -> Self {
        let manifest = closed.manifest.clone();
        Self::new(entry, profile, &manifest, Some(closed))
    }

    fn new(
        entry: IndexEntry,
        profile: &TenantProfile,
        manifest: &Manifest,
        closed: Option<Closed>,
    ) -> Self {
        Self {
            tenant: manifest.tenant,
            entry,
            issued_at: manifest.issued_at,
            slug: profile.slug.clone(),
            host: profile.host.as_ref().map(ToString::to_string),
            closed: Mutex::new(closed),
            runtime: OnceLock::new(),
        }
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Which version of it.
    pub(crate) fn entry(&self) -> &IndexEntry {
        &self.entry
    }

    /// When the version was signed.
    pub(super) fn issued_at(&self) -> DateTime<Utc> {
        self.issued_at
    }

    pub(super) fn slug(&self) -> &Slug {
        &self.slug
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The release; `None` if it cannot be read, which never happens to what this software validated.
    pub(crate) fn runtime(&self) -> Option<Arc<TenantRuntime>> {
        self.runtime.get_or_init(|| self.read()).clone()
    }

    fn read(&self) -> Option<Arc<TenantRuntime>> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let Closed {
            manifest,
            bodies,
            keys,
        } = closed.take()?;
        let body = |hash: &_| bodies.get(hash).map(String::as_str);
        match Release::assemble(manifest, body) {
            Ok(release) => {
                let hash = self.entry.manifest.clone();
                Some(Arc::new(TenantRuntime::new(release, hash, keys)))
            }
            Err(error) => {
                tracing::error!(tenant = %self.tenant, %error, "ALARM: a release that is held cannot be read; the tenant is not served");
                None
            }
        }
    }
}
