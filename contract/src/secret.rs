//! Machine secrets: 256 random bits with a prefix for scanners and a checksum against typos.
//!
//! `bwk_` + 43 base64url characters + 6 base32 characters of checksum (R-NHI-02, R-CAUTH-04). The
//! checksum lets a leak scanner or our own endpoint tell a real secret from noise without asking
//! anyone. Because the secret has full entropy, one SHA-256 is the right hash for it (slow hashes
//! protect weak passwords); only the hash is stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Invalid, canonical::sha256_hex, ids::CredentialId};

/// What every machine secret begins with.
pub const SECRET_PREFIX: &str = "bwk_";
const BODY_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;

/// Builds the text form of a secret from 256 random bits.
pub fn format_secret(random: &[u8; 32]) -> String {
    let body = URL_SAFE_NO_PAD.encode(random);
    let checksum = checksum(&body);
    format!("{SECRET_PREFIX}{body}{checksum}")
}

/// Whether `text` has the shape and checksum of one of our secrets (says nothing about validity).
pub fn is_well_formed(text: &str) -> bool {
    text.strip_prefix(SECRET_PREFIX)
        .filter(|rest| rest.is_ascii() && rest.len() == BODY_CHARS + CHECKSUM_CHARS)
        .is_some_and(|rest| checksum(&rest[..BODY_CHARS]) == rest[BODY_CHARS..])
}

fn checksum(body: &str) -> String {
    sha256_hex(body.as_bytes())[..CHECKSUM_CHARS].to_owned()
}

/// A stored secret: its hash, never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretHash {
    /// Which credential this is; safe to show and to log.
    pub id: CredentialId,
    /// Lower-case hexadecimal SHA-256 of the secret's text.
    pub sha256: String,
    /// When the secret stops working, if it does. Two secrets may overlap during a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<chrono::DateTime<chrono::Utc>>,
}

impl SecretHash {
    /// Hashes a secret's text.
    pub fn of(
        id: CredentialId,
        secret: &str,
        not_after: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Self {
        Self {
            id,
            sha256: sha256_hex(secret.as_bytes()),
            not_after,
        }
    }

    /// Whether `presented` is this secret and still good at `now`; constant time in the comparison.
    pub fn accepts(&self, presented: &str, now: chrono::DateTime<chrono::Utc>) -> bool {
        let alive = self.not_after.is_none_or(|end| now < end);
        let digest = sha256_hex(presented.as_bytes());
        bool::from(digest.as_bytes().ct_eq(self.sha256.as_bytes())) && alive
    }

    /// Refuses a stored hash that is not 64 lower-case hexadecimal characters.
    pub fn check(&self) -> Result<(), Invalid> {
        let shape_ok = self.sha256.len() == Sha256::output_size() * 2
            && self
                .sha256
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if shape_ok {
            Ok(())
        } else {
            Err(Invalid::new("sha256", "must be 64 hexadecimal characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    #[test]
    fn checksum_catches_every_single_character_change_r_nhi_02() {
        let secret = format_secret(&[7; 32]);
        assert!(is_well_formed(&secret));
        for position in 0..secret.len() {
            let mut broken = secret.clone().into_bytes();
            broken[position] = if broken[position] == b'a' { b'b' } else { b'a' };
            assert!(
                !is_well_formed(&String::from_utf8(broken).unwrap()),
                "{position}"
            );
        }
    }

    #[test]
    fn a_secret_is_accepted_until_its_end_r_cauth_04() {
        let now = chrono::DateTime::<Utc>::UNIX_EPOCH;
        let id = CredentialId::from_uuid(Uuid::nil());
        let secret = format_secret(&[9; 32]);
        let hash = SecretHash::of(id, &secret, Some(now + TimeDelta::seconds(10)));
        assert!(hash.accepts(&secret, now));
        assert!(!hash.accepts(&secret, now + TimeDelta::seconds(10)));
        assert!(!hash.accepts("bwk_other", now));
        assert!(hash.check().is_ok());
    }
}
