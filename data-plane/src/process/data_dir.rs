//! The data directory: the one place on disk that belongs to a process.
//!
//! It holds the key that opens everything sealed, so it is made for its owner alone (0700), and each file
//! in it is too (0600), because an existing directory may be open to others. One process at a time works in it: two writers of one sealed snapshot would take turns losing. The lock is the
//! kernel's and ends with the process, however that ends, so no stale file ever blocks a start.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use contract::{
    ids::{NodeId, TypedId},
    jws::TrustRoot,
};
use host::{Clock, Entropy, Kek, database::tighten, write_atomically};

use super::{Failure, failure::ways_to_give};

/// A directory that exists and can be written.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: Option<File>,
}

impl DataDir {
    /// Creates the directory if its parent exists, and locks it until the value is dropped.
    ///
    /// # Errors
    /// One line: not a directory, not writable, or in use.
    pub fn lock(path: &Path) -> Result<Self, Failure> {
        let refuse = |why: &dyn std::fmt::Display| refuse(path, why);
        create(path).map_err(|error| refuse(&in_words(path, &error)))?;
        for name in PRIVATE_FILES {
            tighten(&path.join(name)).map_err(|error| refuse(&in_words(path, &error)))?;
        }
        let lock = private()
            .open(path.join("lock"))
            .map_err(|error| refuse(&in_words(path, &error)))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: absolute(path),
                _lock: Some(lock),
            }),
            Err(TryLockError::WouldBlock) => {
                Err(refuse(&"another process is already running on it"))
            }
            Err(TryLockError::Error(error)) => Err(refuse(&error)),
        }
    }

    /// Enters a directory that a process set up before, which may be running in it now.
    ///
    /// # Errors
    /// There is none, this user may not look into it, or nothing was ever started in it.
    pub fn enter(path: &Path) -> Result<Self, Failure> {
        // Asked of the system and not of `is_file`, which takes a missing permission for a missing file.
        if let Err(error) = fs::metadata(path.join("kek")) {
            return Err(refuse(path, &why_not_entered(&error)));
        }
        Ok(Self {
            path: absolute(path),
            _lock: None,
        })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or directory in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// An SQLite database in it, created when it is first opened.
    pub fn sqlite_url(&self, name: &str) -> String {
        format!("sqlite://{}?mode=rwc", self.join(name).display())
    }

    /// Whom a node that works here believes: the public keys of its control plane.
    pub fn trust_file(&self) -> PathBuf {
        self.join("trust.json")
    }

    /// Writes whom a node that works here must believe.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_trust(&self, trust: &TrustRoot) -> Result<(), Failure> {
        let path = self.trust_file();
        let mut text = serde_json::to_vec_pretty(trust).expect("a trust root is plain JSON");
        text.push(b'\n');
        write_atomically(&path, &text)
            .map_err(Failure::because(format!("cannot write {}", path.display())))
    }

    /// The key that opens everything sealed here, made on the first start.
    ///
    /// # Errors
    /// The file is damaged, or others may read it.
    pub fn kek(&self, entropy: &Entropy) -> Result<Kek, Failure> {
        let path = self.join("kek");
        Kek::load_or_create(&path, entropy).map_err(Failure::because(format!(
            "cannot use the key file {}",
            path.display()
        )))
    }

    /// The directory of the node's sealed snapshot.
    ///
    /// # Errors
    /// It can neither be found nor made.
    pub fn node_dir(&self) -> Result<PathBuf, Failure> {
        let path = self.join("node");
        create(&path).map_err(|error| refuse(&path, &in_words(&path, &error)))?;
        Ok(path)
    }

    /// Which node this is: chosen on the first start, the same ever after.
    ///
    /// # Errors
    /// The file is not readable as an id, or cannot be written.
    pub fn node_id(&self, clock: &Clock, entropy: &Entropy) -> Result<NodeId, Failure> {
        let path = self.join("node-id");
        let failed = || Failure::because::<String>(format!("cannot use {}", path.display()));
        match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|invalid: contract::Invalid| failed()(invalid.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = NodeId::from_uuid(entropy.uuid_v7(clock.now()));
                write_atomically(&path, format!("{id}\n").as_bytes())
                    .map_err(|error| failed()(error.to_string()))?;
                Ok(id)
            }
            Err(error) => Err(failed()(error.to_string())),
        }
    }
}

/// What every file of ours here is from its first moment; older software or a careless copy may have left
/// it open. Not `kek`: a key that others could read is not a secret any more, and [`Kek`] refuses it.
const PRIVATE_FILES: [&str; 5] = ["lock", "node-id", "trust.json", "demo.json", "demo.sealed"];

fn refuse(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    let dir = path.display();
    let ways = ways_to_give("data_dir");
    Failure::new(
        format!("cannot use the data directory {dir}, set by {ways}"),
        why,
    )
}

fn create(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

fn why_not_entered(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "this user may not look into it".to_owned(),
        _ => "nothing was ever started in it".to_owned(),
    }
}

fn in_words(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            if parent.is_dir() {
                // Some file systems, /proc for one, answer so where nothing can be made.
                return format!("it cannot be made in {}: {error}", parent.display());
            }
            format!("its parent {} does not exist", parent.display())
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "it is not a directory".to_owned()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "it cannot be written by this user".to_owned()
        }
        _ => error.to_string(),
    }
}

fn absolute(path: &Path) -> PathBuf {
    // The directory exists by now; a path that cannot be resolved works as it was given.
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_belongs_to_one_process() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        let first = DataDir::lock(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let second = DataDir::lock(&path).unwrap_err().to_string();
        assert!(second.contains("already running"), "{second}");
        drop(first);
        DataDir::lock(&path).unwrap();
    }

    #[test]
    fn what_lay_open_in_an_open_directory_is_closed() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = home.path().join("demo.json");
        fs::write(&file, "{}").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let dir = DataDir::lock(home.path()).unwrap();
        dir.kek(&Entropy::system()).unwrap();
        dir.node_id(&Clock::system(), &Entropy::system()).unwrap();
        for entry in fs::read_dir(home.path()).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        }
    }

    #[test]
    fn wrong_places_are_refused_in_words() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, why) in [
            (file.clone(), "is not a directory"),
            (file.join("below"), "is not a directory"),
            (home.path().join("a/b"), "does not exist"),
        ] {
            let error = DataDir::lock(&path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_entered_is_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let error = DataDir::enter(home.path()).unwrap_err().to_string();
        assert!(error.contains("nothing was ever started in it"), "{error}");
        // Nothing is forbidden to root, who may run this.
        let denied = why_not_entered(&io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied, "this user may not look into it");
    }

    #[test]
    fn a_parent_that_exists_is_not_called_missing() {
        let home = tempfile::tempdir().unwrap();
        let why = in_words(&home.path().join("data"), &io::ErrorKind::NotFound.into());
        assert!(why.starts_with("it cannot be made in "), "{why}");
    }

    #[test]
    fn a_node_keeps_its_name() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::lock(&home.path().join("data")).unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let id = dir.node_id(&clock, &entropy).unwrap();
        assert_eq!(dir.node_id(&clock, &entropy).unwrap(), id);
        fs::write(dir.join("node-id"), "nod_x").unwrap();
        assert!(dir.node_id(&clock, &entropy).is_err());
    }
}
