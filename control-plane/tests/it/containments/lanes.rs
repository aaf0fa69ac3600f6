//! What lanes are told: document first, then the roll, and again until it is held.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use contract::{
    containment::digest,
    lane::{LaneDown, LaneUp},
};
use control_plane::{ContainmentChange, Mode, NewContainment, Wait, containments::ContainmentAt};

use super::{contain, hour, node, until, user};
use crate::harness::{FakeLane, World};

#[tokio::test]
async fn a_document_is_told_before_the_roll_that_lists_it_r_rev_04() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (_node, mut lane) = node(&world.cp, 1).await;
    assert_eq!(lane.sequence, 0);
    for number in 1..=3 {
        let state = contain(&world.cp, acme.id, user(number)).await.unwrap();
        assert_eq!(lane.hear_document().await, state.containment);
        let roll = lane.hear_roll().await;
        assert_eq!(
            (roll.sequence, state.as_of.sequence),
            (number as u64, number as u64)
        );
        assert_eq!(roll.holds, lane.holds);
    }
    assert_eq!(lane.holds.len(), 3);
}

#[tokio::test]
async fn a_lane_pulses_and_says_where_the_region_is() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    contain(&world.cp, acme.id, user(1)).await.unwrap();
    let mut lane = FakeLane::open(&world.cp, 1).await;
    lane.hear_document().await;
    lane.hear_roll().await;
    for _ in 0..2 {
        let pulse = lane.hear().await;
        assert!(matches!(pulse, Some(LaneDown::Pulse { sequence: 1, .. })));
        lane.pulse().await;
    }
}

#[tokio::test]
async fn who_holds_something_else_is_told_everything_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (_node, mut lane) = node(&world.cp, 1).await;
    contain(&world.cp, acme.id, user(1)).await.unwrap();
    contain(&world.cp, acme.id, user(2)).await.unwrap();
    for _ in 0..2 {
        lane.hear_document().await;
        lane.hear_roll().await;
    }
    lane.pulse().await;
    lane.say(&LaneUp::Pulse {
        sequence: 2,
        digest: digest(&BTreeMap::new()),
    })
    .await;
    let first = lane.hear_document().await.sequence;
    let second = lane.hear_document().await.sequence;
    let roll = lane.hear_roll().await;
    assert_eq!((first, second, roll.sequence), (1, 2, 2));
    // Behind by one, frames may be under way; behind twice, they were lost.
    for _ in 0..2 {
        lane.say(&LaneUp::Pulse {
            sequence: 1,
            digest: digest(&BTreeMap::new()),
        })
        .await;
    }
    assert_eq!(lane.hear_document().await.sequence, 1);
}

#[tokio::test]
async fn who_comes_back_is_told_what_it_lacks_and_what_it_never_confirmed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let (_node, mut lane) = node(&world.cp, 1).await;
    let first = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let second = contain(&world.cp, acme.id, user(2)).await.unwrap();
    for _ in 0..2 {
        lane.hear_document().await;
        lane.hear_roll().await;
    }
    let first = first.containment.id;
    lane.confirm(first).await;
    until(&world.cp, &system, (acme.id, first), |state| {
        state.figures.confirmed == 1
    })
    .await;
    drop(lane);
    let third = contain(&world.cp, acme.id, user(3)).await.unwrap();
    let holds = [(first, 1), (second.containment.id, 1)];
    let mut lane = FakeLane::open_with(&world.cp, 1, 2, holds.into()).await;
    assert_eq!(lane.hear_document().await.id, second.containment.id);
    assert_eq!(lane.hear_document().await.id, third.containment.id);
    let roll = lane.hear_roll().await;
    assert_eq!((roll.sequence, roll.holds.len()), (3, 3));
}

#[tokio::test]
async fn what_is_lifted_is_told_as_a_revision_and_what_is_forgotten_leaves_the_roll() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let (_node, mut lane) = node(&world.cp, 1).await;
    let begun = contain(&world.cp, acme.id, user(1)).await.unwrap();
    lane.hear_document().await;
    lane.hear_roll().await;
    let id = begun.containment.id;
    let at = ContainmentAt {
        tenant: acme.id,
        id,
        expected: Some(1),
    };
    let lift = ContainmentChange::Lift {
        reason: "The password was reset".to_owned(),
    };
    let how = (Wait::No, Mode::Commit);
    let lifted = world.cp.change_containment(&system, at, lift, how);
    let lifted = lifted.await.unwrap();
    let heard = lane.hear_document().await;
    assert_eq!((heard.revision, heard.sequence), (2, 2));
    assert_eq!(heard.lifted_at, lifted.containment.lifted_at);
    // What it ended stays dead, so it stays on the roll.
    assert_eq!(lane.hear_roll().await.holds, [(id, 2)].into());

    let brief = NewContainment {
        ends_existing: false,
        minutes: 1,
        ..hour(user(2))
    };
    let brief = world
        .cp
        .contain(&system, acme.id, brief, (Wait::No, Mode::Commit))
        .await
        .unwrap();
    lane.hear_document().await;
    assert_eq!(lane.hear_roll().await.holds.len(), 2);
    world.clock.advance(TimeDelta::minutes(2));
    // With the next pulse: nobody has to do anything for it.
    let roll = lane.hear_roll().await;
    assert_eq!((roll.sequence, roll.holds), (3, [(id, 2)].into()));
    let state = world
        .cp
        .get_containment(&system, acme.id, brief.containment.id);
    assert_eq!(state.await.unwrap().containment, brief.containment);
}

#[tokio::test]
async fn who_does_not_greet_as_agreed_is_sent_away() {
    let world = World::new().await;
    let mut lane = FakeLane::open(&world.cp, 1).await;
    lane.hear_roll().await;
    lane.greet(Some(lane.shown_key())).await;
    lane.hear_the_end().await;
    // A newer lane of the same node takes the place of the older one.
    let mut older = FakeLane::open(&world.cp, 1).await;
    older.hear_roll().await;
    let mut newer = FakeLane::open(&world.cp, 1).await;
    newer.hear_roll().await;
    older.hear_the_end().await;
    newer.pulse().await;
}
