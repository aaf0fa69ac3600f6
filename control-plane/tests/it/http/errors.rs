//! Bad requests: each gets a status, a stable code and a sentence that helps.

use contract::role::Role;
use control_plane::{PageRequest, audit::AuditFilter};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{Api, problem};

const APPLICATIONS: &str = "/v1/tenants/acme/applications";

#[tokio::test]
async fn requests_that_cannot_be_read_say_why() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let post = |body: &'static str, media_type: &'static str| {
        api.request(Method::POST, APPLICATIONS, &token)
            .header(header::CONTENT_TYPE, media_type)
            .body(body)
            .send()
    };
    let json_type = "application/json";
    let mut seen: Vec<(&str, Value)> = Vec::new();
    for (name, body, media_type) in [
        (
            "unknown member",
            r#"{"name":"Shop","kind":"web","owner":true}"#,
            json_type,
        ),
        (
            "mass assignment",
            r#"{"name":"Shop","kind":"web","version":9,"id":"app_x"}"#,
            json_type,
        ),
        ("not json", r#"{"name":"Shop","#, json_type),
        ("wrong type", r#"{"name":7,"kind":"web"}"#, json_type),
        ("missing member", r#"{"name":"Shop"}"#, json_type),
        (
            "illegal redirect",
            r#"{"name":"S","kind":"web","redirect_uris":["http://x.example/"]}"#,
            json_type,
        ),
        ("broken rule", r#"{"name":"Shop","kind":"web"}"#, json_type),
        ("empty", "", json_type),
        (
            "wrong media type",
            "name=Shop",
            "application/x-www-form-urlencoded",
        ),
    ] {
        seen.push((name, problem(post(body, media_type).await.unwrap()).await));
    }
    for (name, path) in [
        (
            "unknown parameter",
            "/v1/tenants/acme/applications?dryrun=true",
        ),
        ("bad limit", "/v1/tenants/acme/applications?limit=0"),
        ("bad cursor", "/v1/tenants/acme/applications?cursor=***"),
        ("no such route", "/v1/nonsense"),
        ("no such tenant", "/v1/tenants/nobody/applications"),
        ("malformed id", "/v1/tenants/acme/applications/app_nonsense"),
    ] {
        seen.push((name, problem(api.get(path, &token).await).await));
    }
    insta::assert_json_snapshot!(seen);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let body = json!({"name": "x".repeat(1024 * 1024), "kind": "web"});
    let answer = api.post(APPLICATIONS, &token, &body).await;
    assert_eq!(problem(answer).await["code"], "too_large");
}

#[tokio::test]
async fn a_method_that_does_not_exist_names_those_that_do() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let answer = api
        .request(Method::PUT, APPLICATIONS, &token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["allow"], "GET, POST");
    assert_eq!(problem(answer).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_tenant_that_is_none_of_ones_business_does_not_exist() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let other = api.world.tenant("globex").await;
    for path in [
        "/v1/tenants/globex".to_owned(),
        format!("/v1/tenants/{}/policies", other.id),
    ] {
        let foreign = problem(api.get(&path, &token).await).await;
        assert_eq!(
            foreign,
            problem(api.get("/v1/tenants/nobody", &token).await).await
        );
    }
    let listed = super::json(api.get("/v1/tenants", &token).await).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_wrong_party_learns_which_duty_and_whom_to_ask() {
    let api = Api::serve().await;
    api.world.tenant("acme").await;
    let vendor = api.token(&api.world.staff(Role::PlatformOperator).await);
    let draft = json!({"kind": "password", "min_length": 20, "refuse_common": true, "refuse_context": true});
    let at = ("/v1/tenants/acme/policies/password/draft", "*");
    let answer = api.overwrite(Method::PUT, at, &vendor, Some(&draft)).await;
    insta::assert_json_snapshot!(problem(answer).await);
}

#[tokio::test]
async fn short_names_are_unique_and_legal() {
    let api = Api::serve().await;
    api.world.tenant("acme").await;
    let vendor = api.token(&api.world.staff(Role::PlatformOperator).await);
    let tenant = |slug: &str| json!({"slug": slug, "name": "Acme", "environment": "sandbox", "region": "local"});
    let again = api.post("/v1/tenants", &vendor, &tenant("acme")).await;
    assert_eq!(again.status(), 409);
    assert_eq!(problem(again).await["code"], "slug_taken");
    for illegal in ["Acme", "a", "admin", "a--b"] {
        let answer = api.post("/v1/tenants", &vendor, &tenant(illegal)).await;
        assert_eq!(answer.status(), 400, "{illegal}");
        let detail = problem(answer).await["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("slug"), "{detail}");
    }
}

/// On PostgreSQL a NUL that reaches a query is an error of ours.
#[tokio::test]
async fn control_characters_are_refused_wherever_something_is_looked_for_r_inj_03() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    for path in [
        "/v1/tenants?q=%00",
        "/v1/tenants/acme/applications?q=a%00b",
        "/v1/tenants/acme/apis?q=%07",
        "/v1/tenants/acme/audit-events?q=%00",
        "/v1/tenants/acme/audit-events?action=%00",
        "/v1/tenants/acme/audit-events?action=roles.%00.",
        "/v1/tenants/acme/audit-events?object=%00",
        // "a" and a NUL.
        "/v1/tenants?cursor=YQA",
        "/v1/tenants/acme/applications?cursor=YQA",
    ] {
        let answer = api.get(path, &token).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(problem(answer).await["code"], "malformed", "{path}");
    }
    // Doors that hand a text on unread find nothing, on either database.
    let (cp, system) = (&api.world.cp, api.world.cp.system_caller());
    let page = PageRequest::default();
    let found = cp.list_tenants(&system, Some("ac\0me"), &page).await;
    assert_eq!(found.unwrap().items, []);
    let slug = "acme".parse().unwrap();
    let acme = cp.get_tenant_by_slug(&system, &slug).await.unwrap();
    let filter = AuditFilter {
        action: Some("\0".to_owned()),
        object: Some("\0".to_owned()),
        ..AuditFilter::default()
    };
    let found = cp.list_audit_events(&system, acme.id, &filter, &page);
    assert_eq!(found.await.unwrap().items, []);
}
