//! Nothing of one tenant is anything at another, though both have the same client ids and secrets.

use contract::tenant::TenantStatus;

use crate::{
    browser::Browser,
    house::{App, EMAIL, House, PASSWORD},
};

#[tokio::test]
async fn codes_and_tokens_do_not_cross_r_ten_01_r_ten_03() {
    let house = House::open().await;
    let (mut acme, mut globex) = (house.browser("acme"), house.browser("globex"));
    let code = acme.code(App::Spa, "openid offline_access").await;
    let (random, foreign) = (
        globex.redeem(App::Spa, "random").await,
        globex.redeem(App::Spa, &code).await,
    );
    assert_eq!(
        (random.status, &random.body),
        (foreign.status, &foreign.body)
    );
    let tokens = acme.redeem(App::Spa, &code).await.json();
    assert!(
        tokens["access_token"].is_string(),
        "the attempt elsewhere did not even burn it"
    );
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let (random, foreign) = (
        globex.refresh(App::Spa, "random").await,
        globex.refresh(App::Spa, refresh).await,
    );
    assert_eq!(
        (random.status, &random.body),
        (foreign.status, &foreign.body)
    );
    let access = tokens["access_token"].as_str().unwrap();
    let (random, foreign) = (
        globex.userinfo("random").await,
        globex.userinfo(access).await,
    );
    assert_eq!(
        (random.status, &random.body),
        (foreign.status, &foreign.body)
    );
    assert_eq!(acme.userinfo(access).await.status, 200);
    assert_eq!(acme.refresh(App::Spa, refresh).await.status, 200);
}

#[tokio::test]
async fn browsers_do_not_cross_r_ten_01_r_ten_02() {
    let house = House::open().await;
    let mut acme = house.browser("acme");
    let asked = acme.authorize(App::Shop, &[]).await;
    let csrf = acme.get("login").await.field("csrf").unwrap();
    acme.sign_in().await;
    let mut globex = house.browser("globex");
    // The cookies under the other tenant's names: as if the browser had confused them.
    globex.cookies = acme
        .cookies
        .iter()
        .flat_map(|(name, value)| {
            [
                (name.clone(), value.clone()),
                (name.replace("acme", "globex"), value.clone()),
            ]
        })
        .collect();
    assert!(globex.get("").await.body.contains("You are not signed in"));
    let flow = asked.location().split_once("flow=").unwrap().1.to_owned();
    assert_eq!(globex.get(&format!("login?flow={flow}")).await.status, 400);
    assert_eq!(globex.get("login?flow=random").await.status, 400);
    let fields = [
        ("csrf", csrf.as_str()),
        ("identifier", EMAIL),
        ("password", PASSWORD),
    ];
    assert_eq!(globex.post("login", &fields).await.status, 403);
}

/// A third tenant at a host of its own, where anyone may register at once; and the port all are at.
async fn initech() -> (House, String) {
    let mut house = House::open().await;
    let mut content = house.content(3, "initech");
    content.policies.registration.verify_email = false;
    let own = House::at_host(content, "login.initech.example", &house.origin);
    house.publish(own, TenantStatus::Active).await;
    let port = house.origin.rsplit_once(':').unwrap().1.to_owned();
    (house, port)
}

#[tokio::test]
async fn one_address_per_tenant_r_ten_06_r_disc_01() {
    let (house, port) = initech().await;
    let document = "/.well-known/openid-configuration";
    let at = |path: &str, host: String| (path.to_owned(), host);
    for ((path, host), status) in [
        (
            at(&format!("/t/acme{document}"), format!("127.0.0.1:{port}")),
            200,
        ),
        (at(document, format!("login.initech.example:{port}")), 200),
        (at(document, format!("LOGIN.initech.example:{port}")), 200),
        (at(document, format!("127.0.0.1:{port}")), 404),
        (at(document, format!("login.initech.example.:{port}")), 404),
        (at(document, "login.initech.example:1".into()), 404),
        (
            at(
                &format!("/t/acme{document}"),
                format!("login.initech.example:{port}"),
            ),
            404,
        ),
        (
            at(&format!("/t/acme{document}"), "unknown.example".into()),
            404,
        ),
        (
            at(
                &format!("/t/initech{document}"),
                format!("127.0.0.1:{port}"),
            ),
            404,
        ),
        (
            at(
                &format!("/t/initech{document}"),
                format!("login.initech.example:{port}"),
            ),
            404,
        ),
        (
            at(
                &format!("/t/unknown{document}"),
                format!("127.0.0.1:{port}"),
            ),
            404,
        ),
    ] {
        let mut browser = Browser::new(&house.origin, "");
        let headers = [
            ("host", host.as_str()),
            ("x-forwarded-host", "login.initech.example"),
        ];
        let page = browser
            .send(reqwest::Method::GET, &path, &headers, None)
            .await;
        assert_eq!(page.status, status, "{path} at {host}");
        if status == 200 {
            let issuer = page.json()["issuer"].as_str().unwrap().to_owned();
            let prefix = path.strip_suffix(document).unwrap();
            assert_eq!(issuer, format!("http://{}{prefix}", host.to_lowercase()));
        }
    }
}

#[tokio::test]
async fn a_tenant_at_its_own_host_signs_people_in() {
    let (house, port) = initech().await;
    let mut browser = Browser::new(&house.origin, "");
    browser
        .extra
        .push(("host", format!("login.initech.example:{port}")));
    let page = browser.get("/register").await;
    let fields = [
        ("identifier", "new@initech.example"),
        ("password", PASSWORD),
    ];
    let page = browser.submit(&page, &fields).await;
    assert_eq!(page.location(), "/");
    assert!(
        browser.cookies.contains_key("bw_session"),
        "{:?}",
        browser.cookies
    );
    assert!(browser.get("/").await.body.contains("new@initech.example"));
    let code = browser.walk(App::Own, &[]).await.param("code").unwrap();
    assert_eq!(browser.redeem(App::Own, &code).await.status, 200);
}

#[tokio::test]
async fn a_suspended_tenant_is_not_available() {
    let mut house = House::open().await;
    let content = house.content(1, "acme");
    house.publish(content, TenantStatus::Suspended).await;
    let mut browser = house.browser("acme");
    for path in [
        "",
        "login",
        "oauth2/authorize",
        ".well-known/openid-configuration",
        "oauth2/jwks",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(
            page.body.contains("not available") && page.body.contains("ACME"),
            "{}",
            page.body
        );
    }
    assert_eq!(
        browser
            .token(App::Machine, &[("grant_type", "client_credentials")])
            .await
            .status,
        503
    );
    assert_eq!(house.browser("globex").get("login").await.status, 200);
}
