//! Containments: what is refused from now on, everywhere, whatever a release says.
//!
//! A [`Containment`] is a small signed document about one subject of one tenant. Nodes apply it the moment it
//! arrives, before any release that waits; it ends by itself, and lifting it is one more revision of the same
//! document. A [`Roll`] is the signed list of what a region's nodes must hold: comparing it makes a lost
//! document cost time and never truth, and its number, which only grows, keeps a restored control plane from
//! silently taking a containment back (R-NODE-04, R-REV-01, R-REV-04, F-10).

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    canonical::sha256_hex,
    ids::{ApplicationId, ContainmentId, SessionId, TenantId, UserId},
    jws::{DocumentKind, JwsError, ReleaseSigner, TrustRoot},
    tenant::{Region, string_value},
};

/// A signed [`Containment`]; ours have about 700 bytes.
pub const CONTAINMENT: DocumentKind = DocumentKind {
    typ: "bailiwick-containment+jwt",
    max_bytes: 4 * 1024,
};

/// A signed [`Roll`].
pub const ROLL: DocumentKind = DocumentKind {
    typ: "bailiwick-containment-roll+jwt",
    max_bytes: 1024 * 1024,
};

/// Most containments that a region's nodes hold at a time.
pub const MAX_ON_ROLL: usize = 10_000;
/// Shortest time a containment may be in force for.
pub const MIN_LENGTH: TimeDelta = TimeDelta::minutes(1);
/// Longest time a containment may be in force for.
pub const MAX_LENGTH: TimeDelta = TimeDelta::days(365);
/// How long a node remembers that what existed before stays ended: as long as the longest grant may live.
const REMEMBERED: TimeDelta = TimeDelta::days(366);

/// The id of a key in a tenant's JWKS: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);
string_value!(KeyId);

impl FromStr for KeyId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=64).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new("kid", "must be 1 to 64 visible characters"))
    }
}

/// What is contained, within one tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// The whole tenant: no page, no token. Braces, because serde lets an empty variant without them take any
    /// member.
    Tenant {},
    /// A person: no sign-in, no session, no token of theirs.
    User {
        /// Who.
        user: UserId,
    },
    /// One browser session, with the tokens that came of it.
    Session {
        /// The `sid` of its tokens.
        session: SessionId,
    },
    /// An application, for people or for machines: nobody signs in to it, and it gets no token.
    Application {
        /// Its `client_id`.
        application: ApplicationId,
    },
    /// A key that signs tokens: it leaves the JWKS, signs nothing, and what it signed is not believed.
    SigningKey {
        /// Its id.
        kid: KeyId,
    },
}

impl Subject {
    /// The wire form of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tenant {} => "tenant",
            Self::User { .. } => "user",
            Self::Session { .. } => "session",
            Self::Application { .. } => "application",
            Self::SigningKey { .. } => "signing_key",
        }
    }

    /// The id of whom or what; none for the tenant itself.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Tenant {} => None,
            Self::User { user } => Some(user.to_string()),
            Self::Session { session } => Some(session.to_string()),
            Self::Application { application } => Some(application.to_string()),
            Self::SigningKey { kid } => Some(kid.to_string()),
        }
    }

    /// The subject of this kind with this id, as a form or a path names it.
    ///
    /// # Errors
    /// No such kind, or an id that the kind does not have.
    pub fn parse(kind: &str, id: &str) -> Result<Self, Invalid> {
        Ok(match kind {
            "tenant" if id.is_empty() => Self::Tenant {},
            "tenant" => return Err(Invalid::new("id", "must be empty for the whole tenant")),
            "user" => Self::User { user: id.parse()? },
            "session" => Self::Session {
                session: id.parse()?,
            },
            "application" => Self::Application {
                application: id.parse()?,
            },
            "signing_key" => Self::SigningKey { kid: id.parse()? },
            _ => {
                return Err(Invalid::new(
                    "kind",
                    "is not something that can be contained",
                ));
            }
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{} {id}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

/// Something contained: one revision of it. Revisions of one id only grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containment {
    /// Which.
    pub id: ContainmentId,
    /// 1 when it begins; one more with each change.
    pub revision: u32,
    /// The region's number of this revision: it only grows in a region.
    pub sequence: u64,
    /// In which tenant.
    pub tenant: TenantId,
    /// Whose nodes apply it.
    pub region: Region,
    /// What is contained.
    pub subject: Subject,
    /// Whether sessions, grants and tokens from before its end stay dead after it.
    pub ends_existing: bool,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// When it was lifted before that.
    pub lifted_at: Option<DateTime<Utc>>,
}

impl Containment {
    /// When it stops or stopped to be in force.
    pub fn ends_at(&self) -> DateTime<Utc> {
        self.lifted_at
            .map_or(self.until, |lifted| lifted.min(self.until))
    }

    /// Whether it is in force.
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        now < self.ends_at()
    }

    /// Whether it refuses what was authorized at `authorized_at`: a session at its sign-in, a grant at its consent,
    /// a token when it was issued. All of it while it is in force; later what is from before its end, if that was
    /// to stay dead.
    pub fn refuses(&self, now: DateTime<Utc>, authorized_at: DateTime<Utc>) -> bool {
        self.is_in_force(now) || (self.ends_existing && authorized_at <= self.ends_at())
    }

    /// When nothing is left of it to refuse.
    pub fn forgotten_at(&self) -> DateTime<Utc> {
        match self.ends_existing {
            true => self.ends_at() + REMEMBERED,
            false => self.ends_at(),
        }
    }

    /// Signs it.
    ///
    /// # Errors
    /// Never, for a document whose parts were parsed.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(CONTAINMENT, self)
    }

    /// Verifies a signed one.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(CONTAINMENT, jws)
    }
}

/// What a region's nodes must hold: each containment that may still refuse something, by its newest revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roll {
    /// The region.
    pub region: Region,
    /// The region's number of the newest change: a node goes back to none that is lower.
    pub sequence: u64,
    /// When the control plane signed it.
    pub issued_at: DateTime<Utc>,
    /// The revisions, by containment.
    pub holds: BTreeMap<ContainmentId, u32>,
}

impl Roll {
    /// Signs it.
    ///
    /// # Errors
    /// More than about [`MAX_ON_ROLL`] containments.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(ROLL, self)
    }

    /// Verifies a signed one.
    ///
    /// # Errors
    /// See [`JwsError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Self, JwsError> {
        trust.verify(ROLL, jws)
    }

    /// The digest of what it lists.
    pub fn digest(&self) -> String {
        digest(&self.holds)
    }
}

/// The short name of a set of revisions; both sides compute it, and compare.
pub fn digest(holds: &BTreeMap<ContainmentId, u32>) -> String {
    let lines: String = holds
        .iter()
        .map(|(id, revision)| format!("{id} {revision}\n"))
        .collect();
    sha256_hex(lines.as_bytes())
}

/// A point of a region's containments, for whoever asks after a change: a check that carries it is never answered
/// from an older state (R-REV-03). Its text form is `<region>.<sequence>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsOf {
    /// The region.
    pub region: Region,
    /// Its number.
    pub sequence: u64,
}

/// The request header that carries an [`AsOf`].
pub const AS_OF_HEADER: &str = "bailiwick-as-of";

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.region, self.sequence)
    }
}

impl FromStr for AsOf {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new("as-of", "must be a region, a point and a number");
        let (region, sequence) = text.rsplit_once('.').ok_or_else(refuse)?;
        let digits = sequence.bytes().all(|byte| byte.is_ascii_digit());
        match sequence.parse() {
            Ok(sequence) if digits => Ok(Self {
                region: region.parse()?,
                sequence,
            }),
            _ => Err(refuse()),
        }
    }
}

impl TryFrom<String> for AsOf {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<AsOf> for String {
    fn from(point: AsOf) -> String {
        point.to_string()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn containment() -> Containment {
        Containment {
            id: ContainmentId::from_uuid(Uuid::from_u128(1)),
            revision: 1,
            sequence: 7,
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            region: "eu".parse().unwrap(),
            subject: Subject::Tenant {},
            ends_existing: true,
            begun_at: at(10),
            until: at(70),
            lifted_at: None,
        }
    }

    #[test]
    fn what_is_refused_when_r_rev_01() {
        let lifted = |ends_existing| Containment {
            lifted_at: Some(at(30)),
            ends_existing,
            ..containment()
        };
        for (what, now, authorized, refused) in [
            (containment(), 10, 0, true),
            (containment(), 69, 69, true),
            (containment(), 70, 5, true),
            (containment(), 71, 71, false),
            (lifted(true), 29, 29, true),
            (lifted(true), 30, 30, true),
            (lifted(true), 31, 31, false),
            (lifted(true), 31, 9, true),
            (lifted(false), 29, 9, true),
            (lifted(false), 31, 9, false),
        ] {
            assert_eq!(
                what.refuses(at(now), at(authorized)),
                refused,
                "{what:?} {now} {authorized}"
            );
        }
        assert_eq!(lifted(false).forgotten_at(), at(30));
        assert_eq!(lifted(true).forgotten_at(), at(30) + REMEMBERED);
        let late = Containment {
            lifted_at: Some(at(90)),
            ..containment()
        };
        assert_eq!(late.ends_at(), at(70));
    }

    #[test]
    fn documents_are_believed_by_signature_and_kind() {
        let signer = ReleaseSigner::from_secret(&[1; 32]);
        let trust = TrustRoot {
            keys: vec![signer.public()],
        };
        let jws = containment().sign(&signer).unwrap();
        assert!(jws.len() < 1024, "{}", jws.len());
        assert_eq!(Containment::verify(&jws, &trust).unwrap(), containment());
        assert_eq!(Roll::verify(&jws, &trust), Err(JwsError::WrongType));
        let roll = Roll {
            region: "eu".parse().unwrap(),
            sequence: u64::MAX,
            issued_at: at(0),
            holds: (0..MAX_ON_ROLL as u128)
                .map(|n| (ContainmentId::from_uuid(Uuid::from_u128(n)), u32::MAX))
                .collect(),
        };
        let jws = roll.sign(&signer).unwrap();
        assert_eq!(Roll::verify(&jws, &trust).unwrap(), roll);
    }

    #[test]
    fn the_digest_tells_sets_apart() {
        let id = |n| ContainmentId::from_uuid(Uuid::from_u128(n));
        let one = BTreeMap::from([(id(1), 1)]);
        assert_eq!(digest(&one), digest(&one.clone()));
        for other in [
            BTreeMap::new(),
            BTreeMap::from([(id(1), 2)]),
            BTreeMap::from([(id(2), 1)]),
            BTreeMap::from([(id(1), 1), (id(2), 1)]),
        ] {
            assert_ne!(digest(&one), digest(&other));
        }
    }

    #[test]
    fn subjects_by_kind_and_id() {
        let user = UserId::from_uuid(Uuid::from_u128(3)).to_string();
        let parsed = Subject::parse("user", &user).unwrap();
        assert_eq!((parsed.kind(), parsed.id()), ("user", Some(user.clone())));
        assert_eq!(parsed.to_string(), format!("user {user}"));
        assert_eq!(Subject::parse("tenant", "").unwrap(), Subject::Tenant {});
        for (kind, id) in [
            ("tenant", "x"),
            ("user", ""),
            ("session", user.as_str()),
            ("application", "app_"),
            ("signing_key", ""),
            ("signing_key", "two words"),
            ("planet", "earth"),
        ] {
            assert!(Subject::parse(kind, id).is_err(), "{kind} {id}");
        }
        assert!(serde_json::from_str::<Subject>(r#"{"kind":"tenant","extra":1}"#).is_err());
    }

    #[test]
    fn points_in_a_regions_containments_r_rev_03() {
        let point: AsOf = "eu-1.42".parse().unwrap();
        assert_eq!(
            (point.sequence, point.to_string()),
            (42, "eu-1.42".to_owned())
        );
        for bad in [
            "",
            "eu",
            "eu.",
            ".4",
            "eu.-1",
            "eu.+1",
            "eu.99999999999999999999",
        ] {
            assert!(bad.parse::<AsOf>().is_err(), "{bad}");
        }
    }
}
