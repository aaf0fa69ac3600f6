//! What counts as a confirmation, and whom a call waits for.

use chrono::TimeDelta;
use contract::{
    ids::{NodeId, TypedId},
    lane::{CONFIRMATION_TYPE, Confirmation, LaneUp},
    section::ContentHash,
};
use control_plane::{Mode, Progress, Wait};
use host::statement::StatementKey;

use super::{confirmed, contain, hour, node, refused, until, user};
use crate::harness::{FakeLane, World};

#[tokio::test]
async fn only_the_nodes_own_word_about_this_document_counts() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let (_node, mut lane) = node(&world.cp, 1).await;
    let doubted = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let believed = contain(&world.cp, acme.id, user(2)).await.unwrap();
    for _ in 0..2 {
        lane.hear_document().await;
        lane.hear_roll().await;
    }
    let (doubted, believed) = (doubted.containment.id, believed.containment.id);
    let honest = lane.confirmation(doubted);
    for bad in [
        Confirmation {
            document: ContentHash::of(b"another document"),
            ..honest.clone()
        },
        Confirmation {
            document: lane.confirmation(believed).document,
            ..honest.clone()
        },
        Confirmation {
            revision: 2,
            ..honest.clone()
        },
        Confirmation {
            node: NodeId::from_uuid(uuid::Uuid::from_u128(2)),
            ..honest.clone()
        },
    ] {
        lane.confirm_so(&bad).await;
    }
    let payload = serde_json::to_vec(&honest).unwrap();
    let other = StatementKey::generate().unwrap();
    let of_another_key = other.sign(CONFIRMATION_TYPE, &payload).unwrap();
    let of_another_kind = lane.key.sign("other+jwt", &payload).unwrap();
    let good = lane.key.sign(CONFIRMATION_TYPE, &payload).unwrap();
    let mut forged = good.clone().into_bytes();
    let middle = good.find('.').unwrap() + 9;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for jws in [of_another_key, of_another_kind, forged, String::new()] {
        lane.say(&LaneUp::Confirmed { jws }).await;
    }
    // Frames are heard in their order, so all of the above were by the time this one is counted.
    lane.confirm(believed).await;
    let state = until(&world.cp, &system, (acme.id, believed), |state| {
        confirmed(state) == 1
    })
    .await;
    assert_eq!((state.figures.nodes, state.figures.confirmed), (1, 1));
    let state = world.cp.get_containment(&system, acme.id, doubted).await;
    assert_eq!(confirmed(&state.unwrap()), 0);
    lane.confirm_so(&honest).await;
    let state = until(&world.cp, &system, (acme.id, doubted), |state| {
        confirmed(state) == 1
    })
    .await;
    match &state.nodes[0].outcome {
        Progress::Confirmed { probe, .. } => assert!(refused(probe)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_is_shown_until_the_node_confirms_after_all() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let (_node, mut lane) = node(&world.cp, 1).await;
    let state = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let id = state.containment.id;
    lane.hear_document().await;
    lane.hear_roll().await;
    lane.say(&LaneUp::Refused {
        containment: Some(id),
        reason: "no space\u{7} left".to_owned(),
    })
    .await;
    let is_refused = |outcome: &Progress| match outcome {
        Progress::Refused { reason } => reason == "no space left",
        _ => false,
    };
    let at = (acme.id, id);
    until(&world.cp, &system, at, |state| {
        is_refused(&state.nodes[0].outcome)
    })
    .await;
    lane.confirm(id).await;
    until(&world.cp, &system, at, |state| confirmed(state) == 1).await;
    lane.say(&LaneUp::Refused {
        containment: Some(id),
        reason: "once more".to_owned(),
    })
    .await;
    let later = contain(&world.cp, acme.id, user(2)).await.unwrap();
    lane.hear_document().await;
    lane.confirm(later.containment.id).await;
    let at_later = (acme.id, later.containment.id);
    until(&world.cp, &system, at_later, |state| confirmed(state) == 1).await;
    let state = world.cp.get_containment(&system, acme.id, id).await;
    assert_eq!(
        confirmed(&state.unwrap()),
        1,
        "the first confirmation stands"
    );
}

#[tokio::test]
async fn a_call_that_waits_returns_when_every_reachable_node_confirmed_c2() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let mut nodes = Vec::new();
    let mut lanes = Vec::new();
    for number in 1..=3 {
        let (node, lane) = node(&world.cp, number).await;
        nodes.push(node);
        lanes.push(lane.obey());
    }
    for number in 1..=5 {
        let new = hour(user(number));
        let state = world
            .cp
            .contain(&system, acme.id, new, (Wait::Reachable, Mode::Commit))
            .await
            .unwrap();
        assert_eq!((confirmed(&state), state.figures.nodes), (3, 3));
        assert_eq!(state.residual.silent, 0);
        let tokens_until = state.accepted_at + TimeDelta::seconds(600);
        assert_eq!(state.residual.tokens_until, Some(tokens_until));
    }
}

#[tokio::test]
async fn a_call_does_not_wait_for_who_is_not_heard_and_says_who_c4() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let (_first, mut heard) = node(&world.cp, 1).await;
    let (_second, mut cut_off) = node(&world.cp, 2).await;
    let calling = tokio::spawn({
        let (cp, system, tenant) = (world.cp.clone(), system.clone(), acme.id);
        async move {
            let new = hour(user(1));
            cp.contain(&system, tenant, new, (Wait::Reachable, Mode::Commit))
                .await
        }
    });
    let id = heard.hear_document().await.id;
    cut_off.hear_document().await;
    heard.confirm(id).await;
    until(&world.cp, &system, (acme.id, id), |state| {
        confirmed(state) == 1
    })
    .await;
    // From now on nothing is heard of the other one for longer than two pulses.
    world.clock.advance(TimeDelta::seconds(3));
    let state = calling.await.unwrap().unwrap();
    assert_eq!((state.figures.nodes, state.figures.confirmed), (2, 1));
    let silent = state.nodes.iter().find(|node| node.node == cut_off.id);
    let silent = silent.unwrap();
    assert!(!silent.connected && matches!(silent.outcome, Progress::Silent { .. }));
    assert_eq!(
        (state.residual.silent, state.residual.silent_until),
        (1, None)
    );

    // It confirms later than it was asked, and that counts with its time.
    cut_off.confirm(id).await;
    let state = until(&world.cp, &system, (acme.id, id), |state| {
        confirmed(state) == 2
    })
    .await;
    assert_eq!(state.figures.slowest_us, Some(3_000_000));
    assert_eq!(state.figures.slowest, Some(cut_off.id));
}

#[tokio::test]
async fn a_node_with_a_lane_only_does_not_count_before_it_is_known() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut lane = FakeLane::open(&world.cp, 9).await;
    lane.hear_roll().await;
    let state = contain(&world.cp, acme.id, user(1)).await.unwrap();
    assert!(state.nodes.is_empty());
}

#[tokio::test]
async fn what_many_nodes_confirm_at_once_is_written_in_a_few_goes() {
    const NODES: u128 = 150;
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut lanes = Vec::new();
    for number in 1..=NODES {
        let mut lane = FakeLane::open(&world.cp, number).await;
        lane.hear_roll().await;
        lanes.push(lane.obey());
    }
    let system = world.cp.system_caller();
    let new = hour(user(1));
    world
        .cp
        .contain(&system, acme.id, new, (Wait::Reachable, Mode::Commit))
        .await
        .unwrap();
    let words = "SELECT node_id FROM containment_confirmations WHERE statement IS NOT NULL";
    assert_eq!(world.rows(words).await.len() as u128, NODES);
    let goes = "SELECT number FROM outbox WHERE kind = 'containments'";
    let goes = world.rows(goes).await.len();
    assert!(goes <= 30, "{goes} transactions");
}
