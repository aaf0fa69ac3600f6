//! Containments over the admin API: begun, read, extended, lifted, proven.

use contract::{jws::TrustRoot, receipt::Receipt, role::Role};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Api, json as body_of, problem};
use crate::harness::{FakeLane, FakeNode};

#[tokio::test]
async fn a_containment_is_begun_read_changed_and_proven_r_rev_03_r_rev_04() {
    let api = Api::serve().await;
    let owner = api.acme(Role::TenantOwner).await;
    let mut lane = FakeLane::open(&api.world.cp, 1).await;
    lane.hear_roll().await;
    let _lane = lane.obey();
    let subject = json!({"kind": "user", "user": "usr_01h00000000000000000000000"});
    let all = "/v1/tenants/acme/containments";
    let preview = json!({ "subject": subject });
    let preview = api.post(&format!("{all}/preview"), &owner, &preview).await;
    let preview = body_of(preview).await;
    assert_eq!(
        (&preview["impact"]["users"], &preview["nodes"]),
        (&json!(1), &json!(1))
    );

    let new = json!({"subject": subject, "reason": "drill", "minutes": 5, "ends_existing": false});
    let made = api
        .post(&format!("{all}?wait=reachable"), &owner, &new)
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(made.headers()["bailiwick-as-of"], "local.1");
    let at = made.headers()["location"].to_str().unwrap().to_owned();
    let tag = made.headers()["etag"].clone();
    let made = body_of(made).await;
    assert_eq!(made["as_of"], "local.1");
    assert_eq!(made["figures"]["confirmed"], 1);
    assert_eq!(made["nodes"][0]["outcome"], "confirmed");
    assert_eq!(made["nodes"][0]["probe"]["outcome"], "refused");
    let read = api.get(&at, &owner).await;
    assert_eq!(read.headers()["etag"], tag);
    assert_eq!(body_of(read).await["id"], made["id"]);
    let twice = problem(api.post(all, &owner, &new).await).await;
    assert_eq!(twice["code"], "contained");
    assert!(
        twice["detail"]
            .as_str()
            .unwrap()
            .contains(made["id"].as_str().unwrap())
    );

    let minutes = json!({"minutes": 10});
    let stale = api
        .request(Method::POST, &format!("{at}/extend"), &owner)
        .header("If-Match", "\"7\"")
        .json(&minutes)
        .send()
        .await
        .unwrap();
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    let longer = api.post(&format!("{at}/extend"), &owner, &minutes).await;
    assert_eq!(body_of(longer).await["version"], 2);
    let open = body_of(api.get("/v1/containments", &owner).await).await;
    assert_eq!(open["items"][0]["id"], made["id"]);
    let why = json!({"reason": "over"});
    let lifted = api
        .post(&format!("{at}/lift?wait=reachable"), &owner, &why)
        .await;
    assert_eq!(lifted.headers()["bailiwick-as-of"], "local.3");
    let again = problem(api.post(&format!("{at}/lift"), &owner, &why).await).await;
    assert_eq!(again["code"], "over");
    let open = body_of(api.get("/v1/containments", &owner).await).await;
    assert_eq!(open["items"], json!([]));

    let receipt = api.get(&format!("{at}/receipt"), &owner).await;
    assert_eq!(receipt.headers()["content-type"], "application/jose");
    let name = receipt.headers()["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"cnt_"), "{name}");
    let receipt = receipt.text().await.unwrap();
    // Whoever checks it pins the keys beforehand, and needs no account for that.
    let trust = api.anonymous(Method::GET, "/v1/trust-root").send().await;
    let trust: TrustRoot = trust.unwrap().json().await.unwrap();
    let (receipt, document) = Receipt::verify(&receipt, &trust).unwrap();
    assert_eq!((document.revision, receipt.figures.confirmed), (3, 1));
}

#[tokio::test]
async fn a_request_that_is_not_meant_as_it_is_written_contains_nobody() {
    let api = Api::serve().await;
    let owner = api.acme(Role::TenantOwner).await;
    let all = "/v1/tenants/acme/containments";
    let new = json!({
        "subject": {"kind": "tenant"}, "reason": "drill", "minutes": 5, "ends_existing": false,
    });
    for (query, change, status) in [
        ("?wait=for_ever", json!({}), 400),
        ("?wait=reachable&dry=true", json!({}), 400),
        ("", json!({"minutes": 0}), 422),
        ("", json!({"minutes": -1}), 400),
        (
            "",
            json!({"subject": {"kind": "tenant", "id": "acme"}}),
            400,
        ),
        ("", json!({"subject": {"kind": "planet"}}), 400),
        ("", json!({"nonsense": 1}), 400),
        ("?dry_run=true", json!({}), 201),
    ] {
        let mut body = new.clone();
        let members = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(members);
        let answer = api.post(&format!("{all}{query}"), &owner, &body).await;
        assert_eq!(answer.status().as_u16(), status, "{query} {change}");
    }
    let none = body_of(api.get(all, &owner).await).await;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn a_request_that_is_sent_again_contains_once() {
    let api = Api::serve().await;
    let owner = api.acme(Role::TenantOwner).await;
    let _second = FakeNode::greet(&api.world.cp, 2, Vec::new()).await;
    let new = json!({
        "subject": {"kind": "tenant"}, "reason": "drill", "minutes": 5, "ends_existing": false,
    });
    let ask = || {
        api.request(
            Method::POST,
            "/v1/tenants/acme/containments?wait=reachable",
            &owner,
        )
        .header("Idempotency-Key", "once")
        .json(&new)
        .send()
    };
    let first = ask().await.unwrap();
    assert_eq!(first.status(), StatusCode::CREATED);
    let second = ask().await.unwrap();
    assert_eq!(second.headers()["idempotency-replayed"], "true");
    assert_eq!(body_of(second).await["id"], body_of(first).await["id"]);
}
