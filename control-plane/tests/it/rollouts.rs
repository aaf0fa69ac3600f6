//! Staged rollouts: the canary ring first, all nodes once it has proven itself there, and back if it has not.

mod stage;

use chrono::TimeDelta;
use contract::{
    frames::Outcome,
    ids::{NodeId, TenantId},
    index::IndexEntry,
    tenant::TenantStatus,
    traffic::{LATENCY_CLASSES, Traffic},
};
use control_plane::{
    At, Mode, PageRequest,
    nodes::{NodeAt, Ring},
    rollouts::{GateKind, RolloutAt, RolloutFilter, RolloutPhase, RolloutStep, Verdict},
};

use host::Shutdown;

use self::stage::*;
pub use self::stage::{make_canary, until};
use crate::harness::{FakeNode, code};

fn traffic(requests: u64, failures: u64) -> Traffic {
    let mut latency = [0; LATENCY_CLASSES];
    latency[3] = requests;
    Traffic {
        requests,
        failures,
        latency,
        ..Traffic::default()
    }
}

#[tokio::test]
async fn a_release_goes_to_the_canary_ring_first_and_to_all_after_the_bake_r_node_06() {
    let stage = Stage::new().await;
    let (mut canary, mut wide) = (stage.canary().await, stage.wide().await);
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    assert_eq!(stage.publish(20).await, 2);
    assert_eq!(canary.hear_release().await, (acme, 2, 1));
    wide.hears_nothing().await;
    let state = stage.rollout().await;
    assert_eq!(state.rollout.phase, RolloutPhase::Baking);
    assert_eq!((state.rollout.version, state.rollout.base_version), (2, 1));
    assert_eq!(
        state.waits.as_deref(),
        Some("No canary node serves it yet.")
    );
    // Time alone lets nothing through that no node serves.
    stage.bake().await;
    assert_eq!(stage.rollout().await.rollout.phase, RolloutPhase::Baking);
    canary.ack(acme, 2, Outcome::Applied).await;
    stage.applied(canary.id, 2).await;
    stage.world.clock.advance(TimeDelta::seconds(29));
    cp.do_jobs().await.unwrap();
    let state = stage.rollout().await;
    assert_eq!(state.rollout.phase, RolloutPhase::Baking);
    let waits = state.waits.unwrap();
    assert!(waits.contains("watched for 2 more seconds"), "{waits}");
    let [first, second] = &state.waves[..] else {
        panic!("two rings");
    };
    assert_eq!((first.ring, first.wanted), (Ring::Canary, 2));
    assert_eq!((second.ring, second.wanted), (Ring::Wide, 1));
    assert_eq!((first.nodes[0].applied, second.nodes[0].applied), (2, 1));
    wide.hears_nothing().await;
    let reach = cp.effectiveness(&stage.owner, acme).await.unwrap();
    let wanted = |node: NodeId| {
        let mut serving = reach.serving.iter();
        let serving = serving.find(|one| one.node == node).unwrap();
        (serving.ring, serving.wanted)
    };
    assert_eq!(wanted(canary.id), (Ring::Canary, 2));
    assert_eq!(wanted(wide.id), (Ring::Wide, 1));

    stage.bake().await;
    assert_eq!(wide.hear_release().await, (acme, 2, 1));
    canary.hears_nothing().await;
    let state = stage.rollout().await;
    assert_eq!(state.rollout.phase, RolloutPhase::Promoted);
    assert_eq!(
        state.rollout.reason.as_deref(),
        Some("Too little traffic to judge: 0 requests.")
    );
    assert_eq!(state.rollout.decided_by.as_deref(), Some("Bailiwick"));
    assert_eq!(stage.told(acme, "rollouts.begin").await, 1);
    assert_eq!(stage.told(acme, "rollouts.promote").await, 1);
    let platform = cp.ensure_platform_tenant().await.unwrap();
    assert_eq!(stage.told(platform.id, "rollouts.promote").await, 1);
}

#[tokio::test]
async fn what_one_canary_node_refuses_comes_back_as_a_new_version_with_old_content_r_node_06() {
    let stage = Stage::new().await;
    let (mut canary, mut wide) = (stage.canary().await, stage.wide().await);
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    stage.publish(20).await;
    canary.hear_release().await;
    let reason = "a section cannot be used".to_owned();
    canary.ack(acme, 2, Outcome::Rejected { reason }).await;
    let refused = async || {
        let gates = stage.rollout().await.rollout.gates;
        gates[0].verdict == Verdict::Failed
    };
    until(refused).await;
    cp.do_jobs().await.unwrap();
    assert_eq!(canary.hear_release().await.1, 3);
    // The wide ring has that content already: only the new manifest travels.
    assert_eq!(wide.hear_release().await, (acme, 3, 0));
    assert_eq!(stage.sections(3).await, stage.sections(1).await);
    let state = stage.rollout().await;
    assert_eq!(state.rollout.phase, RolloutPhase::RolledBack);
    assert_eq!(state.rollout.reverted_by, Some(3));
    let reason = state.rollout.reason.unwrap();
    for words in [
        "A node refused it: a section cannot be used.",
        "Version 3 has the content of version 1.",
        "the next release contains it again",
    ] {
        assert!(reason.contains(words), "{reason}");
    }
    let page = PageRequest::default();
    let releases = cp.list_releases(&stage.owner, acme, &page).await.unwrap();
    let said: Vec<_> = releases
        .items
        .iter()
        .map(|one| one.rollout.as_ref().map(|of| (of.phase, of.reverts)))
        .collect();
    let back = RolloutPhase::RolledBack;
    assert_eq!(said, [Some((back, true)), Some((back, false)), None]);

    // What was configured stays: the next release has it, and is watched again.
    assert_eq!(stage.publish(21).await, 4);
    let next = stage.rollout().await.rollout;
    assert_eq!((next.version, next.base_version), (4, 3));
    assert_ne!(stage.sections(4).await, stage.sections(1).await);
}

#[tokio::test]
async fn a_release_that_raises_5xx_stops_at_the_canary_ring_and_is_reverted_r_node_06() {
    let stage = Stage::new().await;
    let (canary, wide) = (stage.canary().await, stage.wide().await);
    let (canary, wide) = (canary.obey(), wide.obey());
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    stage.publish(20).await;
    stage.applied(canary.id, 2).await;
    let counted = async |node: NodeId, requests: u64| {
        let state = stage.rollout().await;
        let mut nodes = state.waves.iter().flat_map(|wave| &wave.nodes);
        let found = nodes.find(|one| one.node == node).unwrap();
        found.traffic.as_ref().map(|traffic| traffic.requests) == Some(requests)
    };
    // What the rest counted before is of another time.
    wide.counts(acme, traffic(1_000, 900));
    cp.ask_for_measures().await.unwrap();
    until(async || counted(wide.id, 0).await).await;
    canary.counts(acme, traffic(100, 30));
    wide.counts(acme, traffic(1_100, 901));
    cp.ask_for_measures().await.unwrap();
    until(async || counted(wide.id, 100).await && counted(canary.id, 100).await).await;
    let failures = &stage.rollout().await.rollout.gates[1];
    assert_eq!(failures.gate, GateKind::Failures);
    assert_eq!(
        (failures.measured, failures.compared),
        (Some(300), Some(10))
    );
    assert_eq!(
        (failures.limit, failures.verdict),
        (Some(30), Verdict::Failed)
    );
    // At once, and not at the end of the bake.
    cp.do_jobs().await.unwrap();
    stage.applied(canary.id, 3).await;
    stage.applied(wide.id, 3).await;
    assert_eq!(stage.sections(3).await, stage.sections(1).await);
    let state = stage.rollout().await;
    assert_eq!(state.rollout.phase, RolloutPhase::RolledBack);
    let reason = state.rollout.reason.unwrap();
    assert!(reason.contains("30 % of its answers were 5xx"), "{reason}");
    assert_eq!(state.rollout.gates[1].verdict, Verdict::Failed, "kept");
}

#[tokio::test]
async fn a_newer_release_takes_the_place_of_one_that_bakes() {
    let stage = Stage::new().await;
    let (mut canary, mut wide) = (stage.canary().await, stage.wide().await);
    let acme = stage.acme.id;
    stage.publish(20).await;
    canary.hear_release().await;
    canary.ack(acme, 2, Outcome::Applied).await;
    stage.applied(canary.id, 2).await;
    let first = stage.rollout().await.rollout.id;
    assert_eq!(stage.publish(21).await, 3);
    let second = stage.rollout().await.rollout;
    assert_eq!((second.version, second.base_version), (3, 1));
    let first = stage.world.cp.get_rollout(&stage.operator, first).await;
    let first = first.unwrap().rollout;
    assert_eq!(first.phase, RolloutPhase::Superseded);
    assert_eq!(first.reason.as_deref(), Some("Version 3 took its place."));
    assert_eq!(canary.hear_release().await, (acme, 3, 1));
    canary.ack(acme, 3, Outcome::Applied).await;
    stage.applied(canary.id, 3).await;
    wide.hears_nothing().await;
    stage.bake().await;
    // From the one it holds to the one that was let through, past the one that was not.
    assert_eq!(wide.hear_release().await, (acme, 3, 1));
    // Undone by hand: that is what the wide ring has, and nothing is to be watched.
    wide.ack(acme, 3, Outcome::Applied).await;
    stage.publish(22).await;
    assert_eq!(stage.publish(21).await, 5);
    assert_eq!(wide.hear_release().await.1, 5);
    assert_eq!(stage.rollout().await.rollout.version, 4);
}

#[tokio::test]
async fn a_person_holds_lets_through_and_rolls_back_with_a_reason() {
    let stage = Stage::new().await;
    let (canary, mut wide) = (stage.canary().await.obey(), stage.wide().await);
    let acme = stage.acme.id;
    stage.publish(20).await;
    stage.applied(canary.id, 2).await;
    let blank = stage.decide(RolloutStep::Hold, " ").await;
    assert_eq!(code(blank), "invalid: reason");
    let held = stage.decide(RolloutStep::Hold, "support looks").await;
    let held = held.unwrap();
    assert_eq!(held.rollout.phase, RolloutPhase::Held);
    assert_eq!(
        held.waits.as_deref(),
        Some("Somebody holds it: support looks")
    );
    let again = stage.decide(RolloutStep::Hold, "still").await;
    assert_eq!(code(again), "held");
    stage.bake().await;
    assert_eq!(stage.rollout().await.rollout.phase, RolloutPhase::Held);
    wide.hears_nothing().await;

    let at = RolloutAt {
        id: held.rollout.id,
        expected: Some(1),
    };
    let cp = &stage.world.cp;
    let promote = || (RolloutStep::Promote, "it is fine".to_owned());
    let stale = cp.decide_rollout(&stage.operator, at, promote(), Mode::Commit);
    assert_eq!(code(stale.await), "stale: 2");
    let at = RolloutAt {
        expected: Some(2),
        ..at
    };
    let tried = cp.decide_rollout(&stage.operator, at, promote(), Mode::DryRun);
    assert_eq!(tried.await.unwrap().rollout.phase, RolloutPhase::Promoted);
    wide.hears_nothing().await;
    let owner = cp.decide_rollout(&stage.owner, at, promote(), Mode::Commit);
    assert_eq!(code(owner.await), "missing_permission");
    let promoted = cp.decide_rollout(&stage.operator, at, promote(), Mode::Commit);
    assert_eq!(
        promoted.await.unwrap().rollout.phase,
        RolloutPhase::Promoted
    );
    assert_eq!(wide.hear_release().await, (acme, 2, 1));
    wide.ack(acme, 2, Outcome::Applied).await;
    let twice = stage.decide(RolloutStep::Promote, "again").await;
    assert_eq!(code(twice), "decided");

    let back = stage.decide(RolloutStep::RollBack, "people complain").await;
    let back = back.unwrap().rollout;
    assert_eq!(
        (back.phase, back.reverted_by),
        (RolloutPhase::RolledBack, Some(3))
    );
    assert_eq!(wide.hear_release().await, (acme, 3, 1));
    stage.applied(canary.id, 3).await;
    assert_eq!(stage.sections(3).await, stage.sections(1).await);
    let says: Vec<_> = back.events.iter().map(|event| event.state).collect();
    assert_eq!(
        says,
        [
            RolloutPhase::Baking,
            RolloutPhase::Held,
            RolloutPhase::Promoted,
            RolloutPhase::RolledBack
        ]
    );
    assert_eq!(stage.told(acme, "rollouts.roll_back").await, 1);
}

#[tokio::test]
async fn what_was_followed_by_another_release_is_not_rolled_back() {
    let stage = Stage::new().await;
    let (canary, _wide) = (stage.canary().await.obey(), stage.wide().await.obey());
    stage.publish(20).await;
    stage.applied(canary.id, 2).await;
    stage.bake().await;
    let first = stage.rollout().await.rollout.id;
    stage.publish(21).await;
    let at = RolloutAt {
        id: first,
        expected: None,
    };
    let back = (RolloutStep::RollBack, "late".to_owned());
    let back = stage
        .world
        .cp
        .decide_rollout(&stage.operator, at, back, Mode::Commit);
    assert_eq!(code(back.await), "not_current");
}

#[tokio::test]
async fn two_replicas_decide_once_and_a_rollout_outlives_the_one_that_began_it_f_11() {
    let stage = Stage::new().await;
    let other = stage.world.reopened(BASE).await;
    let (canary, wide) = (stage.canary().await.obey(), stage.wide().await.obey());
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    let shutdown = Shutdown::new();
    tokio::spawn({
        let (cp, shutdown) = (cp.clone(), shutdown.clone());
        async move { cp.follow_replicas(shutdown).await.unwrap() }
    });
    for version in 2..5 {
        assert_eq!(
            stage.publish(20 + u32::try_from(version).unwrap()).await,
            version
        );
        stage.applied(canary.id, version).await;
        stage.world.clock.advance(TimeDelta::seconds(31));
        // Whoever has the lease of the last round lost it by now; one of the two takes it.
        let (one, two) = tokio::join!(cp.do_jobs(), other.do_jobs());
        one.unwrap();
        two.unwrap();
        let state = stage.rollout().await;
        assert_eq!(state.rollout.phase, RolloutPhase::Promoted);
        let told = usize::try_from(version).unwrap() - 1;
        assert_eq!(stage.told(acme, "rollouts.promote").await, told);
        // The one that decided may be the one without nodes: the other one hears of it.
        stage.applied(wide.id, version).await;
    }
    shutdown.trigger();
    let leases = stage
        .world
        .rows("SELECT name, holder FROM job_leases")
        .await;
    assert_eq!(leases.len(), 3, "{leases:?}");
}

#[tokio::test]
async fn a_suspension_bites_everywhere_at_once_and_carries_nothing_untried() {
    let stage = Stage::new().await;
    let (mut canary, mut wide) = (stage.canary().await, stage.wide().await);
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    stage.publish(20).await;
    canary.hear_release().await;
    canary.ack(acme, 2, Outcome::Applied).await;
    stage.applied(canary.id, 2).await;
    let at = At {
        tenant: acme,
        expected: None,
    };
    let status = async |status| {
        let set = cp.set_tenant_status(&stage.operator, at, status, Mode::Commit);
        set.await.unwrap();
    };
    status(TenantStatus::Suspended).await;
    assert_eq!(wide.hear_release().await, (acme, 3, 0));
    assert_eq!(canary.hear_release().await.1, 3);
    assert_eq!(stage.sections(3).await, stage.sections(1).await);
    assert_eq!(
        stage.rollout().await.rollout.phase,
        RolloutPhase::Superseded
    );
    wide.ack(acme, 3, Outcome::Applied).await;
    // Resumed with what was not tried on all nodes: watched as ever.
    status(TenantStatus::Active).await;
    assert_eq!(canary.hear_release().await.1, 4);
    wide.hears_nothing().await;
    assert_eq!(stage.rollout().await.rollout.base_version, 3);
    // The wide ring is suspended as it is, so only the canary ring has to hear of it.
    status(TenantStatus::Suspended).await;
    assert_eq!(canary.hear_release().await.1, 5);
    wide.hears_nothing().await;
}

#[tokio::test]
async fn a_node_that_leaves_the_canary_ring_keeps_what_it_has() {
    let stage = Stage::new().await;
    let (mut canary, _wide) = (stage.canary().await, stage.wide().await.obey());
    let (cp, acme) = (&stage.world.cp, stage.acme.id);
    make_canary(&stage.world, 3).await;
    let third = FakeNode::greet(cp, 3, Vec::new()).await.obey();
    stage.publish(20).await;
    canary.hear_release().await;
    canary.ack(acme, 2, Outcome::Applied).await;
    stage.applied(canary.id, 2).await;
    stage.applied(third.id, 2).await;
    let at = NodeAt {
        id: canary.id,
        expected: None,
    };
    let moved = cp.change_node_ring(&stage.operator, at, Ring::Wide, Mode::Commit);
    assert_eq!(moved.await.unwrap().node.ring, Ring::Wide);
    while canary.hear().await.is_some() {}
    let holds: Vec<(TenantId, IndexEntry)> = canary.holds.clone().into_iter().collect();
    let mut moved = FakeNode::greet(cp, CANARY, holds).await;
    let (index, _) = moved.hear_index().await;
    assert!(index.issued_at >= stage.rollout().await.rollout.started_at);
    let asked = moved.hear().await;
    assert!(format!("{asked:?}").contains("Compare"), "{asked:?}");
    // It is told nothing older, and what it says is believed.
    let platform_keys = moved.hear().await;
    assert!(
        format!("{platform_keys:?}").contains("AskKeys"),
        "{platform_keys:?}"
    );
    moved.hears_nothing().await;
    stage.applied(moved.id, 2).await;
    let state = cp.get_node(&stage.operator, moved.id).await.unwrap();
    assert_eq!(state.behind, []);
    stage.bake().await;
    assert_eq!(
        moved.hear_release().await.1,
        2,
        "the same again, which it has"
    );
}

#[tokio::test]
async fn one_ring_is_nothing_to_stage() {
    let stage = Stage::new().await;
    let mut wide = stage.wide().await;
    stage.publish(20).await;
    assert_eq!(wide.hear_release().await.1, 2);
    wide.ack(stage.acme.id, 2, Outcome::Applied).await;
    // A canary node that is not connected tries nothing.
    make_canary(&stage.world, CANARY).await;
    stage.world.clock.advance(TimeDelta::seconds(61));
    stage.publish(21).await;
    assert_eq!(wide.hear_release().await.1, 3);
    let filter = RolloutFilter::default();
    let page = PageRequest::default();
    let none = stage
        .world
        .cp
        .list_rollouts(&stage.operator, filter, &page)
        .await;
    assert_eq!(none.unwrap().items.len(), 0);
}
