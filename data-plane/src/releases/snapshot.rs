//! The sealed copy on disk, from which a node starts with the control plane gone (R-NODE-07).
//!
//! One file per tenant: the signed manifest, the highest version ever applied and the sections; a tenant with
//! many sections has a file for each of them beside it, named by its hash, so that a change writes what changed.
//! Sections are written before the record that needs them and removed after the record that no longer does,
//! each write atomic and synced, so a crash at any moment leaves a whole version. What is read back is verified
//! again like something from the network; the seal only keeps it private and tells a wrong key from a damaged
//! file. The highest version outlives the release itself, so that dropping a tenant does not make its old
//! releases acceptable (R-NODE-04). Beside the tenants lies the region's index as it was accepted.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use contract::{ids::TenantId, manifest::Manifest, section::ContentHash};
use host::{Entropy, Kek, SealKey, SealedFile, SealedFileError};
use serde::{Deserialize, Serialize};

use super::index::KeptIndex;

const RECORD: &str = "release.sealed";
const INDEX: &str = "index.sealed";
/// A release whose sections take no more lies in one file.
const PACKED_BYTES: usize = 128 * 1024;
/// Bytes that say how long the record's head is.
const LENGTH: usize = 4;

/// The snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("the node's directory {path} cannot be used: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] SealedFileError),
    #[error("the release record of {0} cannot be read")]
    Record(TenantId),
    #[error("the region's index as it was kept cannot be read")]
    Index,
}

impl SnapshotError {
    /// Whether the file is there and is not what was written: whoever sealed it cannot help any more.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::File(SealedFileError::Corrupt { .. }) | Self::Record(_) | Self::Index
        )
    }
}

/// What is known of a tenant between two starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Whose it is: a file moved to another's place opens, but is not what its place says.
    tenant: TenantId,
    /// The highest version ever applied.
    pub(crate) highest: u64,
    /// The software that validated the release.
    pub(crate) software: String,
    /// The signed manifest, unless the tenant was dropped.
    pub(crate) manifest: Option<String>,
    /// The sections that lie in the same file, and how long each one is.
    packed: Vec<(ContentHash, usize)>,
    /// Their content.
    #[serde(skip)]
    pub(crate) bodies: Bodies,
}

/// Section bodies by hash.
pub(crate) type Bodies = HashMap<ContentHash, String>;

/// The directory.
pub(crate) struct Snapshot {
    root: PathBuf,
    index: SealedFile,
    key: SealKey,
    entropy: Entropy,
}

impl Snapshot {
    pub(crate) fn open(root: &Path, kek: &Kek, entropy: Entropy) -> Result<Self, SnapshotError> {
        let key = kek.key("bailiwick/node/snapshot");
        let index = SealedFile::new(root.join(INDEX), "index", key.clone());
        let root = root.join("tenants");
        create(&root)?;
        Ok(Self {
            root,
            index,
            key,
            entropy,
        })
    }

    /// The tenants that have a record.
    pub(crate) fn tenants(&self) -> Result<Vec<TenantId>, SnapshotError> {
        let unusable = |source| SnapshotError::Directory {
            path: self.root.clone(),
            source,
        };
        let mut tenants = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(unusable)? {
            let name = entry.map_err(unusable)?.file_name();
            tenants.extend(name.to_str().and_then(|name| name.parse::<TenantId>().ok()));
        }
        tenants.sort();
        Ok(tenants)
    }

    pub(crate) fn record(&self, tenant: TenantId) -> Result<Option<Record>, SnapshotError> {
        match self.record_file(tenant).read() {
            Ok(bytes) => Record::decode(&bytes)
                .filter(|record| record.tenant == tenant)
                .map(Some)
                .ok_or(SnapshotError::Record(tenant)),
            Err(SealedFileError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A section of a tenant that has a file of its own, if it is there and still itself: a file moved under
    /// another's name opens, but is not what its name says.
    pub(crate) fn section(&self, tenant: TenantId, hash: &ContentHash) -> Option<String> {
        let bytes = self.section_file(tenant, hash).read().ok()?;
        let body = String::from_utf8(bytes.to_vec()).ok()?;
        (ContentHash::of(body.as_bytes()) == *hash).then_some(body)
    }

    /// Stores a version that `software` verified.
    pub(crate) fn store(
        &self,
        manifest: &Manifest,
        jws: &str,
        bodies: &Bodies,
        software: &str,
    ) -> Result<(), SnapshotError> {
        let tenant = manifest.tenant;
        create(&self.directory(tenant))?;
        let named: BTreeSet<&ContentHash> = manifest.sections.values().collect();
        let content = || named.iter().filter_map(|hash| bodies.get_key_value(*hash));
        let mut record = Record {
            tenant,
            highest: manifest.version,
            software: software.to_owned(),
            manifest: Some(jws.to_owned()),
            packed: Vec::new(),
            bodies: Bodies::new(),
        };
        let bytes: usize = content().map(|(_, body)| body.len()).sum();
        if bytes <= PACKED_BYTES {
            record.bodies = content()
                .map(|(hash, body)| (hash.clone(), body.clone()))
                .collect();
            self.write_record(tenant, record)?;
            self.remove_sections_except(tenant, &BTreeSet::new());
            return Ok(());
        }
        for (hash, body) in content() {
            if self.section(tenant, hash).is_none() {
                let file = self.section_file(tenant, hash);
                file.write(&self.entropy, body.as_bytes())?;
            }
        }
        self.write_record(tenant, record)?;
        self.remove_sections_except(tenant, &named);
        Ok(())
    }

    /// Forgets a tenant's release, of which `version` is served, but not how far it had come.
    pub(crate) fn drop_release(&self, tenant: TenantId, version: u64) -> Result<(), SnapshotError> {
        let known = match self.record(tenant) {
            Err(error) if error.is_damage() => None,
            known => known?,
        };
        let record = Record {
            tenant,
            highest: known.map_or(0, |record| record.highest).max(version),
            software: String::new(),
            manifest: None,
            packed: Vec::new(),
            bodies: Bodies::new(),
        };
        self.write_record(tenant, record)?;
        self.remove_sections_except(tenant, &BTreeSet::new());
        Ok(())
    }

    /// The index as it was accepted last; nothing before the first one.
    pub(super) fn index(&self) -> Result<Option<KeptIndex>, SnapshotError> {
        match self.index.read() {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| SnapshotError::Index),
            Err(SealedFileError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn store_index(&self, kept: &KeptIndex) -> Result<(), SnapshotError> {
        let bytes = serde_json::to_vec(kept).map_err(|_| SnapshotError::Index)?;
        Ok(self.index.write(&self.entropy, &bytes)?)
    }

    fn write_record(&self, tenant: TenantId, record: Record) -> Result<(), SnapshotError> {
        let bytes = record.encode().ok_or(SnapshotError::Record(tenant))?;
        Ok(self.record_file(tenant).write(&self.entropy, &bytes)?)
    }

    /// Leftovers cost disk and nothing else, so failing to remove one is not an error.
    fn remove_sections_except(&self, tenant: TenantId, kept: &BTreeSet<&ContentHash>) {
        let Ok(entries) = fs::read_dir(self.directory(tenant)) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let hash = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(".section"))
                .and_then(|name| name.parse::<ContentHash>().ok());
            if hash.is_some_and(|hash| !kept.contains(&hash)) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn directory(&self, tenant: TenantId) -> PathBuf {
        self.root.join(tenant.to_string())
    }

    fn record_file(&self, tenant: TenantId) -> SealedFile {
        let path = self.directory(tenant).join(RECORD);
        SealedFile::new(path, "release", self.key.clone())
    }

    fn section_file(&self, tenant: TenantId, hash: &ContentHash) -> SealedFile {
        let path = self.directory(tenant).join(format!("{hash}.section"));
        SealedFile::new(path, "section", self.key.clone())
    }
}

impl Record {
    /// How long the head is, the head as JSON, then each section as it is: nothing is written in quotes twice.
    fn encode(mut self) -> Option<Vec<u8>> {
        let bodies = std::mem::take(&mut self.bodies);
        self.packed = bodies
            .iter()
            .map(|(hash, body)| (hash.clone(), body.len()))
            .collect();
        let head = serde_json::to_vec(&self).ok()?;
        let mut bytes = u32::try_from(head.len()).ok()?.to_le_bytes().to_vec();
        bytes.extend(head);
        // In the order of the head: a map keeps its order while nobody touches it.
        bodies
            .values()
            .for_each(|body| bytes.extend(body.as_bytes()));
        Some(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_at_checked(LENGTH)?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let (head, mut rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let mut record: Self = serde_json::from_slice(head).ok()?;
        for (hash, length) in std::mem::take(&mut record.packed) {
            let (body, after) = rest.split_at_checked(length)?;
            let body = std::str::from_utf8(body).ok()?.to_owned();
            record.bodies.insert(hash, body);
            rest = after;
        }
        rest.is_empty().then_some(record)
    }
}

fn create(path: &Path) -> Result<(), SnapshotError> {
    fs::create_dir_all(path).map_err(|source| SnapshotError::Directory {
        path: path.to_owned(),
        source,
    })
}
