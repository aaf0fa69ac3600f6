//! The first operator: one link, once, for a day, and only until an owner of the platform has come.

use contract::{application::ApplicationStatus, role::Role};
use control_plane::{
    ConsoleClient, Mode, Scope, Via,
    applications::{ApplicationAt, ApplicationChange},
};
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
    let caller = world.cp.system_caller();
    let owners = world
        .cp
        .list_members(&caller, Scope::Platform)
        .await
        .unwrap();
    assert_eq!(owners[0].roles[0].role, Role::PlatformOwner);
    world
        .cp
        .caller_for_subject(owners[0].operator.subject, Via::Console, "req_1")
        .await
        .unwrap();
    assert!(world.cp.setup_link_token().await.unwrap().is_none());
}

#[tokio::test]
async fn whoever_lost_the_way_in_gets_another_until_an_owner_came() {
    let world = World::new().await;
    let _node = world.node().await;
    let platform_owners = async || {
        let caller = world.cp.system_caller();
        let members = world.cp.list_members(&caller, Scope::Platform).await;
        members.unwrap().into_iter().map(|member| member.operator)
    };
    let first = world.cp.setup_link_token().await.unwrap().unwrap();
    let completed = world.cp.complete_setup(&first, invitee("Vera")).await;
    completed.unwrap();

    // The page was closed before a password was set: the next start prints a link again.
    let second = world.cp.setup_link_token().await.unwrap().expect("a link");
    let url = world.cp.complete_setup(&second, invitee("Vera")).await;
    assert_eq!(url.unwrap(), "http://node/invite?for=vera@example.com");
    let mut owners = platform_owners().await;
    let vera = owners.next().unwrap();
    assert!(owners.next().is_none(), "the same person, not another one");

    let third = world.cp.setup_link_token().await.unwrap().expect("a link");
    let came = world
        .cp
        .caller_for_subject(vera.subject, Via::Console, "req_1")
        .await;
    came.unwrap();
    let late = world.cp.complete_setup(&third, invitee("Mallory")).await;
    assert_eq!(code(late), "not found: setup link");
    assert!(world.cp.setup_link_token().await.unwrap().is_none());
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

#[tokio::test]
async fn every_start_makes_the_console_usable_again() {
    let world = World::new().await;
    let console = ConsoleClient {
        redirect_uris: vec!["http://127.0.0.1:7000/login/callback".parse().unwrap()],
        post_logout_redirect_uris: vec!["http://127.0.0.1:7000/".parse().unwrap()],
    };
    let first = world.cp.ensure_platform(console.clone()).await.unwrap();
    let system = world.cp.system_caller();
    let at = ApplicationAt {
        tenant: first.tenant,
        id: first.console_client_id,
        expected: None,
    };
    let whole = world
        .cp
        .get_application(&system, at.tenant, at.id)
        .await
        .unwrap();
    let broken = ApplicationChange {
        status: Some(ApplicationStatus::Disabled),
        scopes: Some(["openid".parse().unwrap()].into()),
        first_party: Some(false),
        ..ApplicationChange::default()
    };
    world
        .cp
        .update_application(&system, at, broken, Mode::Commit)
        .await
        .unwrap();
    world.cp.ensure_platform(console).await.unwrap();
    let mended = world
        .cp
        .get_application(&system, at.tenant, at.id)
        .await
        .unwrap();
    assert_eq!(mended.application, whole.application);
    assert_eq!(mended.application.status, ApplicationStatus::Active);
    assert!(mended.built_in);
}

#[tokio::test]
async fn a_console_that_vanished_is_registered_again() {
    let world = World::new().await;
    let console = ConsoleClient {
        redirect_uris: vec!["http://127.0.0.1:7000/login/callback".parse().unwrap()],
        post_logout_redirect_uris: vec!["http://127.0.0.1:7000/".parse().unwrap()],
    };
    let first = world.cp.ensure_platform(console.clone()).await.unwrap();
    world
        .tamper(&format!(
            "DELETE FROM applications WHERE id = '{}'",
            first.console_client_id
        ))
        .await;
    let again = world.cp.ensure_platform(console).await.unwrap();
    assert_ne!(again.console_client_id, first.console_client_id);
}
