//! Push frames: what the control plane and a node say to each other, whatever carries them.
//!
//! A frame is one JSON text. The conversation is level-triggered: a node says what it holds, the control
//! plane says what it should hold and sends what is missing, and both repeat that on every connect, so a
//! lost frame costs time and never truth (design section 5). Nothing in a frame is believed because of
//! how it arrived: manifests and indexes carry their own signatures.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    application::SigningAlgorithm,
    containment::Subject,
    enrolment::Der,
    ids::{CommandId, NodeId, TenantId, UserId},
    index::{Bucket, BucketHashes, Entries},
    jwk::PublicJwk,
    receipt::Impact,
    section::ContentHash,
    tenant::Region,
    traffic::Measured,
};

/// Most bytes of a greeting: the names of 256 buckets take 20 KiB, whatever a node holds.
pub const MAX_GREETING_BYTES: usize = 64 * 1024;
/// Most bytes of any frame of a node. The largest is what it holds of one bucket, which is at most
/// [`crate::index::MAX_BUCKET_BYTES`] and a few words around it.
pub const MAX_UP_BYTES: usize = 1024 * 1024;
/// Tenants whose keys are asked for in one frame.
pub const MAX_ASKED: usize = 1_000;
/// Keys that one report may hold: two algorithms, a few generations of each.
pub const MAX_KEYS: usize = 16;
/// Tenants that one [`Down::Measure`] asks about, and one [`Up::Measured`] tells of.
pub const MAX_MEASURED: usize = 500;
/// Longest id of a key, in bytes.
const MAX_KID_BYTES: usize = 64;

/// Control plane to node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum Down {
    /// What the region's nodes should hold: a signed [`crate::index::RegionIndex`].
    Index {
        /// The compact JWS.
        jws: String,
    },
    /// What an index names; sent beside it for buckets whose content the node cannot know. Its name is its
    /// hash, so it says nothing until an index names it.
    Bucket {
        /// Which one.
        bucket: Bucket,
        /// The document ([`crate::index::document`]).
        body: String,
    },
    /// Asks for an [`Up::Holds`] of each of these buckets, because their names differ.
    Compare {
        /// Which ones.
        buckets: Vec<Bucket>,
    },
    /// Asks for an [`Up::Keys`] of each of these tenants that the node serves, because nobody reported theirs.
    AskKeys {
        /// Whose, at most [`MAX_ASKED`].
        tenants: Vec<TenantId>,
    },
    /// Asks for an [`Up::Manifest`] of each of these tenants: the node says it holds a version that is not known here.
    AskManifests {
        /// Whose, at most [`MAX_ASKED`].
        tenants: Vec<TenantId>,
    },
    /// A section's content; sent before the release that needs it.
    Section {
        /// Its name by content.
        hash: ContentHash,
        /// The canonical JSON.
        body: String,
    },
    /// A version to apply: a signed [`crate::manifest::Manifest`].
    Release {
        /// The tenant the sender means; must equal the manifest's.
        tenant: TenantId,
        /// The compact JWS.
        manifest: String,
    },
    /// Work on a tenant's users, on behalf of a named operator.
    Command {
        /// Links the answer.
        id: CommandId,
        /// Whose users.
        tenant: TenantId,
        /// What to do.
        command: Command,
    },
    /// Whom to believe on connections from now on: signed [`crate::enrolment::Authorities`].
    Authorities {
        /// The compact JWS.
        jws: String,
    },
    /// The answer to [`Up::Renew`].
    Certificate {
        /// The new certificate; the next connection uses it.
        certificate: Der,
    },
    /// Asks for an [`Up::Measured`]: how these tenants fare on the node.
    Measure {
        /// Whose, at most [`MAX_MEASURED`].
        tenants: Vec<TenantId>,
    },
    /// Asks for a [`Up::Pong`].
    Ping {
        /// Returned unchanged.
        nonce: u64,
    },
}

/// Node to control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum Up {
    /// First frame of every connection.
    Hello {
        /// Who speaks.
        node: NodeId,
        /// Where it stands.
        region: Region,
        /// Its software version.
        version: String,
        /// The names of what it serves now.
        buckets: BucketHashes,
    },
    /// The answer to [`Down::Compare`]: what the node serves of one bucket.
    Holds {
        /// Which one.
        bucket: Bucket,
        /// All of it; nothing, if it serves nothing of it.
        holds: Entries,
    },
    /// The answer to [`Down::AskManifests`]: proof of which version the node holds.
    Manifest {
        /// The tenant.
        tenant: TenantId,
        /// The compact JWS that the node was once sent.
        manifest: String,
    },
    /// What became of a release.
    Ack {
        /// The tenant.
        tenant: TenantId,
        /// The version.
        version: u64,
        /// What the node did with it.
        outcome: Outcome,
    },
    /// The public keys that sign a tenant's tokens; private parts never leave the region (R-KEY-03).
    Keys {
        /// The tenant.
        tenant: TenantId,
        /// All of its keys: at least one, at most [`MAX_KEYS`], each with an id of its own.
        keys: Vec<PublicKey>,
    },
    /// The answer to a command.
    CommandResult {
        /// Which command.
        id: CommandId,
        /// What became of it.
        outcome: CommandOutcome,
    },
    /// Asks for a new certificate before the present one ends.
    Renew {
        /// A certificate signing request for a key that was never used before.
        csr: Der,
    },
    /// The answer to [`Down::Measure`]; a tenant that the node does not serve is left out.
    Measured {
        /// One per tenant.
        tenants: Vec<Measured>,
    },
    /// The answer to a ping.
    Pong {
        /// From the ping.
        nonce: u64,
    },
}

/// What a node did with a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Verified, swapped in and sealed to disk.
    Applied,
    /// Refused; the last good version still serves.
    Rejected {
        /// Why, in words, without personal data.
        reason: String,
    },
}

/// A public key that signs a tenant's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReadPublicKey")]
pub struct PublicKey {
    /// Its id in the JWKS.
    pub kid: String,
    /// Its algorithm, the one of its material.
    pub alg: SigningAlgorithm,
    /// Its material; there is no room in it for a private member.
    pub jwk: PublicJwk,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl PublicKey {
    /// The key as a member of a JWK Set (RFC 7517 section 5): its material with `kid`, `alg` and `use`.
    pub fn to_jwk(&self) -> serde_json::Value {
        let mut jwk = serde_json::to_value(&self.jwk).expect("an object of texts is JSON");
        jwk["kid"] = self.kid.as_str().into();
        jwk["alg"] = self.alg.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }
}

/// A [`PublicKey`] as it was sent, before its parts are compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadPublicKey {
    kid: String,
    alg: SigningAlgorithm,
    jwk: PublicJwk,
    created_at: DateTime<Utc>,
}

impl TryFrom<ReadPublicKey> for PublicKey {
    type Error = Invalid;
    fn try_from(read: ReadPublicKey) -> Result<Self, Invalid> {
        let printable = read.kid.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || !(1..=MAX_KID_BYTES).contains(&read.kid.len()) {
            return Err(Invalid::new("kid", "must be a short word of ASCII"));
        }
        if read.jwk.algorithm() != read.alg {
            return Err(Invalid::new("alg", "is not an algorithm of the key's kind"));
        }
        Ok(Self {
            kid: read.kid,
            alg: read.alg,
            jwk: read.jwk,
            created_at: read.created_at,
        })
    }
}

/// Work on a tenant's users. Personal data in it crosses in transit and is stored only in the region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Makes an invitation: a one-time link with which a person sets a password and thereby becomes the
    /// user `user`. Repeating it for the same user voids the earlier link.
    InviteUser {
        /// The id the account will have.
        user: UserId,
        /// The person's address.
        email: String,
        /// The person's name.
        name: String,
        /// Who invites, as shown to the person.
        inviter: String,
        /// What the person is invited to be, as shown to them: `Tenant owner of Acme`.
        purpose: String,
        /// When the link ends.
        expires_at: DateTime<Utc>,
        /// Whether the link goes out by mail or back to the caller.
        delivery: Delivery,
    },
    /// Counts what containing the subject would hit.
    CountContained {
        /// What would be contained.
        subject: Subject,
    },
}

/// How a one-time link reaches its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// By mail from the region.
    Mail,
    /// In the command's result, for someone who already proved authority (first operator's setup).
    Return,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandOutcome {
    /// Done.
    Done,
    /// Done; the link was asked for.
    Link {
        /// The one-time link. Never logged.
        url: String,
    },
    /// What would be hit.
    Counted {
        /// The counts.
        impact: Impact,
    },
    /// Not done.
    Failed {
        /// Why, in words, without personal data.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        ids::TypedId,
        index::{self, IndexEntry},
    };

    #[test]
    fn frames_round_trip_and_refuse_unknown_members() {
        let frame = Up::Ack {
            tenant: TenantId::from_uuid(Uuid::from_u128(5)),
            version: 3,
            outcome: Outcome::Rejected {
                reason: "section apis is missing".into(),
            },
        };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(serde_json::from_str::<Up>(&text).unwrap(), frame);
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["extra"] = 1.into();
        assert!(serde_json::from_value::<Up>(value).is_err());
        assert!(serde_json::from_str::<Down>(r#"{"frame":"shutdown"}"#).is_err());
    }

    #[test]
    fn the_fullest_greeting_and_the_fullest_bucket_fit_into_their_frames() {
        let hash = ContentHash::of(b"content");
        let hello = Up::Hello {
            node: NodeId::from_uuid(Uuid::from_u128(1)),
            region: "local".parse().unwrap(),
            version: "v".repeat(1000),
            buckets: Bucket::all().map(|one| (one, hash.clone())).collect(),
        };
        let text = serde_json::to_string(&hello).unwrap();
        assert!(text.len() < MAX_GREETING_BYTES / 2, "{}", text.len());
        assert_eq!(serde_json::from_str::<Up>(&text).unwrap(), hello);

        let entry = IndexEntry {
            version: u64::MAX,
            manifest: hash,
        };
        let tenants = (0..7_000_u128).map(|n| TenantId::from_uuid(Uuid::from_u128(n << 8)));
        let holds: Entries = tenants.map(|tenant| (tenant, entry.clone())).collect();
        let largest = index::document(&holds).unwrap().unwrap().len();
        let bucket = "00".parse().unwrap();
        let text = serde_json::to_string(&Up::Holds { bucket, holds }).unwrap();
        let around = text.len() - largest;
        assert!(index::MAX_BUCKET_BYTES + around <= MAX_UP_BYTES, "{around}");
    }

    #[test]
    fn a_key_is_public_and_its_algorithm_is_the_one_of_its_kind() {
        let coordinate = "A".repeat(43);
        let good = json!({
            "kid": "k1", "alg": "ES256", "created_at": "2026-01-02T03:04:05Z",
            "jwk": { "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate },
        });
        let key: PublicKey = serde_json::from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), good);
        assert_eq!(
            key.to_jwk(),
            json!({
                "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate,
                "kid": "k1", "alg": "ES256", "use": "sig",
            })
        );
        for (pointer, value) in [
            ("/alg", json!("RS256")),
            ("/alg", json!("none")),
            ("/kid", json!("")),
            ("/kid", json!("two words")),
            ("/kid", json!("k".repeat(MAX_KID_BYTES + 1))),
            ("/jwk", json!({ "kty": "EC" })),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert!(
                serde_json::from_value::<PublicKey>(bad.clone()).is_err(),
                "{bad}"
            );
        }
        let mut private = good;
        private["jwk"]["d"] = coordinate.into();
        assert!(serde_json::from_value::<PublicKey>(private).is_err());
    }
}
