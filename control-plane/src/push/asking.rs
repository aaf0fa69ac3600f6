//! What a node was asked about what it holds, and did not answer yet.
//!
//! It answers in order, so an answer that is missing when a later ping comes back will never come. An answer
//! to nothing that was asked ends the session: what waits here to be worked on stays bounded by what we ask.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use contract::index::Bucket;

/// How far the question about a bucket has come.
enum Stage {
    /// Sent, after this many pings.
    Asked { pings: u64 },
    /// Answered; what follows from it is not done yet.
    Answered,
}

/// The open questions of one session.
#[derive(Default)]
pub(super) struct Asking(Mutex<BTreeMap<Bucket, Stage>>);

impl Asking {
    /// Opens the questions that are not open yet, and says which.
    pub(super) fn ask(&self, buckets: Vec<Bucket>, pings: u64) -> Vec<Bucket> {
        let mut open = self.open();
        let new = buckets.into_iter().filter(|bucket| {
            let is_new = !open.contains_key(bucket);
            open.entry(*bucket).or_insert(Stage::Asked { pings });
            is_new
        });
        new.collect()
    }

    /// Takes an answer; `false` if it is one to no question.
    pub(super) fn answer(&self, bucket: Bucket) -> bool {
        match self.open().get_mut(&bucket) {
            Some(stage @ Stage::Asked { .. }) => {
                *stage = Stage::Answered;
                true
            }
            Some(Stage::Answered) | None => false,
        }
    }

    /// Everything that followed from an answer is done.
    pub(super) fn close(&self, bucket: Bucket) {
        self.open().remove(&bucket);
    }

    /// Whether something that was asked before the `ping`th ping was not answered.
    pub(super) fn is_overdue(&self, ping: u64) -> bool {
        let overdue = |stage: &Stage| matches!(stage, Stage::Asked { pings } if *pings < ping);
        self.open().values().any(overdue)
    }

    /// Whether it is not known at this moment what the node holds of a bucket.
    pub(super) fn is_open(&self, bucket: Bucket) -> bool {
        self.open().contains_key(&bucket)
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Bucket, Stage>> {
        // Nothing panics while it holds this; were that to change, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(number: usize) -> Bucket {
        Bucket::all().nth(number).unwrap()
    }

    #[test]
    fn each_question_is_asked_and_answered_once() {
        let asking = Asking::default();
        let (one, two) = (bucket(1), bucket(2));
        assert!(!asking.answer(one), "nobody asked");
        assert_eq!(asking.ask(vec![one], 0), [one]);
        assert_eq!(asking.ask(vec![one, two], 0), [two]);
        assert!(asking.answer(one) && !asking.answer(one));
        assert!(asking.is_open(one), "not worked on yet");
        assert!(asking.ask(vec![one], 0).is_empty());
        asking.close(one);
        assert!(!asking.is_open(one) && asking.is_open(two));
        assert_eq!(asking.ask(vec![one], 0), [one]);
    }

    #[test]
    fn what_was_asked_before_a_ping_is_overdue_when_it_comes_back() {
        let asking = Asking::default();
        asking.ask(vec![bucket(1)], 3);
        assert!(!asking.is_overdue(3), "sent before the question");
        assert!(asking.is_overdue(4));
        asking.answer(bucket(1));
        assert!(!asking.is_overdue(4));
    }
}
