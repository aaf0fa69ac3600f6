//! The OpenAPI document against the server: what it promises happens, and nothing happens that it hides.

use std::collections::BTreeSet;

use contract::role::Role;
use reqwest::{Method, Response};
use serde_json::Value;

use super::{
    Api,
    documents::operations,
    json as body_of,
    matrix::{Stage, call, set},
    problem,
};

/// Tokens of a platform owner and of an owner of `acme`: between them they may do everything.
async fn owners(api: &Api, stage: &Stage) -> [String; 2] {
    let system = api.world.cp.system_caller();
    let acme = stage.names["tenant"].parse().unwrap();
    let acme = api.world.cp.get_tenant(&system, acme).await.unwrap();
    [
        api.token(&api.world.staff(Role::PlatformOwner).await),
        api.token(&api.world.member(&acme, Role::TenantOwner).await),
    ]
}

fn has_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation["parameters"].as_array();
    parameters.is_some_and(|all| all.iter().any(|one| one["name"] == name))
}

fn documents(operation: &Value, status: u16) -> bool {
    operation["responses"][status.to_string()].is_object()
}

#[tokio::test]
async fn answers_carry_exactly_the_headers_that_are_documented() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    let vendor = api.token(&api.world.staff(Role::PlatformOwner).await);
    let mut left = Vec::new();
    for one in operations(&api).await {
        let answer = call(&api, &stage, &vendor, (&one.0, &one.1, &one.2)).await;
        if answer.status() == 403 {
            left.push(one);
        } else {
            check_headers(answer, one).await;
        }
    }
    // Only now: once an owner has come, the vendor does not invite the first one any more.
    let [_, owner] = owners(&api, &stage).await;
    for one in left {
        let answer = call(&api, &stage, &owner, (&one.0, &one.1, &one.2)).await;
        check_headers(answer, one).await;
    }
}

async fn check_headers(answer: Response, (method, path, operation): (Method, String, Value)) {
    let what = format!("{method} {path}");
    let status = answer.status().as_u16();
    assert!((200..300).contains(&status), "{what} gave {status}");
    let promised = &operation["responses"][status.to_string()];
    assert!(promised.is_object(), "{what} gave {status}");
    for name in ["ETag", "Location", "Bailiwick-Dry-Run", "Bailiwick-As-Of"] {
        let is_given = answer.headers().contains_key(name);
        assert_eq!(
            promised["headers"][name].is_object(),
            is_given,
            "{what}: {name}"
        );
    }
    let has_body = !answer.text().await.unwrap().is_empty();
    assert_eq!(promised["content"].is_object(), has_body, "{what}");
}

#[tokio::test]
async fn conditions_are_demanded_and_compared_exactly_where_they_are_documented() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    let tokens = owners(&api, &stage).await;
    for (method, path, operation) in operations(&api).await {
        let what = format!("{method} {path}");
        let guarded = has_parameter(&operation, "If-Match");
        assert_eq!(documents(&operation, 428), guarded, "{what}");
        assert!(documents(&operation, 503), "{what}");
        let repeatable = has_parameter(&operation, "Idempotency-Key");
        assert_eq!(repeatable, method == Method::POST, "{what}");
        if method == Method::GET {
            check_unchanged(&api, &stage, &tokens, (&path, &operation)).await;
            continue;
        }
        let path = format!("{}?dry_run=true", stage.path(&path));
        let send = |token: String, tag: Option<&'static str>| {
            let mut request = api.request(method.clone(), &path, &token);
            if let Some(tag) = tag {
                request = request.header("If-Match", tag);
            }
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            if !example.is_null() {
                let body = stage.body(example);
                request = request
                    .header("Content-Type", "application/json")
                    .body(body);
            }
            request.send()
        };
        for token in &tokens {
            let unseen = send(token.clone(), None).await.unwrap().status().as_u16();
            assert_eq!(unseen == 428, guarded, "{what} gave {unseen}");
            let stale = send(token.clone(), Some("\"987654\"")).await.unwrap();
            let status = stale.status().as_u16();
            assert!(documents(&operation, status), "{what} gave {status}");
            if guarded && status != 403 {
                assert_eq!(status, 412, "{what}");
                assert_eq!(problem(stale).await["code"], "stale", "{what}");
            }
        }
    }
}

/// A reader who has the current version is told so, and one who has another is sent it.
async fn check_unchanged(
    api: &Api,
    stage: &Stage,
    tokens: &[String; 2],
    (path, operation): (&str, &Value),
) {
    let conditional = has_parameter(operation, "If-None-Match");
    assert_eq!(documents(operation, 304), conditional, "{path}");
    if !conditional {
        return;
    }
    // The platform's own things are shown to the vendor, a tenant's to its owner.
    let mut token = &tokens[1];
    let mut seen = call(api, stage, token, (&Method::GET, path, operation)).await;
    if seen.status() == 403 {
        token = &tokens[0];
        seen = call(api, stage, token, (&Method::GET, path, operation)).await;
    }
    let tag = seen.headers()["etag"].to_str().unwrap().to_owned();
    let statuses = [
        (tag.clone(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("*".to_owned(), 304),
        ("\"987654\"".to_owned(), 200),
    ];
    for (seen, status) in statuses {
        let request = api.request(Method::GET, &stage.path(path), token);
        let answer = request.header("If-None-Match", &seen).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path} {seen}");
        assert_eq!(answer.headers()["etag"], tag, "{path}");
        let is_empty = answer.text().await.unwrap().is_empty();
        assert_eq!(is_empty, status == 304, "{path} {seen}");
    }
}

#[tokio::test]
async fn a_tag_changes_with_what_is_shown() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let tag = |path: &'static str| {
        let (api, token) = (&api, &token);
        async move { api.get(path, token).await.headers()["etag"].clone() }
    };
    let (tenant, policy) = ("/v1/tenants/acme", "/v1/tenants/acme/policies/password");
    let before = (tag(tenant).await, tag(policy).await);
    let draft = serde_json::json!({"kind": "password", "min_length": 20, "refuse_common": true, "refuse_context": true});
    let at = ("/v1/tenants/acme/policies/password/draft", "*");
    let saved = api.overwrite(Method::PUT, at, &token, Some(&draft)).await;
    assert_eq!(saved.status(), 200);
    let drafted = (tag(tenant).await, tag(policy).await);
    assert_eq!(drafted.0, before.0);
    assert_ne!(drafted.1, before.1);
    let which =
        serde_json::json!({"draft_version": body_of(saved).await["version"], "base_version": 1});
    let publish = "/v1/tenants/acme/policies/password/draft/publish";
    assert_eq!(api.post(publish, &token, &which).await.status(), 200);
    let published = (tag(tenant).await, tag(policy).await);
    assert_ne!(published.0, drafted.0);
    assert_ne!(published.1, drafted.1);
    let listed = body_of(api.get("/v1/tenants", &token).await).await;
    assert_eq!(listed["items"][0]["release"], 2);
    // Only the version is compared: a release in between spoils no change.
    let at = (tenant, before.0.to_str().unwrap());
    let renamed = serde_json::json!({"name": "Acme Ltd"});
    let answer = api
        .overwrite(Method::PATCH, at, &token, Some(&renamed))
        .await;
    assert_eq!(answer.status(), 200);
}

/// Whoever keeps what a change answered is not told that it is out of date when they ask again.
#[tokio::test]
async fn a_change_answers_with_what_is_read_next() {
    let api = Api::serve().await;
    let vendor = api.token(&api.world.staff(Role::PlatformOwner).await);
    let new = serde_json::json!({"slug": "acme", "name": "Acme", "environment": "sandbox", "region": "local"});
    let made = api.post("/v1/tenants", &vendor, &new).await;
    let path = "/v1/tenants/acme";
    let same = async |answer: Response, token: &str, member: Option<&str>| {
        assert!(answer.status().is_success());
        let (tag, body) = (answer.headers()["etag"].clone(), body_of(answer).await);
        let read = api.get(path, token).await;
        assert_eq!(read.headers()["etag"], tag);
        assert_eq!(
            body_of(read).await,
            *member.map_or(&body, |name| &body[name])
        );
    };
    same(made, &vendor, Some("tenant")).await;
    let system = api.world.cp.system_caller();
    let slug = "acme".parse().unwrap();
    let acme = api.world.cp.get_tenant_by_slug(&system, &slug).await;
    let acme = acme.unwrap();
    let owner = api.token(&api.world.member(&acme, Role::TenantOwner).await);
    let renamed = serde_json::json!({"name": "Acme Ltd"});
    let renamed = api.overwrite(Method::PATCH, (path, "*"), &owner, Some(&renamed));
    same(renamed.await, &owner, None).await;
    let status = serde_json::json!({"status": "suspended"});
    let at = ("/v1/tenants/acme/status", "*");
    let suspended = api.overwrite(Method::PUT, at, &vendor, Some(&status));
    same(suspended.await, &vendor, None).await;
}

#[tokio::test]
async fn what_a_body_names_in_vain_is_not_found_and_documented() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    let tokens = owners(&api, &stage).await;
    let mut unknown = BTreeSet::new();
    for (method, path, operation) in operations(&api).await {
        let what = format!("{method} {path}");
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        let has_body = !example.is_null() || method == Method::POST;
        assert_eq!(documents(&operation, 408), has_body, "{what}");
        // Each example names its things by ids of the documents; here they are nobody's.
        if !example.to_string().contains("_01h0000000000000000000000") {
            continue;
        }
        for token in &tokens {
            let request = api.request(method.clone(), &stage.path(&path), token);
            let answer = request.header("If-Match", "*").json(example).send();
            let status = answer.await.unwrap().status().as_u16();
            assert!(documents(&operation, status), "{what} gave {status}");
            if status == 404 {
                unknown.insert(path.clone());
            }
        }
    }
    let staff = "/v1/role-assignments";
    assert!(unknown.contains(staff), "{unknown:?}");
}
