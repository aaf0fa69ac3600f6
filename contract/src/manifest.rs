//! The manifest: the signed statement of what one version of one tenant consists of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    ids::TenantId,
    jws::{self, DocumentKind, JwsError, ReleaseSigner, TrustRoot},
    section::{ContentHash, SectionName},
    tenant::{Region, TenantStatus},
};

/// A signed manifest. One that names all sections there can be (three, and 256 buckets twice) takes 60 KiB.
pub const MANIFEST: DocumentKind = DocumentKind {
    typ: "bailiwick-manifest+jwt",
    max_bytes: 128 * 1024,
};
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
        signer.sign(MANIFEST, self)
    }

    /// Verifies a signed manifest.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(MANIFEST, jws)
    }

    /// Reads a signed manifest that a believed document names by `hash`. That document's signature stands for
    /// this one's: whoever signed it signed for every byte here.
    ///
    /// # Errors
    /// Not what the hash names, or not a manifest.
    pub fn read_named(jws: &str, hash: &ContentHash) -> Result<Self, JwsError> {
        if Self::hash_of(jws) != *hash {
            return Err(JwsError::Malformed("it is not what was named"));
        }
        jws::read_unverified(MANIFEST, jws)
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    #[test]
    fn the_fullest_manifest_is_far_below_the_limit_and_an_overfull_one_is_refused() {
        let signer = ReleaseSigner::from_secret(&[3; 32]);
        let trust = TrustRoot {
            keys: vec![signer.public()],
        };
        let single = [
            SectionName::Tenant,
            SectionName::Policies,
            SectionName::Apis,
        ];
        let buckets = (0..=u8::MAX).flat_map(|bucket| {
            [
                SectionName::Applications(bucket),
                SectionName::ClientGrants(bucket),
            ]
        });
        let mut manifest = Manifest {
            format: FORMAT,
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            version: u64::MAX,
            region: "local".parse().unwrap(),
            issued_at: DateTime::UNIX_EPOCH,
            min_node_version: "0.1.0".into(),
            status: TenantStatus::Active,
            sections: single
                .into_iter()
                .chain(buckets)
                .map(|name| (name, ContentHash::of(name.to_string().as_bytes())))
                .collect(),
        };
        assert_eq!(manifest.sections.len(), 515);
        let jws = manifest.sign(&signer).unwrap();
        assert!(jws.len() < MANIFEST.max_bytes / 2 + 1024, "{}", jws.len());
        assert_eq!(Manifest::verify(&jws, &trust).unwrap(), manifest);
        let name = Manifest::hash_of(&jws);
        assert_eq!(Manifest::read_named(&jws, &name).unwrap(), manifest);
        let other = Manifest::read_named(&format!("{jws}A"), &name);
        assert!(matches!(other, Err(JwsError::Malformed(_))), "{other:?}");
        manifest.min_node_version = "1".repeat(MANIFEST.max_bytes);
        assert!(manifest.sign(&signer).is_err());
        let padded = "A".repeat(MANIFEST.max_bytes + 1);
        assert_eq!(
            Manifest::verify(&padded, &trust),
            Err(JwsError::TooLarge(MANIFEST.max_bytes))
        );
    }
}
