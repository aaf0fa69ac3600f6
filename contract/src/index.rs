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
    jws::{DocumentKind, JwsError, ReleaseSigner, TrustRoot},
    section::ContentHash,
    tenant::Region,
};

/// Tenants that the index of one region has room for, whatever their versions are.
pub const MAX_INDEX_TENANTS: usize = 100_000;

/// A signed index. An entry takes at most 145 bytes (id, hash and a version of 20 digits), which base64
/// makes 194: [`MAX_INDEX_TENANTS`] of them need 18.5 MiB.
pub const INDEX: DocumentKind = DocumentKind {
    typ: "bailiwick-index+jwt",
    max_bytes: 20 * 1024 * 1024,
};

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
    /// A region of far more than [`MAX_INDEX_TENANTS`] tenants.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(INDEX, self)
    }

    /// Verifies a signed index.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(INDEX, jws)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    fn index(tenants: usize) -> RegionIndex {
        let entry = IndexEntry {
            version: u64::MAX,
            manifest: ContentHash::of(b"manifest"),
        };
        RegionIndex {
            region: "local".parse().unwrap(),
            issued_at: DateTime::UNIX_EPOCH,
            tenants: (1..=tenants as u128)
                .map(|number| (TenantId::from_uuid(Uuid::from_u128(number)), entry.clone()))
                .collect(),
        }
    }

    #[test]
    fn a_region_of_a_hundred_thousand_tenants_has_an_index() {
        let signer = ReleaseSigner::from_secret(&[3; 32]);
        let trust = TrustRoot {
            keys: vec![signer.public()],
        };
        let full = index(MAX_INDEX_TENANTS);
        let jws = full.sign(&signer).unwrap();
        assert_eq!(RegionIndex::verify(&jws, &trust).unwrap(), full);
        assert!(index(MAX_INDEX_TENANTS * 6 / 5).sign(&signer).is_err());
        let padded = format!("{jws}{}", "A".repeat(INDEX.max_bytes + 1 - jws.len()));
        assert_eq!(
            RegionIndex::verify(&padded, &trust),
            Err(JwsError::TooLarge(INDEX.max_bytes))
        );
    }
}
