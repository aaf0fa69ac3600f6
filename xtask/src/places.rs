//! Where things are: the repository, its target directory, and directories that vanish.
//!
//! One module knows the paths, so that a moved directory is one line. It must never leave a scratch
//! directory behind when its owner is dropped.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask lies in the repository's root")
        .to_path_buf()
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where the islands bundle is written; `console/build.rs` embeds it from here.
pub fn islands_dist() -> PathBuf {
    root().join("console/dist")
}

/// Where tests and the servers they start write their logs.
pub fn test_logs() -> PathBuf {
    target().join("test-logs")
}

/// Every file below `dir`, sorted, leaving out what is built, fetched or hidden.
pub fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    const NOT_OURS: [&str; 5] = [
        "target", "node_modules", "dist", "bailiwick-data", "__pycache__",
    ];
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || NOT_OURS.contains(&name.as_ref()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// A directory of this process alone, removed with everything in it when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes `<system temp>/bailiwick-<name>-<pid>`, readable by its owner only.
    ///
    /// # Errors
    /// When it already exists or cannot be made.
    pub fn create(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("bailiwick-{name}-{}", process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("could not remove {}: {error}", self.0.display());
        }
    }
}
