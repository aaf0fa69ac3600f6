//! PKCE with S256, for every code and every client (RFC 7636, RFC 9700 §2.1.1).
//!
//! `plain` does not exist here: it protects against nothing that S256 does not, and offering it would
//! make a downgrade possible (R-PKCE-01). Absence of a challenge is refused at the authorization
//! endpoint, so a stored code always has one (R-PKCE-02).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether a `code_challenge` has the only shape S256 can produce: 43 base64url characters.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && URL_SAFE_NO_PAD
            .decode(text)
            .is_ok_and(|digest| digest.len() == 32)
}

/// Whether a `code_verifier` is 43 to 128 unreserved characters (RFC 7636 §4.1).
pub fn is_verifier(text: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Whether `verifier` opens `challenge`; constant time in the comparison.
pub fn opens(challenge: &str, verifier: &str) -> bool {
    is_verifier(verifier)
        && bool::from(
            challenge_of(verifier)
                .as_bytes()
                .ct_eq(challenge.as_bytes()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_r_pkce_02() {
        assert_eq!(challenge_of(VERIFIER), CHALLENGE);
        assert!(opens(CHALLENGE, VERIFIER));
    }

    #[test]
    fn verifiers_r_pkce_02() {
        for (verifier, shape, ours) in [
            (VERIFIER.to_owned(), true, true),
            (VERIFIER[..42].to_owned(), false, false),
            (format!("{VERIFIER}x"), true, false),
            ("a".repeat(43), true, false),
            ("a".repeat(128), true, false),
            ("a".repeat(129), false, false),
            (String::new(), false, false),
            (format!("{}+", "a".repeat(43)), false, false),
            (format!("{} ", "a".repeat(43)), false, false),
            (CHALLENGE.to_owned(), true, false),
        ] {
            assert_eq!(is_verifier(&verifier), shape, "{verifier}");
            assert_eq!(opens(CHALLENGE, &verifier), ours, "{verifier}");
        }
    }

    #[test]
    fn challenges_r_pkce_01() {
        assert!(is_challenge(CHALLENGE));
        for bad in [
            "",
            &CHALLENGE[1..],
            &format!("{CHALLENGE}A"),
            &CHALLENGE.replace('-', "+"),
            &format!("{}=", &CHALLENGE[..42]),
        ] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
