//! A tenant's token-signing keys: ES256 by default, RS256 where a client asks (R-KEY-03).
//!
//! Signing is the hot path: parsed key pairs, pre-encoded headers and the JWKS document are kept, so a
//! token costs one serialization and one signature. Verification takes the algorithm from our own key,
//! never from the token's header (R-JWT-02), and looks at no key a header brings (R-JWT-03); time comes
//! from the caller, so it is the node's clock that decides.

mod contained;
mod lazy;
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

pub(crate) use self::lazy::KeySource;
pub use self::{lazy::TenantKeys, make::KeysError, verify::Expected};
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

/// What a key is good for, besides having signed what it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// It may sign.
    pub(crate) signs: bool,
    /// Others may verify with it.
    pub(crate) shown: bool,
}

#[cfg(test)]
impl Standing {
    /// Of a key that was never contained.
    pub(crate) const GOOD: Self = Self {
        signs: true,
        shown: true,
    };
}

struct Key {
    signs: bool,
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
    /// Parses stored keys; the newest of an algorithm that may signs, all verify.
    pub(crate) fn standing(
        stored: Vec<StoredKey>,
        standing: impl Fn(&str) -> Standing,
    ) -> Result<Self, TokenError> {
        let keys = stored
            .into_iter()
            .map(|stored| {
                let signs = standing(&stored.public.kid).signs;
                Key::new(stored, signs)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let shown = keys.iter().filter(|key| standing(&key.public.kid).shown);
        let public: Vec<PublicKey> = shown.map(|key| key.public.clone()).collect();
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
        self.sign_if(|_| true, algorithm, typ, claims)
    }

    /// The same with a key that passes.
    fn sign_if(
        &self,
        may_sign: impl Fn(&str) -> bool,
        algorithm: SigningAlgorithm,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, TokenError> {
        let key = self
            .keys
            .iter()
            .rfind(|key| key.public.alg == algorithm && key.signs && may_sign(&key.public.kid));
        key.ok_or(TokenError::Key)?.sign(typ, claims)
    }

    /// Signs with one key, whatever its standing: for tokens that ask our own door and are good for nothing.
    ///
    /// # Errors
    /// As [`KeyRing::sign`].
    pub(crate) fn sign_by(
        &self,
        kid: &str,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, TokenError> {
        let key = self.keys.iter().find(|key| key.public.kid == kid);
        key.ok_or(TokenError::Key)?.sign(typ, claims)
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
    fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, TokenError> {
        let claims = serde_json::to_vec(claims).map_err(|_| TokenError::Claims)?;
        let mut token = match typ {
            "at+jwt" => self.access_header.clone(),
            "JWT" => self.id_header.clone(),
            other => encode_header(&self.public, other),
        };
        token.push('.');
        B64.encode_string(claims, &mut token);
        let signature = self.signer.sign(token.as_bytes())?;
        token.push('.');
        B64.encode_string(signature, &mut token);
        Ok(token)
    }

    fn new(stored: StoredKey, signs: bool) -> Result<Self, TokenError> {
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
            signs,
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
