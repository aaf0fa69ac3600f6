//! Compact JWS with Ed25519, for what the control plane signs and nodes believe.
//!
//! One algorithm, a type of its own per document kind, and keys found only in the verifier's trust root:
//! a header can choose between trusted keys but can neither bring a key nor an algorithm (RFC 8725 §3.1,
//! §3.11, R-JWT-02, R-JWT-03).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::canonical;

/// A kind of signed document: what its header calls it, and how large a signed one may be.
///
/// The limit belongs to the kind, because what is generous for a manifest is too small for the index of a
/// large region. It holds for both sides: what a verifier would refuse for its size is not signed either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentKind {
    /// The `typ` of its header (RFC 8725 §3.11).
    pub typ: &'static str,
    /// Most bytes of the compact JWS.
    pub max_bytes: usize,
}

/// Why a signed document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not a compact JWS of ours.
    #[error("is not a well-formed signed document: {0}")]
    Malformed(&'static str),
    /// Larger than its kind may be; nothing of it was looked at.
    #[error("is a signed document of more than {0} bytes")]
    TooLarge(usize),
    /// Signed, but as another kind of document.
    #[error("is a signed document of another type")]
    WrongType,
    /// The key is not in the trust root.
    #[error("is signed by a key that is not trusted")]
    UnknownKey,
    /// The signature does not match the content.
    #[error("has a signature that does not match its content")]
    BadSignature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// A private release-signing key with its id.
pub struct ReleaseSigner {
    key: SigningKey,
    kid: String,
}

impl ReleaseSigner {
    /// Wraps 32 secret bytes; the id is derived from the public key.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let kid = key_id(&key.verifying_key());
        Self { key, kid }
    }

    /// What verifiers need.
    pub fn public(&self) -> TrustedKey {
        TrustedKey {
            kid: self.kid.clone(),
            public: B64.encode(self.key.verifying_key().as_bytes()),
        }
    }

    /// Signs the canonical form of `payload` as a document of this kind.
    ///
    /// # Errors
    /// A payload that has no canonical form, or one whose signed form would be larger than the kind allows.
    pub fn sign<T: Serialize>(
        &self,
        kind: DocumentKind,
        payload: &T,
    ) -> Result<String, crate::Invalid> {
        let header = Header {
            alg: "EdDSA".into(),
            kid: self.kid.clone(),
            typ: kind.typ.into(),
        };
        let header = canonical::to_canonical(&header)?;
        let payload = canonical::to_canonical(payload)?;
        let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
        let signature = self.key.sign(input.as_bytes());
        let jws = format!("{input}.{}", B64.encode(signature.to_bytes()));
        if jws.len() > kind.max_bytes {
            let limit = kind.max_bytes;
            return Err(crate::Invalid::new(
                "signed document",
                format!("would be larger than {limit} bytes"),
            ));
        }
        Ok(jws)
    }
}

/// A public key that a verifier was given out of band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Its id: the first 16 hexadecimal characters of the SHA-256 of the public key.
    pub kid: String,
    /// The 32 bytes of the public key, base64url without padding.
    pub public: String,
}

/// The keys a verifier believes; pinned when the verifier is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRoot {
    /// The keys.
    pub keys: Vec<TrustedKey>,
}

impl TrustRoot {
    /// Verifies a compact JWS of this kind and parses its payload.
    ///
    /// # Errors
    /// See [`JwsError`]. The payload is not looked at before the signature holds.
    pub fn verify<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        jws: &str,
    ) -> Result<T, JwsError> {
        if jws.len() > kind.max_bytes {
            return Err(JwsError::TooLarge(kind.max_bytes));
        }
        let (input, signature) = jws
            .rsplit_once('.')
            .ok_or(JwsError::Malformed("it has no signature"))?;
        let (header, payload) = input
            .split_once('.')
            .ok_or(JwsError::Malformed("it has no payload"))?;
        let header: Header = decode_json(header, "its header cannot be read")?;
        if header.alg != "EdDSA" {
            return Err(JwsError::Malformed("its algorithm is not EdDSA"));
        }
        if header.typ != kind.typ {
            return Err(JwsError::WrongType);
        }
        let key = self.key(&header.kid)?;
        let signature = B64.decode(signature).map_err(|_| JwsError::BadSignature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| JwsError::BadSignature)?;
        key.verify_strict(input.as_bytes(), &signature)
            .map_err(|_| JwsError::BadSignature)?;
        decode_json(payload, "its payload cannot be read")
    }

    fn key(&self, kid: &str) -> Result<VerifyingKey, JwsError> {
        let trusted = self
            .keys
            .iter()
            .find(|key| key.kid == kid)
            .ok_or(JwsError::UnknownKey)?;
        let bytes: [u8; 32] = B64
            .decode(&trusted.public)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(JwsError::UnknownKey)?;
        VerifyingKey::from_bytes(&bytes).map_err(|_| JwsError::UnknownKey)
    }
}

/// Reads a compact JWS of this kind whose signature was verified before, or is vouched for by another one.
pub(crate) fn read_unverified<T: DeserializeOwned>(
    kind: DocumentKind,
    jws: &str,
) -> Result<T, JwsError> {
    if jws.len() > kind.max_bytes {
        return Err(JwsError::TooLarge(kind.max_bytes));
    }
    let mut parts = jws.split('.');
    let (Some(header), Some(payload)) = (parts.next(), parts.next()) else {
        return Err(JwsError::Malformed("it has no payload"));
    };
    let header: Header = decode_json(header, "its header cannot be read")?;
    if header.typ != kind.typ {
        return Err(JwsError::WrongType);
    }
    decode_json(payload, "its payload cannot be read")
}

fn decode_json<T: DeserializeOwned>(part: &str, why: &'static str) -> Result<T, JwsError> {
    let bytes = B64.decode(part).map_err(|_| JwsError::Malformed(why))?;
    serde_json::from_slice(&bytes).map_err(|_| JwsError::Malformed(why))
}

fn key_id(key: &VerifyingKey) -> String {
    canonical::sha256_hex(key.as_bytes())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const A: DocumentKind = DocumentKind {
        typ: "a+jwt",
        max_bytes: 1000,
    };
    const B: DocumentKind = DocumentKind { typ: "b+jwt", ..A };

    fn signer() -> ReleaseSigner {
        ReleaseSigner::from_secret(&[1; 32])
    }

    fn trust() -> TrustRoot {
        TrustRoot {
            keys: vec![signer().public()],
        }
    }

    #[test]
    fn what_is_signed_is_believed_as_what_it_is() {
        let jws = signer().sign(A, &json!({"x": 1})).unwrap();
        assert_eq!(trust().verify::<Value>(A, &jws).unwrap(), json!({"x": 1}));
        assert_eq!(trust().verify::<Value>(B, &jws), Err(JwsError::WrongType));
        let stranger = ReleaseSigner::from_secret(&[2; 32])
            .sign(A, &json!({}))
            .unwrap();
        assert_eq!(
            trust().verify::<Value>(A, &stranger),
            Err(JwsError::UnknownKey)
        );
        assert!(matches!(
            trust().verify::<Value>(A, "x"),
            Err(JwsError::Malformed(_))
        ));
    }

    #[test]
    fn the_header_cannot_choose_the_algorithm_r_jwt_02() {
        let payload = B64.encode("{}");
        for alg in ["none", "nOnE", "HS256", "ES256"] {
            let header = B64.encode(
                json!({"alg": alg, "kid": signer().public().kid, "typ": "a+jwt"}).to_string(),
            );
            assert!(
                trust()
                    .verify::<Value>(A, &format!("{header}.{payload}."))
                    .is_err(),
                "{alg}"
            );
        }
    }

    #[test]
    fn the_limit_of_a_kind_holds_to_the_byte_on_both_sides() {
        let payload = json!({"x": "y".repeat(100)});
        let jws = signer().sign(A, &payload).unwrap();
        let exact = DocumentKind {
            max_bytes: jws.len(),
            ..A
        };
        let small = DocumentKind {
            max_bytes: jws.len() - 1,
            ..A
        };
        assert_eq!(trust().verify::<Value>(exact, &jws).unwrap(), payload);
        assert_eq!(signer().sign(exact, &payload).unwrap(), jws);
        assert_eq!(
            trust().verify::<Value>(small, &jws),
            Err(JwsError::TooLarge(jws.len() - 1))
        );
        assert!(signer().sign(small, &payload).is_err());
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed_r_node_03(position in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_-]") {
            let jws = signer().sign(A, &json!({"tenant": "acme", "version": 7})).unwrap();
            let at = position.index(jws.len());
            prop_assume!(jws.as_bytes()[at] != replacement.as_bytes()[0]);
            let mut broken = jws.clone();
            broken.replace_range(at..=at, &replacement);
            prop_assert!(trust().verify::<Value>(A, &broken).is_err());
        }
    }
}
