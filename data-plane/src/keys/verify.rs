//! Verifying tokens that this tenant signed: at userinfo, as `id_token_hint`, in the release self-test.

use chrono::{DateTime, Utc};
use contract::application::SigningAlgorithm;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Key, KeyRing, TokenError};

/// Accepted difference between clocks, in seconds (R-JWT-05).
const LEEWAY_SECONDS: i64 = 10;
/// Far above any token of ours; refuses to parse floods.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a token must be to be believed.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The type in its header; kinds are never confused (R-JWT-01).
    pub typ: &'a str,
    /// Its issuer.
    pub issuer: &'a str,
    /// One of its audiences, if the caller cares.
    pub audience: Option<&'a str>,
    /// The time now.
    pub now: DateTime<Utc>,
    /// Believe an expired one too: for `id_token_hint` only (OpenID Connect RP-Initiated Logout 1.0 §2).
    pub accept_expired: bool,
}

impl KeyRing {
    /// Verifies a token and reads its claims.
    ///
    /// # Errors
    /// [`TokenError::Expired`] or [`TokenError::Invalid`].
    pub fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<C, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid("it cannot be read"))?;
        if header.crit.is_some() {
            return Err(TokenError::Invalid("it demands extensions"));
        }
        if !header.typ.is_some_and(|typ| same_type(&typ, expected.typ)) {
            return Err(TokenError::Invalid("it is of another kind"));
        }
        let kid = header.kid.ok_or(TokenError::Invalid("it names no key"))?;
        let key = self.keys.iter().find(|key| key.public.kid == kid);
        let key = key.ok_or(TokenError::Invalid("its key is not known"))?;
        let claims = check_signature(token, key)?;
        check_claims(&claims, expected)?;
        serde_json::from_value(claims)
            .map_err(|_| TokenError::Invalid("its claims are not what was expected"))
    }
}

fn check_signature(token: &str, key: &Key) -> Result<Value, TokenError> {
    let mut validation = Validation::new(match key.public.alg {
        SigningAlgorithm::ES256 => Algorithm::ES256,
        SigningAlgorithm::RS256 => Algorithm::RS256,
    });
    // Only the signature here: the library would read the system clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    decode::<Value>(token, &key.decoding, &validation)
        .map(|data| data.claims)
        .map_err(|_| TokenError::Invalid("its signature does not match"))
}

fn check_claims(claims: &Value, expected: &Expected<'_>) -> Result<(), TokenError> {
    let now = expected.now.timestamp();
    if claims["iss"].as_str() != Some(expected.issuer) {
        return Err(TokenError::Invalid("it has another issuer"));
    }
    if let Some(audience) = expected.audience {
        let named = match &claims["aud"] {
            Value::String(one) => one == audience,
            Value::Array(many) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if !named {
            return Err(TokenError::Invalid("it has another audience"));
        }
    }
    let begins = claims["nbf"].as_i64().or(claims["iat"].as_i64());
    if begins.is_some_and(|begins| begins > now + LEEWAY_SECONDS) {
        return Err(TokenError::Invalid("it is not valid yet"));
    }
    let ends = claims["exp"]
        .as_i64()
        .ok_or(TokenError::Invalid("it never ends"))?;
    if now >= ends + LEEWAY_SECONDS && !expected.accept_expired {
        return Err(TokenError::Expired);
    }
    Ok(())
}

/// Media types compare without case and without their `application/` prefix (RFC 7515 §4.1.9).
fn same_type(found: &str, expected: &str) -> bool {
    let bare = |typ: &str| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/")
            .map_or(typ.clone(), str::to_owned)
    };
    bare(found) == bare(expected)
}
