//! `/v1/tenants/{tenant}/client-grants`.

use std::collections::BTreeSet;

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    ids::{ApiId, ApplicationId, ClientGrantId},
    permission::Permission as P,
    scope::Scope,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{Answer, Listed},
    asking::{Adding, InTenant, Overwriting, Params, page},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::client_grants::{
    ClientGrantChange, ClientGrantFilter, ClientGrantRecord, NewClientGrant,
};

const ALL: &str = "/tenants/{tenant}/client-grants";
const ONE: &str = "/tenants/{tenant}/client-grants/{client_grant}";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let new = json!({
        "application": "app_01h00000000000000000000000",
        "api": "api_01h00000000000000000000000",
        "scopes": ["orders:read"],
    });
    vec![
        Operation::new("listClientGrants", Method::GET, ALL, list)
            .summary("Lists which applications may call which APIs.")
            .needs(P::ApplicationsView)
            .query::<Filter>()
            .gives::<Listed<ClientGrantView>>(),
        Operation::new("createClientGrant", Method::POST, ALL, create)
            .summary("Allows an application to call an API.")
            .needs(P::ClientGrantsEdit)
            .takes::<NewClientGrant>(new)
            .creates::<ClientGrantView>()
            .versioned(),
        Operation::new("getClientGrant", Method::GET, ONE, get)
            .summary("Reads a client grant.")
            .needs(P::ApplicationsView)
            .gives::<ClientGrantView>()
            .versioned(),
        Operation::new("updateClientGrant", Method::PATCH, ONE, update)
            .summary("Changes the scopes of a client grant.")
            .needs(P::ClientGrantsEdit)
            .takes::<ClientGrantChange>(json!({"scopes": ["orders:read"]}))
            .gives::<ClientGrantView>()
            .versioned(),
        Operation::new("deleteClientGrant", Method::DELETE, ONE, delete)
            .summary("Takes back the permission to call an API.")
            .needs(P::ClientGrantsEdit),
    ]
}

/// Which client grants.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only those of this application.
    application: Option<ApplicationId>,
    /// Only those for this API.
    api: Option<ApiId>,
    /// Things per page, 1 to 100; 25 if left out.
    limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A permission for one application to get tokens for one API.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientGrantView {
    id: ClientGrantId,
    application: ApplicationId,
    api: ApiId,
    scopes: BTreeSet<Scope>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ClientGrantRecord> for ClientGrantView {
    fn from(record: ClientGrantRecord) -> Self {
        Self {
            id: record.grant.id,
            application: record.grant.application,
            api: record.grant.api,
            scopes: record.grant.scopes,
            version: record.version,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

async fn list(
    at: InTenant,
    Params(filter): Params<Filter>,
) -> Result<Listed<ClientGrantView>, Problem> {
    let page = page(filter.limit, filter.cursor.as_deref())?;
    let filter = ClientGrantFilter {
        application: filter.application,
        api: filter.api,
    };
    let found = at
        .plane
        .list_client_grants(&at.caller, at.tenant, filter, &page)
        .await?;
    Ok(Listed::page(found))
}

async fn get(
    at: InTenant,
    path: Path<(String, ClientGrantId)>,
) -> Result<Answer<ClientGrantView>, Problem> {
    let record = at
        .plane
        .get_client_grant(&at.caller, at.tenant, path.1)
        .await?;
    Ok(Answer::kept(record))
}

async fn create(
    at: InTenant,
    write: Adding,
    JsonBody(new): JsonBody<NewClientGrant>,
) -> Result<Answer<ClientGrantView>, Problem> {
    let record = at
        .plane
        .create_client_grant(&at.caller, at.tenant, new, write.mode)
        .await?;
    let location = at.location(ALL, record.grant.id);
    Ok(Answer::kept(record).made_at(location).mode(write.mode))
}

async fn update(
    at: InTenant,
    path: Path<(String, ClientGrantId)>,
    write: Overwriting,
    JsonBody(change): JsonBody<ClientGrantChange>,
) -> Result<Answer<ClientGrantView>, Problem> {
    let record = at
        .plane
        .update_client_grant(&at.caller, at.thing(path.1, &write), change, write.mode)
        .await?;
    Ok(Answer::kept(record).mode(write.mode))
}

async fn delete(
    at: InTenant,
    path: Path<(String, ClientGrantId)>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    at.plane
        .delete_client_grant(&at.caller, at.thing(path.1, &write), write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}
