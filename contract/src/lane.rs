//! The containment lane: a second conversation between control plane and node, on a connection of its own, so
//! that a containment never waits behind a release (design section 5, performance C3).
//!
//! The control plane says what is contained and, each second, that it is still there; the node confirms what it
//! refuses from now on, signed, with what real requests to its own door were answered.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{ContainmentId, NodeId},
    jwk::PublicJwk,
    section::ContentHash,
    tenant::Region,
};

/// Where a node opens the lane, beside [`crate::enrolment::PUSH_PATH`].
pub const LANE_PATH: &str = "/containments";
/// Most bytes of a frame on the lane: a roll with everything it may list.
pub const MAX_FRAME_BYTES: usize = 2 * 1024 * 1024;
/// How often the control plane says that it is there.
pub const PULSE_EVERY: TimeDelta = TimeDelta::seconds(1);
/// Silence after which the other side counts as gone (performance C4: "within 2 s").
pub const PULSE_MISSED: TimeDelta = TimeDelta::seconds(2);
/// Silence after which a node says so in `/readyz` and takes no risks (R-REV-02).
pub const STALE_AFTER: TimeDelta = TimeDelta::seconds(60);
/// The type of a signed [`Confirmation`].
pub const CONFIRMATION_TYPE: &str = "bailiwick-confirmation+jwt";

/// Control plane to node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum LaneDown {
    /// One revision: a signed [`crate::containment::Containment`].
    Containment {
        /// The compact JWS.
        jws: String,
    },
    /// Everything that counts: a signed [`crate::containment::Roll`]. What it does not list is over. Sent after the
    /// documents that it lists and the node lacks.
    Roll {
        /// The compact JWS.
        jws: String,
    },
    /// It is there. Everything up to `sequence` was said before.
    Pulse {
        /// The region's number of the newest change.
        sequence: u64,
        /// The control plane's time: a node compares its own clock with it.
        at: DateTime<Utc>,
    },
}

/// Node to control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case", deny_unknown_fields)]
pub enum LaneUp {
    /// The first frame.
    Hello {
        /// Who speaks.
        node: NodeId,
        /// Where it stands.
        region: Region,
        /// The number of the newest roll it took; 0 for none.
        sequence: u64,
        /// What it holds.
        holds: BTreeMap<ContainmentId, u32>,
        /// The key that signs its confirmations, where no certificate says it: a node in the same process.
        key: Option<PublicJwk>,
    },
    /// A revision is applied: a [`Confirmation`] signed with the key of the node's certificate.
    Confirmed {
        /// The compact JWS.
        jws: String,
    },
    /// A document is not believed, or cannot be kept; what was refused before still is.
    Refused {
        /// Which, if that could be read.
        containment: Option<ContainmentId>,
        /// Why, in words, without personal data.
        reason: String,
    },
    /// The answer to a pulse.
    Pulse {
        /// The number of the newest roll it took.
        sequence: u64,
        /// The digest of what it holds ([`crate::containment::digest`]); if it is not the roll's, it is told
        /// everything again.
        digest: String,
    },
}

/// A node's own word that it applied a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Who says so.
    pub node: NodeId,
    /// Of which containment.
    pub containment: ContainmentId,
    /// Which revision.
    pub revision: u32,
    /// The hash of the signed document that was applied.
    pub document: ContentHash,
    /// When the document arrived, by the node's clock.
    pub heard_at: DateTime<Utc>,
    /// When every request from then on met it, by the node's clock.
    pub applied_at: DateTime<Utc>,
    /// What real requests were answered.
    pub probe: Probe,
}

/// What a node's own door answered to real requests with a canary: a token that is good for nothing, of the
/// contained subject, beside one of nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// The canary was refused, and the one of nobody was not: the door tells them apart.
    Refused {
        /// When the first refusal arrived, by the node's clock.
        at: DateTime<Utc>,
        /// Requests until then.
        requests: u32,
    },
    /// The canary was let through: as it should be once a containment is lifted, an alarm before.
    LetThrough {
        /// When that was last seen, by the node's clock.
        at: DateTime<Utc>,
        /// Requests until then.
        requests: u32,
    },
    /// There was nothing to ask, or nobody answered.
    None {
        /// Why, in words.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    #[test]
    fn frames_round_trip_and_refuse_unknown_members() {
        let hello = LaneUp::Hello {
            node: NodeId::from_uuid(Uuid::from_u128(1)),
            region: "eu".parse().unwrap(),
            sequence: 4,
            holds: BTreeMap::from([(ContainmentId::from_uuid(Uuid::from_u128(2)), 3)]),
            key: None,
        };
        let text = serde_json::to_string(&hello).unwrap();
        assert_eq!(serde_json::from_str::<LaneUp>(&text).unwrap(), hello);
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["extra"] = 1.into();
        assert!(serde_json::from_value::<LaneUp>(value).is_err());
        assert!(serde_json::from_str::<LaneDown>(r#"{"frame":"release"}"#).is_err());
    }

    #[test]
    fn a_pulse_is_small_c3() {
        let pulse = LaneUp::Pulse {
            sequence: u64::MAX,
            digest: crate::containment::digest(&BTreeMap::new()),
        };
        assert!(serde_json::to_string(&pulse).unwrap().len() <= 256);
    }
}
