//! Background work: done once, by whichever replica has the lease (F-11).

use chrono::TimeDelta;
use control_plane::{Mode, NewContainment, Wait};

use crate::{
    containments::{hour, user},
    harness::World,
};

const BASE: &str = "http://127.0.0.1:7100";

#[tokio::test]
async fn a_containment_that_ended_by_itself_is_told_once_f_11() {
    let world = World::new().await;
    let other = world.reopened(BASE).await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let short = NewContainment {
        minutes: 1,
        ..hour(user(1))
    };
    for new in [short, hour(user(2))] {
        let how = (Wait::No, Mode::Commit);
        world.cp.contain(&system, acme.id, new, how).await.unwrap();
    }
    let told = async || {
        let events = world.audit(acme.id).await;
        let ended = events
            .into_iter()
            .filter(|record| record.event.action == "containments.end");
        ended
            .map(|record| record.event.sentence)
            .collect::<Vec<_>>()
    };
    world.cp.do_jobs().await.unwrap();
    assert!(told().await.is_empty());
    world.clock.advance(TimeDelta::minutes(2));
    for _ in 0..2 {
        let (one, two) = tokio::join!(world.cp.do_jobs(), other.do_jobs());
        one.unwrap();
        two.unwrap();
        world.clock.advance(TimeDelta::seconds(11));
    }
    let told = told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("ended by itself"), "{told:?}");
}

#[tokio::test]
async fn another_replica_takes_over_what_one_left_and_not_before_f_11() {
    let world = World::new().await;
    let other = world.reopened(BASE).await;
    let fences = async || {
        let rows = world
            .rows("SELECT holder, fence FROM job_leases ORDER BY name")
            .await;
        rows.join("; ")
    };
    world.cp.do_jobs().await.unwrap();
    let first = fences().await;
    assert_eq!(first.matches("fence=1").count(), 3, "{first}");
    world.clock.advance(TimeDelta::seconds(9));
    other.do_jobs().await.unwrap();
    assert_eq!(fences().await, first, "it may be alive");
    world.cp.do_jobs().await.unwrap();
    world.clock.advance(TimeDelta::seconds(9));
    other.do_jobs().await.unwrap();
    assert_eq!(fences().await, first, "renewed");
    world.clock.advance(TimeDelta::seconds(2));
    other.do_jobs().await.unwrap();
    let second = fences().await;
    assert_eq!(second.matches("fence=2").count(), 3, "{second}");
    world.cp.do_jobs().await.unwrap();
    assert_eq!(fences().await, second, "it stands down");
}

#[tokio::test]
async fn news_are_kept_for_an_hour() {
    let world = World::new().await;
    world.tenant("acme").await;
    let count = async || world.rows("SELECT number FROM outbox").await.len();
    let before = count().await;
    assert!(before > 0);
    world.clock.advance(TimeDelta::minutes(59));
    world.cp.do_jobs().await.unwrap();
    assert_eq!(count().await, before);
    world.clock.advance(TimeDelta::minutes(2));
    world.cp.do_jobs().await.unwrap();
    assert_eq!(count().await, 0);
}
