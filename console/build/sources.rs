//! A fingerprint of the islands' sources, the same for whoever bundles them and for whoever embeds the bundle.
//!
//! `bundle-islands` (xtask) writes it into the bundle's manifest and `console/build.rs` compares: scripts of
//! other sources than the pages would look for islands that are not there, and fail only in a browser. It
//! is of contents and names, never of times: a checkout changes those.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// The SHA-256 over everything below `folder`, in hexadecimal digits.
///
/// # Errors
/// When something there cannot be read.
pub fn fingerprint(folder: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).map_err(io::Error::other)?;
        let content = fs::read(&file)?;
        // Lengths in between, so that no two trees read alike.
        hasher.update(format!("{} {}\n", name.display(), content.len()));
        hasher.update(content);
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
