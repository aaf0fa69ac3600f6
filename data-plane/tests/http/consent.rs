//! The consent page.

use crate::{
    browser::without_query,
    house::{App, CALLBACK, House},
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
