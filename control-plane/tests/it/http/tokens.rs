//! Which tokens open the admin API, and that everything that resembles one does not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::role::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Api, problem};

#[tokio::test]
async fn only_a_platform_access_token_for_the_admin_api_is_believed() {
    let api = Api::serve().await;
    let owner = api.world.staff(Role::PlatformOwner).await;
    let good = api.claims(owner.subject());
    let with = |member: &str, value: Value| {
        let mut claims = good.clone();
        claims[member] = value;
        api.sign("at+jwt", &claims)
    };
    let now = good["iat"].as_i64().unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let hmac = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("k1".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let public_key = EncodingKey::from_secret(api.public_key_text().as_bytes());
    let table = [
        ("good", 200, api.sign("at+jwt", &good)),
        ("long type", 200, api.sign("application/at+jwt", &good)),
        (
            "audience in a list",
            200,
            with("aud", json!(["x", "urn:bailiwick:admin"])),
        ),
        ("ends within the leeway", 200, with("exp", json!(now - 9))),
        (
            "starts within the leeway",
            200,
            with("nbf", json!(now + 10)),
        ),
        ("expired", 401, with("exp", json!(now - 10))),
        ("not yet", 401, with("nbf", json!(now + 11))),
        (
            "another audience",
            401,
            with("aud", json!("https://orders.example")),
        ),
        (
            "another tenant",
            401,
            with("iss", json!("http://127.0.0.1:7100/t/acme")),
        ),
        ("an ID token", 401, api.sign("JWT", &good)),
        (
            "a machine",
            401,
            with("sub", json!("app_01h00000000000000000000000")),
        ),
        ("another scope", 403, with("scope", json!("openid"))),
        (
            "a stranger",
            403,
            with("sub", json!("usr_01h00000000000000000000000")),
        ),
        (
            "alg none",
            401,
            format!(
                "{}.{}.",
                part(&json!({"alg": "none", "typ": "at+jwt", "kid": "k1"})),
                part(&good)
            ),
        ),
        (
            "HMAC with the public key",
            401,
            encode(&hmac, &good, &public_key).unwrap(),
        ),
        ("garbage", 401, "x.y.z".to_owned()),
        ("empty", 401, String::new()),
    ];
    for (name, status, token) in table {
        let answer = api.get("/v1/me", &token).await;
        assert_eq!(answer.status().as_u16(), status, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_says_where_a_token_comes_from() {
    let api = Api::serve().await;
    let answer = api
        .anonymous(reqwest::Method::GET, "/v1/me")
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.headers()["www-authenticate"],
        r#"Bearer realm="bailiwick-admin", resource_metadata="https://console.example/.well-known/oauth-protected-resource""#
    );
    insta::assert_json_snapshot!(problem(answer).await);
    let metadata = api
        .anonymous(
            reqwest::Method::GET,
            "/.well-known/oauth-protected-resource",
        )
        .send()
        .await
        .unwrap();
    insta::assert_json_snapshot!(super::json(metadata).await);
    let answer = api.get("/v1/me", "x.y.z").await;
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_role_taken_away_is_gone_on_the_next_request() {
    let api = Api::serve().await;
    let (_, leaving) = (
        api.world.staff(Role::PlatformOwner).await,
        api.world.staff(Role::PlatformOwner).await,
    );
    let token = api.token(&leaving);
    assert_eq!(api.get("/v1/nodes", &token).await.status(), 200);
    let people = super::json(api.get("/v1/operators", &token).await).await;
    let own = people["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["operator"]["subject"] == leaving.subject().to_string())
        .unwrap();
    let role = own["roles"][0]["id"].as_str().unwrap();
    let path = format!("/v1/role-assignments/{role}");
    let removed = api
        .request(reqwest::Method::DELETE, &path, &token)
        .send()
        .await
        .unwrap();
    assert_eq!(removed.status(), 204);
    assert_eq!(api.get("/v1/nodes", &token).await.status(), 403);
}
