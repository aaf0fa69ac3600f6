//! File names that change exactly when their content changes.
//!
//! Why so: a name that carries the hash of the bytes may be cached for ever, so a page load costs no revalidation and a new
//! build never meets an old style sheet. Compiled twice: into the build script, which names the files, and into the tests.
//! It must never read files, the clock or the environment.

use sha2::{Digest, Sha256};

/// First 12 hex digits of SHA-256: 48 bits, far more than the handful of files of one build can collide in.
pub fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `("console", "css", bytes)` → `console.1f2e3d4c5b6a.css`.
pub fn hashed_name(stem: &str, extension: &str, bytes: &[u8]) -> String {
    format!("{stem}.{}.{extension}", content_hash(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_the_content() {
        assert_eq!(hashed_name("a", "css", b"x"), hashed_name("a", "css", b"x"));
        assert_ne!(hashed_name("a", "css", b"x"), hashed_name("a", "css", b"y"));
        assert_eq!(
            hashed_name("a", "css", b"").len(),
            "a.".len() + 12 + ".css".len()
        );
    }
}
