//! How a node stands to us: what was decided about it, and whether it is here, as one word.

use chrono::{DateTime, Utc};
use control_plane::nodes::{NodeStanding, NodeState};
use leptos::prelude::AnyView;

use crate::kit::{Tone, pill};

/// How a node stands to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages::platform) enum Presence {
    /// Made here; nothing has joined as it.
    Awaiting,
    /// Here.
    Connected,
    /// Not here, and able to come back by itself.
    Away,
    /// Not here, and its certificate has ended: it comes back only by joining again.
    LockedOut,
    /// Refused for good.
    Revoked,
}

impl Presence {
    /// What is so at `now`. A session that was opened in time may outlive the certificate.
    pub(in crate::pages::platform) fn of(state: &NodeState, now: DateTime<Utc>) -> Self {
        let node = &state.node;
        let ended = node.certificate_ends_at.is_some_and(|end| end <= now);
        match (node.standing, state.connected) {
            (NodeStanding::Awaiting, _) => Self::Awaiting,
            (NodeStanding::Revoked, _) => Self::Revoked,
            (NodeStanding::Enrolled, true) => Self::Connected,
            (NodeStanding::Enrolled, false) if ended => Self::LockedOut,
            (NodeStanding::Enrolled, false) => Self::Away,
        }
    }

    /// The word, as a mark.
    pub(in crate::pages::platform) fn mark(self) -> AnyView {
        let (tone, word) = match self {
            Self::Awaiting => (Tone::Info, "Awaiting"),
            Self::Connected => (Tone::Ok, "Connected"),
            Self::Away => (Tone::Bad, "Not connected"),
            Self::LockedOut => (Tone::Bad, "Locked out"),
            Self::Revoked => (Tone::Idle, "Revoked"),
        };
        pill(tone, word)
    }

    /// What the word leaves open.
    pub(in crate::pages::platform) fn remark(self) -> &'static str {
        match self {
            Self::Awaiting => "nothing has joined yet",
            Self::Connected | Self::Away => "enrolled",
            Self::LockedOut => "enrolled, certificate ended",
            Self::Revoked => "refused for good",
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use contract::ids::{NodeId, TypedId};
    use control_plane::nodes::{LaneState, Node, Ring};

    use super::*;

    #[test]
    fn what_was_decided_comes_first_then_whether_it_is_here() {
        use NodeStanding::{Awaiting, Enrolled, Revoked};
        let now = DateTime::UNIX_EPOCH;
        for (standing, connected, hours_left, expected) in [
            (Awaiting, false, None, Presence::Awaiting),
            (Enrolled, true, Some(1), Presence::Connected),
            (Enrolled, true, Some(0), Presence::Connected),
            (Enrolled, true, None, Presence::Connected),
            (Enrolled, false, Some(1), Presence::Away),
            (Enrolled, false, None, Presence::Away),
            (Enrolled, false, Some(0), Presence::LockedOut),
            (Revoked, true, Some(1), Presence::Revoked),
            (Revoked, false, Some(-1), Presence::Revoked),
        ] {
            let state = NodeState {
                node: Node {
                    id: NodeId::from_uuid(uuid::Uuid::nil()),
                    name: "eu-1".parse().unwrap(),
                    region: "eu".parse().unwrap(),
                    ring: Ring::default(),
                    standing,
                    software: None,
                    first_seen_at: None,
                    last_seen_at: None,
                    certificate_ends_at: hours_left.map(|hours| now + TimeDelta::hours(hours)),
                    created_at: now,
                    revoked_at: None,
                    revoked_reason: None,
                    version: 1,
                    updated_at: now,
                },
                connected,
                lane: LaneState::default(),
                tenants: 0,
                behind: Vec::new(),
                ahead: Vec::new(),
            };
            assert_eq!(
                Presence::of(&state, now),
                expected,
                "{standing:?} {connected} {hours_left:?}"
            );
        }
    }
}
