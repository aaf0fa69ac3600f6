//! The manifest: the signed statement of what one version of one tenant consists of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    ids::TenantId,
    jws::{JwsError, ReleaseSigner, TrustRoot},
    section::{ContentHash, SectionName},
    tenant::{Region, TenantStatus},
};

/// The JWS type of a signed manifest.
pub const MANIFEST_TYPE: &str = "bailiwick-manifest+jwt";
/// The format this code writes and reads; a node refuses a higher one.
pub const FORMAT: u32 = 1;

/// What one version of one tenant consists of (R-NODE-03).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The document format; see [`FORMAT`].
    pub format: u32,
    /// The tenant.
    pub tenant: TenantId,
    /// The version; only grows, never reused (R-NODE-04).
    pub version: u64,
    /// The region whose nodes may hold it.
    pub region: Region,
    /// When the control plane signed it.
    pub issued_at: DateTime<Utc>,
    /// The oldest node software that understands it, as `major.minor.patch`.
    pub min_node_version: String,
    /// Whether nodes serve the tenant.
    pub status: TenantStatus,
    /// Its sections by name.
    pub sections: BTreeMap<SectionName, ContentHash>,
}

impl Manifest {
    /// Signs the manifest.
    ///
    /// # Errors
    /// Never in practice; writing canonical JSON is fallible by type.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(MANIFEST_TYPE, self)
    }

    /// Verifies a signed manifest.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(MANIFEST_TYPE, jws)
    }

    /// The hash that names this manifest's signed form in indexes and greetings.
    pub fn hash_of(jws: &str) -> ContentHash {
        ContentHash::of(jws.as_bytes())
    }

    /// The sections that a holder of `held` lacks.
    pub fn missing_from(&self, held: Option<&Manifest>) -> Vec<(SectionName, &ContentHash)> {
        self.sections
            .iter()
            .filter(|(_, hash)| {
                !held.is_some_and(|held| held.sections.values().any(|other| other == *hash))
            })
            .map(|(name, hash)| (*name, hash))
            .collect()
    }
}
