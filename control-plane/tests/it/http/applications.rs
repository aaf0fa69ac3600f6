//! Applications over HTTP: secrets shown once, versions compared, dry runs that keep nothing, pages.

use contract::{role::Role, secret::is_well_formed};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, json as body_of, problem};

const ALL: &str = "/v1/tenants/acme/applications";

fn shop() -> Value {
    json!({"name": "Shop", "kind": "web", "redirect_uris": ["https://shop.example/cb"]})
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let created = api.post(ALL, &token, &shop()).await;
    assert_eq!(
        (created.status().as_u16(), &created.headers()["etag"]),
        (201, &"\"1\"".parse().unwrap())
    );
    let one = created.headers()["location"].to_str().unwrap().to_owned();
    let created = body_of(created).await;
    let first = created["client_secret"].as_str().unwrap().to_owned();
    assert!(is_well_formed(&first));

    let made = body_of(
        api.post(
            &format!("{one}/secrets"),
            &token,
            &json!({"overlap_seconds": 60}),
        )
        .await,
    )
    .await;
    let second = made["client_secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(
        made["application"]["secrets"][0]["not_after"],
        "2026-01-02T03:05:05Z"
    );
    let third = api
        .post(&format!("{one}/secrets"), &token, &json!({}))
        .await;
    assert_eq!(problem(third).await["code"], "two_secrets");

    for path in [ALL, &one, "/v1/tenants/acme/audit-events"] {
        let text = api.get(path, &token).await.text().await.unwrap();
        for secret in [&first, &second] {
            let hash = contract::canonical::sha256_hex(secret.as_bytes());
            assert!(
                !text.contains(secret.as_str()) && !text.contains(&hash),
                "{path}"
            );
        }
    }
    let revoked = format!("{one}/secrets/{}", made["id"].as_str().unwrap());
    let answer = api
        .overwrite(Method::DELETE, (&revoked, "\"2\""), &token, None)
        .await;
    assert_eq!(answer.status(), 204);
    let left = body_of(api.get(&one, &token).await).await;
    assert_eq!(left["secrets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_made_is_where_its_location_says() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let made = |path: String, body: Value| {
        let (api, token) = (&api, &token);
        async move {
            let answer = api.post(&path, token, &body).await;
            assert_eq!(answer.status(), 201, "{path}");
            let place = answer.headers()["location"].to_str().unwrap().to_owned();
            let tag = answer.headers()["etag"].clone();
            let found = api.get(&place, token).await;
            assert_eq!(found.status(), 200, "{path} said {place}");
            assert_eq!(found.headers()["etag"], tag, "{path} said {place}");
            body_of(found).await
        }
    };
    let shop = made(ALL.to_owned(), shop()).await;
    let id = shop["id"].as_str().unwrap();
    let with_two = made(format!("{ALL}/{id}/secrets"), json!({})).await;
    assert_eq!(with_two["secrets"].as_array().unwrap().len(), 2);
    let orders = json!({
        "name": "Orders", "audience": "https://orders.example",
        "scopes": [{"scope": "orders:read", "description": "See orders"}],
    });
    let orders = made("/v1/tenants/acme/apis".to_owned(), orders).await;
    let grant = json!({"application": id, "api": orders["id"], "scopes": ["orders:read"]});
    made("/v1/tenants/acme/client-grants".to_owned(), grant).await;
}

#[tokio::test]
async fn nothing_is_overwritten_unseen() {
    let api = Api::serve().await;
    let token = api.acme(Role::ApplicationDeveloper).await;
    let created = api.post(ALL, &token, &shop()).await;
    let one = created.headers()["location"].to_str().unwrap().to_owned();
    let change = json!({"status": "disabled"});
    let blind = api
        .request(Method::PATCH, &one, &token)
        .json(&change)
        .send()
        .await
        .unwrap();
    insta::assert_json_snapshot!("without_if_match", problem(blind).await);
    let seen = api
        .overwrite(Method::PATCH, (&one, "\"1\""), &token, Some(&change))
        .await;
    assert_eq!(
        (seen.status().as_u16(), &seen.headers()["etag"]),
        (200, &"\"2\"".parse().unwrap())
    );
    let stale = api
        .overwrite(Method::PATCH, (&one, "\"1\""), &token, Some(&change))
        .await;
    insta::assert_json_snapshot!("stale_if_match", problem(stale).await);
    let weak = api
        .overwrite(Method::DELETE, (&one, "W/\"2\""), &token, None)
        .await;
    assert_eq!(weak.status(), 400);
    let gone = api
        .overwrite(Method::DELETE, (&one, "*"), &token, None)
        .await;
    assert_eq!(gone.status(), 204);
    assert_eq!(api.get(&one, &token).await.status(), 404);
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_keeps_nothing() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let acme = body_of(api.get("/v1/tenants/acme", &token).await).await;
    let tenant = acme["id"].as_str().unwrap().parse().unwrap();
    let released = api.world.released(tenant).await;
    let tried = api
        .post(&format!("{ALL}?dry_run=true"), &token, &shop())
        .await;
    assert_eq!(tried.status(), 201);
    assert_eq!(tried.headers()["bailiwick-dry-run"], "true");
    let tried = body_of(tried).await;
    assert_eq!(tried["application"]["name"], "Shop");
    assert_eq!(tried.get("client_secret"), None, "it would open nothing");
    let listed = body_of(api.get(ALL, &token).await).await;
    assert_eq!(listed["items"], json!([]));
    assert_eq!(api.world.released(tenant).await, released);
    let kept = api.post(ALL, &token, &shop()).await;
    assert_eq!(kept.headers().get("bailiwick-dry-run"), None);
    assert_eq!(api.world.released(tenant).await, released + 1);
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    for number in 0..5 {
        // Ids made in the same millisecond have no order among themselves.
        api.world.clock.advance(chrono::TimeDelta::seconds(1));
        let machine = json!({"name": format!("Job {number}"), "kind": "machine"});
        assert_eq!(api.post(ALL, &token, &machine).await.status(), 201);
    }
    let (mut path, mut names) = (format!("{ALL}?limit=2&q=job"), Vec::new());
    loop {
        let answer = api.get(&path, &token).await;
        let link = answer
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned());
        let page = body_of(answer).await;
        let items = page["items"].as_array().unwrap();
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        assert_eq!(link.is_some(), page.get("next_cursor").is_some());
        let Some(link) = link else { break };
        let next = link
            .strip_prefix('<')
            .and_then(|rest| rest.split_once(">; rel=\"next\""));
        path = next.unwrap().0.to_owned();
    }
    assert_eq!(names, ["Job 0", "Job 1", "Job 2", "Job 3", "Job 4"]);
}

#[tokio::test]
async fn what_a_grant_relies_on_stays() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let api_body = json!({
        "name": "Orders", "audience": "https://orders.example",
        "scopes": [{"scope": "orders:read", "description": "See orders"}],
    });
    let apis = "/v1/tenants/acme/apis";
    let orders = body_of(api.post(apis, &token, &api_body).await).await;
    assert_eq!(
        problem(api.post(apis, &token, &api_body).await).await["code"],
        "audience_taken"
    );
    let ours = json!({"name": "Fake", "audience": "urn:bailiwick:admin"});
    assert_eq!(api.post(apis, &token, &ours).await.status(), 422);

    let job = body_of(
        api.post(ALL, &token, &json!({"name": "Job", "kind": "machine"}))
            .await,
    )
    .await;
    let grants = "/v1/tenants/acme/client-grants";
    let grant = |scope: &str| json!({"application": job["application"]["id"], "api": orders["id"], "scopes": [scope]});
    let unknown = api.post(grants, &token, &grant("orders:write")).await;
    assert_eq!(problem(unknown).await["violations"][0]["member"], "scopes");
    let given = api.post(grants, &token, &grant("orders:read")).await;
    let grant_path = given.headers()["location"].to_str().unwrap().to_owned();
    let again = api.post(grants, &token, &grant("orders:read")).await;
    assert_eq!(problem(again).await["code"], "grant_exists");

    let api_path = format!("{apis}/{}", orders["id"].as_str().unwrap());
    let used = api
        .overwrite(Method::DELETE, (&api_path, "*"), &token, None)
        .await;
    assert_eq!(problem(used).await["code"], "api_in_use");
    let shrunk = json!({"scopes": []});
    let used = api
        .overwrite(Method::PATCH, (&api_path, "*"), &token, Some(&shrunk))
        .await;
    assert_eq!(problem(used).await["code"], "scope_in_use");
    assert_eq!(
        api.overwrite(Method::DELETE, (&grant_path, "\"1\""), &token, None)
            .await
            .status(),
        204
    );
    assert_eq!(
        api.overwrite(Method::DELETE, (&api_path, "\"1\""), &token, None)
            .await
            .status(),
        204
    );
}

#[tokio::test]
async fn a_draft_is_saved_compared_and_published() {
    let api = Api::serve().await;
    let token = api.acme(Role::SecurityAdmin).await;
    let draft = "/v1/tenants/acme/policies/password/draft";
    assert_eq!(api.get(draft, &token).await.status(), 404);
    let wanted = json!({"kind": "password", "min_length": 20, "refuse_common": true, "refuse_context": true});
    let first = api
        .request(Method::PUT, draft, &token)
        .header("If-None-Match", "*")
        .json(&wanted)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["etag"]),
        (200, &"\"1\"".parse().unwrap())
    );
    let diff = body_of(api.get(&format!("{draft}/diff"), &token).await).await;
    assert_eq!(diff["differences"][0]["member"], "min_length");
    let body = json!({"draft_version": 1, "base_version": 1});
    let published = api.post(&format!("{draft}/publish"), &token, &body).await;
    assert_eq!(
        (published.status().as_u16(), &published.headers()["etag"]),
        (200, &"\"2\"".parse().unwrap())
    );
    let floor =
        json!({"kind": "password", "min_length": 8, "refuse_common": true, "refuse_context": true});
    let low = api
        .overwrite(Method::PUT, (draft, "*"), &token, Some(&floor))
        .await;
    assert_eq!(problem(low).await["violations"][0]["member"], "min_length");
    let moved = api
        .overwrite(
            Method::PUT,
            ("/v1/tenants/acme/policies/token/draft", "*"),
            &token,
            Some(&wanted),
        )
        .await;
    assert_eq!(problem(moved).await["violations"][0]["member"], "kind");
}
