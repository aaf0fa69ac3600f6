//! The consent page.

use chrono::Duration;
use contract::{
    api::{ADMIN_AUDIENCE, Api},
    client_grant::ClientGrant,
    ids::TypedId,
    release::ReleaseContent,
    tenant::TenantStatus,
};
use uuid::Uuid;

use crate::{
    browser::{Browser, Page, without_query},
    house::{App, CALLBACK, EMAIL, House, PASSWORD},
    tokens::{refused, text},
};

#[tokio::test]
async fn it_names_who_what_and_where_r_cons_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.sign_in().await;
    let page = browser
        .authorize(
            App::Shop,
            &[("scope", "openid email orders:read offline_access")],
        )
        .await;
    let consent = browser.get(page.location()).await;
    for text in [
        "Demo shop",
        "ACME",
        "mara@acme.example",
        "shop.example",
        "See your e-mail address",
        "See your orders",
        "In Orders",
        "Call Orders for you",
        "urn:orders",
        "while you are away",
        "id=\"allow\"",
        "id=\"deny\"",
    ] {
        assert!(consent.body.contains(text), "{text}");
    }
    assert!(!consent.body.contains("orders:read"), "nothing raw");
    assert!(
        !consent.body.contains("Change your orders"),
        "nothing that was not asked for"
    );
    let csp = consent.header("content-security-policy").unwrap();
    assert!(
        csp.ends_with("form-action 'self' https://shop.example"),
        "{csp}"
    );
    let denied = browser.submit(&consent, &[("decision", "deny")]).await;
    assert_eq!(without_query(denied.location()), CALLBACK);
    assert_eq!(denied.param("error").as_deref(), Some("access_denied"));
    assert!(
        browser
            .authorize(App::Shop, &[])
            .await
            .location()
            .contains("/consent?"),
        "not remembered"
    );
}

#[tokio::test]
async fn more_scopes_ask_again_and_own_applications_do_not_r_cons_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.walk(App::Shop, &[("scope", "openid email")]).await;
    assert!(
        browser
            .authorize(App::Shop, &[("scope", "openid")])
            .await
            .param("code")
            .is_some()
    );
    let more = browser
        .authorize(App::Shop, &[("scope", "openid profile")])
        .await;
    assert!(more.location().contains("/consent?"));
    assert!(
        browser
            .authorize(App::Own, &[])
            .await
            .param("code")
            .is_some()
    );
    assert!(
        browser
            .authorize(App::Spa, &[])
            .await
            .location()
            .contains("/consent?"),
        "per client"
    );
}

#[tokio::test]
async fn an_application_on_the_device_is_always_asked_about_r_cons_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    for redirect_uri in ["com.example.app:/cb", "http://127.0.0.1:5000/cb"] {
        for _ in 0..2 {
            let mut page = browser
                .authorize(App::Native, &[("redirect_uri", redirect_uri)])
                .await;
            if page.location().contains("/login?") {
                page = browser.sign_in_at(&page).await;
            }
            assert!(page.location().contains("/consent?"), "{redirect_uri}");
            let consent = browser.get(page.location()).await;
            assert!(
                consent
                    .body
                    .contains("Allow it only if you just started it")
            );
            let answer = browser.submit(&consent, &[("decision", "allow")]).await;
            if redirect_uri.starts_with("http") {
                assert!(answer.param("code").is_some());
            } else {
                // A form post cannot end at a private scheme: a page with a link takes over.
                assert_eq!(answer.status, 200);
                assert!(
                    answer.body.contains("url=com.example.app:/cb?code="),
                    "{}",
                    answer.body
                );
            }
        }
    }
}

/// A second API of `content`, granted to `app`, with one scope.
fn grant_api(content: &mut ReleaseContent, app: App, audience: &str, scope: &str) {
    let mut api: Api = content.apis[0].clone();
    api.id = TypedId::from_uuid(Uuid::from_u128(9));
    api.name = "Second".into();
    api.audience = audience.parse().unwrap();
    api.scopes.truncate(1);
    api.scopes[0].scope = scope.parse().unwrap();
    content.client_grants.push(ClientGrant {
        id: TypedId::from_uuid(Uuid::from_u128(9)),
        application: app.id().parse().unwrap(),
        api: api.id,
        scopes: [scope.parse().unwrap()].into(),
    });
    content.apis.push(api);
}

fn asks(page: &Page) -> bool {
    page.header("location")
        .is_some_and(|location| location.contains("/consent?flow="))
}

#[tokio::test]
async fn one_word_at_two_apis_is_two_decisions_r_cons_03() {
    let house = House::open_with(|acme| {
        grant_api(acme, App::Shop, "urn:mail", "orders:read");
    })
    .await;
    let mut browser = house.browser("acme");
    let at = |audience| [("scope", "openid orders:read"), ("resource", audience)];
    let first = browser.walk(App::Shop, &at("urn:orders")).await;
    assert!(first.param("code").is_some(), "{first:?}");
    let again = browser.authorize(App::Shop, &at("urn:orders")).await;
    assert!(again.param("code").is_some(), "remembered");
    let other = browser.authorize(App::Shop, &at("urn:mail")).await;
    assert!(asks(&other), "{other:?}");
    let page = browser.get(other.location()).await;
    assert!(page.body.contains("Call Second for you") && page.body.contains("urn:mail"));
    let nothing = [("scope", "openid"), ("resource", "urn:mail")];
    assert!(asks(&browser.authorize(App::Shop, &nothing).await));
    let here = browser.authorize(App::Shop, &[("scope", "openid")]).await;
    assert!(
        here.param("code").is_some(),
        "what has no audience is one decision"
    );
}

#[tokio::test]
async fn a_decision_in_a_stale_session_does_not_count_r_cons_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let asked = browser.authorize(App::Shop, &[("max_age", "60")]).await;
    let signed_in = browser.sign_in_at(&asked).await;
    let consent = browser.get(signed_in.location()).await;
    // Signing in again elsewhere replaces the session in which this attempt was signed in.
    browser.cookies.remove("bw_session_acme");
    browser.sign_in().await;
    house.advance(Duration::seconds(61));
    let token = browser.get("").await.field("csrf").unwrap();
    let fields = [
        ("csrf", token),
        ("flow", consent.field("flow").unwrap()),
        ("decision", "allow".to_owned()),
    ];
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let answer = browser.post("consent", &fields).await;
    assert!(answer.location().contains("/login?flow="), "{answer:?}");
    let known = house
        .node
        .identity()
        .consents(TypedId::from_uuid(Uuid::from_u128(1)), House::user(1));
    assert!(known.await.unwrap().is_empty(), "kept before it counted");
    let after = browser.sign_in_at(&answer).await;
    assert!(asks(&after), "{after:?}");
}

#[tokio::test]
async fn what_was_allowed_is_listed_and_withdrawn_r_cons_01_r_cons_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let stranger = browser.get("consents").await;
    assert!(stranger.location().ends_with("/login"));
    let scope = "openid email orders:read offline_access";
    let tokens = browser.tokens(App::Shop, scope).await;
    let brief = browser.tokens(App::Spa, "openid email").await;
    let pending = browser.code(App::Shop, "openid email").await;
    assert!(browser.get("").await.body.contains("/t/acme/consents"));
    let page = browser.get("consents").await;
    for words in [
        "What you allowed", "Demo shop", "Browser app", "See your orders", "Call Orders for you",
        "while you are away", "Since 1 March 2026", EMAIL,
    ] {
        assert!(page.body.contains(words), "{words}");
    }
    let csrf = page.field("csrf").unwrap();
    let (shop, spa) = (App::Shop.id(), App::Spa.id());
    let forged = browser.post("consents", &[("application", &shop)]).await;
    assert_eq!(forged.status, 403);
    let unnamed = browser.post("consents", &[("csrf", &csrf)]).await;
    assert_eq!(unnamed.status, 400);
    let withdraw = [("csrf", csrf.as_str()), ("application", shop.as_str())];
    let done = browser.post("consents", &withdraw).await;
    assert_eq!(done.status, 303);
    let page = browser.get(done.location()).await;
    assert!(page.body.contains("Withdrawn.") && !page.body.contains("Demo shop"));
    assert!(page.body.contains("Browser app"), "the others stay");
    let renewed = browser
        .refresh(App::Shop, text(&tokens, "refresh_token"))
        .await;
    assert_eq!(refused(&renewed), (400, "invalid_grant".into()));
    let known = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(known.status, 401);
    let redeemed = browser.redeem(App::Shop, &pending).await;
    assert_eq!(refused(&redeemed), (400, "invalid_grant".into()));
    assert_eq!(
        browser.userinfo(text(&brief, "access_token")).await.status,
        200
    );
    let withdraw = [("csrf", csrf.as_str()), ("application", spa.as_str())];
    browser.post("consents", &withdraw).await;
    let known = browser.userinfo(text(&brief, "access_token")).await;
    assert_eq!(
        known.status, 401,
        "a grant without a refresh token dies too"
    );
    assert!(
        browser
            .get("consents")
            .await
            .body
            .contains("Nothing at the moment.")
    );
    house.advance(Duration::seconds(6));
    assert!(
        asks(&browser.authorize(App::Shop, &[]).await),
        "asked again"
    );
    let anew = browser.tokens(App::Shop, "openid email").await;
    assert_eq!(
        browser.userinfo(text(&anew, "access_token")).await.status,
        200
    );
}

#[tokio::test]
async fn nobodys_consent_is_withdrawn_from_another_account_r_ten_01() {
    let house = House::open().await;
    let mut acme = house.browser("acme");
    let tokens = acme.tokens(App::Shop, "openid offline_access").await;
    let mut globex = house.browser("globex");
    globex.sign_in().await;
    let csrf = globex.get("").await.field("csrf").unwrap();
    let shop = App::Shop.id();
    let fields = [("csrf", csrf.as_str()), ("application", shop.as_str())];
    assert_eq!(globex.post("consents", &fields).await.status, 303);
    let renewed = acme
        .refresh(App::Shop, text(&tokens, "refresh_token"))
        .await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    assert!(acme.get("consents").await.body.contains("Demo shop"));
}

/// A browser of someone signed in at a tenant where `app` may ask for the admin API.
async fn administrator(slug: &str, app: App) -> (House, Browser) {
    let mut house = House::open().await;
    let number = if slug == "platform" { 3 } else { 1 };
    let mut content = house.content(number, slug);
    grant_api(&mut content, app, ADMIN_AUDIENCE, "admin");
    house.publish(content, TenantStatus::Active).await;
    let seed = data_plane::SeedUser {
        email: EMAIL,
        name: "Mara Lind",
        password: PASSWORD,
    };
    let tenant = TypedId::from_uuid(Uuid::from_u128(number));
    let person = house
        .node
        .create_user_with_password(tenant, House::user(number), seed);
    person.await.unwrap();
    let mut browser = house.browser(slug);
    browser.sign_in().await;
    (house, browser)
}

#[tokio::test]
async fn administering_is_never_allowed_silently_but_to_the_console() {
    let admin = [("scope", "openid admin"), ("resource", ADMIN_AUDIENCE)];
    for (slug, app, silent) in [
        ("platform", App::Own, true),
        ("platform", App::Shop, false),
        ("acme", App::Own, false),
        ("acme", App::Shop, false),
    ] {
        let (_house, mut browser) = administrator(slug, app).await;
        for round in 0..2 {
            let page = browser.authorize(app, &admin).await;
            assert_eq!(asks(&page), !silent, "{slug} {app:?} {round}: {page:?}");
            let none = [admin[0], admin[1], ("prompt", "none")];
            let page = browser.authorize(app, &none).await;
            let expected = (!silent).then(|| "consent_required".to_owned());
            assert_eq!(page.param("error"), expected, "{slug} {app:?}");
            let answer = browser.walk(app, &admin).await;
            assert!(answer.param("code").is_some(), "asked, and allowed");
        }
        let plain = browser.authorize(App::Own, &[("scope", "openid")]).await;
        assert!(plain.param("code").is_some(), "anything else is as before");
    }
}
