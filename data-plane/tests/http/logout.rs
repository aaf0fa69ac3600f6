//! RP-initiated logout.

use reqwest::Method;

use crate::house::{App, EMAIL, House};

const BYE: &str = "https://shop.example/bye";

async fn is_signed_in(browser: &mut crate::browser::Browser) -> bool {
    browser.get("").await.body.contains(EMAIL)
}

fn query(pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("oauth2/logout?{query}")
}

/// Parameters, and where it ends at once; `None` is a question.
type Case = (
    &'static [(&'static str, &'static str)],
    Option<&'static str>,
);

#[tokio::test]
async fn every_combination_r_logout_01() {
    let house = House::open().await;
    let shop = App::Shop.id();
    let mut other = house.browser("acme");
    let foreign = other.tokens(App::Shop, "openid").await["id_token"]
        .as_str()
        .unwrap()
        .to_owned();
    #[rustfmt::skip]
    let table: [Case; 8] = [
        (&[("id_token_hint", "OURS"), ("post_logout_redirect_uri", BYE), ("state", "s&t")], Some("https://shop.example/bye?state=s%26t")),
        (&[("id_token_hint", "OURS"), ("post_logout_redirect_uri", BYE)], Some(BYE)),
        (&[("id_token_hint", "OURS"), ("post_logout_redirect_uri", "https://shop.example/bye/")], Some("/t/acme/signed-out")),
        (&[("id_token_hint", "OURS")], Some("/t/acme/signed-out")),
        (&[("id_token_hint", "FOREIGN"), ("post_logout_redirect_uri", BYE)], None),
        (&[("id_token_hint", "nonsense"), ("post_logout_redirect_uri", BYE)], None),
        (&[("client_id", "SHOP"), ("post_logout_redirect_uri", BYE)], None),
        (&[], None),
    ];
    for (pairs, expected) in table {
        let mut browser = house.browser("acme");
        let ours = browser.tokens(App::Shop, "openid").await["id_token"]
            .as_str()
            .unwrap()
            .to_owned();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| {
                let value = match *value {
                    "OURS" => ours.as_str(),
                    "FOREIGN" => foreign.as_str(),
                    "SHOP" => shop.as_str(),
                    plain => plain,
                };
                (*name, value)
            })
            .collect();
        let page = browser.get(&query(&pairs)).await;
        match expected {
            Some(location) => {
                assert_eq!((page.status, page.location()), (303, location));
                assert!(!is_signed_in(&mut browser).await);
            }
            None => {
                assert_eq!(page.status, 200, "{pairs:?}");
                assert!(is_signed_in(&mut browser).await, "nothing happened yet");
                let done = browser.submit(&page, &[]).await;
                assert_eq!(done.status, 303);
                assert!(!is_signed_in(&mut browser).await);
            }
        }
    }
}

#[tokio::test]
async fn a_question_leads_back_only_to_the_registered_address_r_logout_01() {
    let house = House::open().await;
    let shop = App::Shop.id();
    for (uri, expected) in [
        (BYE, "https://shop.example/bye?state=x"),
        ("https://evil.example", "/t/acme/signed-out"),
    ] {
        let mut browser = house.browser("acme");
        browser.sign_in().await;
        let pairs = [
            ("client_id", shop.as_str()),
            ("post_logout_redirect_uri", uri),
            ("state", "x"),
        ];
        let page = browser.get(&query(&pairs)).await;
        assert!(page.body.contains("Demo shop") && !page.body.contains("evil"));
        assert_eq!(browser.submit(&page, &[]).await.location(), expected);
    }
    let mut browser = house.browser("acme");
    browser.sign_in().await;
    let form = browser.get("").await;
    assert_eq!(
        browser.submit(&form, &[]).await.location(),
        "/t/acme/signed-out"
    );
    assert!(
        browser
            .get("signed-out")
            .await
            .body
            .contains("You are signed out")
    );
    let (csrf, evil) = (form.field("csrf").unwrap(), "https://evil.example");
    let forged = browser
        .post_with("logout", &[("origin", evil)], &[("csrf", &csrf)])
        .await;
    assert_eq!(forged.status, 403);
}

#[tokio::test]
async fn contradictions_and_posts_r_logout_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let hint = browser.tokens(App::Shop, "openid").await["id_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let own = App::Own.id();
    let page = browser
        .get(&query(&[("id_token_hint", &hint), ("client_id", &own)]))
        .await;
    assert_eq!(page.status, 400);
    assert!(is_signed_in(&mut browser).await);
    // An expired ID token still names the session (RP-Initiated Logout 1.0 §2).
    house.advance(chrono::Duration::hours(1));
    let page = browser
        .post("oauth2/logout", &[("id_token_hint", &hint)])
        .await;
    assert!(
        page.location()
            .starts_with("/t/acme/oauth2/logout?id_token_hint=")
    );
    let page = browser.send(Method::GET, page.location(), &[], None).await;
    assert_eq!(page.location(), "/t/acme/signed-out");
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn everywhere_means_every_browser_r_logout_05() {
    let house = House::open().await;
    let [mut here, mut there, mut stranger] =
        ["acme", "acme", "globex"].map(|at| house.browser(at));
    for browser in [&mut here, &mut there, &mut stranger] {
        browser.sign_in().await;
    }
    let page = here.get("").await;
    here.submit(&page, &[]).await;
    assert!(
        there.get("").await.body.contains("Your account"),
        "one browser"
    );
    here.sign_in().await;
    house.advance(chrono::Duration::seconds(1));
    let page = here.get("").await;
    here.submit(&page, &[("everywhere", "yes")]).await;
    for browser in [&mut here, &mut there] {
        assert!(browser.get("").await.body.contains("You are not signed in"));
    }
    assert!(stranger.get("").await.body.contains("Your account"));
    house.advance(chrono::Duration::seconds(1));
    there.sign_in().await;
    assert!(there.get("").await.body.contains("Your account"));
}
