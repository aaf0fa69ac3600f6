//! Several control planes on one database: what one commits, the nodes of all of them hear.

use contract::role::Role;
use control_plane::{ConsoleClient, ControlPlane, Mode};
use futures::future::join_all;
use host::Shutdown;

use crate::harness::{FakeNode, World};

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
async fn news_are_numbered_without_gaps_in_the_order_of_commits() {
    let world = World::new().await;
    let other = world.reopened(BASE).await;
    let mut tenants = Vec::new();
    for slug in ["one", "two", "three", "four"] {
        let tenant = world.tenant(slug).await;
        let owner = world.member(&tenant, Role::TenantOwner).await;
        tenants.push((tenant, owner));
    }
    let changes = tenants.iter().enumerate().map(|(at, (tenant, owner))| {
        // Half of them go through the other replica.
        let world = &world;
        let cp = if at % 2 == 0 { &world.cp } else { &other };
        async move {
            for number in 1..5 {
                let at = control_plane::At {
                    tenant: tenant.id,
                    expected: None,
                };
                let name = format!("{} {number}", tenant.slug).parse().unwrap();
                let changes = control_plane::tenants::TenantChanges {
                    name: Some(name),
                    ..Default::default()
                };
                cp.update_tenant(owner, at, changes, Mode::Commit)
                    .await
                    .unwrap();
            }
        }
    });
    join_all(changes).await;
    let whole = "SELECT CASE WHEN MIN(number) = 1 AND MAX(number) = COUNT(*) THEN 'whole' \
                 ELSE 'with gaps' END AS numbers FROM outbox";
    let numbers = world.rows(whole).await;
    assert!(numbers[0].contains("whole"), "{numbers:?}");
}

#[tokio::test]
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
    let founded = join_all(replicas.iter().map(|cp| cp.ensure_platform(console()))).await;
    let founded: Vec<_> = founded.into_iter().map(Result::unwrap).collect();
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
