//! `/v1/tenants/{tenant}/apis`.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    api::{ApiScope, Audience},
    ids::ApiId,
    permission::Permission as P,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, InTenant, Overwriting, Params, Searching},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::apis::{ApiChange, ApiRecord, NewApi};

const ALL: &str = "/tenants/{tenant}/apis";
const ONE: &str = "/tenants/{tenant}/apis/{api}";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let scopes = json!([{"scope": "orders:read", "description": "See orders"}]);
    vec![
        Operation::new("listApis", Method::GET, ALL, list)
            .summary("Lists a tenant's APIs.")
            .needs(P::ApplicationsView)
            .query::<Searching>()
            .gives::<Listed<ApiView>>(),
        Operation::new("createApi", Method::POST, ALL, create)
            .summary("Creates an API.")
            .needs(P::ApisEdit)
            .takes::<NewApi>(
                json!({"name": "Orders", "audience": "https://orders.example", "scopes": scopes}),
            )
            .creates::<ApiView>()
            .versioned(),
        Operation::new("getApi", Method::GET, ONE, get)
            .summary("Reads an API.")
            .needs(P::ApplicationsView)
            .gives::<ApiView>()
            .versioned(),
        Operation::new("updateApi", Method::PATCH, ONE, update)
            .summary("Changes an API's name or scopes; what is left out stays.")
            .needs(P::ApisEdit)
            .takes::<ApiChange>(json!({"name": "All orders"}))
            .gives::<ApiView>()
            .versioned(),
        Operation::new("deleteApi", Method::DELETE, ONE, delete)
            .summary("Deletes an API that no client grant names.")
            .needs(P::ApisEdit),
    ]
}

/// An API.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiView {
    id: ApiId,
    name: String,
    audience: Audience,
    scopes: Vec<ApiScope>,
    /// Whether it is the admin API itself: every change of it is refused (`built_in`).
    built_in: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ApiRecord> for ApiView {
    fn from(record: ApiRecord) -> Self {
        Self {
            built_in: record.built_in(),
            id: record.api.id,
            name: record.api.name,
            audience: record.api.audience,
            scopes: record.api.scopes,
            version: record.version,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

async fn list(at: InTenant, Params(search): Params<Searching>) -> Result<Listed<ApiView>, Problem> {
    let (text, page) = (search.q.as_deref(), search.page()?);
    let found = at
        .plane
        .list_apis(&at.caller, at.tenant, text, &page)
        .await?;
    Ok(Listed::page(found))
}

async fn get(at: InTenant, path: Path<(String, ApiId)>) -> Result<Answer<ApiView>, Problem> {
    let record = at.plane.get_api(&at.caller, at.tenant, path.1).await?;
    Ok(Answer::kept(record))
}

async fn create(
    at: InTenant,
    write: Adding,
    JsonBody(new): JsonBody<NewApi>,
) -> Result<Answer<ApiView>, Problem> {
    let record = at
        .plane
        .create_api(&at.caller, at.tenant, new, write.mode)
        .await?;
    let location = at.location(ALL, record.api.id);
    Ok(Answer::kept(record).made_at(location).mode(write.mode))
}

async fn update(
    at: InTenant,
    path: Path<(String, ApiId)>,
    write: Overwriting,
    JsonBody(change): JsonBody<ApiChange>,
) -> Result<Answer<ApiView>, Problem> {
    let record = at
        .plane
        .update_api(&at.caller, at.thing(path.1, &write), change, write.mode)
        .await?;
    Ok(Answer::kept(record).mode(write.mode))
}

async fn delete(
    at: InTenant,
    path: Path<(String, ApiId)>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    at.plane
        .delete_api(&at.caller, at.thing(path.1, &write), write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}
