//! Governing over the admin API with tokens of `bailiwick token`, and a node that follows.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, client},
    harness::{Place, finish},
};

/// The admin API as one caller.
struct Admin<'a> {
    place: &'a Place,
    token: String,
}

impl<'a> Admin<'a> {
    async fn new(place: &'a Place, args: &[&str]) -> Self {
        Self {
            place,
            token: place.token(args).await,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = client()
            .request(method.clone(), format!("{}/v1{path}", self.place.console))
            .bearer_auth(&self.token);
        if method == Method::PUT {
            request = request.header("if-none-match", "*");
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

fn minimum(length: u64) -> Value {
    json!({"kind": "password", "min_length": length, "refuse_common": true, "refuse_context": true})
}

#[tokio::test]
async fn the_vendor_creates_a_tenant_and_cannot_change_its_policy() {
    let place = Place::new().await;
    let _running = place.start().await;
    let vendor = Admin::new(&place, &[]).await;
    let new =
        json!({"slug": "globex", "name": "Globex", "environment": "staging", "region": "local"});
    let (status, created) = vendor
        .ask(Method::POST, "/tenants", Some(new.clone()))
        .await;
    assert_eq!(status, 201, "{created}");
    let (status, problem) = vendor.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("slug_taken"))
    );

    let issuer = format!("{}/t/globex", place.auth);
    eventually("the node serves the new tenant", || async {
        let url = format!("{issuer}/.well-known/openid-configuration");
        client().get(url).send().await.unwrap().status() == 200
    })
    .await;

    let draft = "/tenants/globex/policies/password/draft";
    let (status, problem) = vendor.ask(Method::PUT, draft, Some(minimum(20))).await;
    assert_eq!(status, 403, "{problem}");
    assert_eq!(problem["code"], "duty", "{problem}");
    assert_eq!(problem["accountable"], "customer");
    assert!(
        problem["duty"].is_string() || problem["duty"].is_object(),
        "{problem}"
    );
    assert!(problem["needed"].is_string(), "{problem}");
    let events = vendor.get("/tenants/globex/audit-events").await;
    let told = events.to_string();
    assert!(
        told.contains("was refused") && told.contains("policy.sign_in"),
        "{told}"
    );
}

#[tokio::test]
async fn a_published_minimum_is_enforced_within_a_second() {
    let place = Place::new().await;
    let _running = place.start().await;
    let owner = Admin::new(&place, &["--tenant", "acme"]).await;
    let path = "/tenants/acme/policies/password";
    let (status, draft) = owner
        .ask(Method::PUT, &format!("{path}/draft"), Some(minimum(24)))
        .await;
    assert!(status.is_success(), "{draft}");
    let exactly = json!({"draft_version": draft["version"], "base_version": draft["base_version"]});
    let (status, published) = owner
        .ask(
            Method::POST,
            &format!("{path}/draft/publish"),
            Some(exactly),
        )
        .await;
    assert!(status.is_success(), "{published}");

    let second = tokio::time::timeout(Duration::from_secs(1), async {
        while !register(&place, "a-password-of-22-chars")
            .await
            .contains("24")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    second
        .await
        .expect("the node refuses the short password within a second");
}

/// Tries to register at the demo tenant; gives the page that answers.
async fn register(place: &Place, password: &str) -> String {
    let mut browser = Browser::new();
    let page = browser.get(format!("{}/t/acme/register", place.auth)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let filled = [
        ("identifier", "new@customer.example"),
        ("name", "Nora New"),
        ("password", password),
    ];
    browser.submit(page.form("submit"), &filled).await.body
}

#[tokio::test]
async fn tokens_have_one_role_in_one_scope_and_leave_a_trace() {
    let place = Place::new().await;
    let running = place.start().await;
    let auditor = Admin::new(&place, &["--tenant", "acme", "--role", "tenant_auditor"]).await;
    let events = auditor.get("/tenants/acme/audit-events").await.to_string();
    assert!(events.contains("operators.local_access"), "{events}");
    let given = "Gave Ada Okafor the role Tenant owner.";
    assert!(events.contains(given), "{given} in: {events}");
    let (status, problem) = auditor
        .ask(
            Method::PUT,
            "/tenants/acme/policies/password/draft",
            Some(minimum(20)),
        )
        .await;
    assert_eq!(status, 403, "{problem}");
    let (status, _) = auditor.ask(Method::GET, "/tenants/platform", None).await;
    assert!(status == 403 || status == 404);

    for (args, expected) in [
        (&["--tenant", "nobody"][..], "tenant"),
        (&["--role", "tenant_owner"], "role"),
        (&["--tenant", "acme", "--role", "platform_owner"], "role"),
    ] {
        let mut command = place.command("token");
        command.args(args);
        let output = finish(command).await;
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(
            line.starts_with("bailiwick: ") && line.contains(expected),
            "{line}"
        );
        assert!(output.stdout.is_empty());
    }

    running.stop().await;
    let offline = place.token(&[]).await;
    let _again = place.start().await;
    let online = Admin {
        place: &place,
        token: offline,
    };
    assert!(
        online.get("/tenants").await["items"].is_array(),
        "made while nothing ran"
    );
}

#[tokio::test]
async fn what_was_changed_is_still_there_after_a_restart() {
    let place = Place::new().await;
    let running = place.start().await;
    let vendor = Admin::new(&place, &[]).await;
    let new =
        json!({"slug": "initech", "name": "Initech", "environment": "sandbox", "region": "local"});
    let (status, created) = vendor.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(running.stop().await.code(), Some(0));

    let _again = place.start().await;
    assert_eq!(vendor.get("/tenants/initech").await["name"], "Initech");
    let url = format!("{}/t/initech/.well-known/openid-configuration", place.auth);
    // The first process may have ended before the node had the release; then it comes now.
    eventually("the node serves the tenant", || async {
        client().get(&url).send().await.unwrap().status() == 200
    })
    .await;
}

/// Waits for what must become true soon.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    for _ in 0..100 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within five seconds: {what}");
}
