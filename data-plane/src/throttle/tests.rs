//! Floods, blocks and budgets, on a clock that is moved by hand.

use chrono::DateTime;
use contract::ids::TypedId;
use host::ManualClock;
use uuid::Uuid;

use super::*;
use crate::state::memory::MemoryState;

const ADA: Caller<'_> = Caller {
    identifier: "ada",
    device: None,
    ip: None,
};
const HER_PHONE: Caller<'_> = Caller {
    device: Some("phone"),
    ..ADA
};
const HOUR: StdDuration = StdDuration::from_secs(3600);

fn throttle() -> (Throttle, ManualClock) {
    let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH);
    let state = Arc::new(MemoryState::new(clock.clone()));
    (Throttle::new(state, clock), time)
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

async fn begin(throttle: &Throttle, caller: Caller<'_>) -> Result<Attempt, StdDuration> {
    let policy = AuthenticationPolicy::default();
    match throttle.begin(tenant(), caller, &policy).await.unwrap() {
        Begun::Admitted(attempt) => Ok(attempt),
        Begun::Wait { retry_after } => Err(retry_after),
    }
}

/// Fails until the block, waiting as told; says how often.
async fn fail_until_blocked(throttle: &Throttle, time: &ManualClock, who: Caller<'_>) -> u32 {
    let mut tries = 0;
    loop {
        match begin(throttle, who).await {
            Ok(_) => tries += 1,
            Err(HOUR) => return tries,
            Err(pause) => time.advance(Duration::from_std(pause).unwrap()),
        }
    }
}

#[test]
fn pauses_grow_and_end_in_a_block_r_enum_02() {
    let pauses = pace(ADA, &AuthenticationPolicy::default()).pauses;
    let seconds: Vec<i64> = pauses.iter().map(Duration::num_seconds).collect();
    assert_eq!(seconds.len(), 50);
    assert_eq!(seconds[..11], [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60]);
    assert!(seconds[11..49].iter().all(|pause| *pause == 60));
    assert_eq!(seconds[49], 3600);
    let pauses = pace(HER_PHONE, &AuthenticationPolicy::default()).pauses;
    let seconds: Vec<i64> = pauses.iter().map(Duration::num_seconds).collect();
    assert_eq!(seconds, [0, 0, 0, 0, 1, 2, 4, 8, 16, 3600]);
}

#[tokio::test]
async fn an_account_is_slowed_blocked_and_forgiven_r_enum_02() {
    let (throttle, time) = throttle();
    assert_eq!(fail_until_blocked(&throttle, &time, ADA).await, 50);
    let policy = AuthenticationPolicy::default();
    let other = TenantId::from_uuid(Uuid::from_u128(2));
    let elsewhere = throttle.begin(other, ADA, &policy).await.unwrap();
    assert!(matches!(elsewhere, Begun::Admitted(_)));
    time.advance(Duration::minutes(60));
    let attempt = begin(&throttle, ADA).await.unwrap();
    assert_eq!(begin(&throttle, ADA).await.unwrap_err(), HOUR, "one try");
    throttle.succeeded(&attempt).await.unwrap();
    assert_eq!(fail_until_blocked(&throttle, &time, ADA).await, 50);
}

#[tokio::test]
async fn a_flood_does_not_reach_the_block_without_guessing() {
    let (throttle, time) = throttle();
    for admitted in [5, 1, 1] {
        let flood = futures::future::join_all((0..200).map(|_| begin(&throttle, ADA))).await;
        assert_eq!(flood.iter().filter(|begun| begun.is_ok()).count(), admitted);
        assert!(!flood.iter().any(|begun| matches!(begun, Err(HOUR))));
        time.advance(Duration::minutes(1));
    }
}

#[tokio::test]
async fn an_attempt_without_verdict_is_not_counted() {
    let (throttle, time) = throttle();
    let from_home = Caller {
        ip: Some([192, 0, 2, 1].into()),
        ..ADA
    };
    for _ in 0..400 {
        let attempt = begin(&throttle, from_home).await.unwrap();
        throttle.without_verdict(&attempt).await.unwrap();
    }
    assert_eq!(fail_until_blocked(&throttle, &time, from_home).await, 50);
}

#[tokio::test]
async fn a_known_device_is_counted_apart_r_enum_03() {
    let (throttle, time) = throttle();
    fail_until_blocked(&throttle, &time, ADA).await;
    let attempt = begin(&throttle, HER_PHONE).await.unwrap();
    throttle.succeeded(&attempt).await.unwrap();
    assert_eq!(
        begin(&throttle, ADA).await.unwrap_err(),
        HOUR,
        "her signing in does not help whoever guesses"
    );
    assert_eq!(fail_until_blocked(&throttle, &time, HER_PHONE).await, 10);
}

#[tokio::test]
async fn known_devices_share_one_limit_r_enum_02() {
    let (throttle, time) = throttle();
    let names: Vec<String> = (0..1000).map(|n| format!("mark-{n}")).collect();
    let mut tries = 0;
    for device in &names {
        let device = Caller {
            device: Some(device),
            ..ADA
        };
        // Five at each device need no waiting; what comes then from a stranger does.
        for _ in 0..5 {
            tries += u32::from(begin(&throttle, device).await.is_ok());
        }
    }
    assert_eq!(tries, 50 + 5);
    assert_eq!(fail_until_blocked(&throttle, &time, ADA).await, 45);
    assert_eq!(begin(&throttle, HER_PHONE).await.unwrap_err(), HOUR);
}

#[tokio::test]
async fn success_frees_what_its_own_device_used_r_enum_03() {
    let (throttle, _) = throttle();
    for _ in 0..30 {
        for _ in 0..3 {
            let _ = begin(&throttle, HER_PHONE).await.unwrap();
        }
        let right = begin(&throttle, HER_PHONE).await.unwrap();
        assert_eq!(right.number, 4, "still counted as hers");
        throttle.succeeded(&right).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_pays_for_finding_everybody_busy_r_ten_05() {
    let (throttle, _) = throttle();
    let from_home = Caller {
        ip: Some([192, 0, 2, 1].into()),
        ..ADA
    };
    for _ in 0..300 {
        let attempt = begin(&throttle, from_home).await.unwrap();
        throttle.turned_away(&attempt).await.unwrap();
    }
    assert!(begin(&throttle, from_home).await.is_err());
    let elsewhere = Caller {
        ip: Some([198, 51, 100, 1].into()),
        ..ADA
    };
    let attempt = begin(&throttle, elsewhere).await.unwrap();
    assert_eq!(attempt.number, 1, "the account paid nothing");
}

#[tokio::test]
async fn an_address_has_a_budget_over_all_accounts() {
    let (throttle, time) = throttle();
    let names: Vec<String> = (0..400).map(|n| format!("account-{n}")).collect();
    let spray = names.iter().map(|identifier| {
        let caller = Caller {
            identifier,
            device: None,
            ip: Some([192, 0, 2, 1].into()),
        };
        begin(&throttle, caller)
    });
    let begun = futures::future::join_all(spray).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!((admitted.len(), refused.len()), (300, 100));
    let mine = Caller {
        ip: Some([192, 0, 2, 1].into()),
        ..ADA
    };
    assert!(begin(&throttle, mine).await.is_err());
    let from_her_phone = Caller {
        device: Some("phone"),
        ..mine
    };
    assert!(begin(&throttle, from_her_phone).await.is_ok());
    let right = admitted.into_iter().next().unwrap().unwrap();
    throttle.succeeded(&right).await.unwrap();
    assert!(begin(&throttle, mine).await.is_ok(), "only failures count");
    time.advance(Duration::minutes(5));
    assert!(begin(&throttle, mine).await.is_ok());
}

#[tokio::test]
async fn a_budget_renews_with_its_window() {
    let (throttle, time) = throttle();
    let limit = Limit {
        count: 2,
        window: Duration::seconds(10),
    };
    let ask = || throttle.limit(tenant(), "x", "k", limit);
    assert_eq!(ask().await.unwrap(), Verdict::Allowed);
    assert_eq!(ask().await.unwrap(), Verdict::Allowed);
    assert_eq!(
        ask().await.unwrap(),
        Verdict::Wait {
            retry_after: StdDuration::from_secs(10)
        }
    );
    time.advance(Duration::seconds(10));
    assert_eq!(ask().await.unwrap(), Verdict::Allowed);
}

#[test]
fn neighbours_in_one_prefix_share_a_key_r_enum_05() {
    let key = |text: &str| ip_key(text.parse().unwrap());
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
}
