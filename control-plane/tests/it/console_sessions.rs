//! Console sessions: hashed at rest, ended by time and by hand, one-time things taken once.

use chrono::TimeDelta;
use contract::role::Role;
use control_plane::console_sessions::{Density, Preferences, Theme};
use host::Secret;

use crate::harness::{World, code};

#[tokio::test]
async fn a_session_begins_idles_and_ends() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let hint = Secret::new("id.token.hint");
    let token = world
        .cp
        .begin_console_session(owner.subject(), &hint)
        .await
        .unwrap();
    let token = token.expose();
    let found = world.cp.find_console_session(token).await.unwrap().unwrap();
    assert_eq!(
        (found.operator, found.subject),
        (owner.operator(), owner.subject())
    );
    assert!(
        world
            .cp
            .find_console_session("guess")
            .await
            .unwrap()
            .is_none()
    );
    for _ in 0..16 {
        world.clock.advance(TimeDelta::minutes(29));
        assert!(
            world
                .cp
                .find_console_session(token)
                .await
                .unwrap()
                .is_some()
        );
    }
    world.clock.advance(TimeDelta::minutes(16));
    let after_eight_hours = world.cp.find_console_session(token).await.unwrap();
    assert!(after_eight_hours.is_none());

    let idle = world
        .cp
        .begin_console_session(owner.subject(), &hint)
        .await
        .unwrap();
    world.clock.advance(TimeDelta::minutes(30));
    assert!(
        world
            .cp
            .find_console_session(idle.expose())
            .await
            .unwrap()
            .is_none()
    );

    let ended = world
        .cp
        .begin_console_session(owner.subject(), &hint)
        .await
        .unwrap();
    let kept = world
        .cp
        .end_console_session(ended.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.expose(), "id.token.hint");
    assert!(
        world
            .cp
            .find_console_session(ended.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        world
            .cp
            .end_console_session(ended.expose())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn every_session_of_an_operator_ends_at_once() {
    let world = World::new().await;
    let (owner, other) = (
        world.staff(Role::PlatformOwner).await,
        world.staff(Role::PlatformAuditor).await,
    );
    let hint = Secret::new("x");
    let first = world
        .cp
        .begin_console_session(owner.subject(), &hint)
        .await
        .unwrap();
    world
        .cp
        .begin_console_session(owner.subject(), &hint)
        .await
        .unwrap();
    let theirs = world
        .cp
        .begin_console_session(other.subject(), &hint)
        .await
        .unwrap();
    assert_eq!(
        world
            .cp
            .end_console_sessions_of(owner.operator())
            .await
            .unwrap(),
        2
    );
    assert!(
        world
            .cp
            .find_console_session(first.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        world
            .cp
            .find_console_session(theirs.expose())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn an_account_without_a_role_gets_no_session() {
    let world = World::new().await;
    let stranger = "usr_01h00000000000000000000000".parse().unwrap();
    let refused = world
        .cp
        .begin_console_session(stranger, &Secret::new("x"))
        .await;
    assert_eq!(code(refused), "not found: operator");
}

#[tokio::test]
async fn a_sign_in_is_taken_once_and_only_by_the_browser_that_began_it() {
    let world = World::new().await;
    let begun = world
        .cp
        .begin_console_login("/t/acme/production/home")
        .await
        .unwrap();
    let foreign = world
        .cp
        .begin_console_login("//evil.example")
        .await
        .unwrap();
    assert_eq!(foreign.return_to, "/");
    let (state, browser) = (begun.state.expose(), begun.browser.expose());
    let taken = world
        .cp
        .take_console_login(state, browser)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(taken.nonce, begun.nonce);
    assert_eq!(taken.pkce_verifier, begun.pkce_verifier);
    assert_eq!(taken.return_to, "/t/acme/production/home");
    assert!(
        world
            .cp
            .take_console_login(state, browser)
            .await
            .unwrap()
            .is_none()
    );
    let stolen = world
        .cp
        .take_console_login(foreign.state.expose(), browser)
        .await
        .unwrap();
    assert!(stolen.is_none(), "another browser");
    let late = world.cp.begin_console_login("/").await.unwrap();
    world.clock.advance(TimeDelta::minutes(10));
    let late = world
        .cp
        .take_console_login(late.state.expose(), late.browser.expose());
    assert!(late.await.unwrap().is_none(), "too late");
}

#[tokio::test]
async fn a_flash_is_read_once_and_does_not_wait_forever() {
    let world = World::new().await;
    let cp = &world.cp;
    cp.stash("token", "flash", &"Saved.").await.unwrap();
    cp.stash("token", "flash", &"Saved again.").await.unwrap();
    assert_eq!(
        cp.take_stash::<String>("other", "flash").await.unwrap(),
        None
    );
    let taken = cp.take_stash::<String>("token", "flash").await.unwrap();
    assert_eq!(taken.as_deref(), Some("Saved again."));
    assert_eq!(
        cp.take_stash::<String>("token", "flash").await.unwrap(),
        None
    );
    cp.stash("token", "form", &vec!["typed"]).await.unwrap();
    world.clock.advance(TimeDelta::minutes(15));
    assert_eq!(
        cp.take_stash::<Vec<String>>("token", "form").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn preferences_are_remembered() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await.operator();
    assert_eq!(
        world.cp.preferences(owner).await.unwrap(),
        Preferences::default()
    );
    for theme in [Theme::Dark, Theme::Light] {
        let wanted = Preferences {
            theme,
            density: Density::Compact,
        };
        world.cp.set_preferences(owner, wanted).await.unwrap();
        assert_eq!(world.cp.preferences(owner).await.unwrap(), wanted);
    }
}
