//! Time, as a value a service holds.
//!
//! Expiry, rotation and replay windows are rules about time, so every service is given its clock and a
//! test advances it instead of sleeping. This file holds the only reading of the system clock; it must
//! never offer local time, and never a global that a test would have to share.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, DurationRound, Utc};

/// Tells the time, in UTC. Clones share the same source.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Mutex<DateTime<Utc>>>),
}

/// The hand on a manual clock: what a test turns. Every clone of its [`Clock`] sees the change.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until its [`ManualClock`] is moved.
    pub fn manual(start: DateTime<Utc>) -> (Self, ManualClock) {
        let hand = Arc::new(Mutex::new(whole_micros(start)));
        (Self(Source::Manual(Arc::clone(&hand))), ManualClock(hand))
    }

    /// The present instant, in whole microseconds: the precision PostgreSQL keeps, so a time read back
    /// from any store equals the time written.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => whole_micros(Utc::now()),
            Source::Manual(hand) => *hand.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl ManualClock {
    /// Moves the time by `by`; a negative duration moves it back, as a wrong NTP answer would.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = whole_micros(*now + by);
    }

    /// Moves the time to `to`.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = whole_micros(to);
    }
}

fn whole_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only outside the years 1677–2262, where the finer value does no harm.
    time.duration_trunc(Duration::microseconds(1))
        .unwrap_or(time)
}

/// Measures how long something took, by the monotonic clock. For telemetry only: a rule that depends on
/// time asks [`Clock`], which a test can move.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock"
    )]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-01-01T12:00:00.123456789Z".parse().unwrap()
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_every_clone() {
        let (clock, hand) = Clock::manual(noon());
        let clone = clock.clone();
        assert_eq!(clock.now(), clock.now());
        hand.advance(Duration::minutes(5));
        assert_eq!(clone.now().to_rfc3339(), "2026-01-01T12:05:00.123456+00:00");
        hand.advance(Duration::minutes(-5));
        assert_eq!(clone.now().to_rfc3339(), "2026-01-01T12:00:00.123456+00:00");
        hand.set(noon() + Duration::days(1));
        assert_eq!(clock.now(), clone.now());
    }

    #[test]
    fn the_system_clock_has_microseconds_at_most() {
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1000, 0);
    }

    #[test]
    fn a_stopwatch_never_runs_backwards() {
        let watch = Stopwatch::start();
        let first = watch.elapsed();
        assert!(watch.elapsed() >= first);
    }
}
