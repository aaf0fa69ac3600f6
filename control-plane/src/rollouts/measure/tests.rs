//! Counts of one node over the life of a rollout: nothing is counted twice, and a restart loses nothing.

use chrono::TimeDelta;
use contract::{ids::TypedId, section::ContentHash};
use uuid::Uuid;

use super::{super::RolloutPhase, *};

pub(in crate::rollouts) fn rollout() -> Rollout {
    Rollout {
        id: RolloutId::from_uuid(Uuid::nil()),
        tenant: TenantId::from_uuid(Uuid::nil()),
        region: "local".parse().unwrap(),
        version: 3,
        base_version: 2,
        base_manifest: ContentHash::of(b"2"),
        phase: RolloutPhase::Baking,
        started_at: DateTime::UNIX_EPOCH,
        bake_seconds: 30,
        decided_at: None,
        decided_by: None,
        reason: None,
        reverted_by: None,
        gates: Vec::new(),
        events: Vec::new(),
        revision: 1,
    }
}

/// A node's words: version, when its counts began, how many requests. Then what is counted.
fn told(words: &[(u64, i64, u64)]) -> u64 {
    let (rollout, node) = (rollout(), NodeId::from_uuid(Uuid::nil()));
    let mut known = None;
    for (version, since, requests) in words {
        let said = Measured {
            tenant: rollout.tenant,
            version: *version,
            since: DateTime::UNIX_EPOCH + TimeDelta::seconds(*since),
            traffic: Traffic {
                requests: *requests,
                ..Traffic::default()
            },
        };
        let at = DateTime::UNIX_EPOCH;
        known = Some(Measure::after(known, &rollout, node, (said, at)));
    }
    known.unwrap().total.requests
}

#[test]
fn what_is_counted_is_of_the_version_and_since_the_rollout_began() {
    for (words, counted) in [
        // The rest: what came before the first word is of another time.
        (&[(2, 0, 100)][..], 0),
        (&[(2, 0, 100), (2, 0, 130)], 30),
        (&[(2, 0, 100), (2, 0, 130), (2, 0, 130)], 30),
        // It restarted: all that it counts from then on is of this time.
        (&[(2, 0, 100), (2, 0, 130), (2, 9, 5), (2, 9, 7)], 37),
        // The new version: all of it.
        (&[(3, 5, 8)], 8),
        (&[(3, 5, 8), (3, 5, 11)], 11),
        (&[(3, 5, 8), (3, 7, 2)], 10),
        // A node that swaps is of the other kind from then on.
        (&[(2, 0, 100), (2, 0, 130), (3, 5, 8)], 8),
        // Counts that shrink without a restart are counted as after one.
        (&[(3, 5, 8), (3, 5, 3)], 11),
    ] {
        assert_eq!(told(words), counted, "{words:?}");
    }
}
