//! Time, as a value a service holds.
//!
//! Expiry, rotation and replay windows are rules about time, so every service is given its clock and a
//! test advances it instead of sleeping. This file holds the only reading of the system clock; it must
//! never offer local time, and never a global that a test would have to share.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Duration, DurationRound, Utc};

/// Tells the time, in UTC. Clones share the same source.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Mutex<Hand>>),
}

/// What a manual clock shows.
#[derive(Debug)]
struct Hand {
    now: DateTime<Utc>,
    passed: std::time::Duration,
}

/// When this process first asked how much time had passed.
static BEGAN: LazyLock<Instant> = LazyLock::new(began);

#[expect(
    clippy::disallowed_methods,
    reason = "the beginning from which passed time is counted"
)]
fn began() -> Instant {
    Instant::now()
}

/// The hand on a manual clock: what a test turns. Every clone of its [`Clock`] sees the change.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hand>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until its [`ManualClock`] is moved.
    pub fn manual(start: DateTime<Utc>) -> (Self, ManualClock) {
        let hand = Arc::new(Mutex::new(Hand {
            now: whole_micros(start),
            passed: std::time::Duration::ZERO,
        }));
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
            Source::Manual(hand) => lock(hand).now,
        }
    }

    /// How much time has passed since some moment of this process, however the clock was set meanwhile: what
    /// tells a clock that was set from time that went by. A machine that sleeps does not count it.
    pub fn passed(&self) -> std::time::Duration {
        match &self.0 {
            Source::System => BEGAN.elapsed(),
            Source::Manual(hand) => lock(hand).passed,
        }
    }
}

fn lock(hand: &Mutex<Hand>) -> MutexGuard<'_, Hand> {
    hand.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ManualClock {
    /// Has `by` go by; a negative duration sets the clock back, as a wrong NTP answer would.
    pub fn advance(&self, by: Duration) {
        let mut hand = lock(&self.0);
        hand.now = whole_micros(hand.now + by);
        hand.passed += by.to_std().unwrap_or_default();
    }

    /// Sets the clock by `by`, while no time goes by.
    pub fn step(&self, by: Duration) {
        let mut hand = lock(&self.0);
        hand.now = whole_micros(hand.now + by);
    }

    /// Moves the time to `to`.
    pub fn set(&self, to: DateTime<Utc>) {
        let by = to - lock(&self.0).now;
        self.advance(by);
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
    fn time_that_passed_is_not_what_a_clock_was_set_by() {
        let (clock, hand) = Clock::manual(noon());
        hand.advance(Duration::seconds(3));
        assert_eq!(clock.passed().as_secs(), 3);
        hand.step(Duration::days(365));
        hand.advance(Duration::minutes(-5));
        assert_eq!(clock.passed().as_secs(), 3);
        let system = Clock::system();
        let first = system.passed();
        assert!(system.passed() >= first);
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
