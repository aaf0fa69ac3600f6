//! How long to wait before trying again.
//!
//! The longest wait doubles with each attempt, and the wait itself is drawn below it (full jitter), so that
//! a thousand nodes which lost one control plane do not come back to it in step.

use std::time::Duration;

use host::Entropy;

/// Between which bounds a node waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Longest wait after the first failure.
    pub first: Duration,
    /// Longest wait ever.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// The same for a connection that is missed within seconds.
    pub(super) fn eager(self) -> Self {
        Self {
            longest: self.longest.min(Duration::from_secs(2)),
            ..self
        }
    }
}

pub(super) struct Backoff {
    pace: Pace,
    entropy: Entropy,
    reach: Duration,
}

impl Backoff {
    pub(super) fn new(pace: Pace, entropy: Entropy) -> Self {
        Self {
            pace,
            entropy,
            reach: pace.first,
        }
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let reach = u64::try_from(self.reach.as_micros()).unwrap_or(u64::MAX);
        let drawn = u64::from_be_bytes(self.entropy.bytes());
        self.reach = self.reach.saturating_mul(2).min(self.pace.longest);
        // The remainder favours small waits by less than one in a million million.
        Duration::from_micros(drawn % reach.saturating_add(1))
    }

    /// All is well again: the next wait is short.
    pub(super) fn reset(&mut self) {
        self.reach = self.pace.first;
    }

    /// Trying again soon cannot help.
    pub(super) fn exhaust(&mut self) {
        self.reach = self.pace.longest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::new(Pace::default(), Entropy::seeded(1));
        let bounds = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        let waits: Vec<_> = bounds.map(|_| backoff.next()).to_vec();
        for (wait, bound) in waits.iter().zip(bounds) {
            assert!(*wait <= Duration::from_millis(bound), "{wait:?} of {bound}");
        }
        let mut other = Backoff::new(Pace::default(), Entropy::seeded(2));
        assert_ne!(bounds.map(|_| other.next()).to_vec(), waits);
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
        backoff.exhaust();
        let far: Duration = (0..20).map(|_| backoff.next()).max().unwrap();
        assert!(far > Duration::from_secs(5));
    }
}
