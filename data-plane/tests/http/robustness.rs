//! Bad input: too long, too large, malformed. Never a 5xx, never an echo.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use reqwest::Method;

use crate::house::{App, House};

#[tokio::test]
async fn limits_r_inj_05() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    const TARGET: usize = 8 * 1024 - "/t/acme/login?x=".len();
    for (length, status) in [(TARGET, 200), (TARGET + 1, 414)] {
        let page = browser
            .get(&format!("login?x={}", "a".repeat(length)))
            .await;
        assert_eq!(page.status, status, "{length}");
        assert!(page.header("x-request-id").is_some());
    }
    for (length, status) in [(15 * 1024, 200), (16 * 1024, 431), (100_000, 431)] {
        let headers = "b".repeat(length);
        let headers = [("x-large", headers.as_str())];
        let page = browser.send(Method::GET, "login", &headers, None).await;
        assert_eq!(page.status, status, "{length}");
    }
    let big = "x".repeat(65 * 1024);
    for path in [
        "oauth2/token", "login", "register", "oauth2/authorize", "logout",
    ] {
        let page = browser.post(path, &[("a", &big)]).await;
        assert_eq!(page.status, 413, "{path}");
    }
    let many: Vec<_> = (0..101).map(|number| (format!("p{number}"), "x")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let page = browser.post("oauth2/token", &many).await;
    assert_eq!((page.status, page.error()), (400, "invalid_request".into()));
    assert_eq!(browser.post("login", &many).await.status, 400);
    let query = "p=x&".repeat(101);
    for path in ["login", "oauth2/authorize", "oauth2/logout"] {
        let page = browser.get(&format!("{path}?{query}")).await;
        assert_eq!(page.status, 400, "{path}");
    }
    for (content_type, body) in [
        ("application/json", "{}"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("text/plain", "grant_type=x"),
        ("application/x-www-form-urlencoded", "grant_type=%ff"),
        ("application/x-www-form-urlencoded", "grant_type=%00"),
    ] {
        let headers = [("content-type", content_type)];
        let page = browser
            .send(Method::POST, "oauth2/token", &headers, Some(body.into()))
            .await;
        assert_eq!(
            (page.status, page.error()),
            (400, "invalid_request".into()),
            "{content_type}"
        );
        let page = browser
            .send(Method::POST, "login", &headers, Some(body.into()))
            .await;
        assert!((400..=403).contains(&page.status));
    }
}

#[tokio::test]
async fn random_bodies_get_a_registered_answer_r_tok_06_r_inj_07() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let names = prop::sample::select(vec![
        "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
        "resource", "client_id", "client_secret", "audience", "x",
    ]);
    let value = prop_oneof![
        Just("authorization_code".to_owned()),
        Just("refresh_token".to_owned()),
        Just("client_credentials".to_owned()),
        Just(App::Spa.id()),
        "\\PC{0,40}",
    ];
    let bodies = prop::collection::vec((names, value), 0..8);
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        let fields = bodies.new_tree(&mut runner).unwrap().current();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let page = browser.post("oauth2/token", &fields).await;
        assert!(
            matches!(page.status, 400 | 401 | 405 | 413 | 415 | 429),
            "{} {fields:?}",
            page.status
        );
        let description = page.json()["error_description"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            description
                .bytes()
                .all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\')
        );
        for (_, value) in fields
            .iter()
            .filter(|(_, value)| value.len() > 12 && !value.contains('_'))
        {
            assert!(!page.body.contains(value), "echoed {value}");
        }
    }
    for _ in 0..200 {
        let fields = bodies.new_tree(&mut runner).unwrap().current();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        for path in [
            "oauth2/authorize", "oauth2/logout", "login", "verify", "invite", "consent",
        ] {
            let page = browser.get(&format!("{path}?{query}")).await;
            assert!(page.status < 500, "{path}?{query}");
        }
    }
}
