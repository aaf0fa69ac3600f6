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
    let jwk: Jwk = serde_json::from_value(key.to_jwk()).map_err(|_| IdTokenError::Key)?;
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use chrono::TimeZone;
    use contract::{
        ids::TypedId,
        jwk::{Curve, Octets, PublicJwk},
    };
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const ISSUER: &str = "http://127.0.0.1:7100/t/platform";
    const CLIENT: &str = "app_00000000000000000000000001";

    fn now() -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000, 0).unwrap()
    }

    fn subject() -> UserId {
        UserId::from_uuid(Uuid::from_u128(9))
    }

    fn key_pair() -> (EncodingKey, PublicKey) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let public = PublicKey {
            kid: "k1".into(),
            alg: "ES256".parse().unwrap(),
            jwk: PublicJwk::Ec {
                crv: Curve::P256,
                x: Octets::encode(&point[1..33]).unwrap(),
                y: Octets::encode(&point[33..]).unwrap(),
            },
            created_at: now(),
        };
        let der = pair.to_pkcs8v1().unwrap();
        (EncodingKey::from_ec_der(der.as_ref()), public)
    }

    fn claims() -> Value {
        let at = now().timestamp();
        json!({ "iss": ISSUER, "aud": CLIENT, "sub": subject(), "exp": at + 300, "iat": at, "nonce": "n" })
    }

    fn sign(key: &EncodingKey, kid: &str, claims: &Value) -> String {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    }

    fn check(token: &str, keys: &[PublicKey]) -> Result<UserId, IdTokenError> {
        verify(
            token,
            keys,
            &Expected {
                issuer: ISSUER,
                client_id: CLIENT,
                nonce: "n",
                now: now(),
            },
        )
    }

    #[test]
    fn a_token_for_this_sign_in_names_the_account() {
        let (key, public) = key_pair();
        assert_eq!(
            check(&sign(&key, "k1", &claims()), &[public]),
            Ok(subject())
        );
    }

    #[test]
    fn every_claim_is_held_to_what_was_asked() {
        let (key, public) = key_pair();
        let at = now().timestamp();
        let cases = [
            (
                "iss",
                json!("http://127.0.0.1:7100/t/acme"),
                IdTokenError::Signature,
            ),
            (
                "aud",
                json!("app_00000000000000000000000002"),
                IdTokenError::Signature,
            ),
            (
                "azp",
                json!("app_00000000000000000000000002"),
                IdTokenError::Signature,
            ),
            ("exp", json!(at - LEEWAY), IdTokenError::Time),
            ("iat", json!(at + LEEWAY + 1), IdTokenError::Time),
            ("nonce", json!("other"), IdTokenError::Nonce),
            ("nonce", Value::Null, IdTokenError::Nonce),
            ("sub", json!("mara@example.com"), IdTokenError::Subject),
        ];
        for (claim, value, expected) in cases {
            let mut claims = claims();
            claims[claim] = value;
            let token = sign(&key, "k1", &claims);
            assert_eq!(
                check(&token, std::slice::from_ref(&public)),
                Err(expected),
                "{claim}"
            );
        }
    }

    #[test]
    fn only_a_reported_key_counts() {
        let (key, _) = key_pair();
        let (_, other) = key_pair();
        let token = sign(&key, "k1", &claims());
        assert_eq!(
            check(&token, std::slice::from_ref(&other)),
            Err(IdTokenError::Signature)
        );
        assert_eq!(
            check(&sign(&key, "k2", &claims()), &[other]),
            Err(IdTokenError::Key)
        );
        assert_eq!(check(&token, &[]), Err(IdTokenError::Key));
        assert_eq!(check("not.a.token", &[]), Err(IdTokenError::Key));
        // Another algorithm with the right key id: the key's algorithm decides, not the header's word.
        let (_, rest) = token.split_once('.').unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"k1","typ":"JWT"}"#);
        let (_, public) = key_pair();
        assert_eq!(
            check(&format!("{header}.{rest}"), &[public]),
            Err(IdTokenError::Signature)
        );
    }
}
