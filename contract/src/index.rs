//! The signed index of a region: which version of which tenant its nodes should hold.
//!
//! One signature covers the whole region, so that a cold start verifies one statement and then compares
//! hashes, and so that a node notices a tenant it should no longer hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    ids::TenantId,
    jws::{JwsError, ReleaseSigner, TrustRoot},
    section::ContentHash,
    tenant::Region,
};

/// The JWS type of a signed index.
pub const INDEX_TYPE: &str = "bailiwick-index+jwt";

/// What a region's nodes should hold of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEntry {
    /// The version.
    pub version: u64,
    /// The hash of the signed manifest.
    pub manifest: ContentHash,
}

/// What a region's nodes should hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionIndex {
    /// The region.
    pub region: Region,
    /// When the control plane signed it.
    pub issued_at: DateTime<Utc>,
    /// By tenant.
    pub tenants: BTreeMap<TenantId, IndexEntry>,
}

impl RegionIndex {
    /// Signs the index.
    ///
    /// # Errors
    /// Never in practice; writing canonical JSON is fallible by type.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(INDEX_TYPE, self)
    }

    /// Verifies a signed index.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(INDEX_TYPE, jws)
    }
}
