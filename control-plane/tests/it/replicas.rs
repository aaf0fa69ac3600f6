//! Several control planes on one database: what one commits, the nodes of all of them hear.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use contract::{enrolment::Authorities, role::Role};
use control_plane::{
    At, ConsoleClient, ControlPlane, Mode,
    nodes::{NodeAt, Ring},
    tenants::TenantChanges,
};
use host::{Shutdown, wire::LinkError};

use crate::harness::{
    FakeNode, World,
    wired::{Enrolled, receive},
};

const BASE: &str = "http://127.0.0.1:7100";

fn follow(replica: &ControlPlane, shutdown: &Shutdown) {
    let (replica, shutdown) = (replica.clone(), shutdown.clone());
    tokio::spawn(async move { replica.follow_replicas(shutdown).await.unwrap() });
}

#[tokio::test]
async fn what_one_commits_a_node_of_another_hears() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let other = world.reopened(BASE).await;
    let shutdown = Shutdown::new();
    follow(&world.cp, &shutdown);
    follow(&other, &shutdown);
    let mut there = FakeNode::greet(&other, 1, Vec::new()).await;
    let mut here = FakeNode::greet(&world.cp, 2, Vec::new()).await;
    for _ in 0..2 {
        there.hear_release().await;
        here.hear_release().await;
    }
    for version in 2..6 {
        let length = 20 + u32::try_from(version).unwrap();
        world
            .publish_min_length(&owner, acme.id, length, Mode::Commit)
            .await
            .unwrap();
        // The one section that changed, and the manifest; the node of the replica that committed hears it once.
        assert_eq!(there.hear_release().await, (acme.id, version, 1));
        assert_eq!(here.hear_release().await, (acme.id, version, 1));
    }
    here.hears_nothing().await;
    shutdown.trigger();
}

#[tokio::test]
async fn a_node_of_one_is_connected_for_all_until_nobody_renews_it() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOperator).await;
    let other = world.reopened(BASE).await;
    let mut node = FakeNode::greet(&other, 1, Vec::new()).await;
    node.hear_release().await;
    let connected = async || world.cp.get_node(&staff, node.id).await.unwrap().connected;
    assert!(connected().await);
    // A replica that was killed says nothing: its nodes are not counted for long.
    world.clock.advance(TimeDelta::seconds(61));
    assert!(!connected().await);
    let state = other.get_node(&staff, node.id).await.unwrap();
    assert!(state.connected, "the replica itself knows better");
}

#[tokio::test]
async fn who_is_revoked_at_one_is_sent_away_by_all_and_not_told_why_r_node_10() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let other = world.reopened(BASE).await;
    let shutdown = Shutdown::new();
    follow(&other, &shutdown);
    let there = receive(&other, &shutdown);
    let enrolled = Enrolled::new(&world, &owner, "eu-1").await;
    let mut node = enrolled.connect(&world, &there).await.unwrap();
    node.hear_authorities_after("").await;
    let at = NodeAt {
        id: enrolled.answer.node,
        expected: None,
    };
    let why = "the machine was stolen".to_owned();
    let revoked = world.cp.revoke_node(&owner, at, why, Mode::Commit);
    revoked.await.unwrap();
    node.hear_the_end().await;
    match enrolled.connect(&world, &there).await.err() {
        Some(LinkError::Refused { status, reason }) => {
            assert_eq!((status, reason.as_str()), (410, "the node was revoked"));
        }
        other => panic!("{other:?}"),
    }
    shutdown.trigger();
}

#[tokio::test]
async fn a_node_that_is_moved_at_one_is_compared_anew_by_another_r_node_06() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let other = world.reopened(BASE).await;
    let shutdown = Shutdown::new();
    follow(&other, &shutdown);
    let there = receive(&other, &shutdown);
    let enrolled = Enrolled::new(&world, &owner, "eu-1").await;
    let mut node = enrolled.connect(&world, &there).await.unwrap();
    node.hear_authorities_after("").await;
    let at = NodeAt {
        id: enrolled.answer.node,
        expected: None,
    };
    let moved = world
        .cp
        .change_node_ring(&owner, at, Ring::Canary, Mode::Commit);
    moved.await.unwrap();
    node.hear_the_end().await;
    // It may come again at once.
    let mut node = enrolled.connect(&world, &there).await.unwrap();
    node.hear_authorities_after("").await;
    shutdown.trigger();
}

#[tokio::test]
async fn whom_one_makes_an_authority_nodes_of_another_hear_in_the_same_words_r_node_02() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let other = world.reopened(BASE).await;
    let shutdown = Shutdown::new();
    follow(&other, &shutdown);
    let there = receive(&other, &shutdown);
    let early = Enrolled::new(&world, &owner, "eu-1").await;
    // One signed at one moment, the other at another one.
    world.clock.advance(TimeDelta::hours(1));
    let mut node = early.connect(&world, &there).await.unwrap();
    let first = node.hear_authorities_after("").await;
    assert_eq!(first, early.answer.authorities);

    world
        .cp
        .rotate_authority(&owner, Mode::Commit)
        .await
        .unwrap();
    let second = node.hear_authorities_after(&first).await;
    let read = |jws: &str| Authorities::verify(jws, &early.answer.trust).unwrap();
    assert_eq!(read(&second).certificates.len(), 2);
    assert!(read(&second).issued_at > read(&first).issued_at);
    world.clock.advance(TimeDelta::minutes(1));
    let late = Enrolled::new(&world, &owner, "eu-2").await;
    assert_eq!(late.answer.authorities, second);
    shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn news_are_numbered_without_gaps_and_versions_in_their_order() {
    let world = World::new().await;
    let other = world.reopened(BASE).await;
    let mut renaming = Vec::new();
    for slug in ["one", "two"] {
        let tenant = world.tenant(slug).await;
        let owner = world.member(&tenant, Role::TenantOwner).await;
        // Each tenant is changed at both replicas at the same time.
        for (place, cp) in [("here", &world.cp), ("there", &other)] {
            let (cp, tenant, owner) = (cp.clone(), tenant.clone(), owner.clone());
            renaming.push(tokio::spawn(async move {
                for number in 1..9 {
                    let at = At {
                        tenant: tenant.id,
                        expected: None,
                    };
                    let changes = TenantChanges {
                        name: Some(format!("{place} {number}").parse().unwrap()),
                        ..TenantChanges::default()
                    };
                    let renamed = cp.update_tenant(&owner, at, changes, Mode::Commit);
                    renamed.await.unwrap();
                }
            }));
        }
    }
    for renamed in renaming {
        renamed.await.unwrap();
    }
    let whole = "SELECT CASE WHEN MIN(number) = 1 AND MAX(number) = COUNT(*) THEN 'whole' \
                 ELSE 'with gaps' END AS numbers FROM outbox";
    let numbers = world.rows(whole).await;
    assert!(numbers[0].contains("whole"), "{numbers:?}");
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let released = "SELECT subject, version FROM outbox WHERE kind = 'release' ORDER BY number";
    for row in world.rows(released).await {
        let (tenant, version) = row.split_once(" version=").unwrap();
        let version = version.parse().unwrap();
        let before = last.insert(tenant.to_owned(), version);
        assert_eq!(version, before.unwrap_or(0) + 1, "{tenant}");
    }
    assert!(last.values().filter(|newest| **newest > 16).count() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_together_found_one_platform_with_one_console() {
    let world = World::new().await;
    let mut replicas = vec![world.cp.clone()];
    for _ in 0..3 {
        replicas.push(world.reopened(BASE).await);
    }
    let console = || ConsoleClient {
        redirect_uris: vec!["http://127.0.0.1:7000/login/callback".parse().unwrap()],
        post_logout_redirect_uris: vec!["http://127.0.0.1:7000/".parse().unwrap()],
    };
    let starting = replicas.into_iter().map(|cp| {
        let console = console();
        tokio::spawn(async move { cp.ensure_platform(console).await })
    });
    let starting: Vec<_> = starting.collect();
    let mut founded = Vec::new();
    for started in starting {
        founded.push(started.await.unwrap().unwrap());
    }
    for other in &founded[1..] {
        assert_eq!(other.console_client_id, founded[0].console_client_id);
        assert_eq!(
            other.console_secret.expose(),
            founded[0].console_secret.expose()
        );
    }
}

#[tokio::test]
async fn a_region_in_use_that_is_not_configured_is_refused() {
    let world = World::new().await;
    let refused = world.try_reopened(&["elsewhere"], BASE).await.unwrap_err();
    assert!(
        refused.to_string().contains("the region local"),
        "{refused}"
    );
    let twice = world.try_reopened(&["local", "local"], BASE).await;
    assert!(twice.unwrap_err().to_string().contains("twice"));
}
