//! Rollouts over the admin API: seen by both sides, decided by the platform with a reason.

use contract::role::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Api, json as body_of, problem};
use crate::{
    harness::FakeNode,
    rollouts::{make_canary, until},
};

/// A canary node beside the wide one of the house, and a release that only it serves.
async fn stage(api: &Api) -> (FakeNode, String) {
    let acme = api.world.tenant("acme").await;
    make_canary(&api.world, 2).await;
    let canary = FakeNode::greet(&api.world.cp, 2, Vec::new()).await.obey();
    let owner = api.token(&api.world.member(&acme, Role::TenantOwner).await);
    let served = async |node: &FakeNode, version: u64| {
        let reach = body_of(api.get("/v1/tenants/acme/effectiveness", &owner).await).await;
        let nodes = reach["nodes"].as_array().unwrap().clone();
        let found = nodes.iter().find(|one| one["node"] == node.id.to_string());
        found.is_some_and(|one| one["applied"] == version)
    };
    until(async || served(&canary, 1).await && served(&api.node, 1).await).await;
    let name = json!({"name": "Acme, renamed"});
    let at = ("/v1/tenants/acme", "*");
    let renamed = api.overwrite(Method::PATCH, at, &owner, Some(&name)).await;
    assert_eq!(renamed.status(), StatusCode::OK);
    until(async || served(&canary, 2).await).await;
    (canary, owner)
}

#[tokio::test]
async fn a_rollout_is_seen_held_let_through_and_rolled_back_r_node_06() {
    let api = Api::serve().await;
    let (canary, owner) = stage(&api).await;
    let vendor = api.token(&api.world.staff(Role::PlatformOperator).await);
    let listed = body_of(api.get("/v1/rollouts?state=baking", &vendor).await).await;
    let rollout = &listed["items"][0];
    assert_eq!(
        (
            &rollout["release"], &rollout["base"], &rollout["bake_seconds"]
        ),
        (&json!(2), &json!(1), &json!(30))
    );
    assert_eq!(rollout["waves"][0]["ring"], "canary");
    assert_eq!(rollout["waves"][0]["nodes"][0]["applied"], 2);
    assert_eq!(rollout["waves"][1]["wanted"], 1);
    assert_eq!(
        rollout["waves"][1]["nodes"][0]["node"],
        api.node.id.to_string()
    );
    let gates = rollout["gates"].as_array().unwrap();
    let gates: Vec<&Value> = gates.iter().map(|gate| &gate["gate"]).collect();
    assert_eq!(gates, ["rejections", "failures", "latency", "sign_ins"]);
    let none = body_of(api.get("/v1/rollouts?state=promoted", &vendor).await).await;
    assert_eq!(none["items"], json!([]));
    for bad in ["state=done", "tenant=acme", "nonsense=1", "limit=0"] {
        let refused = api.get(&format!("/v1/rollouts?{bad}"), &vendor).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad}");
    }

    let id = rollout["id"].as_str().unwrap();
    let at = format!("/v1/rollouts/{id}");
    let own = format!("/v1/tenants/acme/rollouts/{id}");
    assert_eq!(api.get(&at, &owner).await.status(), StatusCode::FORBIDDEN);
    let theirs = body_of(api.get(&own, &owner).await).await;
    assert_eq!(theirs["id"], id);
    let all = body_of(api.get("/v1/tenants/acme/rollouts", &owner).await).await;
    assert_eq!(all["items"][0]["id"], id);
    let other = api.world.tenant("globex").await;
    let stranger = api.token(&api.world.member(&other, Role::TenantOwner).await);
    assert_eq!(
        api.get(&own, &stranger).await.status(),
        StatusCode::NOT_FOUND
    );
    let elsewhere = format!("/v1/tenants/globex/rollouts/{id}");
    let elsewhere = api.get(&elsewhere, &stranger).await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);

    let why = json!({"reason": "support looks"});
    let refused = api.post(&format!("{at}/hold"), &owner, &why).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for (body, status) in [
        (json!({"reason": ""}), 422),
        (json!({}), 400),
        (json!({"reason": "x", "x": 1}), 400),
    ] {
        let answer = api.post(&format!("{at}/hold"), &vendor, &body).await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
    }
    let stale = (&*format!("{at}/hold"), "\"7\"");
    let stale = api
        .overwrite(Method::POST, stale, &vendor, Some(&why))
        .await;
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    let held = api.post(&format!("{at}/hold"), &vendor, &why).await;
    assert!(held.headers()["etag"].to_str().unwrap().starts_with("\"2."));
    assert_eq!(body_of(held).await["state"], "held");
    let tried = api
        .post(&format!("{at}/promote?dry_run=true"), &vendor, &why)
        .await;
    assert_eq!(tried.headers()["bailiwick-dry-run"], "true");
    assert_eq!(body_of(tried).await["state"], "promoted");
    let promoted = body_of(api.post(&format!("{at}/promote"), &vendor, &why).await).await;
    assert_eq!(promoted["state"], "promoted");
    assert_eq!(promoted["reason"], "support looks");
    let twice = problem(api.post(&format!("{at}/promote"), &vendor, &why).await).await;
    assert_eq!(twice["code"], "decided");
    let back = body_of(api.post(&format!("{at}/roll-back"), &vendor, &why).await).await;
    assert_eq!(
        (&back["state"], &back["reverted_by"]),
        (&json!("rolled_back"), &json!(3))
    );
    let releases = body_of(api.get("/v1/tenants/acme/releases", &owner).await).await;
    assert_eq!(releases["items"][0]["rollout"]["reverts"], true);
    assert_eq!(releases["items"][1]["rollout"]["id"], id);
    assert!(releases["items"][2]["rollout"].is_null());
    canary.leave().await;
}

#[tokio::test]
async fn a_nodes_ring_is_given_and_changed_with_a_tag() {
    let api = Api::serve().await;
    let owner = api.token(&api.world.staff(Role::PlatformOwner).await);
    let new = json!({"name": "eu-1", "region": "local", "ring": "canary"});
    let made = api.post("/v1/nodes", &owner, &new).await;
    let at = made.headers()["location"].to_str().unwrap().to_owned();
    let tag = made.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(body_of(made).await["ring"], "canary");
    let plain = json!({"name": "eu-2", "region": "local"});
    let plain = body_of(api.post("/v1/nodes", &owner, &plain).await).await;
    assert_eq!(plain["ring"], "wide");
    let wide = json!({"ring": "wide"});
    let blind = api.request(Method::PATCH, &at, &owner).json(&wide).send();
    assert_eq!(
        blind.await.unwrap().status(),
        StatusCode::PRECONDITION_REQUIRED
    );
    let changed = api
        .overwrite(Method::PATCH, (&at, &tag), &owner, Some(&wide))
        .await;
    assert_eq!(body_of(changed).await["ring"], "wide");
    let again = api
        .overwrite(Method::PATCH, (&at, &tag), &owner, Some(&wide))
        .await;
    assert_eq!(again.status(), StatusCode::PRECONDITION_FAILED);
    let outer = json!({"ring": "outer"});
    let outer = api
        .overwrite(Method::PATCH, (&at, "*"), &owner, Some(&outer))
        .await;
    assert_eq!(outer.status(), StatusCode::BAD_REQUEST);
}
