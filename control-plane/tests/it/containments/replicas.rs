//! Several control planes on one database: what one contains, the nodes of all of them refuse, and all of them know.

use contract::role::Role;
use control_plane::{Mode, Wait};
use host::Shutdown;

use super::{confirmed, contain, hour, node, until, user};
use crate::harness::{FakeLane, World};

const BASE: &str = "http://127.0.0.1:7100";

#[tokio::test]
async fn what_one_contains_nodes_of_another_confirm_and_the_first_one_knows() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let other = world.reopened(BASE).await;
    let shutdown = Shutdown::new();
    for replica in [&world.cp, &other] {
        let (replica, shutdown) = (replica.clone(), shutdown.clone());
        tokio::spawn(async move { replica.follow_replicas(shutdown).await.unwrap() });
    }
    let mut links = other.containment_changes();
    let (_there, there) = node(&other, 1).await;
    // Until it is written that the node is there: from then on the other replica waits for it.
    links.changed().await.unwrap();
    let (_here, here) = node(&world.cp, 2).await;
    let _lanes = [there.obey(), here.obey()];
    for number in 1..=3 {
        let new = hour(user(number));
        let state = world
            .cp
            .contain(&system, acme.id, new, (Wait::Reachable, Mode::Commit))
            .await
            .unwrap();
        assert_eq!(confirmed(&state), 2);
        let id = state.containment.id;
        until(&other, &system, (acme.id, id), |state| {
            confirmed(state) == 2
        })
        .await;
    }
    shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn containments_that_race_are_numbered_without_gaps() {
    let world = World::new().await;
    let other = world.reopened(BASE).await;
    let (_node, mut lane) = node(&world.cp, 1).await;
    let mut racing = Vec::new();
    for (slug, from) in [("one", 0), ("two", 100)] {
        let tenant = world.tenant(slug).await;
        for (cp, from) in [(&world.cp, from), (&other, from + 50)] {
            let (cp, tenant) = (cp.clone(), tenant.id);
            racing.push(tokio::spawn(async move {
                let mut sequences = Vec::new();
                for number in from..from + 10 {
                    let state = contain(&cp, tenant, user(number)).await.unwrap();
                    sequences.push(state.as_of.sequence);
                }
                sequences
            }));
        }
    }
    let mut sequences = Vec::new();
    for raced in racing {
        sequences.extend(raced.await.unwrap());
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=40).collect::<Vec<u64>>());
    // The last change may be of the replica that this one does not follow here.
    contain(&world.cp, world.tenant("three").await.id, user(1))
        .await
        .unwrap();
    while lane.sequence < 41 {
        match lane.hear_news().await {
            contract::lane::LaneDown::Containment { jws } => {
                lane.apply(jws);
            }
            contract::lane::LaneDown::Roll { jws } => {
                let roll = lane.apply_roll(&jws);
                assert_eq!(roll.holds, lane.holds, "{}", roll.sequence);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lane.holds.len(), 41);
}

#[tokio::test]
async fn after_a_restart_everything_is_there() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let before = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let later = world.reopened(BASE).await;
    let open = later.contained(&owner, acme.id).await.unwrap();
    assert_eq!(open[0].containment, before.containment);
    let mut lane = FakeLane::open(&later, 1).await;
    assert_eq!(lane.hear_document().await, before.containment);
    assert_eq!(lane.hear_roll().await.sequence, 1);
}
