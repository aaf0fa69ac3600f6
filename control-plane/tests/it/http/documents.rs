//! The OpenAPI document: complete, and reviewed as a list of operations with their permissions.

use reqwest::Method;
use serde_json::Value;

use super::{Api, json};

/// Every operation of the document: method, path, itself.
pub async fn operations(api: &Api) -> Vec<(Method, String, Value)> {
    let answer = api
        .anonymous(Method::GET, "/v1/openapi.json")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let document = json(answer).await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            found.push((method, path.clone(), operation.clone()));
        }
    }
    found
}

#[tokio::test]
async fn every_operation_is_documented_and_reviewed() {
    let api = Api::serve().await;
    let mut lines = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for (method, path, operation) in operations(&api).await {
        let permission = operation["x-bailiwick-permission"].as_str().unwrap();
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            !permission.is_empty() && ids.insert(id.to_owned()),
            "{method} {path}"
        );
        assert!(
            operation["summary"].as_str().unwrap().ends_with('.'),
            "{id}"
        );
        assert!(operation["responses"]["401"].is_object(), "{id}");
        lines.push(format!("{method:6} {path} → {permission}"));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn the_document_refers_only_to_what_it_defines() {
    let api = Api::serve().await;
    let answer = api
        .anonymous(Method::GET, "/v1/openapi.json")
        .send()
        .await
        .unwrap();
    let document = json(answer).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.push(reference.clone());
            }
            members
                .values()
                .for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
