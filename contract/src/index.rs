//! The signed index of a region: which version of which tenant its nodes should hold.
//!
//! The tenants of a region are spread over 256 buckets. What a bucket should hold is a document named by its
//! hash, and the index is the signed list of those names. So one signature covers the whole region, two sides
//! find out what differs by comparing names, and a change costs one bucket, however many tenants there are.
//!
//! Both sides compute documents on their own, from what they serve or should serve; equal states have equal
//! names. Nothing in a document is believed unless a signed index names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid, canonical,
    ids::{TenantId, TypedId},
    jws::{DocumentKind, JwsError, ReleaseSigner, TrustRoot},
    section::ContentHash,
    tenant::Region,
};

/// Tenants that the index of one region has room for, whatever their versions are.
pub const MAX_INDEX_TENANTS: usize = 100_000;

/// Most bytes of a bucket's document. An entry takes at most 145 (id, hash and a version of 20 digits), so a
/// bucket has room for 7,000 tenants, eighteen times its share of [`MAX_INDEX_TENANTS`]. Less than 1 MiB, so
/// that what a node says of a bucket fits into a frame of [`crate::frames::MAX_UP_BYTES`].
pub const MAX_BUCKET_BYTES: usize = 1_040_000;

/// A signed index. It names at most 256 buckets in 73 bytes each, which base64 makes 25 KiB.
pub const INDEX: DocumentKind = DocumentKind {
    typ: "bailiwick-index+jwt",
    max_bytes: 64 * 1024,
};

/// One of the 256 parts of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bucket(u8);

impl Bucket {
    /// How many there are.
    pub const COUNT: usize = 256;

    /// Where a tenant belongs: the last byte of its UUID, which is random in version 7, so that buckets are
    /// equally full and a tenant never moves.
    pub fn of(tenant: TenantId) -> Self {
        let [.., last] = *tenant.uuid().as_bytes();
        Self(last)
    }

    /// Its number.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for Bucket {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = (digits && text.len() == 2).then(|| u8::from_str_radix(text, 16));
        match number {
            Some(Ok(number)) => Ok(Self(number)),
            _ => Err(Invalid::new("bucket", "must be two hexadecimal digits")),
        }
    }
}

impl TryFrom<String> for Bucket {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Bucket> for String {
    fn from(bucket: Bucket) -> String {
        bucket.to_string()
    }
}

/// What a region's nodes should hold, or do hold, of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEntry {
    /// The version.
    pub version: u64,
    /// The hash of the signed manifest.
    pub manifest: ContentHash,
}

/// The content of a bucket.
pub type Entries = BTreeMap<TenantId, IndexEntry>;

/// The names of what is in each bucket; an empty one is absent.
pub type BucketHashes = BTreeMap<Bucket, ContentHash>;

/// The document of a bucket in canonical form; `None` if nothing is in it.
///
/// # Errors
/// More than [`MAX_BUCKET_BYTES`]: far more tenants than [`MAX_INDEX_TENANTS`].
pub fn document(entries: &Entries) -> Result<Option<String>, Invalid> {
    if entries.is_empty() {
        return Ok(None);
    }
    let body = canonical::to_canonical(entries)?;
    check_size(&body)?;
    Ok(Some(body))
}

/// Reads the document of a bucket that an index names by `hash`.
///
/// # Errors
/// Too large, not what the hash names, or not the content of this bucket.
pub fn read_document(bucket: Bucket, hash: &ContentHash, body: &str) -> Result<Entries, Invalid> {
    check_size(body)?;
    if ContentHash::of(body.as_bytes()) != *hash {
        return Err(Invalid::new("bucket", "does not match its hash"));
    }
    let entries: Entries = serde_json::from_str(body)
        .map_err(|error| Invalid::new("bucket", format!("cannot be read: {error}")))?;
    check_bucket(bucket, &entries)?;
    Ok(entries)
}

/// Checks that tenants are of the bucket that they are said to be in.
///
/// # Errors
/// One is of another.
pub fn check_bucket(bucket: Bucket, entries: &Entries) -> Result<(), Invalid> {
    if entries.keys().all(|tenant| Bucket::of(*tenant) == bucket) {
        return Ok(());
    }
    Err(Invalid::new("bucket", "names a tenant of another bucket"))
}

/// The buckets in which two states differ.
pub fn differing(one: &BucketHashes, other: &BucketHashes) -> BTreeSet<Bucket> {
    let named = one.keys().chain(other.keys()).copied();
    named
        .filter(|bucket| one.get(bucket) != other.get(bucket))
        .collect()
}

fn check_size(body: &str) -> Result<(), Invalid> {
    if body.len() > MAX_BUCKET_BYTES {
        return Err(Invalid::new(
            "bucket",
            format!("is larger than {MAX_BUCKET_BYTES} bytes"),
        ));
    }
    Ok(())
}

/// What a region's nodes should hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionIndex {
    /// The region.
    pub region: Region,
    /// The time of the newest change in it. Not the time of its signing: every replica of a control plane
    /// states the same content in the same bytes, and an older state never looks newer.
    pub issued_at: DateTime<Utc>,
    /// What is in each bucket, by name.
    pub buckets: BucketHashes,
}

impl RegionIndex {
    /// Signs the index.
    ///
    /// # Errors
    /// Never in practice; writing canonical JSON is fallible by type.
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

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn entry(version: u64) -> IndexEntry {
        IndexEntry {
            version,
            manifest: ContentHash::of(b"manifest"),
        }
    }

    fn trusted() -> (ReleaseSigner, TrustRoot) {
        let signer = ReleaseSigner::from_secret(&[3; 32]);
        let keys = vec![signer.public()];
        (signer, TrustRoot { keys })
    }

    #[test]
    fn a_region_of_a_hundred_thousand_tenants_has_an_index() {
        let (signer, trust) = trusted();
        let mut buckets: BTreeMap<Bucket, Entries> = BTreeMap::new();
        for tenant in (1..=MAX_INDEX_TENANTS as u128).map(tenant) {
            let bucket = buckets.entry(Bucket::of(tenant)).or_default();
            bucket.insert(tenant, entry(u64::MAX));
        }
        assert_eq!(buckets.len(), Bucket::COUNT);
        let mut hashes = BucketHashes::new();
        for (bucket, entries) in &buckets {
            let body = document(entries).unwrap().unwrap();
            assert!(body.len() < MAX_BUCKET_BYTES / 16, "{}", body.len());
            let hash = ContentHash::of(body.as_bytes());
            assert_eq!(read_document(*bucket, &hash, &body).unwrap(), *entries);
            hashes.insert(*bucket, hash);
        }
        let full = RegionIndex {
            region: "local".parse().unwrap(),
            issued_at: DateTime::UNIX_EPOCH,
            buckets: hashes,
        };
        let jws = full.sign(&signer).unwrap();
        assert!(jws.len() < INDEX.max_bytes / 2, "{}", jws.len());
        assert_eq!(RegionIndex::verify(&jws, &trust).unwrap(), full);
        let padded = format!("{jws}{}", "A".repeat(INDEX.max_bytes + 1 - jws.len()));
        assert_eq!(
            RegionIndex::verify(&padded, &trust),
            Err(JwsError::TooLarge(INDEX.max_bytes))
        );
    }

    #[test]
    fn a_bucket_has_room_for_many_times_its_share_and_no_more() {
        let of_one_bucket = |many: u128| -> Entries {
            (0..many)
                .map(|n| (tenant(n << 8), entry(u64::MAX)))
                .collect()
        };
        let full = document(&of_one_bucket(7_000)).unwrap().unwrap();
        assert!(document(&of_one_bucket(7_300)).is_err());
        assert_eq!(document(&Entries::new()).unwrap(), None);
        let too_large = format!("{full}{}", " ".repeat(MAX_BUCKET_BYTES));
        let hash = ContentHash::of(too_large.as_bytes());
        assert!(read_document(Bucket(0), &hash, &too_large).is_err());
    }

    #[test]
    fn a_document_that_is_not_what_its_name_says_is_refused() {
        let entries = Entries::from([(tenant(7), entry(1))]);
        let body = document(&entries).unwrap().unwrap();
        let hash = ContentHash::of(body.as_bytes());
        assert_eq!(read_document(Bucket(7), &hash, &body).unwrap(), entries);
        let raised = body.replace("\"version\":1", "\"version\":2");
        for (bucket, body, why) in [
            (Bucket(7), raised.as_str(), "does not match its hash"),
            (Bucket(8), body.as_str(), "a tenant of another bucket"),
        ] {
            let refused = read_document(bucket, &hash, body).unwrap_err();
            assert!(refused.to_string().contains(why), "{refused}");
        }
        for noise in ["", "[]", "{\"ten_x\":1}", "null"] {
            let hash = ContentHash::of(noise.as_bytes());
            assert!(read_document(Bucket(7), &hash, noise).is_err(), "{noise}");
        }
    }

    #[test]
    fn two_states_differ_where_one_has_another_name_or_none() {
        let hash = |text: &str| ContentHash::of(text.as_bytes());
        let one = BucketHashes::from([
            (Bucket(1), hash("a")),
            (Bucket(2), hash("b")),
            (Bucket(3), hash("c")),
        ]);
        let other = BucketHashes::from([
            (Bucket(1), hash("a")),
            (Bucket(2), hash("x")),
            (Bucket(255), hash("c")),
        ]);
        let found = [Bucket(2), Bucket(3), Bucket(255)].into();
        assert_eq!(differing(&one, &other), found);
        assert_eq!(differing(&other, &one), found);
        assert!(differing(&one, &one).is_empty());
    }

    #[test]
    fn buckets_have_one_text_each() {
        for bucket in Bucket::all() {
            assert_eq!(bucket.to_string().parse::<Bucket>().unwrap(), bucket);
        }
        for bad in ["", "0", "0A", "000", "+1", "g0", "é"] {
            assert!(bad.parse::<Bucket>().is_err(), "{bad}");
        }
    }
}
