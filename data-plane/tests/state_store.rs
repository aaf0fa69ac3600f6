//! One conformance suite for every [`StateStore`]: memory always, Redis where `BAILIWICK_TEST_REDIS_URL` says so.
//!
//! A property that only one implementation has is a property callers must not rely on.

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration};
use contract::ids::{TenantId, TypedId};
use data_plane::state::{
    Admission, Kind, Pace, StateKey, StateStore, memory::MemoryState, redis::RedisState,
};
use futures::future::{BoxFuture, join_all};
use host::{Clock, Entropy};
use uuid::Uuid;

const LIFE: Duration = Duration::seconds(60);

/// A store with a way to let its time pass.
struct Subject {
    store: Arc<dyn StateStore>,
    pass: Box<dyn Fn(Duration) -> BoxFuture<'static, ()>>,
}

async fn subjects() -> Vec<Subject> {
    let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH);
    let mut subjects = vec![Subject {
        store: Arc::new(MemoryState::new(clock)),
        pass: Box::new(move |by| {
            time.advance(by);
            Box::pin(async {})
        }),
    }];
    #[expect(
        clippy::disallowed_methods,
        reason = "a test suite is configured at its edge"
    )]
    if let Ok(url) = std::env::var("BAILIWICK_TEST_REDIS_URL") {
        let prefix = format!("test-{}", Entropy::system().token());
        let store = RedisState::connect(&url, &prefix)
            .await
            .expect("Redis answers");
        subjects.push(Subject {
            store: Arc::new(store),
            // Redis has a clock of its own; it can only be waited for.
            pass: Box::new(|by| {
                let wait = by.to_std().unwrap_or(StdDuration::ZERO);
                Box::pin(tokio::time::sleep(wait))
            }),
        });
    }
    subjects
}

fn key(kind: Kind, tenant: u128, name: &str) -> StateKey<'_> {
    StateKey::new(kind, TenantId::from_uuid(Uuid::from_u128(tenant)), name)
}

#[tokio::test]
async fn what_is_put_is_found_and_replaced() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Request, 1, "a");
        assert_eq!(store.get(at).await.unwrap(), None);
        store.put(at, b"one", LIFE).await.unwrap();
        store.put(at, b"\x00\xfftwo", LIFE).await.unwrap();
        assert_eq!(store.get(at).await.unwrap().unwrap(), b"\x00\xfftwo");
        store.delete(at).await.unwrap();
        store.delete(at).await.unwrap();
        assert_eq!(store.get(at).await.unwrap(), None);
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn tenants_and_kinds_never_meet() {
    for Subject { store, .. } in subjects().await {
        store
            .put(key(Kind::Code, 1, "a"), b"x", LIFE)
            .await
            .unwrap();
        for other in [
            key(Kind::Code, 2, "a"),
            key(Kind::Session, 1, "a"),
            key(Kind::Code, 1, "b"),
        ] {
            assert_eq!(store.get(other).await.unwrap(), None, "{other}");
            assert_eq!(store.take(other).await.unwrap(), None, "{other}");
        }
        assert!(store.get(key(Kind::Code, 1, "a")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn one_of_many_takes_r_tok_02() {
    for Subject { store, .. } in subjects().await {
        for round in 0..20 {
            let name = format!("code-{round}");
            let at = key(Kind::Code, 1, &name);
            store.put(at, b"grant", LIFE).await.unwrap();
            let takers = join_all((0..16).map(|_| store.take(at))).await;
            let taken = takers
                .into_iter()
                .filter(|taken| taken.as_ref().unwrap().is_some());
            assert_eq!(taken.count(), 1);
        }
    }
}

#[tokio::test]
async fn a_deleted_value_cannot_be_replaced() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Session, 1, "s");
        assert!(!store.replace(at, b"1", LIFE).await.unwrap());
        store.put(at, b"1", LIFE).await.unwrap();
        assert!(store.replace(at, b"2", LIFE).await.unwrap());
        assert_eq!(store.get(at).await.unwrap().unwrap(), b"2");
        store.delete(at).await.unwrap();
        assert!(!store.replace(at, b"3", LIFE).await.unwrap());
        assert_eq!(store.get(at).await.unwrap(), None);
    }
}

#[tokio::test]
async fn counters_lose_no_count_r_enum_04() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Counter, 1, "c");
        let counts = join_all((0..50).map(|_| store.increment(at, LIFE))).await;
        let mut counts: Vec<u64> = counts.into_iter().map(Result::unwrap).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=50).collect::<Vec<u64>>());
        assert_eq!(store.get(at).await.unwrap().unwrap(), b"50");
    }
}

#[tokio::test]
async fn counters_are_given_back_and_never_fall_below_zero() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Counter, 1, "back");
        store.decrement(at).await.unwrap();
        assert_eq!(store.increment(at, LIFE).await.unwrap(), 1);
        for _ in 0..3 {
            store.decrement(at).await.unwrap();
        }
        assert_eq!(store.increment(at, LIFE).await.unwrap(), 1);
    }
}

/// Two attempts without a pause, then one per 400 ms.
fn pace() -> Pace {
    Pace {
        pauses: vec![Duration::zero(), Duration::milliseconds(400)],
        memory: LIFE,
    }
}

fn number(admission: Admission) -> Option<u64> {
    match admission {
        Admission::Admitted { number } => Some(number),
        Admission::Wait { left } => {
            assert!(left > Duration::zero() && left <= Duration::milliseconds(400));
            None
        }
    }
}

#[tokio::test]
async fn of_a_flood_only_the_admitted_are_counted_r_enum_02() {
    for Subject { store, pass } in subjects().await {
        let at = key(Kind::Attempts, 1, "flood");
        let pace = pace();
        for admitted in [vec![1, 2], vec![3], vec![4]] {
            let flood = join_all((0..50).map(|_| store.admit(at, &pace))).await;
            let mut numbers: Vec<u64> = flood
                .into_iter()
                .filter_map(|admission| number(admission.unwrap()))
                .collect();
            numbers.sort_unstable();
            assert_eq!(numbers, admitted);
            pass(Duration::milliseconds(410)).await;
        }
        store.delete(at).await.unwrap();
        assert_eq!(number(store.admit(at, &pace).await.unwrap()), Some(1));
    }
}

#[tokio::test]
async fn an_attempt_given_back_leaves_no_trace() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Attempts, 1, "back");
        let pace = pace();
        let admit = || async { number(store.admit(at, &pace).await.unwrap()) };
        store.give_back(at, 1).await.unwrap();
        assert_eq!((admit().await, admit().await), (Some(1), Some(2)));
        assert_eq!(admit().await, None);
        store.give_back(at, 2).await.unwrap();
        assert_eq!(admit().await, Some(2), "its pause is over too");
        store.give_back(at, 1).await.unwrap();
        assert_eq!(admit().await, None, "the pause of a later one is not");
        store.delete(at).await.unwrap();
        assert_eq!(admit().await, Some(1));
        store.give_back(at, 2).await.unwrap();
        assert_eq!(admit().await, Some(2), "it was forgotten before");
    }
}

#[tokio::test]
async fn without_pauses_everything_is_admitted() {
    for Subject { store, .. } in subjects().await {
        let at = key(Kind::Attempts, 1, "free");
        let pace = Pace {
            pauses: vec![],
            memory: LIFE,
        };
        for expected in 1..=3 {
            assert_eq!(
                number(store.admit(at, &pace).await.unwrap()),
                Some(expected)
            );
        }
    }
}

#[tokio::test]
async fn everything_ends() {
    for Subject { store, pass } in subjects().await {
        let short = Duration::milliseconds(400);
        let (value, counter, attempts) = (
            key(Kind::Request, 1, "end"),
            key(Kind::Counter, 1, "end"),
            key(Kind::Attempts, 1, "end"),
        );
        let forgetful = Pace {
            pauses: vec![],
            memory: short,
        };
        store.put(value, b"x", short).await.unwrap();
        store.increment(counter, short).await.unwrap();
        store.admit(attempts, &forgetful).await.unwrap();
        pass(Duration::milliseconds(500)).await;
        assert_eq!(store.get(value).await.unwrap(), None);
        assert_eq!(store.take(value).await.unwrap(), None);
        assert!(!store.replace(value, b"y", LIFE).await.unwrap());
        assert_eq!(store.increment(counter, LIFE).await.unwrap(), 1);
        assert_eq!(
            number(store.admit(attempts, &forgetful).await.unwrap()),
            Some(1)
        );
        store.put(value, b"x", Duration::zero()).await.unwrap();
        pass(Duration::milliseconds(5)).await;
        assert_eq!(store.get(value).await.unwrap(), None);
    }
}

#[tokio::test]
async fn values_of_one_kind_are_listed_up_to_a_bound() {
    for subject in subjects().await {
        let store = &subject.store;
        let life = Duration::minutes(1);
        for name in ["a", "b", "c"] {
            store
                .put(key(Kind::Session, 1, name), name.as_bytes(), life)
                .await
                .unwrap();
        }
        store
            .put(key(Kind::Session, 2, "d"), b"d", life)
            .await
            .unwrap();
        store
            .put(key(Kind::Request, 1, "e"), b"e", life)
            .await
            .unwrap();
        let tenant = key(Kind::Session, 1, "").tenant;
        let mut all = store.values(Kind::Session, tenant, 10).await.unwrap();
        all.sort();
        assert_eq!(all, [b"a", b"b", b"c"]);
        assert_eq!(
            store.values(Kind::Session, tenant, 2).await.unwrap().len(),
            2
        );
    }
}
