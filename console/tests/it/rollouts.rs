//! Rollouts as vendor staff watch and steer them, and as the tenant's people see them.

use std::time::Duration;

use actix_web::http::StatusCode;
use contract::{
    ids::{NodeId, TypedId},
    role::Role,
};
use control_plane::{
    Mode,
    nodes::{NodeAt, Ring},
    rollouts::RolloutFilter,
};

use crate::{
    harness::{Browser, World},
    nodes::{between, read, send},
    post,
};

fn told(html: &str, all: &[&str]) {
    for text in all {
        assert!(html.contains(text), "{text:?} is missing:\n{html}");
    }
}

fn number(number: u128) -> NodeId {
    NodeId::from_uuid(uuid::Uuid::from_u128(number))
}

/// Waits until the control plane shows what is asked for.
async fn until(is_so: impl AsyncFn() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking)
        .await
        .expect("it becomes so within the time");
}

/// A fleet with one node in each ring, and the path of acme's rollout.
async fn under_way(world: &World, staff: &Browser) -> String {
    let acme = world.tenant("acme").await;
    let control_plane = &world.control_plane;
    let caller = control_plane.system_caller();
    for node in [1, 2] {
        post::node(world, node).await;
    }
    let connected = async || {
        let nodes = control_plane.list_nodes(&caller).await.unwrap();
        nodes.iter().filter(|node| node.connected).count()
    };
    until(async || connected().await == 2).await;
    let at = NodeAt {
        id: number(1),
        expected: None,
    };
    control_plane
        .change_node_ring(&caller, at, Ring::Canary, Mode::Commit)
        .await
        .unwrap();
    // Its session ended with that; the node comes back.
    until(async || connected().await == 1).await;
    post::node(world, 1).await;
    until(async || connected().await == 2).await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let new = [
        ("kind", "machine"),
        ("name", "Robot"),
        ("signing_algorithm", "ES256"),
    ];
    let create = "/cmd/t/acme/production/apps/create";
    let made = send(world, &owner, create, &new).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.html);
    let filter = RolloutFilter {
        tenant: Some(acme.id),
        phase: None,
    };
    let page = control_plane
        .list_rollouts(&caller, filter, &Default::default())
        .await
        .unwrap();
    let id = page.items[0].rollout.id;
    let list = read(world, staff, "/p/rollouts").await;
    let path = format!("/p/rollouts/{id}");
    told(&list, &["In the canary ring", "Wave 1 of 2", "ACME", &path]);
    path
}

#[actix_web::test]
async fn nothing_under_way_is_said_so_p7() {
    let world = World::new().await;
    let staff = world.staff(Role::SupportEngineer).await;
    let page = read(&world, &staff, "/p/rollouts").await;
    told(&page, &["No change in progress"]);
}

#[actix_web::test]
async fn a_rollout_is_held_and_promoted_with_reasons_p8() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    let path = under_way(&world, &staff).await;
    let page = read(&world, &staff, &path).await;
    told(
        &page,
        &[
            "ACME, version 2",
            "Takes the place of version 1",
            "Health gates",
            "Nodes that refused it",
            "Wave 1: canary ring",
            "Wave 2: all other nodes",
            "What happened",
            "Hold…",
        ],
    );
    let acme = read(&world, &staff, "/t/acme/production/releases").await;
    told(&acme, &["Version 2 ", "canary nodes"]);

    let question = read(&world, &staff, &format!("{path}/hold")).await;
    told(&question, &["Hold ACME, version 2?", "Leave it"]);
    let version = between(&question, "name=\"version\" value=\"", "\"").to_owned();
    let hold = format!("/cmd{path}/hold");
    let silent = send(
        &world,
        &staff,
        &hold,
        &[("reason", ""), ("version", &version)],
    )
    .await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    told(&silent.html, &["id=\"reason-error\""]);
    let stale = send(
        &world,
        &staff,
        &hold,
        &[("reason", "Look"), ("version", "77")],
    )
    .await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let held = send(
        &world,
        &staff,
        &hold,
        &[("reason", "We <look>"), ("version", &version)],
    )
    .await;
    assert_eq!(held.location, path, "{}", held.html);
    let page = read(&world, &staff, &path).await;
    told(
        &page,
        &[
            "Held: ACME, version 2.", "We &lt;look&gt;", "Promote…", "Roll back…",
        ],
    );
    assert!(!page.contains(">Hold…"));

    let version = page_version(&world, &staff, &format!("{path}/promote")).await;
    let promote = format!("/cmd{path}/promote");
    let done = send(
        &world,
        &staff,
        &promote,
        &[("reason", "Fine"), ("version", &version)],
    )
    .await;
    assert_eq!(done.location, path, "{}", done.html);
    told(
        &read(&world, &staff, &path).await,
        &["On all nodes", "Fine"],
    );
    let again = read(&world, &staff, &format!("{path}/promote")).await;
    told(&again, &["It is decided already"]);

    let version = page_version(&world, &staff, &format!("{path}/roll-back")).await;
    let back = format!("/cmd{path}/roll-back");
    let done = send(
        &world,
        &staff,
        &back,
        &[("reason", "Broken"), ("version", &version)],
    )
    .await;
    assert_eq!(done.location, path, "{}", done.html);
    told(
        &read(&world, &staff, &path).await,
        &["Rolled back", "stays configured"],
    );
    let nowhere = world.get(Some(&staff), &format!("{path}/dance")).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

async fn page_version(world: &World, staff: &Browser, path: &str) -> String {
    let page = read(world, staff, path).await;
    between(&page, "name=\"version\" value=\"", "\"").to_owned()
}

#[actix_web::test]
async fn who_may_only_look_steers_nothing() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let path = under_way(&world, &owner).await;
    let support = world.staff(Role::SupportEngineer).await;
    let page = read(&world, &support, &path).await;
    told(&page, &["You can look at this, but not change it"]);
    assert!(!page.contains("Hold…"));
    let refused = world.get(Some(&support), &format!("{path}/hold")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for form in [&[("reason", "x")][..], &[]] {
        let answer = send(&world, &support, &format!("/cmd{path}/hold"), form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}

#[actix_web::test]
async fn a_node_is_moved_to_another_ring() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    post::postman(&world).await;
    let path = format!("/p/nodes/{}", number(1));
    let page = read(&world, &staff, &path).await;
    told(&page, &["Wide ring", "Move to the canary ring"]);
    let version = between(&page, "name=\"version\" value=\"", "\"").to_owned();
    let form = [("ring", "canary"), ("version", version.as_str())];
    let moved = send(&world, &staff, &format!("/cmd{path}/ring"), &form).await;
    assert_eq!(moved.location, path, "{}", moved.html);
    told(
        &read(&world, &staff, &path).await,
        &["is in the canary ring now", "Move to the wide ring"],
    );
    let nonsense = send(
        &world,
        &staff,
        &format!("/cmd{path}/ring"),
        &[("ring", "gold")],
    )
    .await;
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
}
