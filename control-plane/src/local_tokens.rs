//! Tokens for whoever can read the data directory (`bailiwick token`): the way in that needs no node.
//!
//! Operators sign in at the platform tenant, which nodes serve; so while no node runs, nobody could sign in
//! to mend it (R-ADM, F-25). Reading the data directory means holding the key that opens everything sealed in
//! the database, so a token for it asks for no other proof. What it must not be is invisible or general: each
//! is audited when it is made, and it speaks for a stand-in operator, never for a person.

use chrono::TimeDelta;
use contract::{
    api::{ADMIN_AUDIENCE, ADMIN_SCOPE},
    application::SigningAlgorithm,
    canonical,
    frames::PublicKey,
    ids::UserId,
    jwk::{Curve, Octets, PublicJwk},
    role::Role,
};
use host::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::Serialize;

use crate::{ControlPlane, Refusal, Scope};

/// Who issues them: no tenant does.
pub(crate) const ISSUER: &str = "urn:bailiwick:data-dir";
/// The `client_id` of tokens that no registered application asked for.
const CLIENT: &str = "bailiwick-cli";

/// The key that signs them.
pub(crate) struct LocalKey {
    private: EncodingKey,
    public: PublicKey,
}

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    sub: UserId,
    aud: &'static str,
    client_id: &'static str,
    scope: &'static str,
    iat: i64,
    exp: i64,
    jti: &'a str,
}

impl LocalKey {
    /// A new private key, in PKCS #8.
    pub(crate) fn generate() -> Vec<u8> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        pair.expect("the system gives randomness").serialize_der()
    }

    /// The key in PKCS #8; `None` if it is not one of ours.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &PKCS_ECDSA_P256_SHA256);
        let pair = pair.ok()?;
        // Uncompressed point: 0x04, 32 bytes of x, 32 bytes of y (SEC 1 section 2.3.3).
        let (x, y) = pair.public_key_raw().get(1..)?.split_at_checked(32)?;
        let jwk = PublicJwk::Ec {
            crv: Curve::P256,
            x: Octets::encode(x).ok()?,
            y: Octets::encode(y).ok()?,
        };
        let thumbprint = canonical::to_canonical(&jwk).ok()?;
        Some(Self {
            private: EncodingKey::from_ec_der(der),
            public: PublicKey {
                kid: canonical::sha256_hex(thumbprint.as_bytes())[..32].to_owned(),
                alg: SigningAlgorithm::ES256,
                jwk,
                created_at: chrono::DateTime::UNIX_EPOCH,
            },
        })
    }

    /// What verifies its tokens.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl ControlPlane {
    /// A token of the admin API for `role` in `scope` and nothing else, good for `ttl`. The caller has
    /// shown the right to it by opening the database with its key.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a role that cannot count in `scope`; [`Refusal::NotFound`] for the tenant.
    pub async fn local_token(
        &self,
        role: Role,
        scope: Scope,
        ttl: TimeDelta,
    ) -> Result<Secret, Refusal> {
        let operator = self.local_operator(role, scope).await?;
        let (now, key) = (self.clock().now(), &self.inner.local_key);
        let claims = Claims {
            iss: ISSUER,
            sub: operator.subject,
            aud: ADMIN_AUDIENCE,
            client_id: CLIENT,
            scope: ADMIN_SCOPE,
            iat: now.timestamp(),
            exp: (now + ttl).timestamp(),
            jti: &self.entropy().token(),
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.public.kid.clone());
        encode(&header, &claims, &key.private)
            .map(Secret::new)
            .map_err(Refusal::internal)
    }

    /// What verifies tokens of the data directory.
    pub(crate) fn local_key(&self) -> &PublicKey {
        self.inner.local_key.public()
    }
}
