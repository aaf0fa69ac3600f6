//! The sign-in page, sessions and forged posts.

use chrono::Duration;
use contract::policies::AuthenticationPolicy;
use reqwest::Method;

use crate::house::{App, EMAIL, House, PASSWORD};

const DEVICE: &str = "bw_device_acme";

#[tokio::test]
async fn one_generic_message_and_the_identifier_stays_r_enum_01() {
    let house = House::open().await;
    let mut bodies = Vec::new();
    for identifier in [EMAIL, "nobody@acme.example"] {
        let mut browser = house.browser("acme");
        let form = browser.get("login").await;
        let page = browser
            .submit(&form, &[("identifier", identifier), ("password", "wrong")])
            .await;
        assert_eq!(page.status, 400);
        assert!(page.body.contains("<title>Error: Sign in"));
        assert!(page.body.contains("role=\"alert\""));
        assert_eq!(page.field("identifier").as_deref(), Some(identifier));
        assert!(
            !page.body.contains("wrong"),
            "the password is never sent back"
        );
        let csrf = page.field("csrf").unwrap();
        let request = page.header("x-request-id").unwrap();
        bodies.push(
            page.body
                .replace(identifier, "ID")
                .replace(&csrf, "CSRF")
                .replace(request, "REQ"),
        );
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_new_session_id_at_every_sign_in_r_sess_01_r_sess_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let planted = "a".repeat(43);
    browser
        .cookies
        .insert("bw_session_acme".into(), planted.clone());
    let page = browser.sign_in().await;
    let set = page.set_cookies();
    let session = set
        .iter()
        .find(|cookie| cookie.starts_with("bw_session_acme="))
        .unwrap();
    assert!(
        session.ends_with("; HttpOnly; SameSite=Lax; Path=/"),
        "{session}"
    );
    let first = browser.cookies["bw_session_acme"].clone();
    assert_ne!(first, planted);
    let again = browser.authorize(App::Own, &[("prompt", "login")]).await;
    browser.sign_in_at(&again).await;
    assert_ne!(browser.cookies["bw_session_acme"], first);
    let mut old = house.browser("acme");
    for dead in [first, planted] {
        old.cookies.insert("bw_session_acme".into(), dead);
        assert!(old.get("").await.body.contains("You are not signed in"));
    }
    assert!(browser.get("").await.body.contains(EMAIL));
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_age_r_sess_04() {
    let house = House::open_with(|acme| {
        acme.policies.session.idle_minutes = 60;
        acme.policies.session.absolute_hours = 2;
    })
    .await;
    let mut browser = house.browser("acme");
    browser.sign_in().await;
    for _ in 0..2 {
        house.advance(Duration::minutes(50));
        assert!(browser.get("").await.body.contains(EMAIL), "in use");
    }
    house.advance(Duration::minutes(21));
    assert!(
        browser.get("").await.body.contains("You are not signed in"),
        "too old"
    );
    browser.sign_in().await;
    house.advance(Duration::minutes(61));
    assert!(
        browser.get("").await.body.contains("You are not signed in"),
        "idle"
    );
}

#[tokio::test]
async fn forged_posts_are_refused_r_sess_05() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let form = browser.get("login").await;
    let csrf = form.field("csrf").unwrap();
    let mut other = house.browser("acme");
    let foreign = other.get("login").await.field("csrf").unwrap();
    let evil = "https://evil.example";
    let fields = |token: &str| vec![("csrf".to_owned(), token.to_owned())];
    for (headers, token) in [
        (vec![], String::new()),
        (vec![], foreign),
        (vec![("origin", evil)], csrf.clone()),
        (vec![("origin", "null")], csrf.clone()),
        (vec![("sec-fetch-site", "cross-site")], csrf.clone()),
        (
            vec![("sec-fetch-site", "same-site"), ("origin", evil)],
            csrf.clone(),
        ),
    ] {
        let fields = fields(&token);
        let mut all: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend([("identifier", EMAIL), ("password", PASSWORD)]);
        let page = browser.post_with("login", &headers, &all).await;
        assert_eq!(page.status, 403, "{headers:?}");
        assert!(!browser.cookies.contains_key("bw_session_acme"));
    }
    // What Chromium sends from a page with Referrer-Policy: no-referrer.
    let headers = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    let all = [
        ("csrf", csrf.as_str()),
        ("identifier", EMAIL),
        ("password", PASSWORD),
    ];
    assert_eq!(browser.post_with("login", &headers, &all).await.status, 303);
    let stale = browser.post("logout", &[("csrf", csrf.as_str())]).await;
    assert_eq!(
        stale.status, 403,
        "a token from before the sign-in is another session's"
    );
    let mut cookieless = house.browser("acme");
    assert_eq!(
        cookieless.post("login", &all).await.status,
        403,
        "login CSRF"
    );
}

/// A node whose first tenant blocks an account after ten failures.
async fn strict() -> House {
    House::open_with(|acme| {
        acme.policies.authentication = AuthenticationPolicy {
            delay_after_failures: 3,
            block_after_failures: 10,
            block_minutes: 60,
        };
    })
    .await
}

/// Tries wrong passwords, each after the wait it was told, until the wait is the block. Every try claims
/// another address, which changes nothing (R-ENUM-05). Returns the waits that were told.
async fn guess_until_blocked(house: &House) -> Vec<i64> {
    let mut waits = Vec::new();
    for number in 0..40 {
        let mut browser = house.browser("acme");
        let address = format!("203.0.113.{number}");
        browser.extra = vec![
            ("x-forwarded-for", address.clone()),
            ("forwarded", format!("for={address}")),
        ];
        let form = browser.get("login").await;
        let fields = [("identifier", EMAIL), ("password", "wrong")];
        let page = browser.submit(&form, &fields).await;
        if page.status != 429 {
            continue;
        }
        assert!(page.body.contains("Try again in") && page.body.contains(EMAIL));
        let seconds: i64 = page.header("retry-after").unwrap().parse().unwrap();
        waits.push(seconds);
        if seconds > 120 {
            return waits;
        }
        house.advance(Duration::seconds(seconds));
    }
    panic!("never blocked: {waits:?}");
}

#[tokio::test]
async fn guesses_are_slowed_down_and_blocked_r_enum_02_r_enum_05() {
    let house = strict().await;
    let waits = guess_until_blocked(&house).await;
    assert!(waits.len() > 2 && waits.is_sorted(), "{waits:?}");
    let mut browser = house.browser("acme");
    let form = browser.get("login").await;
    let fields = [("identifier", EMAIL), ("password", PASSWORD)];
    let right = browser.submit(&form, &fields).await;
    assert_eq!(right.status, 429, "blocked even with the right password");
    let mut elsewhere = house.browser("globex");
    elsewhere.sign_in().await;
}

#[tokio::test]
async fn a_known_device_is_not_locked_out_by_others_r_enum_03() {
    let house = strict().await;
    let mut hers = house.browser("acme");
    let page = hers.sign_in().await;
    let set = page.set_cookies();
    let mark = set
        .iter()
        .find(|cookie| cookie.starts_with("bw_device_acme="))
        .expect("a mark");
    assert!(
        mark.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=15552000"),
        "{mark}"
    );
    let first = hers.cookies[DEVICE].clone();
    assert!(!first.contains("mara"));
    let form = hers.get("oauth2/logout").await;
    hers.submit(&form, &[]).await;
    guess_until_blocked(&house).await;

    let foreign = {
        let mut elsewhere = house.browser("globex");
        elsewhere.sign_in().await;
        elsewhere.cookies["bw_device_globex"].clone()
    };
    let spoilt: String = first.chars().rev().collect();
    for useless in [foreign, spoilt, "A".repeat(4000), "not a mark".into()] {
        let mut stranger = house.browser("acme");
        stranger.cookies.insert(DEVICE.into(), useless);
        let form = stranger.get("login").await;
        let fields = [("identifier", EMAIL), ("password", PASSWORD)];
        assert_eq!(stranger.submit(&form, &fields).await.status, 429);
    }
    hers.sign_in().await;
    assert_ne!(hers.cookies[DEVICE], first, "renewed by use");
}

#[tokio::test]
async fn a_block_ends_after_its_minutes_r_enum_02() {
    let house = strict().await;
    guess_until_blocked(&house).await;
    house.advance(Duration::minutes(61));
    house.browser("acme").sign_in().await;
}

#[tokio::test]
async fn a_link_from_elsewhere_does_nothing() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.sign_in().await;
    assert_eq!(browser.get("login").await.location(), "/t/acme/");
    for path in ["oauth2/logout", "logout"] {
        browser.send(Method::GET, path, &[], None).await;
        assert!(
            browser.get("").await.body.contains(EMAIL),
            "{path} (R-LOGOUT-01)"
        );
    }
}
