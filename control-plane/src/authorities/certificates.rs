//! What an authority signs, in X.509 (RFC 5280): itself, nodes, and the control plane.
//!
//! A certificate says as little as it can: whose it is, for which side of a connection, until when. A node's
//! can therefore not pose as the control plane, nor the reverse. Of a certificate signing request only the key
//! is taken. Everything here is a pure function of its values, but for the keys, which the library draws.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    Invalid,
    canonical::sha256_hex,
    enrolment::{CERTIFICATE_LIFE, CONTROL_PLANE_NAME, Der},
    ids::NodeId,
};
use host::wire::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData, SanType,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Refusal;

/// How far clocks of the two planes may be apart.
pub(super) const SKEW: TimeDelta = TimeDelta::minutes(5);
/// How long an authority can be used.
pub(super) const AUTHORITY_LIFE: TimeDelta = TimeDelta::days(2 * 365);

/// Bytes of a P-256 point, uncompressed (SEC 1 section 2.3.3).
const POINT_BYTES: usize = 65;

/// A new authority.
pub(super) struct Made {
    /// Its certificate, signed by itself.
    pub(super) certificate: Der,
    /// Its key in PKCS #8.
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// A certificate that was signed.
#[derive(Debug)]
pub(crate) struct Issued {
    /// It.
    pub(crate) certificate: Der,
    /// Its end.
    pub(crate) ends_at: DateTime<Utc>,
}

/// An authority that can sign.
pub(crate) struct Signer {
    issuer: Issuer<'static, KeyPair>,
    ends_at: DateTime<Utc>,
}

/// The key of a node, which it proved to hold.
pub(crate) struct NodeKey(PublicKey);

impl NodeKey {
    /// Takes the key out of a certificate signing request, whatever else it asks for.
    ///
    /// # Errors
    /// It is no such request, is not signed with the key in it, or the key is not ECDSA on P-256.
    pub(crate) fn of(csr: &Der) -> Result<Self, Invalid> {
        let refuse = |reason: &str| Invalid::new("csr", reason);
        let parsed = CertificateSigningRequestParams::from_der(&csr.as_bytes().into())
            .map_err(|_| refuse("must be a certificate signing request in DER"))?;
        let key = parsed.public_key;
        // The algorithm is that of the signature, which another curve's key can make as well.
        let is_p256 = key.algorithm() == &PKCS_ECDSA_P256_SHA256;
        if !is_p256 || key.der_bytes().len() != POINT_BYTES {
            return Err(refuse("must be for an ECDSA key on P-256"));
        }
        Ok(Self(key))
    }

    /// Lower-case hexadecimal SHA-256 of the key (SubjectPublicKeyInfo).
    pub(crate) fn sha256(&self) -> String {
        sha256_hex(&self.0.subject_public_key_info())
    }
}

/// Makes an authority. `id` tells its name from that of others.
pub(super) fn authority(id: &Uuid, at: DateTime<Utc>) -> Result<Made, Refusal> {
    let key = KeyPair::generate().map_err(Refusal::internal)?;
    let from = whole_seconds(at);
    let mut params = params(
        &format!("Bailiwick authority {id}"),
        from - SKEW,
        from + AUTHORITY_LIFE,
    );
    // It certifies ends of connections and no further authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).map_err(Refusal::internal)?;
    Ok(Made {
        certificate: der(&certificate)?,
        key: Zeroizing::new(key.serialize_der()),
    })
}

impl Signer {
    /// An authority from its certificate and its key in PKCS #8.
    pub(super) fn open(
        certificate: &Der,
        key: &[u8],
        ends_at: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let key = KeyPair::try_from(key).map_err(Refusal::internal)?;
        let issuer = Issuer::from_ca_cert_der(&certificate.as_bytes().into(), key)
            .map_err(Refusal::internal)?;
        Ok(Self { issuer, ends_at })
    }

    /// The end of the authority itself.
    pub(super) fn ends_at(&self) -> DateTime<Utc> {
        self.ends_at
    }

    /// Certifies that a key is a node's.
    pub(crate) fn certify(
        &self,
        node: NodeId,
        key: &NodeKey,
        now: DateTime<Utc>,
    ) -> Result<Issued, Refusal> {
        let uri = format!("bailiwick://node/{node}");
        let name = SanType::URI(uri.try_into().map_err(Refusal::internal)?);
        let subject = node.to_string();
        self.sign(
            (subject.as_str(), name, ExtendedKeyUsagePurpose::ClientAuth),
            &key.0,
            now,
        )
    }

    /// Certifies the control plane, with a key that exists only in what is returned.
    pub(super) fn certify_control_plane(
        &self,
        now: DateTime<Utc>,
    ) -> Result<(Identity, DateTime<Utc>), Refusal> {
        let key = KeyPair::generate().map_err(Refusal::internal)?;
        let name = CONTROL_PLANE_NAME.try_into().map_err(Refusal::internal)?;
        let server = (
            "Bailiwick control plane",
            SanType::DnsName(name),
            ExtendedKeyUsagePurpose::ServerAuth,
        );
        let issued = self.sign(server, &key, now)?;
        let certificate = issued.certificate.as_bytes().to_vec();
        let key = Zeroizing::new(key.serialize_der());
        Ok((Identity::new(certificate, key), issued.ends_at))
    }

    /// Signs a certificate for one side of connections. From first to last moment it is good for
    /// [`CERTIFICATE_LIFE`]; it begins a little in the past, for clocks that are behind ours.
    fn sign(
        &self,
        (subject, name, side): (&str, SanType, ExtendedKeyUsagePurpose),
        key: &impl PublicKeyData,
        now: DateTime<Utc>,
    ) -> Result<Issued, Refusal> {
        let from = whole_seconds(now) - SKEW;
        let ends_at = (from + CERTIFICATE_LIFE).min(self.ends_at);
        let mut params = params(subject, from, ends_at);
        params.subject_alt_names = vec![name];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![side];
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(key, &self.issuer)
            .map_err(Refusal::internal)?;
        Ok(Issued {
            certificate: der(&certificate)?,
            ends_at,
        })
    }
}

/// A certificate knows no fractions of a second.
pub(super) fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).expect("a moment without its fraction is a moment")
}

fn params(subject: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> CertificateParams {
    let moment = |at: DateTime<Utc>| {
        let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    let mut params = CertificateParams::default();
    params.not_before = moment(from);
    params.not_after = moment(to);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

fn der(certificate: &rcgen::Certificate) -> Result<Der, Refusal> {
    Der::new(certificate.der().to_vec()).map_err(Refusal::internal)
}

#[cfg(test)]
mod tests;
