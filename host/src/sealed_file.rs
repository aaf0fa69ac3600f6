//! A file that only this installation can read, and that is either the old or the new one.
//!
//! Nodes keep their last verified releases here, so that they serve with the control plane gone. A crash
//! during a write must leave the previous file, and damage must be told from a wrong key, because the
//! operator's next step differs. It must never return bytes that did not authenticate.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    entropy::Entropy,
    seal::{KeyId, OpenError, SealContext, SealKey},
};

/// Why a sealed file was not read or written. `Display` is one line for the operator.
#[derive(Debug, Error)]
pub enum SealedFileError {
    /// There is no such file: normal on a first start.
    #[error("{} does not exist", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses to read it.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refuses to write it.
    #[error("cannot write {}: {source}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Sealed under another key: the key file was replaced, or this file comes from elsewhere.
    #[error("{} is sealed under key {sealed_under}, not under this installation's key", .path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// The key it names.
        sealed_under: KeyId,
    },
    /// Cut, changed, or another kind of file.
    #[error("{} is damaged: {source}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How it shows.
        source: OpenError,
    },
}

/// One sealed file. Its kind is authenticated: a file of another kind renamed to this path does not open.
#[derive(Clone, Debug)]
pub struct SealedFile {
    path: PathBuf,
    kind: &'static str,
    key: SealKey,
}

impl SealedFile {
    /// Names the file; touches nothing yet.
    pub fn new(path: impl Into<PathBuf>, kind: &'static str, key: SealKey) -> Self {
        Self {
            path: path.into(),
            kind,
            key,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the content atomically and durably.
    ///
    /// # Errors
    /// [`SealedFileError::Unwritable`]; the previous content is still there then.
    pub fn write(&self, entropy: &Entropy, content: &[u8]) -> Result<(), SealedFileError> {
        let sealed = self.key.seal(entropy, &self.context(), content);
        write_atomically(&self.path, &sealed).map_err(|source| SealedFileError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }

    /// Reads the content back.
    ///
    /// # Errors
    /// Every other variant of [`SealedFileError`].
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, SealedFileError> {
        let path = || self.path.clone();
        let sealed = fs::read(&self.path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => SealedFileError::Missing { path: path() },
            _ => SealedFileError::Unreadable {
                path: path(),
                source,
            },
        })?;
        self.key
            .open(&self.context(), &sealed)
            .map_err(|source| match source {
                OpenError::WrongKey { sealed_under, .. } => SealedFileError::WrongKey {
                    path: path(),
                    sealed_under,
                },
                source => SealedFileError::Corrupt {
                    path: path(),
                    source,
                },
            })
    }

    fn context(&self) -> SealContext<'static> {
        SealContext {
            tenant: "",
            table: "file",
            column: self.kind,
            row: "",
        }
    }
}

/// Replaces the file at `path`, mode 0600, so that after a crash it holds the old or the new content and
/// never a mixture: temporary file beside it, fsync, rename, fsync of the directory.
///
/// # Errors
/// What the operating system said; the temporary file is removed.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    // Two threads writing one path would share its temporary file. Writes are few and small, so one
    // lock for all of them is simpler than unique names that a crash leaves behind.
    static WRITING: Mutex<()> = Mutex::new(());
    let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // Left over from a crash; only one process owns a data directory.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_private(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
        })?;
    sync_directory_of(path)
}

/// Makes a new file of mode 0600 and forces it to disk. Fails when the file exists.
pub(crate) fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    sync_directory_of(path)
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Kek;
    use std::os::unix::fs::PermissionsExt;

    fn sealed_file(dir: &Path, kind: &'static str, kek: u8) -> SealedFile {
        SealedFile::new(
            dir.join("releases"),
            kind,
            Kek::from_bytes([kek; 32]).key("files"),
        )
    }

    #[test]
    fn content_survives_and_replaces_the_previous() {
        let dir = tempfile::tempdir().unwrap();
        let file = sealed_file(dir.path(), "releases", 1);
        for content in [&b"first"[..], b"", b"second"] {
            file.write(&Entropy::seeded(1), content).unwrap();
            assert_eq!(file.read().unwrap().as_slice(), content);
        }
        let names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["releases"], "no temporary file stays");
        let mode = fs::metadata(file.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let at_rest = fs::read(file.path()).unwrap();
        assert!(
            !at_rest.windows(6).any(|w| w == b"second"),
            "nothing readable rests on disk"
        );
    }

    #[test]
    fn writers_at_the_same_time_leave_one_whole_content() {
        let dir = tempfile::tempdir().unwrap();
        let file = sealed_file(dir.path(), "releases", 1);
        std::thread::scope(|scope| {
            for writer in 0..8u8 {
                let file = file.clone();
                scope.spawn(move || file.write(&Entropy::system(), &[writer; 5000]).unwrap());
            }
        });
        let content = file.read().unwrap();
        assert!(content.len() == 5000 && content.iter().all(|byte| *byte == content[0]));
    }

    #[test]
    fn a_left_over_temporary_file_does_not_block_writing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("releases.new"), b"half").unwrap();
        let file = sealed_file(dir.path(), "releases", 1);
        file.write(&Entropy::seeded(1), b"whole").unwrap();
        assert_eq!(file.read().unwrap().as_slice(), b"whole");
    }

    #[test]
    fn each_failure_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = sealed_file(dir.path(), "releases", 1);
        assert!(matches!(file.read(), Err(SealedFileError::Missing { .. })));

        file.write(&Entropy::seeded(1), b"content").unwrap();
        let other_key = sealed_file(dir.path(), "releases", 2).read();
        assert!(matches!(other_key, Err(SealedFileError::WrongKey { .. })));
        let other_kind = sealed_file(dir.path(), "keys", 1).read();
        assert!(matches!(
            other_kind,
            Err(SealedFileError::Corrupt {
                source: OpenError::Tampered,
                ..
            })
        ));

        let mut bytes = fs::read(file.path()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(file.path(), bytes).unwrap();
        assert!(matches!(file.read(), Err(SealedFileError::Corrupt { .. })));

        let a_directory =
            SealedFile::new(dir.path(), "releases", Kek::from_bytes([1; 32]).key("f"));
        assert!(matches!(
            a_directory.read(),
            Err(SealedFileError::Unreadable { .. })
        ));
        let nowhere = SealedFile::new(
            dir.path().join("no/such"),
            "releases",
            Kek::from_bytes([1; 32]).key("f"),
        );
        let error = nowhere.write(&Entropy::seeded(1), b"x");
        assert!(matches!(error, Err(SealedFileError::Unwritable { .. })));
    }
}
