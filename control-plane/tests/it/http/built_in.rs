//! What the platform itself runs on (the console, the admin API) over HTTP: the owner of the platform may do
//! everything with an application of theirs, and nothing of it with these.

use contract::role::Role;
use control_plane::{ConsoleClient, Mode, PlatformClients, client_grants::NewClientGrant};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Api, json as body_of, problem};

const TENANT: &str = "/v1/tenants/platform";

/// Where an application, a secret of it, a grant to it and an API are.
struct Things {
    application: String,
    secret: String,
    grant: String,
    api: String,
    /// The scope that the grant gives.
    scope: &'static str,
}

impl Things {
    /// Every operation that could change one of them.
    fn operations(&self) -> Vec<(Method, String, Option<Value>)> {
        let application = |change: Value| (Method::PATCH, self.application.clone(), Some(change));
        let api = |change: Value| (Method::PATCH, self.api.clone(), Some(change));
        let gone = |path: &String| (Method::DELETE, path.clone(), None);
        vec![
            application(json!({"status": "disabled"})),
            application(json!({"redirect_uris": ["https://evil.example/cb"]})),
            application(json!({"post_logout_redirect_uris": []})),
            application(json!({"scopes": ["openid"]})),
            application(json!({"grant_types": ["authorization_code"]})),
            application(json!({"auth_methods": ["client_secret_post"]})),
            application(json!({"signing_algorithm": "RS256"})),
            application(json!({"first_party": false})),
            application(json!({"name": "Other"})),
            gone(&self.application),
            (
                Method::POST,
                format!("{}/secrets", self.application),
                Some(json!({"overlap_seconds": 0})),
            ),
            gone(&self.secret),
            (
                Method::PATCH,
                self.grant.clone(),
                Some(json!({"scopes": [self.scope]})),
            ),
            gone(&self.grant),
            api(json!({"name": "Other"})),
        ]
    }

    async fn shown(&self, api: &Api, token: &str) -> Vec<Value> {
        let mut shown = Vec::new();
        for path in [&self.application, &self.grant, &self.api] {
            shown.push(body_of(api.get(path, token).await).await);
        }
        shown
    }
}

#[tokio::test]
async fn nobody_can_lock_everybody_out() {
    let api = Api::serve().await;
    let clients = platform(&api).await;
    let token = api.token(&api.world.staff(Role::PlatformOwner).await);
    let ours = built_in(&api, &clients, &token).await;
    let before = ours.shown(&api, &token).await;
    for (method, path, body) in ours.operations() {
        refused(&api, &token, (method, &path, body)).await;
    }
    // An API that no grant names could lose these.
    for scopes in [
        json!([]),
        json!([{"scope": "other", "description": "Something else"}]),
    ] {
        let dropped = (
            Method::PATCH,
            ours.api.as_str(),
            Some(json!({"scopes": scopes})),
        );
        refused(&api, &token, dropped).await;
    }
    refused(&api, &token, (Method::DELETE, &ours.api, None)).await;
    let theirs = ordinary(&api, &token).await;
    let orders = theirs.api.rsplit('/').next().unwrap();
    let grant = json!({
        "application": clients.console_client_id, "api": orders, "scopes": [theirs.scope],
    });
    let grants = format!("{TENANT}/client-grants");
    refused(&api, &token, (Method::POST, &grants, Some(grant))).await;

    assert_eq!(ours.shown(&api, &token).await, before);
    let again = platform(&api).await;
    assert_eq!(
        (again.console_client_id, again.console_secret),
        (clients.console_client_id, clients.console_secret)
    );
}

#[tokio::test]
async fn what_is_not_built_in_can_be_changed() {
    let api = Api::serve().await;
    platform(&api).await;
    let token = api.token(&api.world.staff(Role::PlatformOwner).await);
    let theirs = ordinary(&api, &token).await;
    for (method, path, body) in theirs.operations() {
        let path = format!("{path}?dry_run=true");
        let tried = send(&api, &token, (method.clone(), &path, body)).await;
        assert!(tried.status().is_success(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_built_in_says_so() {
    let api = Api::serve().await;
    let clients = platform(&api).await;
    let token = api.token(&api.world.staff(Role::PlatformOwner).await);
    let theirs = ordinary(&api, &token).await;
    let ours = built_in(&api, &clients, &token).await;
    for (things, wanted) in [(ours, true), (theirs, false)] {
        for path in [&things.application, &things.api] {
            let shown = body_of(api.get(path, &token).await).await;
            assert_eq!(shown["built_in"], wanted, "{path}");
        }
    }
    let console = format!("{TENANT}/applications/{}", clients.console_client_id);
    let refusal = send(&api, &token, (Method::DELETE, &console, None)).await;
    insta::assert_json_snapshot!(problem(refusal).await);
}

async fn platform(api: &Api) -> PlatformClients {
    let console = ConsoleClient {
        redirect_uris: vec!["https://console.example/login/callback".parse().unwrap()],
        post_logout_redirect_uris: vec!["https://console.example/".parse().unwrap()],
    };
    api.world.cp.ensure_platform(console).await.unwrap()
}

/// The console, the admin API, and a grant between them as only the product itself can make one.
async fn built_in(api: &Api, clients: &PlatformClients, token: &str) -> Things {
    let apis = body_of(
        api.get(&format!("{TENANT}/apis?q=urn:bailiwick:admin"), token)
            .await,
    )
    .await;
    let admin = apis["items"][0]["id"].as_str().unwrap().to_owned();
    let (cp, system) = (&api.world.cp, api.world.cp.system_caller());
    let new = NewClientGrant {
        application: clients.console_client_id,
        api: admin.parse().unwrap(),
        scopes: ["admin".parse().unwrap()].into(),
    };
    let grant = cp
        .create_client_grant(&system, clients.tenant, new, Mode::Commit)
        .await
        .unwrap()
        .grant
        .id;
    let application = format!("{TENANT}/applications/{}", clients.console_client_id);
    Things {
        secret: secret_of(api, &application, token).await,
        application,
        grant: format!("{TENANT}/client-grants/{grant}"),
        api: format!("{TENANT}/apis/{admin}"),
        scope: "admin",
    }
}

/// An application, an API and a grant like anybody's.
async fn ordinary(api: &Api, token: &str) -> Things {
    let made = |kind: &'static str, body: Value| async move {
        let answer = api.post(&format!("{TENANT}/{kind}"), token, &body).await;
        assert_eq!(answer.status(), 201, "{kind}");
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        (place, body_of(answer).await)
    };
    let shop = json!({
        "name": "Shop", "kind": "web",
        "redirect_uris": ["https://shop.example/cb"],
    });
    let (application, shop) = made("applications", shop).await;
    let orders = json!({
        "name": "Orders", "audience": "https://orders.example",
        "scopes": [{"scope": "orders:read", "description": "See orders"}],
    });
    let (place, orders) = made("apis", orders).await;
    let grant = json!({
        "application": shop["application"]["id"], "api": orders["id"], "scopes": ["orders:read"],
    });
    let (grant, _) = made("client-grants", grant).await;
    Things {
        secret: secret_of(api, &application, token).await,
        application,
        grant,
        api: place,
        scope: "orders:read",
    }
}

async fn secret_of(api: &Api, application: &str, token: &str) -> String {
    let shown = body_of(api.get(application, token).await).await;
    let id = shown["secrets"][0]["id"].as_str().unwrap();
    format!("{application}/secrets/{id}")
}

/// Tries it for good: what is refused must have changed nothing.
async fn refused(api: &Api, token: &str, (method, path, body): (Method, &str, Option<Value>)) {
    let name = format!("{method} {path} {body:?}");
    let answer = send(api, token, (method, path, body)).await;
    assert_eq!(answer.status(), 409, "{name}");
    let problem = problem(answer).await;
    assert_eq!(problem["code"], "built_in", "{name}");
    let why = problem["detail"].as_str().unwrap();
    assert!(why.contains("lock everybody out"), "{name}: {why}");
}

/// Sends it, whatever version is there.
async fn send(
    api: &Api,
    token: &str,
    (method, path, body): (Method, &str, Option<Value>),
) -> Response {
    let request = api.request(method, path, token).header("If-Match", "*");
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.unwrap()
}
