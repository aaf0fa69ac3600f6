//! Whether this node's clock is right: compared with its control plane's, its database's and its state store's (F-05).
//!
//! Everything a node issues and believes has a time in it, so a node whose clock is wrong lets in what is over and
//! issues what is not good yet. Others are asked every few seconds; between two answers the clock is compared with
//! the time that passed, so that one that was set is noticed by the very next request. The median of what the
//! others say counts, and of two the milder: one witness whose clock is wrong takes no node out of rotation as long
//! as two others contradict it.
//!
//! An answer may be late, which makes this clock look fast and never slow: of the last few answers of a witness the
//! one that makes it look slowest counts. A node that nobody contradicts is right. It must never correct the clock:
//! that is the machine's business.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use host::{Clock, HealthHandle};

use crate::node::Node;

/// A difference beyond which a node says that it is degraded.
const NOTICED: TimeDelta = TimeDelta::seconds(10);
/// A difference beyond which it serves nobody.
const TOO_MUCH: TimeDelta = TimeDelta::seconds(60);
/// Answers of a witness that are compared.
const ANSWERS: usize = 5;
/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(600);
/// An answer that took longer says too little about the moment it was asked at.
const SLOW: Duration = Duration::from_secs(1);
/// How often it is looked whether the clock was set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two questions to the stores.
const LOOKS_PER_QUESTION: u32 = 5;

/// Who tells the time besides this node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Witness {
    /// The control plane, on the lane.
    ControlPlane,
    /// The region's database.
    Database,
    /// The region's state store.
    StateStore,
}

/// How this node's clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    Noticed(TimeDelta),
    TooMuch(TimeDelta),
}

/// This clock at one moment, beside the time that had passed.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: DateTime<Utc>,
    passed: Duration,
}

/// By how much this clock was ahead of others at a moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    ahead: TimeDelta,
    at: Moment,
}

/// Compares.
pub(crate) struct ClockCheck {
    clock: Clock,
    health: HealthHandle,
    said: Mutex<BTreeMap<Witness, VecDeque<Reading>>>,
    /// What follows from all that was said; nothing until somebody spoke.
    judged: ArcSwapOption<Reading>,
    /// Whether the log was told that the clock is wrong.
    told: AtomicBool,
}

impl Moment {
    fn of(clock: &Clock) -> Self {
        Self {
            now: clock.now(),
            passed: clock.passed(),
        }
    }

    /// By how much the clock was set forward since `earlier`.
    fn set_since(self, earlier: Self) -> TimeDelta {
        let went_by = self.passed.saturating_sub(earlier.passed);
        let went_by = TimeDelta::from_std(went_by).unwrap_or(TimeDelta::MAX);
        (self.now - earlier.now)
            .checked_sub(&went_by)
            .unwrap_or(TimeDelta::MAX)
    }
}

impl Reading {
    /// The same, at a later moment.
    fn by(self, moment: Moment) -> TimeDelta {
        self.ahead + moment.set_since(self.at)
    }
}

impl Verdict {
    fn of(ahead: TimeDelta) -> Self {
        match ahead.abs() {
            off if off > TOO_MUCH => Self::TooMuch(ahead),
            off if off > NOTICED => Self::Noticed(ahead),
            _ => Self::Right,
        }
    }
}

impl ClockCheck {
    /// Nobody has said anything yet.
    pub(crate) fn new(clock: Clock, health: HealthHandle) -> Self {
        health.ready();
        Self {
            clock,
            health,
            said: Mutex::default(),
            judged: ArcSwapOption::empty(),
            told: AtomicBool::new(false),
        }
    }

    /// A witness says what time it is.
    pub(crate) fn hear(&self, witness: Witness, theirs: DateTime<Utc>) {
        let at = Moment::of(&self.clock);
        let ahead = at.now - theirs;
        self.put(witness, Reading { ahead, at });
    }

    /// A witness answered what time it is, at some moment since `asked`.
    fn hear_answer(&self, witness: Witness, asked: Moment, theirs: DateTime<Utc>) {
        let at = Moment::of(&self.clock);
        let took = at.passed.saturating_sub(asked.passed);
        if took > SLOW || at.set_since(asked).abs() > NOTICED {
            return;
        }
        let half = TimeDelta::from_std(took / 2).unwrap_or_default();
        let ahead = at.now - half - theirs;
        self.put(witness, Reading { ahead, at });
    }

    fn put(&self, witness: Witness, reading: Reading) {
        let mut said = self.said();
        let answers = said.entry(witness).or_default();
        answers.truncate(ANSWERS - 1);
        answers.push_front(reading);
        said.retain(|_, answers| {
            answers.retain(|one| reading.at.passed.saturating_sub(one.at.passed) < FRESH);
            !answers.is_empty()
        });
        let differences = said
            .values()
            .filter_map(|answers| answers.iter().map(|one| one.by(reading.at)).min());
        let ahead = mildest_median(differences.collect());
        self.judged.store(ahead.map(|ahead| {
            Arc::new(Reading {
                ahead,
                at: reading.at,
            })
        }));
        drop(said);
        self.judge();
    }

    /// Says at `/readyz` how the clock stands.
    fn judge(&self) {
        match self.verdict() {
            Verdict::Right => self.health.ready(),
            Verdict::Noticed(ahead) => self.health.degraded(words(ahead)),
            Verdict::TooMuch(ahead) => self.health.not_ready(format!(
                "{}; nobody is served until it is right",
                words(ahead)
            )),
        }
        let is_wrong = matches!(self.verdict(), Verdict::TooMuch(_));
        match (self.told.swap(is_wrong, Ordering::Relaxed), is_wrong) {
            (false, true) => {
                tracing::error!("ALARM: this machine's clock is wrong; nobody is served");
            }
            (true, false) => tracing::info!("this machine's clock is right again"),
            _ => {}
        }
    }

    /// Whether the clock is so wrong that nobody may be served. Looked at twice: a process that stood still between
    /// reading the clock and the time that passed is not one whose clock was set.
    pub(crate) fn is_wrong(&self) -> bool {
        let is_beyond = || matches!(self.verdict(), Verdict::TooMuch(_));
        is_beyond() && is_beyond()
    }

    fn verdict(&self) -> Verdict {
        let judged = self.judged.load();
        let ahead = judged.as_ref().map(|judged| {
            let now = Moment::of(&self.clock);
            judged.by(now)
        });
        ahead.map_or(Verdict::Right, Verdict::of)
    }

    fn said(&self) -> MutexGuard<'_, BTreeMap<Witness, VecDeque<Reading>>> {
        // Nothing panics while it holds this; were that to change, the map would still be whole.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one in the middle; of two, the one nearer to zero. Of four the same two decide.
fn mildest_median(mut differences: Vec<TimeDelta>) -> Option<TimeDelta> {
    differences.sort_unstable();
    let upper = *differences.get(differences.len() / 2)?;
    if differences.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *differences.get(differences.len() / 2 - 1)?;
    // On both sides of zero they contradict each other.
    if (lower < TimeDelta::zero()) != (upper < TimeDelta::zero()) {
        return Some(TimeDelta::zero());
    }
    Some(if lower.abs() < upper.abs() {
        lower
    } else {
        upper
    })
}

fn words(ahead: TimeDelta) -> String {
    let which = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    format!(
        "this machine's clock is {} s {which} the others'",
        ahead.abs().num_seconds()
    )
}

impl Node {
    /// Asks the stores what time it is. Before anybody is served, because a machine may start with a wrong clock.
    pub async fn compare_clock(&self) {
        let asking = async { tokio::join!(self.ask_database_time(), self.ask_state_time()) };
        // Stores that do not answer now are asked again.
        let _ = tokio::time::timeout(SLOW * 2, asking).await;
    }

    /// Watches this node's clock until the future is dropped. One per process is enough.
    pub async fn watch_clock(self) {
        loop {
            let looks = async {
                for _ in 0..LOOKS_PER_QUESTION {
                    self.clock_check().judge();
                    tokio::time::sleep(LOOK_EVERY).await;
                    if self.clock_check().is_wrong() {
                        // The sooner others are asked again, the sooner it may serve.
                        break;
                    }
                }
            };
            // A store that does not answer must not keep anybody from noticing that the clock was set.
            tokio::join!(self.compare_clock(), looks);
        }
    }

    async fn ask_database_time(&self) {
        let asked = Moment::of(self.clock());
        if let Ok(Some(theirs)) = self.identity().time().await {
            self.clock_check()
                .hear_answer(Witness::Database, asked, theirs);
        }
    }

    async fn ask_state_time(&self) {
        let asked = Moment::of(self.clock());
        if let Ok(Some(theirs)) = self.state().time().await {
            self.clock_check()
                .hear_answer(Witness::StateStore, asked, theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use host::{Health, ManualClock, health::Status};

    use super::*;

    fn check() -> (ClockCheck, ManualClock, Health) {
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let health = Health::new();
        let handle = health.register("clock");
        (ClockCheck::new(clock, handle), hand, health)
    }

    fn seconds(number: i64) -> TimeDelta {
        TimeDelta::seconds(number)
    }

    impl ClockCheck {
        fn hear_behind(&self, witness: Witness, ahead: i64) {
            self.hear(witness, self.clock.now() - seconds(ahead));
        }
    }

    #[test]
    fn the_middle_of_what_others_say_counts_and_the_milder_of_two() {
        for (said, expected) in [
            (vec![], None),
            (vec![300], Some(300)),
            (vec![300, 0], Some(0)),
            (vec![300, 290], Some(290)),
            (vec![-300, -290], Some(-290)),
            (vec![-300, 300], Some(0)),
            (vec![300, 0, 0], Some(0)),
            (vec![-300, -299, 1], Some(-299)),
            (vec![300, 300, 300], Some(300)),
        ] {
            let given = said.iter().map(|one| seconds(*one)).collect();
            assert_eq!(mildest_median(given), expected.map(seconds), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_clock_is_degraded_beyond_ten_seconds_and_wrong_beyond_sixty_f_05() {
        for (ahead, status) in [
            (0, Status::Ready),
            (10, Status::Ready),
            (-10, Status::Ready),
            (11, Status::Degraded),
            (-60, Status::Degraded),
            (61, Status::NotReady),
            (300, Status::NotReady),
            (-300, Status::NotReady),
            (365 * 86_400, Status::NotReady),
        ] {
            let (check, _, health) = check();
            check.hear_behind(Witness::ControlPlane, ahead);
            assert_eq!(health.report().await.status, status, "{ahead}");
            assert_eq!(check.is_wrong(), status == Status::NotReady, "{ahead}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_wrong_before_anybody_speaks_again_f_05() {
        for (by, wrong) in [(2, false), (-2, false), (300, true), (-300, true)] {
            let (check, hand, _) = check();
            check.hear_behind(Witness::Database, 0);
            hand.advance(seconds(40));
            assert!(!check.is_wrong(), "time went by");
            hand.step(seconds(by));
            assert_eq!(check.is_wrong(), wrong, "{by}");
            hand.step(seconds(-by));
            assert!(!check.is_wrong(), "set right again");
        }
    }

    #[test]
    fn nobody_who_is_alone_with_it_takes_a_node_out_of_rotation() {
        let (check, hand, _) = check();
        check.hear_behind(Witness::ControlPlane, 3_600);
        assert!(check.is_wrong(), "nobody contradicts");
        check.hear_behind(Witness::Database, 0);
        assert!(!check.is_wrong());
        check.hear_behind(Witness::StateStore, 3_600);
        assert!(check.is_wrong(), "two of three");
        // Who fell silent long ago is no witness any more.
        hand.advance(TimeDelta::from_std(FRESH).unwrap());
        check.hear_behind(Witness::Database, 1);
        assert!(!check.is_wrong());
    }

    #[test]
    fn a_late_answer_makes_no_clock_wrong() {
        let (check, hand, _) = check();
        check.hear_behind(Witness::ControlPlane, 0);
        // The process stood still, and what waited is heard now.
        hand.advance(seconds(120));
        for late in [120, 119, 118] {
            check.hear_behind(Witness::ControlPlane, late);
            assert!(!check.is_wrong());
        }
        let asked = Moment::of(&check.clock);
        hand.advance(seconds(2));
        check.hear_answer(Witness::Database, asked, check.clock.now() - seconds(3_600));
        assert_eq!(check.said().len(), 1, "it took too long to say anything");
    }

    #[test]
    fn nobody_said_anything_so_nothing_is_wrong() {
        let (check, hand, _) = check();
        hand.step(seconds(1_000_000));
        assert!(!check.is_wrong());
    }
}
