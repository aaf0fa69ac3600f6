//! Console sessions: hashed at rest, ended by time and by hand, one-time things taken once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use contract::role::Role;
use control_plane::{
    HeldRole, Mode, Scope,
    console_sessions::{Density, Preferences, Theme},
};
use host::Secret;

use crate::harness::{World, code};

#[tokio::test]
async fn a_session_begins_idles_and_ends() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let hint = Secret::new("id.token.hint");
    let token = world
        .cp
        .begin_console_session(owner.subject(), &hint, "req_test")
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
        .begin_console_session(owner.subject(), &hint, "req_test")
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
        .begin_console_session(owner.subject(), &hint, "req_test")
        .await
        .unwrap();
    let kept = world
        .cp
        .end_console_session(ended.expose(), "req_test")
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
            .end_console_session(ended.expose(), "req_test")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn whoever_loses_the_last_role_is_signed_out_everywhere() {
    let world = World::new().await;
    let (owner, leaving) = (
        world.staff(Role::PlatformOwner).await,
        world.staff(Role::PlatformAuditor).await,
    );
    let hint = Secret::new("x");
    let begin = async |subject| {
        let begun = world.cp.begin_console_session(subject, &hint, "req_test");
        begun.await.unwrap()
    };
    let sessions = [
        begin(leaving.subject()).await,
        begin(leaving.subject()).await,
    ];
    let kept = begin(owner.subject()).await;
    let alive = async |token: &Secret| {
        let found = world.cp.find_console_session(token.expose()).await;
        found.unwrap().is_some()
    };
    let more = HeldRole {
        role: Role::SupportEngineer,
        scope: Scope::Platform,
    };
    let more = world
        .cp
        .assign_role(&owner, more, leaving.operator(), Mode::Commit)
        .await
        .unwrap();
    let members = world.cp.list_members(&owner, Scope::Platform).await;
    let last = members.unwrap().into_iter().find_map(|member| {
        let held = member.roles.into_iter().find(|held| held.id != more.id)?;
        (held.operator == leaving.operator()).then_some(held.id)
    });
    let remove = async |role, mode| {
        let removed = world.cp.remove_role(&owner, Scope::Platform, role, mode);
        removed.await.unwrap();
    };
    remove(more.id, Mode::Commit).await;
    remove(last.unwrap(), Mode::DryRun).await;
    assert!(alive(&sessions[0]).await, "a role is left");
    remove(last.unwrap(), Mode::Commit).await;
    for session in &sessions {
        assert!(!alive(session).await);
    }
    assert!(alive(&kept).await);
}

#[tokio::test]
async fn signing_in_and_out_is_in_the_platforms_log_r_aud_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let before = world.audit(platform.id).await.len();
    let token = world
        .cp
        .begin_console_session(owner.subject(), &Secret::new("x"), "req_in")
        .await
        .unwrap();
    for _ in 0..2 {
        world
            .cp
            .end_console_session(token.expose(), "req_out")
            .await
            .unwrap();
    }
    let guess = world.cp.end_console_session("guess", "req_guess").await;
    assert!(guess.unwrap().is_none());
    let log = world.audit(platform.id).await;
    let told: Vec<_> = log[..log.len() - before]
        .iter()
        .map(|one| {
            let event = &one.event;
            assert_eq!(event.actor.operator, owner.operator());
            assert_eq!(event.actor.via, "console");
            (event.action.as_str(), event.request_id.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("console.sign_out", "req_out"),
            ("console.sign_in", "req_in")
        ]
    );
}

#[tokio::test]
async fn an_account_without_a_role_gets_no_session() {
    let world = World::new().await;
    let stranger = "usr_01h00000000000000000000000".parse().unwrap();
    let refused = world
        .cp
        .begin_console_session(stranger, &Secret::new("x"), "req_test")
        .await;
    assert_eq!(code(refused), "not found: operator");
}

#[tokio::test]
async fn a_sign_in_comes_back_only_with_the_browser_that_began_it_and_in_time() {
    let world = World::new().await;
    let cp = &world.cp;
    let wanted = "/t/acme/production/home";
    let begun = cp.begin_console_login(wanted);
    let foreign = cp.begin_console_login("//evil.example");
    assert_eq!(foreign.return_to, "/");
    let (state, browser) = (begun.state.expose(), begun.browser.expose());
    let opened = cp.open_console_login(state, browser).unwrap();
    assert_eq!(opened.nonce, begun.nonce);
    assert_eq!(opened.pkce_verifier, begun.pkce_verifier);
    assert_eq!(opened.return_to, wanted);
    let other = foreign.state.expose();
    assert!(
        cp.open_console_login(other, browser).is_none(),
        "another browser"
    );
    for made_up in ["", "x", &browser[1..], &browser[..browser.len() - 2]] {
        assert!(cp.open_console_login(state, made_up).is_none(), "{made_up}");
    }
    world.clock.advance(TimeDelta::minutes(10));
    assert!(cp.open_console_login(state, browser).is_none(), "too late");
}

#[tokio::test]
async fn what_a_sign_in_carries_is_hidden_and_fits_into_a_cookie() {
    let world = World::new().await;
    let longest = format!("/{}", "a".repeat(1_499));
    let begun = world.cp.begin_console_login(&longest);
    assert_eq!(begun.return_to, longest);
    let carried = begun.browser.expose();
    assert!(carried.len() < 3_000, "{}", carried.len());
    let plain = URL_SAFE_NO_PAD.decode(carried).unwrap();
    for secret in [&begun.nonce, &begun.pkce_verifier] {
        let secret = secret.expose().as_bytes();
        assert!(!plain.windows(secret.len()).any(|part| part == secret));
    }
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
