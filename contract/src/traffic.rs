//! How a tenant fares on a node, in counts: what health gates of a rollout compare (R-NODE-06).
//!
//! Counts belong to one version of the tenant on one node, so that a node that swaps releases starts anew and no
//! request is counted for a version that did not answer it. They only grow; whoever reads them takes differences.
//! Nothing here names a person, a path or an address.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// Upper ends of the latency classes, in milliseconds; the last class has none.
pub const LATENCY_ENDS_MS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];
/// How many classes there are.
pub const LATENCY_CLASSES: usize = LATENCY_ENDS_MS.len() + 1;

/// Counts of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Requests that were answered.
    pub requests: u64,
    /// Those of them that were answered with 5xx.
    pub failures: u64,
    /// Requests by the time they took.
    pub latency: [u64; LATENCY_CLASSES],
    /// Sign-ins by password that succeeded.
    pub sign_ins: u64,
    /// Sign-ins by password that did not, whatever the reason, but for those that were throttled.
    pub sign_ins_failed: u64,
}

/// What a node counted of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Whose.
    pub tenant: TenantId,
    /// The version that is served.
    pub version: u64,
    /// When the process that counts was started: it begins anew.
    pub since: DateTime<Utc>,
    /// The counts since then.
    pub traffic: Traffic,
}

/// The class of a time in microseconds.
pub fn latency_class(micros: u64) -> usize {
    LATENCY_ENDS_MS
        .iter()
        .position(|end| micros <= end * 1_000)
        .unwrap_or(LATENCY_ENDS_MS.len())
}

impl Traffic {
    /// These and those together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, |one, other| Some(one.saturating_add(other)))
            .unwrap_or_default()
    }

    /// What came after `earlier`; `None` if something became less, which counts never do.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        self.with(earlier, u64::checked_sub)
    }

    fn with(&self, other: &Self, join: impl Fn(u64, u64) -> Option<u64>) -> Option<Self> {
        let mut latency = [0; LATENCY_CLASSES];
        for (class, joined) in latency.iter_mut().enumerate() {
            *joined = join(self.latency[class], other.latency[class])?;
        }
        Some(Self {
            requests: join(self.requests, other.requests)?,
            failures: join(self.failures, other.failures)?,
            latency,
            sign_ins: join(self.sign_ins, other.sign_ins)?,
            sign_ins_failed: join(self.sign_ins_failed, other.sign_ins_failed)?,
        })
    }

    /// The upper end of the class in which the 95th of 100 requests is, in milliseconds; of the last class its
    /// lower end. `None` without requests.
    pub fn p95_ms(&self) -> Option<u64> {
        let all: u64 = self.latency.iter().sum();
        let rank = all - all / 20;
        let mut seen = 0;
        let class = self.latency.iter().position(|count| {
            seen += count;
            *count > 0 && seen >= rank
        })?;
        LATENCY_ENDS_MS
            .get(class)
            .or(LATENCY_ENDS_MS.last())
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taking(classes: &[(usize, u64)]) -> Traffic {
        let mut traffic = Traffic::default();
        for (class, count) in classes {
            traffic.latency[*class] += count;
            traffic.requests += count;
        }
        traffic
    }

    #[test]
    fn times_fall_into_classes() {
        for (micros, class) in [
            (0, 0),
            (1_000, 0),
            (1_001, 1),
            (50_000, 5),
            (2_000_000, 10),
            (2_000_001, 11),
            (u64::MAX, 11),
        ] {
            assert_eq!(latency_class(micros), class, "{micros}");
        }
    }

    #[test]
    fn the_95th_of_a_hundred_is_found() {
        for (classes, p95) in [
            (&[][..], None),
            (&[(0, 1)], Some(1)),
            (&[(0, 95), (7, 5)], Some(1)),
            (&[(0, 94), (7, 6)], Some(200)),
            (&[(11, 3)], Some(2_000)),
        ] {
            assert_eq!(taking(classes).p95_ms(), p95, "{classes:?}");
        }
    }

    #[test]
    fn differences_are_of_counts_that_only_grow() {
        let (few, many) = (taking(&[(1, 2)]), taking(&[(1, 5), (3, 1)]));
        assert_eq!(many.since(&few).unwrap(), taking(&[(1, 3), (3, 1)]));
        assert_eq!(few.since(&many), None);
        assert_eq!(few.plus(&many.since(&few).unwrap()), many);
    }
}
