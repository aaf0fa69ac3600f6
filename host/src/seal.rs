//! Sealing: authenticated encryption of what rests on disk or in a column.
//!
//! Envelope encryption (R-SEC-01): the key-encryption key ([`Kek`]) seals nothing itself, it derives one
//! [`SealKey`] per purpose; those wrap random data keys, so that rotating the first does not rewrite
//! rows and destroying a data key erases what it sealed (R-SEC-02). The place a ciphertext belongs to,
//! [`SealContext`], is authenticated with it: moved to another row or tenant, it does not open.
//!
//! Format, version 1: `version(1) ‖ key id(8) ‖ nonce(12) ‖ AES-256-GCM ciphertext ‖ tag(16)`. The header is
//! authenticated too. Nonces are random: one key must seal fewer than 2^32 values (NIST SP 800-38D
//! section 8.3), which a key per tenant and purpose stays far below.
//!
//! It must never return a plaintext it could not authenticate, nor say more than which of the reasons of
//! [`OpenError`] it was.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::entropy::Entropy;

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 8;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Where a sealed value belongs. Opening needs the same four words as sealing.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// Tenant id, or the empty string for what belongs to the process itself.
    pub tenant: &'a str,
    /// Table or kind of file.
    pub table: &'a str,
    /// Column or part.
    pub column: &'a str,
    /// Primary key of the row.
    pub row: &'a str,
}

impl SealContext<'_> {
    /// Length-prefixed, so that no two different contexts give the same bytes.
    fn aad(&self, header: &[u8]) -> Vec<u8> {
        let mut aad = header.to_vec();
        for part in [self.tenant, self.table, self.column, self.row] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

/// Why a sealed value did not open.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Not a sealed value, or one that was cut.
    #[error("not a sealed value: too short")]
    TooShort,
    /// Sealed by a newer release of this software.
    #[error("sealed in format {0}, which this release does not know")]
    UnknownFormat(u8),
    /// Sealed under another key: the right key is elsewhere, or was destroyed.
    #[error("sealed under key {sealed_under}, but the key at hand is {at_hand}")]
    WrongKey {
        /// The key named by the sealed value.
        sealed_under: KeyId,
        /// The key that was tried.
        at_hand: KeyId,
    },
    /// The right key, but the value was changed or belongs to another tenant, table, column or row.
    #[error("the sealed value was changed or belongs elsewhere")]
    Tampered,
}

/// Names a key without revealing it. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KEY_ID_LEN]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that seals and opens values of one purpose. Wiped when dropped.
#[derive(Clone)]
pub struct SealKey {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    id: KeyId,
}

impl SealKey {
    /// A fresh random key, such as the data key of a tenant.
    pub fn generate(entropy: &Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        entropy.fill(bytes.as_mut());
        Self::from_bytes(bytes)
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        let mut id = [0; KEY_ID_LEN];
        derive(&bytes, b"bailiwick/seal/key-id", &mut id);
        Self {
            bytes,
            id: KeyId(id),
        }
    }

    /// The key's public name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts `plaintext` and binds it to `context`.
    pub fn seal(&self, entropy: &Entropy, context: &SealContext<'_>, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = entropy.bytes();
        let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id.0);
        sealed.extend_from_slice(&nonce);
        let aad = Aad::from(context.aad(&sealed));
        sealed.extend_from_slice(plaintext);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                aad,
                &mut sealed[HEADER_LEN..],
            )
            .expect("AES-GCM seals any input below 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts what [`SealKey::seal`] made for the same `context`.
    ///
    /// # Errors
    /// [`OpenError`]; nothing of the plaintext is returned then.
    pub fn open(
        &self,
        context: &SealContext<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, body) = sealed
            .split_at_checked(HEADER_LEN)
            .ok_or(OpenError::TooShort)?;
        if header[0] != VERSION {
            return Err(OpenError::UnknownFormat(header[0]));
        }
        if body.len() < AES_256_GCM.tag_len() {
            return Err(OpenError::TooShort);
        }
        let (id, nonce) = header[1..].split_at(KEY_ID_LEN);
        if id != self.id.0 {
            let sealed_under = KeyId(id.try_into().expect("split at the length of an id"));
            return Err(OpenError::WrongKey {
                sealed_under,
                at_hand: self.id,
            });
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("the header ends with a nonce");
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = self
            .cipher()
            .open_in_place(nonce, Aad::from(context.aad(header)), buffer.as_mut_slice())
            .map_err(|_| OpenError::Tampered)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Seals another key under this one.
    pub fn wrap(&self, entropy: &Entropy, context: &SealContext<'_>, key: &SealKey) -> Vec<u8> {
        self.seal(entropy, context, key.bytes.as_slice())
    }

    /// Opens what [`SealKey::wrap`] made.
    ///
    /// # Errors
    /// [`OpenError`]; a value that opens but is no key counts as tampered.
    pub fn unwrap_key(&self, context: &SealContext<'_>, wrapped: &[u8]) -> Result<Self, OpenError> {
        let opened = self.open(context, wrapped)?;
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        if opened.len() != KEY_LEN {
            return Err(OpenError::Tampered);
        }
        bytes.copy_from_slice(&opened);
        Ok(Self::from_bytes(bytes))
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.bytes.as_slice());
        LessSafeKey::new(key.expect("32 bytes are an AES-256 key"))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// The key-encryption key: 32 random bytes in a file only the service's user can read.
#[derive(Clone)]
pub struct Kek(Zeroizing<[u8; KEY_LEN]>);

/// Why the key file cannot be used. `Display` is one line for the operator.
#[derive(Debug, Error)]
pub enum KekError {
    /// There is no such file.
    #[error("the key file {} does not exist", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("cannot use the key file {}: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Other users of the machine may read or change the key, so it must count as known to them.
    #[error(
        "the key file {} is open to other users (mode {mode:04o}); set it to 0600 after deciding whether the key is still secret",
        .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something other than a key.
    #[error("the key file {} has {found} bytes; a key has 32", .path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        found: u64,
    },
}

impl Kek {
    /// A key from bytes that were kept elsewhere, such as by a key management service.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key at `path`.
    ///
    /// # Errors
    /// [`KekError`]: missing, unreadable, open to other users, or not 32 bytes.
    pub fn load(path: &Path) -> Result<Self, KekError> {
        use std::io::{ErrorKind, Read};
        use std::os::unix::fs::PermissionsExt;
        let at = || path.to_path_buf();
        let unusable = |source| KekError::Unusable { path: at(), source };
        let mut file = std::fs::File::open(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => KekError::Missing { path: at() },
            _ => unusable(source),
        })?;
        // Asked of the open file, so that no other file can take its place in between.
        let metadata = file.metadata().map_err(unusable)?;
        if !metadata.is_file() {
            return Err(unusable(std::io::Error::other("not a regular file")));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KekError::Exposed { path: at(), mode });
        }
        if metadata.len() != KEY_LEN as u64 {
            return Err(KekError::WrongLength {
                path: at(),
                found: metadata.len(),
            });
        }
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        file.read_exact(bytes.as_mut()).map_err(unusable)?;
        Ok(Self(bytes))
    }

    /// Reads the key at `path`, or makes a new one there (mode 0600) when there is none. Two processes
    /// that start at once end with the same key: only one of them can make the file.
    ///
    /// # Errors
    /// As [`Kek::load`].
    pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Self, KekError> {
        match Self::load(path) {
            Err(KekError::Missing { .. }) => {}
            answer => return answer,
        }
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        entropy.fill(bytes.as_mut());
        match crate::sealed_file::create_private(path, bytes.as_slice()) {
            Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(KekError::Unusable {
                    path: path.to_path_buf(),
                    source,
                })
            }
            _ => Self::load(path),
        }
    }

    /// The key for one purpose, such as `"tenant data keys"`. Different purposes give unrelated keys.
    pub fn key(&self, purpose: &str) -> SealKey {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        let info = [b"bailiwick/seal/purpose/", purpose.as_bytes()].concat();
        derive(&self.0, &info, bytes.as_mut());
        SealKey::from_bytes(bytes)
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek(***)")
    }
}

/// HKDF-SHA256 (RFC 5869). The input is already uniform, so no salt is needed.
fn derive(key: &[u8; KEY_LEN], info: &[u8], out: &mut [u8]) {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk: Prk = Salt::new(HKDF_SHA256, &[]).extract(key);
    prk.expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("HKDF gives up to 8160 bytes");
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
