//! Signed statements: what a process says under a key that a certificate may vouch for, as a compact JWS (RFC 7515)
//! with ES256 (RFC 7518 section 3.4).
//!
//! The key never comes from the statement: whoever verifies names it, and takes it from a certificate whose issuer
//! they checked, or from where they saw it proven. One algorithm, and a type of its own per kind of statement
//! (RFC 8725 sections 3.1 and 3.11).

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        UnparsedPublicKey,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, Utc};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// Bytes of a coordinate of P-256.
const COORDINATE: usize = 32;
/// Far above any statement of ours.
const MAX_BYTES: usize = 16 * 1024;

/// Why a statement is not made or not believed. Nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The key cannot be used.
    #[error("the key cannot be used")]
    Key,
    /// The certificate cannot be read, or its key is of another kind.
    #[error("the certificate cannot be read")]
    Certificate,
    /// None of the authorities vouches for the certificate at that time.
    #[error("the certificate is not vouched for: {0}")]
    NotVouchedFor(String),
    /// Not a statement of this kind.
    #[error("the statement cannot be read")]
    Malformed,
    /// The signature is not of this key over this content.
    #[error("the statement's signature does not match")]
    Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
}

/// A key that signs statements.
pub struct StatementKey(EcdsaKeyPair);

impl fmt::Debug for StatementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementKey")
    }
}

impl StatementKey {
    /// A new key, for a process that nobody certified.
    ///
    /// # Errors
    /// [`StatementError::Key`] if the system has no randomness.
    pub fn generate() -> Result<Self, StatementError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(Self)
            .map_err(|_| StatementError::Key)
    }

    /// The key of a certificate, in PKCS #8.
    ///
    /// # Errors
    /// [`StatementError::Key`] for one of another kind.
    pub fn from_pkcs8(key: &[u8]) -> Result<Self, StatementError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key)
            .map(Self)
            .map_err(|_| StatementError::Key)
    }

    /// What verifies its statements.
    pub fn public(&self) -> PublicPoint {
        PublicPoint(self.0.public_key().as_ref().to_vec())
    }

    /// Signs `payload`, JSON, as a statement of this kind.
    ///
    /// # Errors
    /// [`StatementError::Key`].
    pub fn sign(&self, typ: &str, payload: &[u8]) -> Result<String, StatementError> {
        let header = serde_json::json!({ "alg": "ES256", "typ": typ }).to_string();
        let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes());
        let signature = signature.map_err(|_| StatementError::Key)?;
        Ok(format!("{input}.{}", B64.encode(signature)))
    }
}

/// A point of P-256: the public half of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicPoint(Vec<u8>);

impl fmt::Debug for PublicPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicPoint({})", B64.encode(&self.0))
    }
}

impl PublicPoint {
    /// The point with these coordinates, each in base64url without padding, as a JWK writes them (RFC 7518 section
    /// 6.2.1). Whether it lies on the curve shows when it is used.
    ///
    /// # Errors
    /// [`StatementError::Key`] for anything but two times 32 bytes.
    pub fn from_coordinates(x: &str, y: &str) -> Result<Self, StatementError> {
        let mut point = vec![4];
        for coordinate in [x, y] {
            let bytes = B64.decode(coordinate).map_err(|_| StatementError::Key)?;
            if bytes.len() != COORDINATE {
                return Err(StatementError::Key);
            }
            point.extend(bytes);
        }
        Ok(Self(point))
    }

    /// The coordinates, in base64url without padding.
    pub fn coordinates(&self) -> (String, String) {
        let (x, y) = self.0[1..].split_at(COORDINATE);
        (B64.encode(x), B64.encode(y))
    }

    /// The key of a certificate in DER. Whether anybody vouches for the certificate is another question:
    /// [`check_certificate`].
    ///
    /// # Errors
    /// [`StatementError::Certificate`].
    pub fn of_certificate(certificate: &[u8]) -> Result<Self, StatementError> {
        let (_, read) =
            parse_x509_certificate(certificate).map_err(|_| StatementError::Certificate)?;
        let point = read.public_key().subject_public_key.data.to_vec();
        let uncompressed = point.first() == Some(&4) && point.len() == 1 + 2 * COORDINATE;
        uncompressed
            .then_some(Self(point))
            .ok_or(StatementError::Certificate)
    }
}

/// Verifies a statement of this kind by this key, and returns its payload.
///
/// # Errors
/// [`StatementError::Malformed`], [`StatementError::Signature`].
pub fn verify(typ: &str, statement: &str, key: &PublicPoint) -> Result<Vec<u8>, StatementError> {
    let malformed = StatementError::Malformed;
    if statement.len() > MAX_BYTES {
        return Err(malformed);
    }
    let decode = |part: &str| B64.decode(part).map_err(|_| StatementError::Malformed);
    let (input, signature) = statement.rsplit_once('.').ok_or(malformed.clone())?;
    let (header, payload) = input.split_once('.').ok_or(malformed.clone())?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed.clone())?;
    if header.alg != "ES256" || header.typ != typ {
        return Err(malformed);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.0)
        .verify(input.as_bytes(), &decode(signature)?)
        .map_err(|_| StatementError::Signature)?;
    decode(payload)
}

/// Checks that one of `authorities` vouches for a client's certificate at a time, all in DER.
///
/// # Errors
/// [`StatementError::NotVouchedFor`].
pub fn check_certificate(
    certificate: &[u8],
    authorities: &[Vec<u8>],
    at: DateTime<Utc>,
) -> Result<(), StatementError> {
    let refuse = |why: String| StatementError::NotVouchedFor(why);
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let authority = CertificateDer::from(authority.clone());
        roots
            .add(authority)
            .map_err(|error| refuse(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    let seconds = u64::try_from(at.timestamp()).map_err(|_| refuse("no such time".to_owned()))?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_client_cert(&CertificateDer::from(certificate), &[], at)
        .map(drop)
        .map_err(|error| refuse(error.to_string()))
}

/// The URIs that a certificate in DER names its holder by (RFC 5280 section 4.2.1.6).
///
/// # Errors
/// [`StatementError::Certificate`].
pub fn uris_of(certificate: &[u8]) -> Result<Vec<String>, StatementError> {
    let (_, read) = parse_x509_certificate(certificate).map_err(|_| StatementError::Certificate)?;
    let names = read
        .subject_alternative_name()
        .map_err(|_| StatementError::Certificate)?;
    let uris = names.iter().flat_map(|names| &names.value.general_names);
    Ok(uris
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
        KeyPair, SanType,
    };

    use super::*;

    const TYP: &str = "test+jwt";

    #[test]
    fn a_statement_is_of_one_key_one_kind_and_one_content() {
        let key = StatementKey::generate().unwrap();
        let statement = key.sign(TYP, b"{\"a\":1}").unwrap();
        assert_eq!(
            verify(TYP, &statement, &key.public()).unwrap(),
            b"{\"a\":1}"
        );
        let (x, y) = key.public().coordinates();
        assert_eq!(PublicPoint::from_coordinates(&x, &y).unwrap(), key.public());
        assert!(verify("other+jwt", &statement, &key.public()).is_err());
        let other = StatementKey::generate().unwrap().public();
        assert_eq!(
            verify(TYP, &statement, &other),
            Err(StatementError::Signature)
        );
        for position in 0..statement.len() {
            let mut bytes = statement.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(TYP, &changed, &key.public()).is_err(), "{position}");
        }
        for bad in ["", ".", "..", "a.b.c"] {
            assert!(verify(TYP, bad, &key.public()).is_err(), "{bad}");
        }
        assert!(PublicPoint::from_coordinates(&x, "AA").is_err());
    }

    #[test]
    fn a_certificate_is_vouched_for_by_its_authority_and_in_its_time() {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, theirs) = (authority("ours"), authority("theirs"));
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI("bailiwick://node/x".try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key, &ours).unwrap();
        let now = crate::Clock::system().now();
        let ours = vec![ours.der().to_vec()];
        assert_eq!(check_certificate(leaf.der(), &ours, now), Ok(()));
        assert_eq!(uris_of(leaf.der()).unwrap(), ["bailiwick://node/x"]);
        assert!(check_certificate(leaf.der(), &[theirs.der().to_vec()], now).is_err());
        assert!(check_certificate(leaf.der(), &[], now).is_err());
        let much_later = now + TimeDelta::days(365 * 3000);
        assert!(check_certificate(leaf.der(), &ours, much_later).is_err());
        let signer = StatementKey::from_pkcs8(&key.serialize_der()).unwrap();
        let statement = signer.sign(TYP, b"{}").unwrap();
        let point = PublicPoint::of_certificate(leaf.der()).unwrap();
        assert_eq!(verify(TYP, &statement, &point).unwrap(), b"{}");
    }
}
