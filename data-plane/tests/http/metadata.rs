//! Discovery, keys and cross-origin access.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::house::{App, House};

#[tokio::test]
async fn one_document_at_every_address_r_disc_01_r_disc_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let document = browser.get(".well-known/openid-configuration").await;
    assert_eq!(
        document.json()["issuer"],
        format!("{}/t/acme", house.origin)
    );
    assert_eq!(
        document.header("cache-control"),
        Some("public, max-age=300")
    );
    for path in [
        ".well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/t/acme",
        "/.well-known/openid-configuration/t/acme",
    ] {
        assert_eq!(browser.get(path).await.json(), document.json(), "{path}");
    }
    assert_eq!(
        browser
            .get("/.well-known/oauth-authorization-server/t/nobody")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn what_is_advertised_works_r_disc_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let document = browser.get(".well-known/openid-configuration").await.json();
    let list = |name: &str| -> BTreeSet<String> {
        document[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let page = browser.get(value.as_str().unwrap()).await;
            assert_ne!(page.status, 404, "{name}");
        }
    }
    assert_eq!(
        list("code_challenge_methods_supported"),
        BTreeSet::from(["S256".to_owned()])
    );
    for grant in list("grant_types_supported") {
        let page = browser.token(App::Shop, &[("grant_type", &grant)]).await;
        assert_ne!(page.error(), "unsupported_grant_type", "{grant}");
    }
    for grant in [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
    ] {
        let page = browser.token(App::Shop, &[("grant_type", grant)]).await;
        assert_eq!(page.error(), "unsupported_grant_type");
    }
    browser.sign_in().await;
    for scope in list("scopes_supported") {
        let page = browser.authorize(App::Shop, &[("scope", &scope)]).await;
        assert!(page.param("error").is_none(), "{scope}");
    }
    for prompt in list("prompt_values_supported") {
        let page = browser.authorize(App::Shop, &[("prompt", &prompt)]).await;
        assert_ne!(
            page.param("error").as_deref(),
            Some("invalid_request"),
            "{prompt}"
        );
    }
}

#[tokio::test]
async fn keys_are_public_disjoint_and_cached_r_disc_05() {
    let house = House::open().await;
    let mut kids = BTreeSet::new();
    for slug in ["acme", "globex"] {
        let mut browser = house.browser(slug);
        let page = browser.get("oauth2/jwks").await;
        let keys = page.json()["keys"].as_array().unwrap().clone();
        let algorithms: BTreeSet<_> = keys
            .iter()
            .map(|key| key["alg"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            algorithms,
            BTreeSet::from(["ES256".to_owned(), "RS256".to_owned()])
        );
        for key in &keys {
            assert!(
                kids.insert(key["kid"].as_str().unwrap().to_owned()),
                "kids are unique"
            );
            assert_eq!(key["use"], "sig");
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert_eq!(key[private], Value::Null, "{private}");
            }
        }
        let etag = page.header("etag").unwrap().to_owned();
        let known = [("if-none-match", etag.as_str())];
        let again = browser.send(Method::GET, "oauth2/jwks", &known, None).await;
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", Some(etag.as_str()))
        );
    }
}

#[tokio::test]
async fn cross_origin_only_for_applications_r_hdr_04() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let open = [
        "oauth2/token",
        "oauth2/userinfo",
        "oauth2/jwks",
        ".well-known/openid-configuration",
    ];
    for path in open {
        for (origin, allowed) in [
            ("https://spa.example", true),
            ("https://shop.example", true),
            ("https://evil.example", false),
            ("https://spa.example.evil.example", false),
            ("null", false),
        ] {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
            ];
            for method in [Method::GET, Method::OPTIONS] {
                let page = browser.send(method, path, &headers, None).await;
                let sent = page.header("access-control-allow-origin");
                assert_eq!(sent, allowed.then_some(origin), "{path} {origin}");
                assert!(page.header("access-control-allow-credentials").is_none());
                assert!(page.header("vary").unwrap().contains("Origin"));
            }
        }
    }
    for path in ["login", "oauth2/authorize", "oauth2/logout", "register", ""] {
        let page = browser
            .send(
                Method::GET,
                path,
                &[("origin", "https://spa.example")],
                None,
            )
            .await;
        assert!(
            page.header("access-control-allow-origin").is_none(),
            "{path}"
        );
    }
}
