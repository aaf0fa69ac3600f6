//! The token and userinfo endpoints.

use chrono::Duration;
use jsonwebtoken::jwk::JwkSet;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    browser::{Page, basic, claims, jose_header, redirect_uri},
    house::{App, CALLBACK, EMAIL, House, SECRET, VERIFIER},
};

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

pub fn refused(page: &Page) -> (u16, String) {
    assert_eq!(page.header("cache-control"), Some("no-store"));
    (page.status, page.error())
}

#[tokio::test]
async fn tokens_say_what_they_should_r_jwt_01_r_jwt_07() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let code = browser
        .code(App::Shop, "openid profile email offline_access")
        .await;
    let page = browser.redeem(App::Shop, &code).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("content-type"), Some("application/json"));
    let tokens = page.json();
    let issuer = format!("{}/t/acme", house.origin);
    let (access, id) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    assert_eq!(jose_header(access)["typ"], "at+jwt");
    assert_eq!(jose_header(access)["alg"], "ES256");
    let user = House::user(1).to_string();
    let now = house.now().timestamp();
    let access = claims(access);
    for (name, expected) in [
        ("iss", json!(issuer)),
        ("aud", json!(issuer)),
        ("sub", json!(user)),
        ("client_id", json!(App::Shop.id())),
        ("iat", json!(now)),
        ("exp", json!(now + 600)),
        ("auth_time", json!(now)),
        ("scope", json!("email offline_access openid profile")),
    ] {
        assert_eq!(access[name], expected, "{name}");
    }
    assert!(
        access["jti"].is_string() && access["email"].is_null(),
        "no personal data"
    );
    let id_claims = claims(id);
    for (name, expected) in [
        ("iss", json!(issuer)),
        ("aud", json!(App::Shop.id())),
        ("sub", json!(user)),
        ("nonce", json!("n0nce")),
        ("amr", json!(["pwd"])),
        ("email", json!(EMAIL)),
        ("name", json!("Mara Lind")),
    ] {
        assert_eq!(id_claims[name], expected, "{name}");
    }
    assert!(
        id_claims["sid"].is_string()
            && id_claims["at_hash"].is_string()
            && id_claims["acr"].is_string()
    );
    let info = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!((info.status, &info.json()["email"]), (200, &json!(EMAIL)));
    let own = browser.tokens(App::Own, "openid").await;
    assert_eq!(jose_header(text(&own, "id_token"))["alg"], "RS256");
    assert!(
        claims(text(&own, "id_token"))["email"].is_null(),
        "no claims beyond the request"
    );
    assert!(
        own["refresh_token"].is_null(),
        "offline_access was not asked for"
    );
}

#[tokio::test]
async fn published_keys_verify_what_is_signed_r_disc_05() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let jwks: JwkSet = serde_json::from_str(&browser.get("oauth2/jwks").await.body).unwrap();
    for app in [App::Shop, App::Own] {
        let tokens = browser.tokens(app, "openid").await;
        let id = text(&tokens, "id_token");
        let header = jsonwebtoken::decode_header(id).unwrap();
        let jwk = jwks.find(&header.kid.unwrap()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let mut rules = jsonwebtoken::Validation::new(header.alg);
        rules.set_audience(&[app.id()]);
        rules.validate_exp = false;
        jsonwebtoken::decode::<Value>(id, &key, &rules).unwrap();
    }
}

#[tokio::test]
async fn a_code_works_once_and_a_second_time_kills_r_tok_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let code = browser.code(App::Shop, "openid offline_access").await;
    let tokens = browser.redeem(App::Shop, &code).await.json();
    let access = text(&tokens, "access_token");
    assert_eq!(browser.userinfo(access).await.status, 200);
    let again = browser.redeem(App::Shop, &code).await;
    assert_eq!(refused(&again), (400, "invalid_grant".into()));
    let dead = browser.userinfo(access).await;
    assert_eq!(dead.status, 401);
    assert!(
        dead.header("www-authenticate")
            .unwrap()
            .contains("error=\"invalid_token\"")
    );
    let refresh = browser
        .refresh(App::Shop, text(&tokens, "refresh_token"))
        .await;
    assert_eq!(refused(&refresh), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn a_racing_code_has_one_winner_at_most_r_tok_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.walk(App::Spa, &[]).await;
    for _ in 0..10 {
        let code = browser.code(App::Spa, "openid email").await;
        let (mut left, mut right) = (house.browser("acme"), house.browser("acme"));
        let (left, right) =
            tokio::join!(left.redeem(App::Spa, &code), right.redeem(App::Spa, &code));
        let won = [left.status, right.status]
            .iter()
            .filter(|status| **status == 200)
            .count();
        assert!(won <= 1);
    }
}

#[tokio::test]
async fn a_code_is_bound_and_burns_r_tok_03_r_tok_04_r_pkce_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let short = &VERIFIER[..42];
    let wrong = "a".repeat(43);
    for (name, value) in [
        ("code_verifier", wrong.as_str()),
        ("code_verifier", short),
        ("code_verifier", ""),
        ("redirect_uri", "https://shop.example/other"),
        ("redirect_uri", ""),
    ] {
        let code = browser.code(App::Shop, "openid").await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value));
        let page = browser.token(App::Shop, &fields).await;
        assert_eq!(
            refused(&page),
            (400, "invalid_grant".into()),
            "{name}={value}"
        );
        assert_eq!(browser.redeem(App::Shop, &code).await.status, 400, "burned");
    }
    let code = browser.code(App::Shop, "openid").await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri(App::Shop)),
        ("code_verifier", VERIFIER),
    ];
    let stolen = browser.token(App::Own, &fields).await;
    assert_eq!(
        refused(&stolen),
        (400, "invalid_grant".into()),
        "another client"
    );
    let code = browser.code(App::Shop, "openid").await;
    house.advance(Duration::seconds(62));
    assert_eq!(
        browser.redeem(App::Shop, &code).await.error(),
        "invalid_grant",
        "too late"
    );
}

#[tokio::test]
async fn machines_get_what_is_granted_r_res_01() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let grant = ("grant_type", "client_credentials");
    for (extra, expected) in [
        (vec![], "orders:read orders:write"),
        (vec![("scope", "orders:read")], "orders:read"),
        (vec![("resource", "urn:orders")], "orders:read orders:write"),
        (
            vec![("audience", "urn:orders"), ("scope", "orders:write")],
            "orders:write",
        ),
        (
            vec![("resource", "urn:orders"), ("audience", "urn:orders")],
            "orders:read orders:write",
        ),
    ] {
        let fields: Vec<_> = [grant].into_iter().chain(extra).collect();
        let page = browser.token(App::Machine, &fields).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let tokens = page.json();
        assert_eq!(tokens["scope"], expected);
        assert!(tokens["refresh_token"].is_null() && tokens["id_token"].is_null());
        let access = claims(text(&tokens, "access_token"));
        assert_eq!(access["aud"], "urn:orders");
        assert_eq!(access["sub"], json!(App::Machine.id()));
        assert!(access["auth_time"].is_null() && access["sid"].is_null());
    }
    for (extra, error) in [
        (vec![("scope", "orders:delete")], "invalid_scope"),
        (vec![("scope", "openid")], "invalid_scope"),
        (vec![("resource", "urn:other")], "invalid_target"),
        (
            vec![("resource", "urn:orders"), ("resource", "urn:other")],
            "invalid_target",
        ),
        (
            vec![("resource", "urn:orders"), ("audience", "urn:other")],
            "invalid_target",
        ),
    ] {
        let fields: Vec<_> = [grant].into_iter().chain(extra).collect();
        let page = browser.token(App::Machine, &fields).await;
        assert_eq!(refused(&page), (400, error.into()), "{fields:?}");
    }
    let page = browser.token(App::Shop, &[grant]).await;
    assert_eq!(refused(&page), (400, "unauthorized_client".into()));
}

#[tokio::test]
async fn a_person_may_call_an_api_r_res_01_r_res_03() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let both = browser.tokens(App::Shop, "openid orders:read").await;
    let aud = &claims(text(&both, "access_token"))["aud"];
    assert_eq!(
        *aud,
        json!(["urn:orders", format!("{}/t/acme", house.origin)])
    );
    assert_eq!(
        browser.userinfo(text(&both, "access_token")).await.status,
        200
    );
    let api = browser.tokens(App::Shop, "orders:read").await;
    assert_eq!(claims(text(&api, "access_token"))["aud"], "urn:orders");
    assert!(api["id_token"].is_null());
    assert_eq!(
        browser.userinfo(text(&api, "access_token")).await.status,
        401,
        "not meant for us"
    );
}

#[tokio::test]
async fn client_authentication_r_cauth_01_r_tok_05() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let grant = [("grant_type", "client_credentials")];
    let (shop, machine) = (App::Shop.id(), App::Machine.id());
    let right = basic(&shop, SECRET);
    let both = [
        grant[0],
        ("client_id", shop.as_str()),
        ("client_secret", SECRET),
    ];
    let page = browser
        .post_with("oauth2/token", &[("authorization", &right)], &both)
        .await;
    assert_eq!(refused(&page), (400, "invalid_request".into()));
    for (header, fields) in [
        (None, both.to_vec()),
        (None, grant.to_vec()),
        (
            None,
            vec![
                grant[0],
                ("client_id", &machine),
                ("client_secret", "wrong"),
            ],
        ),
        (Some(basic(&machine, SECRET)), grant.to_vec()),
        (Some(basic(&shop, "wrong")), grant.to_vec()),
        (Some(basic("app_unknown", SECRET)), grant.to_vec()),
    ] {
        let headers: Vec<_> = header
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        let page = browser.post_with("oauth2/token", &headers, &fields).await;
        assert_eq!(refused(&page), (401, "invalid_client".into()), "{fields:?}");
        assert!(
            page.header("www-authenticate")
                .unwrap()
                .starts_with("Basic ")
        );
    }
    let query = format!("oauth2/token?client_id={machine}&client_secret={SECRET}");
    let page = browser.post(&query, &grant).await;
    assert_eq!(
        refused(&page),
        (401, "invalid_client".into()),
        "the query is not read"
    );
    let get = browser.get("oauth2/token").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    for (fields, error) in [
        (vec![], "invalid_request"),
        (
            vec![
                ("grant_type", "password"),
                ("username", "x"),
                ("password", "y"),
            ],
            "unsupported_grant_type",
        ),
        (vec![("grant_type", "implicit")], "unsupported_grant_type"),
        (
            vec![("grant_type", "authorization_code")],
            "invalid_request",
        ),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_grant",
        ),
        (
            vec![("grant_type", "authorization_code"), ("code", "x")],
            "invalid_grant",
        ),
        (
            vec![("grant_type", "a"), ("grant_type", "b")],
            "invalid_request",
        ),
    ] {
        let page = browser.token(App::Shop, &fields).await;
        assert_eq!(refused(&page), (400, error.into()), "{fields:?}");
    }
}

#[tokio::test]
async fn userinfo_takes_access_tokens_only_r_jwt_01_r_jwt_02_r_res_08() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let tokens = browser.tokens(App::Shop, "openid email").await;
    let access = text(&tokens, "access_token").to_owned();
    let (head, tail) = access.split_once('.').unwrap();
    assert!(!head.is_empty());
    let none = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0";
    for bad in [
        text(&tokens, "id_token").to_owned(),
        format!("{none}.{tail}"),
        format!("{none}.{}.", tail.split('.').next().unwrap()),
        format!("{access}x"),
        "x".repeat(6000),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        let page = browser.userinfo(&bad).await;
        assert_eq!((page.status, page.error()), (401, "invalid_token".into()));
    }
    let bare = browser.get("oauth2/userinfo").await;
    assert_eq!(
        (bare.status, bare.header("www-authenticate")),
        (401, Some("Bearer realm=\"userinfo\""))
    );
    let query = browser
        .get(&format!("oauth2/userinfo?access_token={access}"))
        .await;
    assert_eq!(query.status, 400);
    let body = browser
        .post("oauth2/userinfo", &[("access_token", &access)])
        .await;
    assert_eq!(body.json()["email"], EMAIL);
    let bearer = format!("Bearer {access}");
    let twice = browser
        .post_with(
            "oauth2/userinfo",
            &[("authorization", &bearer)],
            &[("access_token", &access)],
        )
        .await;
    assert_eq!(twice.status, 400);
    let machine = browser
        .token(App::Machine, &[("grant_type", "client_credentials")])
        .await
        .json();
    assert_eq!(
        browser
            .userinfo(text(&machine, "access_token"))
            .await
            .status,
        401
    );
    house.advance(Duration::seconds(608));
    assert_eq!(
        browser.userinfo(&access).await.status,
        200,
        "within the leeway (R-JWT-05)"
    );
    house.advance(Duration::seconds(60));
    assert_eq!(browser.userinfo(&access).await.status, 401);
    let put = browser
        .send(Method::PUT, "oauth2/userinfo", &[], None)
        .await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST")));
}

#[tokio::test]
async fn error_bodies_are_stable_r_tok_06() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let mut bodies = std::collections::BTreeMap::new();
    for (what, fields) in [
        ("no grant", vec![]),
        ("password grant", vec![("grant_type", "password")]),
        (
            "unknown code",
            vec![("grant_type", "authorization_code"), ("code", "<script>")],
        ),
        ("machine only", vec![("grant_type", "client_credentials")]),
    ] {
        bodies.insert(what, browser.token(App::Shop, &fields).await.json());
    }
    bodies.insert("no client", browser.post("oauth2/token", &[]).await.json());
    bodies.insert("no token", browser.get("oauth2/userinfo").await.json());
    insta::assert_json_snapshot!(bodies);
}
