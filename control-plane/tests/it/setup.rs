//! The first operator: one link, once, for a day, and only while nobody owns the platform.

use contract::role::Role;
use control_plane::{ConsoleClient, Scope};
use host::Secret;

use crate::harness::{World, code, invitee};

#[tokio::test]
async fn the_link_works_once() {
    let world = World::new().await;
    let token = world.cp.setup_link_token().await.unwrap().unwrap();
    let early = world.cp.complete_setup(&token, invitee("Vera")).await;
    assert_eq!(code(early), "unavailable");
    let _node = world.node().await;
    let wrong = world
        .cp
        .complete_setup(&Secret::new("guess"), invitee("Vera"))
        .await;
    assert_eq!(code(wrong), "not found: setup link");
    let url = world
        .cp
        .complete_setup(&token, invitee("Vera"))
        .await
        .unwrap();
    assert_eq!(url, "http://node/invite?for=vera@example.com");
    let again = world.cp.complete_setup(&token, invitee("Mallory")).await;
    assert_eq!(code(again), "not found: setup link");
    assert!(world.cp.setup_link_token().await.unwrap().is_none());
    let caller = world.cp.system_caller();
    let owners = world
        .cp
        .list_members(&caller, Scope::Platform)
        .await
        .unwrap();
    assert_eq!(owners[0].roles[0].role, Role::PlatformOwner);
}

#[tokio::test]
async fn a_newer_link_voids_the_older_and_a_day_voids_any() {
    let world = World::new().await;
    let _node = world.node().await;
    let old = world.cp.setup_link_token().await.unwrap().unwrap();
    let new = world.cp.setup_link_token().await.unwrap().unwrap();
    assert_eq!(
        code(world.cp.check_setup_token(&old).await),
        "not found: setup link"
    );
    world.cp.check_setup_token(&new).await.unwrap();
    world.clock.advance(chrono::TimeDelta::hours(24));
    assert_eq!(
        code(world.cp.check_setup_token(&new).await),
        "not found: setup link"
    );
}

#[tokio::test]
async fn the_platform_is_made_once_and_follows_the_console() {
    let world = World::new().await;
    let console = |port: u16| ConsoleClient {
        redirect_uris: vec![
            format!("http://127.0.0.1:{port}/login/callback")
                .parse()
                .unwrap(),
        ],
        post_logout_redirect_uris: vec![format!("http://127.0.0.1:{port}/").parse().unwrap()],
    };
    let first = world.cp.ensure_platform(console(7000)).await.unwrap();
    let released = world.released(first.tenant).await;
    let second = world.cp.ensure_platform(console(7000)).await.unwrap();
    assert_eq!(first.console_client_id, second.console_client_id);
    assert_eq!(first.console_secret, second.console_secret);
    assert_eq!(world.released(first.tenant).await, released);
    world.cp.ensure_platform(console(7001)).await.unwrap();
    assert_eq!(world.released(first.tenant).await, released + 1);
    assert_eq!(first.issuer, "http://127.0.0.1:7100/t/platform");
}
