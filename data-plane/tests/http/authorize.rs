//! The authorization endpoint.

use chrono::Duration;
use reqwest::Method;

use crate::{
    browser::{Browser, authorization, claims, without_query},
    house::{App, CALLBACK, House},
};

#[tokio::test]
async fn from_request_to_code_r_authz_02_r_authz_03_r_authz_09() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let asked = browser.authorize(App::Shop, &[]).await;
    assert_eq!(asked.status, 303);
    assert!(asked.location().starts_with("/t/acme/login?flow="));
    let signed_in = browser.sign_in_at(&asked).await;
    assert_eq!(
        signed_in.status, 303,
        "never 307: a browser would post the password on"
    );
    let consent = browser.get(signed_in.location()).await;
    assert!(consent.body.contains("Demo shop") && consent.body.contains("shop.example"));
    let answer = browser.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(without_query(answer.location()), CALLBACK);
    assert_eq!(answer.param("state").as_deref(), Some("st&te"));
    assert_eq!(
        answer.param("iss"),
        Some(format!("{}/t/acme", house.origin))
    );
    assert!(answer.param("code").is_some());
    // Remembered: the second time nobody is asked (R-CONS-03).
    assert!(
        browser
            .authorize(App::Shop, &[])
            .await
            .param("code")
            .is_some()
    );
}

#[tokio::test]
async fn a_bad_client_or_redirect_is_a_page_r_authz_01_r_authz_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    for (name, value) in [
        ("client_id", ""),
        ("client_id", "app_unknown"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://shop.example/cb/"),
        ("redirect_uri", "https://shop.example/cb?a=b"),
        ("redirect_uri", "https://shop.example/cb#f"),
        ("redirect_uri", "https://SHOP.example/cb"),
        ("redirect_uri", "https://shop.example/x/%2e%2e/cb"),
        ("redirect_uri", "https://shop.example@evil.example/cb"),
        ("redirect_uri", "https://shop.example\\@evil.example/cb"),
        ("redirect_uri", "https://a.shop.example/cb"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "http://127.0.0.1:70000/cb"),
    ] {
        let page = browser.authorize(App::Shop, &[(name, value)]).await;
        assert_eq!(page.status, 400, "{name}={value}");
        assert!(page.header("location").is_none(), "{name}={value}");
        assert!(page.body.contains("<title>Error:"));
    }
    let query = authorization(App::Shop, &[]);
    for repeated in ["client_id", "redirect_uri"] {
        let page = browser
            .get(&format!("oauth2/authorize?{query}&{repeated}=x"))
            .await;
        assert_eq!((page.status, page.header("location")), (400, None));
    }
    let loopback = browser
        .authorize(App::Shop, &[("redirect_uri", "http://127.0.0.1:51234/cb")])
        .await;
    assert_eq!(
        loopback.status, 303,
        "any port of a loopback address matches (RFC 8252 §7.3)"
    );
}

#[tokio::test]
async fn other_errors_go_to_the_client_r_authz_02_r_authz_04_r_authz_05_r_pkce_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    for (changes, error) in [
        (("scope", "openid admin"), "invalid_scope"),
        (("scope", "profile orders:delete"), "invalid_scope"),
        (("response_type", "token"), "unsupported_response_type"),
        (
            ("response_type", "id_token token"),
            "unsupported_response_type",
        ),
        (("response_mode", "fragment"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("request", "x.y.z"), "request_not_supported"),
        (
            ("request_uri", "https://x.example"),
            "request_uri_not_supported",
        ),
        (("resource", "urn:unknown"), "invalid_target"),
        (("prompt", "none login"), "invalid_request"),
        (("prompt", "none"), "login_required"),
    ] {
        let page = browser.authorize(App::Shop, &[changes]).await;
        assert_eq!(page.status, 303, "{changes:?}");
        assert_eq!(without_query(page.location()), CALLBACK);
        assert_eq!(page.param("error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(page.param("state").as_deref(), Some("st&te"));
        assert_eq!(page.param("iss"), Some(format!("{}/t/acme", house.origin)));
    }
    let query = authorization(App::Shop, &[]);
    let twice = browser
        .get(&format!("oauth2/authorize?{query}&scope=email"))
        .await;
    assert_eq!(twice.param("error").as_deref(), Some("invalid_request"));
    let unknown = browser
        .get(&format!("oauth2/authorize?{query}&extra=foobar"))
        .await;
    assert!(unknown.location().contains("/login?flow="));
    let hostile = browser
        .authorize(
            App::Shop,
            &[("scope", "x"), ("state", "a\r\nSet-Cookie: b=c")],
        )
        .await;
    assert!(
        hostile
            .header("set-cookie")
            .is_none_or(|cookie| !cookie.contains("b=c"))
    );
    assert_eq!(
        hostile.param("state").as_deref(),
        Some("a\r\nSet-Cookie: b=c")
    );
}

#[tokio::test]
async fn post_becomes_our_own_get_r_authz_08() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let query = authorization(App::Shop, &[]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let page = browser
        .send(Method::POST, "oauth2/authorize", &form, Some(query))
        .await;
    assert_eq!(page.status, 303);
    assert!(page.location().starts_with("/t/acme/oauth2/authorize?"));
    assert!(
        browser
            .get(page.location())
            .await
            .location()
            .contains("/login?flow=")
    );
    let json = [("content-type", "application/json")];
    let page = browser
        .send(Method::POST, "oauth2/authorize", &json, Some("{}".into()))
        .await;
    assert_eq!(page.status, 400);
}

#[tokio::test]
async fn prompt_r_authz_06() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.walk(App::Shop, &[]).await;
    let outcome = |page: &crate::browser::Page| match page.location() {
        login if login.contains("/login?flow=") => "login".to_owned(),
        consent if consent.contains("/consent?flow=") => "consent".to_owned(),
        _ => page.param("error").unwrap_or_else(|| "code".to_owned()),
    };
    for (prompt, expected) in [
        ("", "code"),
        ("none", "code"),
        ("login", "login"),
        ("select_account", "login"),
        ("consent", "consent"),
        ("none login", "invalid_request"),
    ] {
        let page = browser.authorize(App::Shop, &[("prompt", prompt)]).await;
        assert_eq!(outcome(&page), expected, "{prompt}");
    }
    let again = browser.walk(App::Shop, &[("prompt", "login")]).await;
    assert_eq!(outcome(&again), "code", "asked once, not for ever");
    let more = browser
        .authorize(
            App::Shop,
            &[("prompt", "none"), ("scope", "openid email profile")],
        )
        .await;
    assert_eq!(outcome(&more), "consent_required");
    let mut stranger = house.browser("acme");
    let hinted = stranger
        .authorize(App::Shop, &[("login_hint", "mara@acme.example")])
        .await;
    assert_eq!(
        outcome(&hinted),
        "login",
        "a hint never signs in (R-SESS-08)"
    );
    let form = stranger.get(hinted.location()).await;
    assert_eq!(
        form.field("identifier").as_deref(),
        Some("mara@acme.example")
    );
}

#[tokio::test]
async fn max_age_asks_again_r_authz_07() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let first = browser.tokens(App::Shop, "openid email").await;
    let signed_in = claims(first["id_token"].as_str().unwrap())["auth_time"]
        .as_i64()
        .unwrap();
    house.advance(Duration::seconds(2));
    let page = browser.authorize(App::Shop, &[("max_age", "1")]).await;
    assert!(page.location().contains("/login?flow="));
    assert!(
        browser
            .authorize(App::Shop, &[("max_age", "10")])
            .await
            .param("code")
            .is_some()
    );
    let page = browser.sign_in_at(&page).await;
    let tokens = browser
        .redeem(App::Shop, &page.param("code").unwrap())
        .await
        .json();
    let again = claims(tokens["id_token"].as_str().unwrap())["auth_time"]
        .as_i64()
        .unwrap();
    assert_eq!(again, signed_in + 2);
}

#[tokio::test]
async fn an_attempt_belongs_to_its_browser_and_ends_once_r_authz_11() {
    let house = House::open().await;
    let (mut victim, mut thief) = (house.browser("acme"), house.browser("acme"));
    let page = victim.authorize(App::Shop, &[]).await;
    let stolen = thief.get(page.location()).await;
    assert_eq!((stolen.status, stolen.header("location")), (400, None));
    thief.sign_in().await;
    let consent = page.location().replace("/login?", "/consent?");
    assert_eq!(thief.get(&consent).await.status, 400);
    let signed_in = victim.sign_in_at(&page).await;
    let form = victim.get(signed_in.location()).await;
    assert!(
        victim
            .submit(&form, &[("decision", "allow")])
            .await
            .param("code")
            .is_some()
    );
    assert_eq!(
        victim.submit(&form, &[("decision", "allow")]).await.status,
        400,
        "spent"
    );
}

#[tokio::test]
async fn an_attempt_expires() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let page = browser.authorize(App::Shop, &[]).await;
    house.advance(Duration::minutes(31));
    let late = browser.get(page.location()).await;
    assert_eq!(late.status, 400);
    assert!(late.body.contains("start again"));
}

#[tokio::test]
async fn no_page_takes_a_foreign_target_r_authz_10() {
    let house = House::open().await;
    for target in [
        "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
    ] {
        for name in ["return_to", "next", "continue", "redirect_uri"] {
            let mut browser: Browser = house.browser("acme");
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, target)
                .finish();
            let form = browser.get(&format!("login?{query}")).await;
            assert!(!form.body.contains("evil") && !form.body.contains("alert(1)"));
            let fields = [
                ("identifier", crate::house::EMAIL),
                ("password", crate::house::PASSWORD),
            ];
            let page = browser.submit(&form, &fields).await;
            assert_eq!(page.location(), "/t/acme/");
        }
    }
}
