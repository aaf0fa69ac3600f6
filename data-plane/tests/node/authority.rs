//! What issues certificates, and what is said about it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::{
    enrolment::{Authorities, CERTIFICATE_LIFE, CONTROL_PLANE_NAME, Der},
    jws::ReleaseSigner,
};
use host::wire::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, date_time_ymd,
};
use zeroize::Zeroizing;

/// Something that issues certificates.
pub struct Authority {
    pub certificate: Der,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: Der::new(certificate.der().to_vec()).unwrap(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The control plane's own certificate, for a day.
    pub fn server(&self, now: DateTime<Utc>) -> Identity {
        let mut params = CertificateParams::new([CONTROL_PLANE_NAME.to_owned()]).unwrap();
        live(&mut params, now);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = Zeroizing::new(key.serialize_der());
        Identity::new(certificate.der().to_vec(), key)
    }

    /// A node's certificate, for a day.
    pub fn certify(&self, csr: &Der, now: DateTime<Utc>) -> Der {
        let mut request =
            CertificateSigningRequestParams::from_der(&csr.as_bytes().into()).unwrap();
        live(&mut request.params, now);
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = request.signed_by(&self.issuer).unwrap();
        Der::new(certificate.der().to_vec()).unwrap()
    }
}

fn live(params: &mut CertificateParams, now: DateTime<Utc>) {
    let at = |time: DateTime<Utc>| {
        let seconds = u64::try_from(time.timestamp()).unwrap();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(now);
    params.not_after = at(now + CERTIFICATE_LIFE);
}

/// A list of authorities, signed as the control plane does.
pub fn signed(signer: &ReleaseSigner, every: &[&Authority], issued_at: DateTime<Utc>) -> String {
    let list = Authorities {
        certificates: every
            .iter()
            .map(|authority| authority.certificate.clone())
            .collect(),
        issued_at,
    };
    list.sign(signer).unwrap()
}

/// A request for a certificate with a key that no node of ours has.
pub fn request_of_somebody() -> Der {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key);
    Der::new(request.unwrap().der().to_vec()).unwrap()
}
