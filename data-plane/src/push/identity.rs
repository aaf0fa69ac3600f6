//! Who this node is to its control plane: a certificate with its key, and whom to believe; sealed on disk.
//!
//! The key is made here and never leaves (R-NODE-01): what travels is a request that proves it. What is
//! read back is verified again, so that the rest of the node holds no identity it could not have believed.
//! It must never be used before it was written: a node that lost its only certificate in a crash would
//! have to be joined anew by a person.

use std::{fmt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use contract::{
    enrolment::{Authorities, Der, NodeName, PUSH_ALPN},
    ids::NodeId,
    jws::TrustRoot,
    tenant::Region,
};
use host::{
    Clock, Entropy, HostPort, Kek, SealedFile, SealedFileError,
    statement::StatementError,
    wire::{Client, Identity, WireError},
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use super::lane::LaneKey;

/// Its name in the node's directory.
const FILE: &str = "identity";

/// Why the identity on disk cannot be used. One line, fit to be printed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file.
    #[error(transparent)]
    File(#[from] SealedFileError),
    /// It opens, and its content is not an identity.
    #[error("the node's identity cannot be used: {0}")]
    Content(&'static str),
}

/// Why a certificate is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// No X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Not for the key the request was made with.
    #[error("the certificate is for another key")]
    OtherKey,
    /// It would prove nothing to anybody.
    #[error("the certificate has ended already")]
    Ended,
}

/// Who a node is. Clones share nothing; the key is wiped with each.
#[derive(Clone)]
pub struct NodeIdentity {
    /// Its id, chosen by the control plane.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Where it stands.
    pub region: Region,
    /// Where the control plane was when it enrolled.
    pub address: HostPort,
    /// Whose releases it believes.
    pub trust: TrustRoot,
    /// What it proves itself with.
    pub(super) certified: Certified,
    /// Whom it believes on connections.
    pub(super) believed: Believed,
    /// Whether the control plane said that it is revoked.
    pub(super) revoked: bool,
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeIdentity")
            .field("node", &self.node)
            .field("name", &self.name)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A certificate with its key.
#[derive(Clone)]
pub(super) struct Certified {
    certificate: Der,
    key: Zeroizing<Vec<u8>>,
    starts: DateTime<Utc>,
    ends: DateTime<Utc>,
}

/// A list of authorities whose signature holds.
#[derive(Clone)]
pub(super) struct Believed {
    jws: String,
    pub(super) list: Authorities,
}

impl NodeIdentity {
    /// Its certificate.
    pub fn certificate(&self) -> &Der {
        &self.certified.certificate
    }

    /// The authorities it believes on connections.
    pub fn authorities(&self) -> &[Der] {
        &self.believed.list.certificates
    }

    /// When its certificate ends.
    pub fn certificate_ends_at(&self) -> DateTime<Utc> {
        self.certified.ends
    }

    /// Whether the control plane said that this node is revoked; nothing takes that back.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// When its certificate should be renewed: at half of its life.
    pub(super) fn renew_at(&self) -> DateTime<Utc> {
        let Certified { starts, ends, .. } = self.certified;
        starts + (ends - starts) / 2
    }

    /// How it connects: with its certificate, believing its authorities.
    ///
    /// # Errors
    /// Certificate, key or an authority cannot be used.
    pub(super) fn client(&self, clock: &Clock) -> Result<Client, WireError> {
        let Certified {
            certificate, key, ..
        } = &self.certified;
        let identity = Identity::new(certificate.as_bytes().to_vec(), key.clone());
        let roots = roots(self.authorities());
        Client::new(Some(&identity), &roots, PUSH_ALPN, clock)
    }
}

impl NodeIdentity {
    /// The key that signs what the node states: the one of its certificate.
    ///
    /// # Errors
    /// The key cannot be used.
    pub(super) fn lane_key(&self) -> Result<LaneKey, StatementError> {
        LaneKey::of_certificate(&self.certified.key)
    }
}

impl Believed {
    /// A list that is signed by whom the node believes.
    ///
    /// # Errors
    /// See [`contract::jws::JwsError`].
    pub(super) fn verify(jws: String, trust: &TrustRoot) -> Result<Self, contract::jws::JwsError> {
        let list = Authorities::verify(&jws, trust)?;
        Ok(Self { jws, list })
    }

    /// Whether both name the same authorities, in whatever order.
    pub(super) fn names_the_same(&self, other: &Self) -> bool {
        let within = |these: &[Der], those: &[Der]| these.iter().all(|der| those.contains(der));
        let (ours, theirs) = (&self.list.certificates, &other.list.certificates);
        within(ours, theirs) && within(theirs, ours)
    }

    /// What to believe once `self` came after `held`: the newer list. An older one is no harm if it names
    /// the same, and otherwise nothing to believe: whoever replays it wants an authority back that was
    /// left behind.
    pub(super) fn after(self, held: &Self) -> Option<Self> {
        if self.list.issued_at > held.list.issued_at {
            return Some(self);
        }
        self.names_the_same(held).then(|| held.clone())
    }
}

/// Certificates as the wire takes them.
pub(super) fn roots(certificates: &[Der]) -> Vec<Vec<u8>> {
    let bytes = certificates.iter().map(|der| der.as_bytes().to_vec());
    bytes.collect()
}

/// A key of the node's own, before somebody certified it.
pub(super) struct NodeKey(KeyPair);

impl NodeKey {
    /// Makes one, for ECDSA with P-256. `rcgen` draws from the operating system itself and cannot be given
    /// [`Entropy`].
    pub(super) fn make() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        Self(key.expect("the operating system supplies randomness"))
    }

    /// The request for a certificate. It names nobody: only the key in it counts.
    pub(super) fn request(&self) -> Der {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0);
        let request = request.expect("a request that asks for nothing can be written");
        Der::new(request.der().to_vec()).expect("a request for a small key is small")
    }

    /// Takes the certificate that was made for this key.
    ///
    /// # Errors
    /// See [`NotOurs`].
    pub(super) fn certified(
        &self,
        certificate: Der,
        now: DateTime<Utc>,
    ) -> Result<Certified, NotOurs> {
        let Said { key, starts, ends } = Said::by(&certificate)?;
        if key != self.0.subject_public_key_info() {
            return Err(NotOurs::OtherKey);
        }
        if ends <= now {
            return Err(NotOurs::Ended);
        }
        Ok(Certified {
            certificate,
            key: Zeroizing::new(self.0.serialize_der()),
            starts,
            ends,
        })
    }
}

/// What a certificate says.
struct Said {
    /// The key it is for: a `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
    key: Vec<u8>,
    starts: DateTime<Utc>,
    ends: DateTime<Utc>,
}

impl Said {
    fn by(certificate: &Der) -> Result<Self, NotOurs> {
        let Ok(([], parsed)) = parse_x509_certificate(certificate.as_bytes()) else {
            return Err(NotOurs::Unreadable);
        };
        let validity = parsed.validity();
        let time = |at: i64| DateTime::from_timestamp(at, 0).ok_or(NotOurs::Unreadable);
        Ok(Self {
            key: parsed.public_key().raw.to_vec(),
            starts: time(validity.not_before.timestamp())?,
            ends: time(validity.not_after.timestamp())?,
        })
    }
}

/// Where a node keeps its identity. Clones name the same file.
#[derive(Clone, Debug)]
pub struct IdentityFile {
    file: SealedFile,
    entropy: Entropy,
}

impl IdentityFile {
    /// Names the file in the node's directory; touches nothing yet.
    pub fn new(node_dir: &Path, kek: &Kek, entropy: Entropy) -> Self {
        let key = kek.key("bailiwick/node/identity");
        Self {
            file: SealedFile::new(node_dir.join(FILE), "node identity", key),
            entropy,
        }
    }

    /// The identity, or `None` on a machine that was never joined.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn read(&self) -> Result<Option<NodeIdentity>, IdentityError> {
        let bytes = match self.file.read() {
            Ok(bytes) => bytes,
            Err(SealedFileError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stored: Stored = serde_json::from_slice(&bytes)
            .map_err(|_| IdentityError::Content("another version of this software wrote it"))?;
        stored.open().map(Some).map_err(IdentityError::Content)
    }

    /// Replaces the identity, durably.
    ///
    /// # Errors
    /// The file cannot be written; the previous one is still there then.
    pub fn write(&self, identity: &NodeIdentity) -> Result<(), IdentityError> {
        let json = serde_json::to_vec(&Stored::from(identity));
        let json = Zeroizing::new(json.expect("texts and lists of texts are JSON"));
        Ok(self.file.write(&self.entropy, &json)?)
    }
}

/// An identity as it lies on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    node: NodeId,
    name: NodeName,
    region: Region,
    address: String,
    certificate: Der,
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    key: Zeroizing<Vec<u8>>,
    authorities: String,
    trust: TrustRoot,
    #[serde(default)]
    revoked: bool,
}

impl Stored {
    fn open(self) -> Result<NodeIdentity, &'static str> {
        let Said { starts, ends, .. } =
            Said::by(&self.certificate).map_err(|_| "its certificate")?;
        let believed = Believed::verify(self.authorities, &self.trust);
        Ok(NodeIdentity {
            node: self.node,
            name: self.name,
            region: self.region,
            address: self.address.parse().map_err(|_| "its address")?,
            certified: Certified {
                certificate: self.certificate,
                key: self.key,
                starts,
                ends,
            },
            believed: believed.map_err(|_| "its authorities")?,
            trust: self.trust,
            revoked: self.revoked,
        })
    }
}

impl From<&NodeIdentity> for Stored {
    fn from(identity: &NodeIdentity) -> Self {
        Self {
            node: identity.node,
            name: identity.name.clone(),
            region: identity.region.clone(),
            address: identity.address.to_string(),
            certificate: identity.certified.certificate.clone(),
            key: identity.certified.key.clone(),
            authorities: identity.believed.jws.clone(),
            trust: identity.trust.clone(),
            revoked: identity.revoked,
        }
    }
}

fn write_key<S: Serializer>(key: &Zeroizing<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&Zeroizing::new(STANDARD.encode(key.as_slice())))
}

fn read_key<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    let text = Zeroizing::new(String::deserialize(from)?);
    let key = STANDARD.decode(text.as_bytes());
    key.map(Zeroizing::new)
        .map_err(|_| D::Error::custom("a key must be base64"))
}
