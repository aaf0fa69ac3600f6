//! No address below a tenant tells whether the tenant exists: a table over every operation there is.

use contract::role::Role;
use reqwest::{Method, Response, header};
use serde_json::Value;

use super::{Api, documents::operations, problem};

/// What can be wrong with a request besides its address.
const BODIES: [Option<(&str, &str)>; 4] = [
    None,
    Some(("application/json", "{")),
    Some(("application/json", r#"{"unknown": true}"#)),
    Some(("text/plain", "suspended")),
];

#[tokio::test]
async fn a_slug_that_is_not_ones_own_is_like_one_that_does_not_exist() {
    let api = Api::serve().await;
    api.world.tenant("acme").await;
    let globex = api.world.tenant("globex").await;
    let mut strangers = Vec::new();
    for role in [Role::TenantOwner, Role::UserSupport] {
        strangers.push(api.token(&api.world.member(&globex, role).await));
    }
    for (method, path, operation) in operations(&api).await {
        if !path.starts_with("/v1/tenants/{tenant}") {
            continue;
        }
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        let example = example.to_string();
        let good = Some(("application/json", example.as_str()));
        for (token, body) in strangers.iter().flat_map(|token| {
            BODIES
                .into_iter()
                .chain([good])
                .map(move |body| (token, body))
        }) {
            for query in ["", "?dry_run=true", "?nonsense=1"] {
                let at = |slug: &str| format!("{}{query}", filled(&path, slug));
                let known = ask(&api, (&method, &at("acme")), token, body).await;
                let unknown = ask(&api, (&method, &at("nobody")), token, body).await;
                assert_eq!(known, unknown, "{method} {path}{query} {body:?}");
                assert_eq!(known["status"], 404, "{method} {path}{query} {body:?}");
            }
        }
    }
}

/// Staff see every tenant, so for them an unknown one is simply not there, whatever they may do.
#[tokio::test]
async fn staff_learn_the_same_of_every_slug_there_is_not() {
    let api = Api::serve().await;
    for role in [Role::PlatformOwner, Role::SupportEngineer] {
        let token = api.token(&api.world.staff(role).await);
        for (method, path, _) in operations(&api).await {
            if path.starts_with("/v1/tenants/{tenant}") {
                let path = filled(&path, "nobody");
                let answer = ask(&api, (&method, &path), &token, None).await;
                assert_eq!(answer["status"], 404, "{role}: {method} {path}");
            }
        }
    }
}

fn filled(path: &str, slug: &str) -> String {
    let parts = path.replace("{tenant}", slug);
    let parts = parts.split('/').map(|part| match part {
        "{kind}" => "password",
        "{duty}" => "policy.sign_in",
        "{version}" => "1",
        part if part.starts_with('{') => "app_01h00000000000000000000000",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(
    api: &Api,
    (method, path): (&Method, &str),
    token: &str,
    body: Option<(&str, &str)>,
) -> Value {
    let mut request = api.request(method.clone(), path, token);
    if let Some((media_type, text)) = body {
        request = request
            .header(header::CONTENT_TYPE, media_type)
            .body(text.to_owned());
    }
    let answer: Response = request.send().await.unwrap();
    problem(answer).await
}
