//! Who gets in: sessions, forms, scopes. Walks the whole route table, so no page can be forgotten.

use actix_web::{
    http::{StatusCode, header},
    test,
};
use chrono::TimeDelta;
use console::routes::{commands, resources, screens};
use contract::role::Role;

use crate::harness::{ORIGIN, World, assert_sound, example};

#[actix_web::test]
async fn without_a_session_every_page_leads_to_the_sign_in_and_back() {
    let world = World::new().await;
    for screen in screens() {
        let path = example(&screen.pattern());
        let answer = world.get(None, &format!("{path}?q=a")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let back = path.replace('/', "%2F");
        assert_eq!(answer.location, format!("/login?return={back}%3Fq%3Da"));
    }
}

#[actix_web::test]
async fn without_a_session_nothing_beside_a_page_is_given() {
    let world = World::new().await;
    for resource in resources() {
        let path = example(&resource.pattern());
        let answer = world.get(None, &path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location.starts_with("/login?return="), "{path}");
    }
}

#[actix_web::test]
async fn without_a_session_no_command_runs() {
    let world = World::new().await;
    for command in commands() {
        let path = example(&command.pattern());
        let answer = world.post(None, &path, &[("form_token", "x")]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(answer.html.contains("Your session ended"), "{path}");
        assert_sound(&path, &answer);
    }
}

#[actix_web::test]
async fn a_form_of_another_site_or_another_session_is_refused() {
    let world = World::new().await;
    let (mine, other) = (
        world.staff(Role::PlatformOwner).await,
        world.staff(Role::PlatformOwner).await,
    );
    let token = world.token(&mine).await;
    let form = [
        ("form_token", token.as_str()),
        ("theme", "dark"),
        ("density", "compact"),
    ];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let request = test::TestRequest::post()
            .uri("/cmd/me/preferences")
            .insert_header((name, value))
            .set_form(form);
        assert_eq!(
            world.ask(request).await.status,
            StatusCode::FORBIDDEN,
            "{name}"
        );
    }
    for wrong in [
        &[("theme", "dark")][..],
        &[("form_token", ""), ("theme", "dark")][..],
    ] {
        let answer = world.post(Some(&mine), "/cmd/me/preferences", wrong).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.html.contains("This form can't be accepted"));
    }
    assert_eq!(
        world
            .post(Some(&other), "/cmd/me/preferences", &form)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world
            .post(Some(&mine), "/cmd/me/preferences", &form)
            .await
            .status,
        StatusCode::SEE_OTHER
    );
    let dark = world.get(Some(&mine), "/me").await.html;
    assert!(dark.contains("data-theme=\"dark\"") && dark.contains("Your preferences are kept."));
    assert!(
        !world
            .get(Some(&mine), "/me")
            .await
            .html
            .contains("Your preferences are kept."),
        "said once"
    );
}

#[actix_web::test]
async fn what_is_no_form_or_too_large_is_refused() {
    let world = World::new().await;
    let mine = world.staff(Role::PlatformOwner).await;
    let json = test::TestRequest::post()
        .uri("/cmd/me/preferences")
        .set_json("{}");
    assert_eq!(
        world.ask(json).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = "x".repeat(100_000);
    let answer = world
        .post(
            Some(&mine),
            "/cmd/me/preferences",
            &[("theme", large.as_str())],
        )
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn a_session_ends_by_itself() {
    let world = World::new().await;
    let mine = world.staff(Role::PlatformOwner).await;
    assert_eq!(world.get(Some(&mine), "/me").await.status, StatusCode::OK);
    world.clock.advance(TimeDelta::minutes(31));
    assert_eq!(
        world.get(Some(&mine), "/me").await.location,
        "/login?return=%2Fme"
    );
}

#[actix_web::test]
async fn signing_in_goes_straight_to_the_issuer_with_everything_the_protocol_asks() {
    let world = World::new().await;
    let answer = world.get(None, "/login?return=//evil.example").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let url: url::Url = answer.location.parse().unwrap();
    assert!(
        answer
            .location
            .starts_with("http://127.0.0.1:7100/t/platform/oauth2/authorize?")
    );
    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["redirect_uri"], format!("{ORIGIN}/login/callback"));
    assert_eq!(query["scope"], "openid");
    assert!(
        query["state"].len() >= 43
            && query["nonce"].len() >= 43
            && query["code_challenge"].len() == 43
    );
    let cookie = answer
        .headers
        .get(header::SET_COOKIE)
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(
        !cookie.contains(&query["state"]),
        "the browser's half is not the one in the address"
    );
}

#[actix_web::test]
async fn an_answer_nobody_asked_for_signs_nobody_in() {
    let world = World::new().await;
    for query in [
        "",
        "?code=x",
        "?code=x&state=y",
        "?error=access_denied&state=y",
    ] {
        let answer = world.get(None, &format!("/login/callback{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.html.contains("Sign-in did not work"));
        assert_sound("/login/callback", &answer);
    }
}

#[actix_web::test]
async fn signing_out_closes_the_console_and_goes_to_the_issuer() {
    let world = World::new().await;
    let mine = world.staff(Role::PlatformOwner).await;
    let token = world.token(&mine).await;
    assert_eq!(
        world.post(Some(&mine), "/logout", &[]).await.status,
        StatusCode::FORBIDDEN
    );
    let answer = world
        .post(Some(&mine), "/logout", &[("form_token", &token)])
        .await;
    assert!(
        answer
            .location
            .starts_with("http://127.0.0.1:7100/t/platform/oauth2/logout?")
    );
    assert!(answer.location.contains("id_token_hint=") && answer.location.contains("signed-out"));
    assert_eq!(
        world.get(Some(&mine), "/me").await.location,
        "/login?return=%2Fme"
    );
    assert_sound("/signed-out", &world.get(None, "/signed-out").await);
}

#[actix_web::test]
async fn a_tenant_one_has_nothing_to_do_with_does_not_exist() {
    let world = World::new().await;
    let (acme, _globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let owner = world.member(&acme, Role::TenantOwner).await;
    assert_eq!(
        world
            .get(Some(&owner), "/t/acme/production/home")
            .await
            .status,
        StatusCode::OK
    );
    for path in [
        "/t/globex/production/home",
        "/t/nobody/production/home",
        "/t/acme/staging/home",
        "/t/ACME/production/home",
    ] {
        let answer = world.get(Some(&owner), path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.html.contains("Nothing is here"), "{path}");
    }
    assert_eq!(
        world.get(Some(&owner), "/").await.location,
        "/t/acme/production/home"
    );
}

#[actix_web::test]
async fn a_page_that_is_not_for_someone_says_why_and_whom_to_ask() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let answer = world.get(Some(&owner), "/p/nodes").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.html.contains("platform.nodes.view") && answer.html.contains("Platform owner"));

    let staff = world.staff(Role::PlatformOperator).await;
    let answer = world.get(Some(&staff), "/t/acme/production/apps/new").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.html.contains("applications.registration"),
        "names the duty"
    );
    assert!(answer.html.contains("grant-bar") && answer.html.contains("data-scope=\"grant\""));
    assert_sound("/t/acme/production/apps/new", &answer);
}
