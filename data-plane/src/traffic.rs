//! Counting how a tenant fares: requests, failures, times, sign-ins; what a rollout is judged by (R-NODE-06).
//!
//! The counts live in the runtime of one version, so that each request counts for the release that answered it,
//! also while another one is swapped in. Counting is a few additions to integers: no lock, no allocation.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use contract::traffic::{LATENCY_CLASSES, Traffic, latency_class};

/// The counts of one version of one tenant.
#[derive(Debug, Default)]
pub struct Counts {
    requests: AtomicU64,
    failures: AtomicU64,
    latency: [AtomicU64; LATENCY_CLASSES],
    sign_ins: AtomicU64,
    sign_ins_failed: AtomicU64,
}

impl Counts {
    /// A request was answered.
    pub(crate) fn answered(&self, is_failure: bool, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        add(&self.requests);
        add(&self.latency[latency_class(micros)]);
        if is_failure {
            add(&self.failures);
        }
    }

    /// Somebody tried to sign in by password.
    pub(crate) fn signed_in(&self, succeeded: bool) {
        add(match succeeded {
            true => &self.sign_ins,
            false => &self.sign_ins_failed,
        });
    }

    /// What was counted so far. A request that is answered at this moment may be in one count and not yet in
    /// another.
    pub fn read(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            requests: read(&self.requests),
            failures: read(&self.failures),
            latency: std::array::from_fn(|class| read(&self.latency[class])),
            sign_ins: read(&self.sign_ins),
            sign_ins_failed: read(&self.sign_ins_failed),
        }
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_counts_once_and_where_it_belongs() {
        let counts = Counts::default();
        counts.answered(false, Duration::from_millis(1));
        counts.answered(true, Duration::from_millis(30));
        counts.answered(false, Duration::from_secs(9));
        counts.signed_in(true);
        counts.signed_in(false);
        counts.signed_in(false);
        let mut latency = [0; LATENCY_CLASSES];
        (latency[0], latency[5], latency[11]) = (1, 1, 1);
        assert_eq!(
            counts.read(),
            Traffic {
                requests: 3,
                failures: 1,
                latency,
                sign_ins: 1,
                sign_ins_failed: 2,
            }
        );
    }
}
