//! What a node counts. Labels never carry a tenant's or a person's name: cardinality and privacy.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

/// The node's instruments. Clones share.
#[derive(Clone)]
pub struct NodeMetrics {
    releases_applied: Counter<u64>,
    releases_rejected: Counter<u64>,
    containments_rejected: Counter<u64>,
    sign_ins: Counter<u64>,
    hashes_refused: Counter<u64>,
    hash_wait: Histogram<f64>,
    refresh_reuse: Counter<u64>,
}

impl NodeMetrics {
    /// Makes the instruments.
    pub fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, description: &'static str| {
            meter
                .u64_counter(name)
                .with_description(description)
                .build()
        };
        Self {
            releases_applied: counter("bailiwick_release_applied", "Releases verified and served"),
            releases_rejected: counter(
                "bailiwick_release_rejected",
                "Releases refused while the last good one stays; alarm on any",
            ),
            containments_rejected: counter(
                "bailiwick_containment_rejected",
                "Containments and rolls refused; alarm on any",
            ),
            sign_ins: counter("bailiwick_sign_ins", "Password sign-ins by outcome"),
            hashes_refused: counter(
                "bailiwick_hash_refused",
                "Password hashes refused because the queue was full",
            ),
            hash_wait: meter
                .f64_histogram("bailiwick_hash_wait_seconds")
                .with_description("Time a password hash waited for a worker")
                .build(),
            refresh_reuse: counter(
                "bailiwick_refresh_reuse",
                "Refresh token families revoked because a spent token came back",
            ),
        }
    }

    pub(crate) fn release_applied(&self) {
        self.releases_applied.add(1, &[]);
    }

    pub(crate) fn release_rejected(&self) {
        self.releases_rejected.add(1, &[]);
    }

    pub(crate) fn containment_rejected(&self) {
        self.containments_rejected.add(1, &[]);
    }

    pub(crate) fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn hash_refused(&self) {
        self.hashes_refused.add(1, &[]);
    }

    pub(crate) fn hash_waited(&self, time: Duration) {
        self.hash_wait.record(time.as_secs_f64(), &[]);
    }

    pub(crate) fn refresh_reused(&self) {
        self.refresh_reuse.add(1, &[]);
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::new(&opentelemetry::global::meter("test"))
    }
}
