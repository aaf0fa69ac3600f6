//! Enrolment: how a process becomes a node that the control plane knows, and how both know each other
//! from then on (R-NODE-01, R-NODE-02).
//!
//! A person with the right to it makes a [`JoinToken`] for one node name in one region and carries it to
//! the machine. The process makes a key of its own and asks once, over TLS that trusts only what the token
//! names; what it gets back is a certificate of at most a day. From then on both sides speak mutual TLS
//! under an authority that belongs to this installation and to nothing else.

use std::{fmt, str::FromStr};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    ids::NodeId,
    jws::{DocumentKind, JwsError, ReleaseSigner, TrustRoot},
    secret::is_well_formed,
    tenant::{Region, string_value},
};

/// What a connection is for that has no certificate yet (ALPN, RFC 7301).
pub const ENROL_ALPN: &[u8] = b"bailiwick-enrol/1";
/// What a connection is for that pushes releases; the server demands a certificate.
pub const PUSH_ALPN: &[u8] = b"bailiwick-push/1";
/// The name in the control plane's certificate. Addresses differ between networks, so the name is not one:
/// who holds a certificate for it under the installation's own authority is the control plane.
pub const CONTROL_PLANE_NAME: &str = "control-plane.bailiwick.internal";
/// Where a node asks for its first certificate (`POST`, [`EnrolRequest`] → [`EnrolAnswer`]).
pub const ENROL_PATH: &str = "/enrol";
/// Where a node opens its WebSocket.
pub const PUSH_PATH: &str = "/push";
/// Longest life of a node's certificate; it is renewed at half of it (R-NODE-01).
pub const CERTIFICATE_LIFE: TimeDelta = TimeDelta::hours(24);
/// Longest life of a join token (R-NODE-01).
pub const JOIN_LIFE: TimeDelta = TimeDelta::minutes(15);
/// Most bytes of a certificate or a request for one; ours have about 500.
pub const MAX_DER_BYTES: usize = 8 * 1024;
/// Most bytes of a request to enrol or its answer.
pub const MAX_ENROL_BYTES: usize = 64 * 1024;
/// Most authorities that are trusted at a time: one that signs, one that comes, some that go.
pub const MAX_AUTHORITIES: usize = 8;

/// What every join token begins with.
const JOIN_PREFIX: &str = "bwj_";

/// The signed list of authorities.
const AUTHORITIES: DocumentKind = DocumentKind {
    typ: "bailiwick-authorities+jwt",
    max_bytes: 128 * 1024,
};

/// A node's name, unique in the installation: 1–63 of `a-z`, `0-9` and `-`, as a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);
string_value!(NodeName);

impl FromStr for NodeName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let letters_ok = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(1..=63).contains(&text.len()) || !letters_ok {
            return Err(Invalid::new(
                "name",
                "must have 1 to 63 characters of a-z, 0-9 and hyphens",
            ));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(Invalid::new("name", "must not begin or end with a hyphen"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A certificate, or a request for one, in DER; base64 on the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Der(Vec<u8>);

impl Der {
    /// Wraps bytes that are believed to be DER; who uses them parses them.
    ///
    /// # Errors
    /// None, or more than [`MAX_DER_BYTES`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Invalid> {
        if bytes.is_empty() || bytes.len() > MAX_DER_BYTES {
            return Err(Invalid::new(
                "der",
                format!("must have 1 to {MAX_DER_BYTES} bytes"),
            ));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hexadecimal SHA-256 of the bytes: how a certificate is named in ledger and log.
    pub fn fingerprint(&self) -> String {
        crate::canonical::sha256_hex(&self.0)
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({})", self.fingerprint())
    }
}

impl TryFrom<String> for Der {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        // Four characters carry three bytes.
        if text.len() > MAX_DER_BYTES.div_ceil(3) * 4 {
            return Err(Invalid::new("der", "is too large"));
        }
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| Invalid::new("der", "must be base64"))?;
        Self::new(bytes)
    }
}

impl From<Der> for String {
    fn from(der: Der) -> String {
        STANDARD.encode(der.0)
    }
}

/// What a person carries to a machine that is to become a node: whom to ask, whom to believe while asking,
/// and a secret that is good once. Its text form begins with `bwj_`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinToken {
    /// `host:port` of the control plane's push address.
    pub address: String,
    /// The node's name.
    pub name: NodeName,
    /// Where it will stand.
    pub region: Region,
    /// The authorities one of which issued the control plane's certificate.
    pub authorities: Vec<Der>,
    /// The secret ([`crate::secret`]).
    pub secret: String,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("address", &self.address)
            .field("name", &self.name)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl JoinToken {
    /// The text form. It holds a secret.
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).expect("texts and lists of texts are JSON");
        format!("{JOIN_PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for JoinToken {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Its text is a secret, so no error quotes any of it.
        let refuse = || Invalid::new("join token", "is not one, or not all of it");
        let body = text.trim().strip_prefix(JOIN_PREFIX).ok_or_else(refuse)?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| refuse())?;
        let token: Self = serde_json::from_slice(&json).map_err(|_| refuse())?;
        let listed = (1..=MAX_AUTHORITIES).contains(&token.authorities.len());
        if !listed || !is_well_formed(&token.secret) {
            return Err(refuse());
        }
        Ok(token)
    }
}

/// A process asks to become a node.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The name the token was made for.
    pub name: NodeName,
    /// The region the token was made for.
    pub region: Region,
    /// The token's secret.
    pub secret: String,
    /// A certificate signing request (PKCS #10, RFC 2986) that proves a key of the node's own. Only the key
    /// in it counts: what else it asks for is ignored.
    pub csr: Der,
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest")
            .field("name", &self.name)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The process is a node now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolAnswer {
    /// Which one.
    pub node: NodeId,
    /// Its certificate.
    pub certificate: Der,
    /// Whom to believe on connections: signed [`Authorities`].
    pub authorities: String,
    /// Whose releases to believe.
    pub trust: TrustRoot,
}

/// The authorities that are trusted on connections between the planes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorities {
    /// Their certificates; at least one, at most [`MAX_AUTHORITIES`].
    pub certificates: Vec<Der>,
    /// When the list became what it is, the same whichever control plane signs it: a node never goes back to an
    /// older one.
    pub issued_at: DateTime<Utc>,
}

impl Authorities {
    /// Signs the list with the key that signs releases, so that a node need not believe the connection.
    ///
    /// # Errors
    /// No authority, or too many.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        self.check()?;
        signer.sign(AUTHORITIES, self)
    }

    /// Verifies a signed list.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        let list: Self = trust.verify(AUTHORITIES, jws)?;
        list.check()
            .map_err(|_| JwsError::Malformed("the number of authorities"))?;
        Ok(list)
    }

    fn check(&self) -> Result<(), Invalid> {
        if (1..=MAX_AUTHORITIES).contains(&self.certificates.len()) {
            return Ok(());
        }
        Err(Invalid::new(
            "authorities",
            format!("must be 1 to {MAX_AUTHORITIES}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::format_secret;

    fn token() -> JoinToken {
        JoinToken {
            address: "control.example:7200".into(),
            name: "eu-1".parse().unwrap(),
            region: "eu".parse().unwrap(),
            authorities: vec![Der::new(vec![0x30, 0x03]).unwrap()],
            secret: format_secret(&[5; 32]),
        }
    }

    #[test]
    fn a_join_token_survives_its_text_form_and_nothing_less() {
        let text = token().to_text();
        assert_eq!(format!("{text}\n").parse::<JoinToken>().unwrap(), token());
        for bad in [
            "",
            "bwj_",
            "bwk_x",
            &text[..text.len() - 4],
            &text.replace("bwj_", ""),
        ] {
            let error = bad.parse::<JoinToken>().unwrap_err().to_string();
            assert!(!error.contains("ey"), "{error}");
        }
        let without = JoinToken {
            authorities: Vec::new(),
            ..token()
        };
        assert!(without.to_text().parse::<JoinToken>().is_err());
        assert!(!format!("{:?}", token()).contains("bwk_"));
    }

    #[test]
    fn names_of_nodes() {
        for good in ["a", "eu-1", &"n".repeat(63)] {
            assert!(good.parse::<NodeName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", &"n".repeat(64)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn der_is_bounded_base64() {
        let der = Der::new(vec![1, 2, 3]).unwrap();
        assert_eq!(serde_json::to_string(&der).unwrap(), "\"AQID\"");
        assert!(Der::new(Vec::new()).is_err());
        assert!(Der::new(vec![0; MAX_DER_BYTES + 1]).is_err());
        assert!(Der::try_from("A".repeat(MAX_DER_BYTES * 2)).is_err());
        assert!(Der::try_from("not base64".to_owned()).is_err());
    }

    #[test]
    fn authorities_are_believed_when_signed_and_never_none() {
        let signer = ReleaseSigner::from_secret(&[3; 32]);
        let trust = TrustRoot {
            keys: vec![signer.public()],
        };
        let list = Authorities {
            certificates: token().authorities,
            issued_at: DateTime::UNIX_EPOCH,
        };
        let jws = list.sign(&signer).unwrap();
        assert_eq!(Authorities::verify(&jws, &trust).unwrap(), list);
        let other = ReleaseSigner::from_secret(&[4; 32]);
        let forged = list.sign(&other).unwrap();
        assert_eq!(
            Authorities::verify(&forged, &trust),
            Err(JwsError::UnknownKey)
        );
        let none = Authorities {
            certificates: Vec::new(),
            ..list
        };
        assert!(none.sign(&signer).is_err());
    }
}
