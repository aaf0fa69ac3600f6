//! Browser sessions and what waits for the next request.

use chrono::Duration;
use contract::policies::SessionPolicy;

use crate::harness::{Machine, tenant, user};

fn policy() -> SessionPolicy {
    SessionPolicy {
        idle_minutes: 30,
        absolute_hours: 2,
    }
}

#[tokio::test]
async fn sessions_end_idle_absolutely_and_on_demand_r_sess_04() {
    let machine = Machine::new();
    let node = machine.start().await;
    let sessions = node.sessions();
    let start = || async {
        let started = sessions
            .start(tenant(1), user(1), &["pwd"], &policy())
            .await;
        started.unwrap()
    };
    let find =
        |cookie: String| async move { sessions.find(tenant(1), &cookie, &policy()).await.unwrap() };

    let (idle, session) = start().await;
    assert_eq!(find(idle.clone()).await.unwrap().id, session.id);
    assert!(
        sessions
            .find(tenant(2), &idle, &policy())
            .await
            .unwrap()
            .is_none()
    );
    machine.time.advance(Duration::minutes(30));
    assert!(find(idle).await.is_none());

    let (used, _) = start().await;
    for _ in 0..4 {
        machine.time.advance(Duration::minutes(29));
        assert!(find(used.clone()).await.is_some());
    }
    machine.time.advance(Duration::minutes(4));
    assert!(find(used).await.is_none());

    let (ended, _) = start().await;
    sessions.end(tenant(1), &ended).await.unwrap();
    assert!(find(ended).await.is_none());

    let (one, _) = start().await;
    let (two, _) = start().await;
    assert_ne!(one, two);
    sessions.end_all(tenant(1), user(1)).await.unwrap();
    assert!(find(one).await.is_none() && find(two).await.is_none());
    machine.time.advance(Duration::seconds(1));
    let (new, _) = start().await;
    assert!(find(new).await.is_some());
}

#[tokio::test]
async fn a_stricter_policy_applies_at_once() {
    let machine = Machine::new();
    let node = machine.start().await;
    let (cookie, _) = node
        .sessions()
        .start(tenant(1), user(1), &["pwd"], &policy())
        .await
        .unwrap();
    machine.time.advance(Duration::minutes(10));
    let strict = SessionPolicy {
        idle_minutes: 5,
        ..policy()
    };
    assert!(
        node.sessions()
            .find(tenant(1), &cookie, &strict)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_value_waits_for_its_browser_and_is_taken_once() {
    let machine = Machine::new();
    let node = machine.start().await;
    let requests = node.requests();
    let id = requests
        .put(tenant(1), &vec!["a"], Duration::minutes(10))
        .await
        .unwrap();
    let get = |whose, id: String| async move {
        requests
            .get::<Vec<String>>(tenant(whose), &id)
            .await
            .unwrap()
    };
    assert_eq!(get(1, id.clone()).await.unwrap(), ["a"]);
    assert_eq!(get(2, id.clone()).await, None);
    assert!(
        requests
            .replace(tenant(1), &id, &vec!["b"], Duration::minutes(10))
            .await
            .unwrap()
    );
    let taken: Option<Vec<String>> = requests.take(tenant(1), &id).await.unwrap();
    assert_eq!(taken.unwrap(), ["b"]);
    assert!(
        !requests
            .replace(tenant(1), &id, &vec!["c"], Duration::minutes(10))
            .await
            .unwrap()
    );
    assert_eq!(get(1, id).await, None);
}
