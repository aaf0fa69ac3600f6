//! The ID token: believed only if the platform tenant signed it for us, now, for this sign-in.
//!
//! Keys are the ones that nodes reported to the control plane, so no key set has to be fetched; the
//! algorithm is the key's and never the header's word (RFC 8725 section 3.1). The time is the host's clock,
//! which is why the library's own time checks are off.

use chrono::{DateTime, Utc};
use contract::{frames::PublicKey, ids::UserId};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use serde::Deserialize;

/// How far two clocks of one installation may differ, in seconds.
const LEEWAY: i64 = 60;

/// What the token must say.
pub(crate) struct Expected<'a> {
    /// Who signed it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// For which sign-in.
    pub nonce: &'a str,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// Why an ID token was not believed; safe to log.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum IdTokenError {
    /// Not a JWT, or signed by a key that no node reported.
    #[error("it was signed by no key of the issuer")]
    Key,
    /// Signature, issuer or audience.
    #[error("it was not signed by the issuer for this client")]
    Signature,
    /// Expired, or from the future.
    #[error("it is not valid at this time")]
    Time,
    /// Another sign-in's.
    #[error("it belongs to another sign-in")]
    Nonce,
    /// Its subject is no account id.
    #[error("its subject is no account of the platform")]
    Subject,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    azp: Option<String>,
}

/// The account that an ID token names (OpenID Connect Core 1.0 section 3.1.3.7).
pub(crate) fn verify(
    token: &str,
    keys: &[PublicKey],
    expected: &Expected<'_>,
) -> Result<UserId, IdTokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| IdTokenError::Key)?;
    let key = keys
        .iter()
        .find(|key| header.kid.as_deref() == Some(key.kid.as_str()))
        .ok_or(IdTokenError::Key)?;
    let algorithm: Algorithm = key.alg.as_str().parse().map_err(|_| IdTokenError::Key)?;
    let jwk: Jwk = serde_json::from_value(key.jwk.clone()).map_err(|_| IdTokenError::Key)?;
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| IdTokenError::Key)?;

    let mut rules = Validation::new(algorithm);
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &decoding, &rules)
        .map_err(|_| IdTokenError::Signature)?
        .claims;

    let now = expected.now.timestamp();
    if claims.exp + LEEWAY <= now || claims.iat - LEEWAY > now {
        return Err(IdTokenError::Time);
    }
    if claims.azp.is_some_and(|party| party != expected.client_id) {
        return Err(IdTokenError::Signature);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(IdTokenError::Nonce);
    }
    claims.sub.parse().map_err(|_| IdTokenError::Subject)
}
