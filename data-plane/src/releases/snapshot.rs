//! The sealed copy on disk, from which a node starts with the control plane gone (R-NODE-07).
//!
//! One directory per tenant: a record (the signed manifest and the highest version ever applied) and one
//! file per section, named by its hash. Sections are written before the record that needs them and
//! removed after the record that no longer does, each write atomic and synced, so a crash at any moment
//! leaves a whole version. What is read back is verified again like something from the network; the seal
//! only keeps it private and tells a wrong key from a damaged file. The highest version outlives the
//! release itself, so that dropping a tenant does not make its old releases acceptable (R-NODE-04).

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use contract::{ids::TenantId, manifest::Manifest, section::ContentHash};
use host::{Entropy, Kek, SealKey, SealedFile, SealedFileError};
use serde::{Deserialize, Serialize};

const RECORD: &str = "release.sealed";

/// The snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("the node's directory {path} cannot be used: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] SealedFileError),
    #[error("the release record of {0} cannot be read")]
    Record(TenantId),
}

/// What is known of a tenant between two starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The highest version ever applied.
    pub(crate) highest: u64,
    /// The signed manifest, unless the tenant was dropped.
    pub(crate) manifest: Option<String>,
}

/// Section bodies by hash.
pub(crate) type Bodies = HashMap<ContentHash, String>;

/// The directory.
pub(crate) struct Snapshot {
    root: PathBuf,
    key: SealKey,
    entropy: Entropy,
}

impl Snapshot {
    pub(crate) fn open(root: &Path, kek: &Kek, entropy: Entropy) -> Result<Self, SnapshotError> {
        let root = root.join("tenants");
        create(&root)?;
        Ok(Self {
            root,
            key: kek.key("bailiwick/node/snapshot"),
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
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| SnapshotError::Record(tenant)),
            Err(SealedFileError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A section of a tenant, if it is there and still itself: a file moved under another's name opens,
    /// but is not what its name says.
    pub(crate) fn section(&self, tenant: TenantId, hash: &ContentHash) -> Option<String> {
        let bytes = self.section_file(tenant, hash).read().ok()?;
        let body = String::from_utf8(bytes.to_vec()).ok()?;
        (ContentHash::of(body.as_bytes()) == *hash).then_some(body)
    }

    /// Stores a verified version.
    pub(crate) fn store(
        &self,
        manifest: &Manifest,
        jws: &str,
        bodies: &Bodies,
    ) -> Result<(), SnapshotError> {
        let tenant = manifest.tenant;
        create(&self.directory(tenant))?;
        let named: BTreeSet<&ContentHash> = manifest.sections.values().collect();
        for hash in &named {
            let file = self.section_file(tenant, hash);
            let unchanged = self.section(tenant, hash).is_some();
            if let (false, Some(body)) = (unchanged, bodies.get(hash)) {
                file.write(&self.entropy, body.as_bytes())?;
            }
        }
        let record = Record {
            highest: manifest.version,
            manifest: Some(jws.to_owned()),
        };
        self.write_record(tenant, &record)?;
        self.remove_sections_except(tenant, &named);
        Ok(())
    }

    /// Forgets a tenant's release, but not how far it had come.
    pub(crate) fn drop_release(&self, tenant: TenantId) -> Result<(), SnapshotError> {
        let highest = self.record(tenant)?.map_or(0, |record| record.highest);
        let record = Record {
            highest,
            manifest: None,
        };
        self.write_record(tenant, &record)?;
        self.remove_sections_except(tenant, &BTreeSet::new());
        Ok(())
    }

    fn write_record(&self, tenant: TenantId, record: &Record) -> Result<(), SnapshotError> {
        let bytes = serde_json::to_vec(record).map_err(|_| SnapshotError::Record(tenant))?;
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

fn create(path: &Path) -> Result<(), SnapshotError> {
    fs::create_dir_all(path).map_err(|source| SnapshotError::Directory {
        path: path.to_owned(),
        source,
    })
}
