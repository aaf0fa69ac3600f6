//! Nodes over the admin API: made, given a token once, revoked, deleted.

use contract::{enrolment::JoinToken, role::Role};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Api, json as body_of, problem};

#[tokio::test]
async fn a_node_is_made_given_a_token_revoked_and_deleted_r_node_01() {
    let api = Api::serve().await;
    let owner = api.token(&api.world.staff(Role::PlatformOwner).await);
    let new = json!({"name": "eu-1", "region": "local"});
    let made = api.post("/v1/nodes", &owner, &new).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let at = made.headers()["location"].to_str().unwrap().to_owned();
    let tag = made.headers()["etag"].clone();
    let node = body_of(made).await;
    assert_eq!(at, format!("/v1/nodes/{}", node["id"].as_str().unwrap()));
    assert_eq!(node["standing"], "awaiting");
    assert!(node["software"].is_null() && node["certificate_ends_at"].is_null());
    let read = api.get(&at, &owner).await;
    assert_eq!(read.headers()["etag"], tag);
    assert_eq!(body_of(read).await, node);
    let twice = problem(api.post("/v1/nodes", &owner, &new).await).await;
    assert_eq!(twice["code"], "node_name_taken");

    let tokens = format!("{at}/join-tokens");
    let tried = api
        .request(Method::POST, &format!("{tokens}?dry_run=true"), &owner)
        .send()
        .await
        .unwrap();
    assert_eq!(tried.status(), StatusCode::CREATED);
    let tried = body_of(tried).await;
    assert!(tried["token"].is_null() && tried["expires_at"].is_string());

    let ask = || {
        api.request(Method::POST, &tokens, &owner)
            .header("Idempotency-Key", "once")
            .send()
    };
    let first = ask().await.unwrap();
    assert_eq!(first.headers()["cache-control"], "no-store");
    assert_eq!(first.headers()["location"], at.as_str());
    let first = body_of(first).await;
    let token: JoinToken = first["token"].as_str().unwrap().parse().unwrap();
    assert_eq!(token.name.as_str(), "eu-1");
    // Whoever asks again because the answer was lost voids nothing.
    assert_eq!(body_of(ask().await.unwrap()).await, first);

    let revoke = format!("{at}/revoke");
    let why = json!({"reason": "the machine was stolen"});
    let revoked = body_of(api.post(&revoke, &owner, &why).await).await;
    assert_eq!(revoked["standing"], "revoked");
    assert_eq!(revoked["revoked_reason"], "the machine was stolen");
    let again = problem(api.post(&revoke, &owner, &why).await).await;
    assert_eq!(again["code"], "revoked");
    let refused = problem(ask_anew(&api, &tokens, &owner).await).await;
    assert_eq!(refused["code"], "revoked");

    let unseen = api.request(Method::DELETE, &at, &owner).send().await;
    assert_eq!(unseen.unwrap().status(), StatusCode::PRECONDITION_REQUIRED);
    let tag = api.get(&at, &owner).await.headers()["etag"].clone();
    let tag = tag.to_str().unwrap();
    let gone = api
        .overwrite(Method::DELETE, (&at, tag), &owner, None)
        .await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(api.get(&at, &owner).await.status(), StatusCode::NOT_FOUND);
}

async fn ask_anew(api: &Api, tokens: &str, owner: &str) -> reqwest::Response {
    let request = api.request(Method::POST, tokens, owner);
    request.send().await.unwrap()
}

#[tokio::test]
async fn what_is_no_node_is_refused_with_the_member() {
    let api = Api::serve().await;
    let owner = api.token(&api.world.staff(Role::PlatformOwner).await);
    let nowhere = json!({"name": "eu-1", "region": "nowhere"});
    let nowhere = problem(api.post("/v1/nodes", &owner, &nowhere).await).await;
    assert_eq!(nowhere["violations"][0]["member"], "region");
    for body in [
        json!({"name": "EU 1", "region": "local"}),
        json!({"name": "eu-1", "region": "local", "standing": "enrolled"}),
    ] {
        let refused = api.post("/v1/nodes", &owner, &body).await;
        assert!(refused.status().is_client_error(), "{body}");
    }
    let unknown = format!("/v1/nodes/{}/revoke", "nod_01h00000000000000000000000");
    let unknown = api.post(&unknown, &owner, &json!({"reason": "x"})).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn authorities_are_listed_and_rotated_in_two_steps_r_node_02() {
    let api = Api::serve().await;
    let owner = api.token(&api.world.staff(Role::PlatformOwner).await);
    let rotate = "/v1/node-authorities/rotate";
    let nothing = json!(null);
    let standings = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .map(|one| one["standing"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let listed = body_of(api.get("/v1/node-authorities", &owner).await).await;
    assert_eq!(standings(&listed), ["signing"]);
    assert!(listed["items"][0]["key_sealed"].is_null());
    let next = body_of(api.post(rotate, &owner, &nothing).await).await;
    assert_eq!(standings(&next), ["signing", "next"]);
    let early = problem(api.post(rotate, &owner, &nothing).await).await;
    assert_eq!(early["code"], "too_soon");
}
