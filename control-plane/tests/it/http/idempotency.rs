//! `Idempotency-Key` over HTTP: what is asked twice is done once, and nobody else learns the answer.

use std::time::Duration;

use chrono::TimeDelta;
use contract::{
    frames::{CommandOutcome, Down, Up},
    ids::{TenantId, TypedId, UserId},
    role::Role,
};
use control_plane::{Caller, HeldRole, Scope, Via};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Api, json as body_of, problem};
use crate::harness::{FakeNode, invitee};

const ALL: &str = "/v1/tenants/acme/applications";

fn shop(name: &str) -> Value {
    json!({"name": name, "kind": "web", "redirect_uris": ["https://shop.example/cb"]})
}

async fn post(api: &Api, at: (&str, &str), token: &str, body: &Value) -> Response {
    let (path, key) = at;
    api.request(Method::POST, path, token)
        .header("Idempotency-Key", key)
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn count(api: &Api, token: &str) -> usize {
    let listed = body_of(api.get(ALL, token).await).await;
    listed["items"].as_array().unwrap().len()
}

/// What tells a repeated answer from the first one: nothing but this header.
fn is_repeated(answer: &Response) -> bool {
    answer.headers().get("idempotency-replayed").is_some()
}

#[tokio::test]
async fn the_second_request_gets_the_first_ones_answer_with_its_secret() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let first = post(&api, (ALL, "k-1"), &token, &shop("Shop")).await;
    assert_eq!(first.status(), 201);
    assert!(!is_repeated(&first));
    let second = post(&api, (ALL, "k-1"), &token, &shop("Shop")).await;
    assert_eq!(second.status(), 201);
    assert_eq!(second.headers()["idempotency-replayed"], "true");
    assert_eq!(second.headers()["cache-control"], "no-store");
    assert_eq!(second.headers()["content-type"], "application/json");
    for name in ["location", "etag"] {
        assert_eq!(first.headers()[name], second.headers()[name], "{name}");
    }
    let (first, second) = (body_of(first).await, body_of(second).await);
    assert_eq!(first, second);
    assert!(first["client_secret"].is_string());
    assert_eq!(count(&api, &token).await, 1);
    // Another key is another wish, and so is none.
    for key in ["k-2", "k-3"] {
        let other = post(&api, (ALL, key), &token, &shop("Shop")).await;
        assert!(!is_repeated(&other));
    }
    api.post(ALL, &token, &shop("Shop")).await;
    assert_eq!(count(&api, &token).await, 4);
}

#[tokio::test]
async fn the_secret_of_a_kept_answer_cannot_be_read_in_the_database() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let made = post(&api, (ALL, "a-key-of-mine"), &token, &shop("Shop")).await;
    let made = body_of(made).await;
    let secret = made["client_secret"].as_str().unwrap();
    let rows = api.world.rows("SELECT * FROM idempotency_keys").await;
    assert_eq!(rows.len(), 1);
    let sealed = api.world.bytes("SELECT answer FROM idempotency_keys").await;
    assert!(sealed.len() > 100);
    let kept = String::from_utf8_lossy(&sealed);
    for hidden in [secret, "client_secret", "Shop", "a-key-of-mine"] {
        assert!(!kept.contains(hidden), "{hidden}");
        assert!(!rows[0].contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_operator_in_one_tenant() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    assert_eq!(
        post(&api, (ALL, "k"), &token, &shop("Shop")).await.status(),
        201
    );
    for (path, body) in [
        (ALL, shop("Other")),
        ("/v1/tenants/acme/apis", shop("Shop")),
        (
            "/v1/tenants/acme/apis",
            json!({"name": "Orders", "audience": "urn:orders", "scopes": []}),
        ),
    ] {
        let answer = post(&api, (path, "k"), &token, &body).await;
        assert_eq!(answer.status(), 422);
        assert_eq!(problem(answer).await["code"], "idempotency_mismatch");
    }
    // Somebody else's key of the same name is theirs.
    let system = api.world.cp.system_caller();
    let acme = "acme".parse().unwrap();
    let acme = api.world.cp.get_tenant_by_slug(&system, &acme).await;
    let acme = acme.unwrap();
    let other = api.token(&api.world.member(&acme, Role::TenantOwner).await);
    let answer = post(&api, (ALL, "k"), &other, &shop("Shop")).await;
    assert_eq!(
        (answer.status().as_u16(), is_repeated(&answer)),
        (201, false)
    );
    assert_eq!(count(&api, &token).await, 2);
    // The same operator's key counts per tenant.
    let globex = api.world.tenant("globex").await;
    let both = api.token(&owner_of_both(&api, [acme.id, globex.id]).await);
    for repeated in [false, true] {
        for slug in ["acme", "globex"] {
            let path = format!("/v1/tenants/{slug}/applications");
            let answer = post(&api, (&path, "k"), &both, &shop("Shop")).await;
            let outcome = (answer.status().as_u16(), is_repeated(&answer));
            assert_eq!(outcome, (201, repeated), "{slug}");
        }
    }
}

/// Somebody who owns two tenants.
async fn owner_of_both(api: &Api, tenants: [TenantId; 2]) -> Caller {
    let subject = UserId::from_uuid(uuid::Uuid::from_u128(77));
    let roles = tenants.map(|tenant| HeldRole {
        role: Role::TenantOwner,
        scope: Scope::Tenant(tenant),
    });
    let cp = &api.world.cp;
    let adopted = cp.adopt_operator(subject, invitee("Both"), &roles).await;
    adopted.unwrap();
    let caller = cp.caller_for_subject(subject, Via::AdminApi, "req_test");
    caller.await.unwrap()
}

#[tokio::test]
async fn a_kept_answer_needs_every_permission_it_was_made_with() {
    let api = Api::serve().await;
    let token = api.acme(Role::ApplicationDeveloper).await;
    let made = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert!(body_of(made).await["client_secret"].is_string());
    // Applications stay theirs; their secrets become the vendor's.
    for tampering in [
        "UPDATE responsibilities SET actors = '[\"vendor\"]' WHERE duty = 'applications.secrets'",
        "UPDATE tenants SET matrix_version = matrix_version + 1",
    ] {
        api.world.tamper(tampering).await;
    }
    let again = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!(again.status(), 403);
    assert_eq!(problem(again).await["duty"], "applications.secrets");
}

#[tokio::test]
async fn keys_that_cannot_be_keys_are_refused() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let longest = "x".repeat(255);
    let too_long = "x".repeat(256);
    for (key, status) in [
        ("", 400),
        ("two words", 400),
        (too_long.as_str(), 400),
        (longest.as_str(), 201),
        ("~!", 201),
    ] {
        let answer = post(&api, (ALL, key), &token, &shop("Shop")).await;
        assert_eq!(answer.status().as_u16(), status, "{key}");
    }
    let twice = api
        .request(Method::POST, ALL, &token)
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b")
        .json(&shop("Shop"));
    assert_eq!(twice.send().await.unwrap().status(), 400);
    assert_eq!(count(&api, &token).await, 2);
}

#[tokio::test]
async fn refusals_and_dry_runs_are_not_remembered() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let bad = json!({"name": "Shop", "kind": "web"});
    for _ in 0..2 {
        let refused = post(&api, (ALL, "k"), &token, &bad).await;
        assert_eq!(refused.status(), 422);
        assert_eq!(problem(refused).await["code"], "invalid");
    }
    let tried = format!("{ALL}?dry_run=true");
    for _ in 0..2 {
        let answer = post(&api, (&tried, "k"), &token, &shop("Shop")).await;
        assert_eq!(
            (answer.status().as_u16(), is_repeated(&answer)),
            (201, false)
        );
    }
    assert_eq!(count(&api, &token).await, 0);
    let done = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!((done.status().as_u16(), is_repeated(&done)), (201, false));
    let nowhere = "/v1/tenants/nobody/applications";
    let answer = post(&api, (nowhere, "k"), &token, &shop("Shop")).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(count(&api, &token).await, 1);
}

#[tokio::test]
async fn many_at_once_make_one() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let body = shop("Shop");
    let all = (0..8).map(|_| post(&api, (ALL, "k"), &token, &body));
    let mut firsts = 0;
    for answer in futures::future::join_all(all).await {
        match answer.status().as_u16() {
            201 if is_repeated(&answer) => {}
            201 => firsts += 1,
            409 => assert_eq!(problem(answer).await["code"], "idempotency_in_progress"),
            other => panic!("{other}"),
        }
    }
    assert_eq!((firsts, count(&api, &token).await), (1, 1));
}

#[tokio::test]
async fn a_crash_at_any_point_makes_nothing_twice() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    // Claimed, then dead before the change: it is under way until the lease ends, then somebody else's.
    assert_eq!(
        post(&api, (ALL, "k"), &token, &shop("Shop")).await.status(),
        201
    );
    api.world
        .tamper("UPDATE idempotency_keys SET acted_in = NULL, permissions = NULL, answer = NULL")
        .await;
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!(answer.status(), 409);
    assert_eq!(problem(answer).await["code"], "idempotency_in_progress");
    assert_eq!(count(&api, &token).await, 1);
    api.world.clock.advance(TimeDelta::seconds(60));
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!(
        (answer.status().as_u16(), is_repeated(&answer)),
        (201, false)
    );
    assert_eq!(count(&api, &token).await, 2);
    // The change made, then dead before the answer was kept: never made again.
    api.world
        .tamper("UPDATE idempotency_keys SET answer = NULL")
        .await;
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!(problem(answer).await["code"], "idempotency_in_progress");
    api.world.clock.advance(TimeDelta::seconds(60));
    for _ in 0..2 {
        let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
        assert_eq!(answer.status(), 409);
        assert_eq!(problem(answer).await["code"], "idempotency_answer_lost");
    }
    assert_eq!(count(&api, &token).await, 2);
}

#[tokio::test]
async fn after_a_day_a_key_is_forgotten() {
    let api = Api::serve().await;
    let tenant = api.world.tenant("acme").await;
    let owner = api.world.member(&tenant, Role::TenantOwner).await;
    let mut claims = api.claims(owner.subject());
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 2 * 86_400);
    let token = api.sign("at+jwt", &claims);
    post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    api.world.clock.advance(TimeDelta::seconds(86_399));
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert!(is_repeated(&answer));
    api.world.clock.advance(TimeDelta::seconds(1));
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert!(!is_repeated(&answer));
    assert_eq!(count(&api, &token).await, 2);
    let kept = api.world.rows("SELECT * FROM idempotency_keys").await;
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn who_lost_the_permission_lost_the_answer() {
    let api = Api::serve().await;
    let tenant = api.world.tenant("acme").await;
    let (leaving, owner) = (
        api.world.member(&tenant, Role::TenantOwner).await,
        api.world.member(&tenant, Role::TenantOwner).await,
    );
    let token = api.token(&leaving);
    post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    let owner = api.token(&owner);
    let people = body_of(api.get("/v1/tenants/acme/operators", &owner).await).await;
    let own = people["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["operator"]["subject"] == leaving.subject().to_string())
        .unwrap();
    let operator = own["operator"]["id"].clone();
    let auditor = json!({"operator": operator, "role": "tenant_auditor"});
    let given = api
        .post("/v1/tenants/acme/role-assignments", &owner, &auditor)
        .await;
    assert_eq!(given.status(), 201);
    let role = own["roles"][0]["id"].as_str().unwrap();
    let path = format!("/v1/tenants/acme/role-assignments/{role}");
    let removed = api.request(Method::DELETE, &path, &owner).send().await;
    assert_eq!(removed.unwrap().status(), 204);
    let answer = post(&api, (ALL, "k"), &token, &shop("Shop")).await;
    assert_eq!(answer.status(), 403);
    assert!(!is_repeated(&answer));
}

#[tokio::test]
async fn what_was_begun_is_finished_though_the_caller_hung_up() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    // Before the one that obeys: this node is asked, and takes its time.
    let mut node = FakeNode::greet(&api.world.cp, 0, Vec::new()).await;
    node.hear_release().await;
    let path = "/v1/tenants/acme/operators";
    let kim = json!({"name": "Kim", "email": "kim@example.com", "role": "tenant_auditor"});
    let request = api
        .request(Method::POST, path, &token)
        .header("Idempotency-Key", "k")
        .json(&kim);
    let hasty = tokio::spawn(request.send());
    let id = loop {
        if let Down::Command { id, .. } = node.hear().await.unwrap() {
            break id;
        }
    };
    hasty.abort();
    assert!(hasty.await.is_err());
    let patient = async {
        loop {
            let answer = post(&api, (path, "k"), &token, &kim).await;
            if answer.status() != 409 {
                return answer;
            }
            assert_eq!(problem(answer).await["code"], "idempotency_in_progress");
            let outcome = CommandOutcome::Done;
            node.say(&Up::CommandResult { id, outcome }).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(5), patient).await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status().as_u16(), is_repeated(&answer)),
        (201, true)
    );
    assert_eq!(body_of(answer).await["invitation"], "sent");
}
