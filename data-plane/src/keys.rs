//! A tenant's token-signing keys: ES256 by default, RS256 where a client asks (R-KEY-03).
//!
//! Signing is the hot path: parsed key pairs, pre-encoded headers and the JWKS document are kept, so a
//! token costs one serialization and one signature. Verification takes the algorithm from our own key,
//! never from the token's header (R-JWT-02), and looks at no key a header brings (R-JWT-03); time comes
//! from the caller, so it is the node's clock that decides.

mod make;
mod verify;

use std::fmt;

use actix_web::web::Bytes;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use contract::{application::SigningAlgorithm, frames::PublicKey};
use jsonwebtoken::DecodingKey;
use serde::Serialize;
use serde_json::json;

pub(crate) use self::make::{KeysError, load_or_make};
pub use self::verify::Expected;
use crate::identity::StoredKey;

/// A token could not be made, or is not believed. Says nothing about its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The tenant has no key for the algorithm, or the key cannot be used.
    #[error("the signing key cannot be used")]
    Key,
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written")]
    Claims,
    /// Not a token this tenant signed, or for another purpose.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// It was valid and is over.
    #[error("the token has expired")]
    Expired,
}

enum Signer {
    Ec(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

struct Key {
    public: PublicKey,
    signer: Signer,
    decoding: DecodingKey,
    /// The encoded headers of the two kinds of token that are made all the time.
    access_header: String,
    id_header: String,
}

/// The keys of one tenant.
pub struct KeyRing {
    keys: Vec<Key>,
    public: Vec<PublicKey>,
    jwks: Bytes,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids = self.public.iter().map(|key| &key.kid);
        f.debug_list().entries(kids).finish()
    }
}

impl KeyRing {
    /// Parses stored keys; the newest of an algorithm signs, all verify.
    pub(crate) fn new(stored: Vec<StoredKey>) -> Result<Self, TokenError> {
        let keys = stored
            .into_iter()
            .map(Key::new)
            .collect::<Result<Vec<_>, _>>()?;
        let public: Vec<PublicKey> = keys.iter().map(|key| key.public.clone()).collect();
        let members: Vec<_> = public.iter().map(PublicKey::to_jwk).collect();
        let jwks = serde_json::to_vec(&json!({ "keys": members })).map_err(|_| TokenError::Key)?;
        Ok(Self {
            keys,
            public,
            jwks: jwks.into(),
        })
    }

    /// Signs `claims` as a token of type `typ`, such as `at+jwt` (RFC 9068) or `JWT`.
    ///
    /// # Errors
    /// [`TokenError::Key`] or [`TokenError::Claims`].
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, TokenError> {
        let key = self
            .keys
            .iter()
            .rfind(|key| key.public.alg == algorithm)
            .ok_or(TokenError::Key)?;
        let claims = serde_json::to_vec(claims).map_err(|_| TokenError::Claims)?;
        let mut token = match typ {
            "at+jwt" => key.access_header.clone(),
            "JWT" => key.id_header.clone(),
            other => encode_header(&key.public, other),
        };
        token.push('.');
        B64.encode_string(claims, &mut token);
        let signature = key.signer.sign(token.as_bytes())?;
        token.push('.');
        B64.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The JWKS document: public members, `kid`, `alg` and `use` (R-DISC-05).
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// The public keys, as reported to the control plane.
    pub fn public_keys(&self) -> &[PublicKey] {
        &self.public
    }
}

impl Key {
    fn new(stored: StoredKey) -> Result<Self, TokenError> {
        let unusable = |_| TokenError::Key;
        let signer = match stored.public.alg {
            SigningAlgorithm::ES256 => Signer::Ec(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &stored.private)
                    .map_err(unusable)?,
            ),
            SigningAlgorithm::RS256 => Signer::Rsa(Box::new(
                RsaKeyPair::from_pkcs8(&stored.private).map_err(unusable)?,
            )),
        };
        let jwk = serde_json::from_value(stored.public.to_jwk()).map_err(|_| TokenError::Key)?;
        Ok(Self {
            access_header: encode_header(&stored.public, "at+jwt"),
            id_header: encode_header(&stored.public, "JWT"),
            decoding: DecodingKey::from_jwk(&jwk).map_err(|_| TokenError::Key)?,
            public: stored.public,
            signer,
        })
    }
}

impl Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| TokenError::Key)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| TokenError::Key)?;
                Ok(signature)
            }
        }
    }
}

fn encode_header(key: &PublicKey, typ: &str) -> String {
    let header = json!({ "alg": key.alg.as_str(), "kid": key.kid, "typ": typ });
    B64.encode(header.to_string())
}

#[cfg(test)]
mod tests;
