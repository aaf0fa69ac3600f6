//! Refresh tokens: rotation, reuse, lost answers, ends and narrowing.

use chrono::Duration;

use crate::{
    browser::claims,
    house::{App, House},
    tokens::{refused, text},
};

#[tokio::test]
async fn refresh_rotates_and_reuse_kills_r_rt_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let first = browser.tokens(App::Spa, "openid offline_access").await;
    let one = text(&first, "refresh_token").to_owned();
    house.advance(Duration::minutes(1));
    let second = browser.refresh(App::Spa, &one).await.json();
    let two = text(&second, "refresh_token").to_owned();
    assert_ne!(one, two);
    assert_eq!(
        claims(text(&second, "id_token"))["auth_time"],
        claims(text(&first, "id_token"))["auth_time"]
    );
    assert!(claims(text(&second, "id_token"))["nonce"].is_null());
    house.advance(Duration::minutes(1));
    assert_eq!(
        refused(&browser.refresh(App::Spa, &one).await),
        (400, "invalid_grant".into())
    );
    assert_eq!(
        refused(&browser.refresh(App::Spa, &two).await),
        (400, "invalid_grant".into())
    );
    assert_eq!(
        browser.userinfo(text(&second, "access_token")).await.status,
        401
    );
}

#[tokio::test]
async fn a_thief_who_asks_for_too_much_is_still_a_thief_rfc_9700_4_14_2() {
    let house = House::open().await;
    for (name, value) in [("scope", "openid profile"), ("resource", "urn:orders")] {
        let mut browser = house.browser("acme");
        let first = browser.tokens(App::Spa, "openid offline_access").await;
        let one = text(&first, "refresh_token");
        let second = browser.refresh(App::Spa, one).await.json();
        house.advance(Duration::minutes(1));
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", one),
            (name, value),
        ];
        assert_eq!(
            refused(&browser.token(App::Spa, &fields).await),
            (400, "invalid_grant".into()),
            "{name}"
        );
        let live = browser
            .refresh(App::Spa, text(&second, "refresh_token"))
            .await;
        assert_eq!(refused(&live), (400, "invalid_grant".into()), "{name}");
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again_r_rt_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let first = browser.tokens(App::Spa, "openid offline_access").await;
    let one = text(&first, "refresh_token");
    let lost = browser.refresh(App::Spa, one).await.json();
    house.advance(Duration::seconds(5));
    let retried = browser.refresh(App::Spa, one).await.json();
    assert_eq!(lost["refresh_token"], retried["refresh_token"]);
    let other = browser
        .refresh(App::Native, text(&retried, "refresh_token"))
        .await;
    assert_eq!(
        refused(&other),
        (400, "invalid_grant".into()),
        "another client"
    );
}

#[tokio::test]
async fn families_end_by_idleness_and_by_age_r_rt_04() {
    let house = House::open_with(|acme| {
        acme.policies.token.refresh_idle_hours = 24;
        acme.policies.token.refresh_absolute_days = 3;
    })
    .await;
    let mut browser = house.browser("acme");
    let mut token =
        browser.tokens(App::Spa, "openid offline_access").await["refresh_token"].clone();
    for _ in 0..3 {
        house.advance(Duration::hours(23));
        let page = browser.refresh(App::Spa, token.as_str().unwrap()).await;
        assert_eq!(page.status, 200, "{}", page.body);
        token = page.json()["refresh_token"].clone();
    }
    house.advance(Duration::hours(4));
    let page = browser.refresh(App::Spa, token.as_str().unwrap()).await;
    assert_eq!(
        refused(&page),
        (400, "invalid_grant".into()),
        "too old though used daily"
    );
    let fresh = browser.tokens(App::Spa, "openid offline_access").await;
    house.advance(Duration::hours(25));
    let page = browser
        .refresh(App::Spa, text(&fresh, "refresh_token"))
        .await;
    assert_eq!(refused(&page), (400, "invalid_grant".into()), "idle");
}

#[tokio::test]
async fn scope_only_shrinks_r_tok_08() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let first = browser
        .tokens(App::Spa, "openid email offline_access")
        .await;
    let one = text(&first, "refresh_token");
    let ask = |scope| {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", one),
            ("scope", scope),
        ]
    };
    let wider = browser.token(App::Spa, &ask("openid profile")).await;
    assert_eq!(refused(&wider), (400, "invalid_scope".into()));
    let narrow = browser.token(App::Spa, &ask("openid")).await.json();
    assert_eq!(
        narrow["scope"], "openid",
        "the mistake before did not cost the family"
    );
    let full = browser
        .refresh(App::Spa, text(&narrow, "refresh_token"))
        .await
        .json();
    assert_eq!(full["scope"], "email offline_access openid");
}
