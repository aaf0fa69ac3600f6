//! What is contained, sealed on disk: a start knows it before it answers anybody (R-NODE-07, F-04).

use std::path::Path;

use chrono::{DateTime, Utc};
use host::{Entropy, Kek, SealedFile, SealedFileError};
use serde::{Deserialize, Serialize};

/// Its name in the node's directory.
const FILE: &str = "containments";

/// Why what was contained is not known. One line, fit to be printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeeperError {
    #[error(transparent)]
    File(#[from] SealedFileError),
    #[error("the file of containments opens, and its content cannot be read: {0}")]
    Content(String),
}

/// What is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The number of the newest roll that was taken.
    pub(super) sequence: u64,
    /// Whether any roll was taken, and not only the silence before the first one written down.
    pub(super) knows_roll: bool,
    /// When the control plane was last heard.
    pub(super) heard_at: Option<DateTime<Utc>>,
    /// The signed documents.
    pub(super) documents: Vec<String>,
}

/// Where it is written down.
#[derive(Clone)]
pub(crate) struct Keeper {
    file: SealedFile,
    entropy: Entropy,
}

impl Keeper {
    /// Names the file in the node's directory; touches nothing yet.
    pub(crate) fn new(node_dir: &Path, kek: &Kek, entropy: Entropy) -> Self {
        let key = kek.key("bailiwick/node/containments");
        Self {
            file: SealedFile::new(node_dir.join(FILE), "containments", key),
            entropy,
        }
    }

    /// What was written last; nothing on a first start.
    pub(super) fn read(&self) -> Result<Kept, KeeperError> {
        let bytes = match self.file.read() {
            Ok(bytes) => bytes,
            Err(SealedFileError::Missing { .. }) => return Ok(Kept::default()),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map_err(|error| KeeperError::Content(error.to_string()))
    }

    /// Replaces it, durably.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), KeeperError> {
        let json = serde_json::to_vec(kept).expect("texts and numbers are JSON");
        Ok(self.file.write(&self.entropy, &json)?)
    }
}
