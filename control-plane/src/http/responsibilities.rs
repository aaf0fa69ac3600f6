//! `/v1/tenants/{tenant}/responsibilities`: the matrix.

use std::collections::BTreeSet;

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    duty::DutyKey, permission::Permission as P, responsibility::Responsibility, role::Party,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{InTenant, Overwriting},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::responsibilities::MatrixRow;

const ALL: &str = "/tenants/{tenant}/responsibilities";
const ONE: &str = "/tenants/{tenant}/responsibilities/{duty}";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listResponsibilities", Method::GET, ALL, list)
            .summary("Reads the tenant's responsibility matrix, one row per duty.")
            .needs(P::ResponsibilitiesView)
            .gives::<Listed<RowView>>(),
        Operation::new("getResponsibility", Method::GET, ONE, get)
            .summary("Reads one row of the matrix.")
            .needs(P::ResponsibilitiesView)
            .gives::<RowView>()
            .versioned(),
        Operation::new("updateResponsibility", Method::PATCH, ONE, update)
            .summary("Changes one row; both members, so that nobody is left accountable who may not act. Only the party now accountable may.")
            .needs(P::ResponsibilitiesEdit)
            .takes::<RowChange>(json!({"accountable": "customer", "actors": ["customer", "vendor"]}))
            .gives::<RowView>()
            .versioned(),
    ]
}

/// One row of the matrix.
#[derive(Debug, Serialize, ToSchema)]
struct RowView {
    duty: DutyKey,
    /// Who answers for it.
    accountable: Party,
    /// Whose people may act.
    actors: BTreeSet<Party>,
    version: i64,
    updated_at: DateTime<Utc>,
    updated_by: String,
}

impl From<MatrixRow> for RowView {
    fn from(row: MatrixRow) -> Self {
        Self {
            duty: row.responsibility.duty,
            accountable: row.responsibility.accountable,
            actors: row.responsibility.actors,
            version: row.version,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
        }
    }
}

/// How a row is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RowChange {
    accountable: Party,
    actors: BTreeSet<Party>,
}

async fn list(at: InTenant) -> Result<Listed<RowView>, Problem> {
    Ok(Listed::all(
        at.plane
            .list_responsibilities(&at.caller, at.tenant)
            .await?,
    ))
}

async fn get(at: InTenant, path: Path<(String, DutyKey)>) -> Result<Answer<RowView>, Problem> {
    let row = at
        .plane
        .get_responsibility(&at.caller, at.tenant, path.1)
        .await?;
    let version = row.version;
    Ok(Answer::ok(row.into()).version(version))
}

async fn update(
    at: InTenant,
    path: Path<(String, DutyKey)>,
    write: Overwriting,
    JsonBody(body): JsonBody<RowChange>,
) -> Result<Answer<RowView>, Problem> {
    let wanted = Responsibility {
        duty: path.1,
        accountable: body.accountable,
        actors: body.actors,
    };
    let row = at
        .plane
        .update_responsibility(&at.caller, at.seen(&write), wanted, write.mode)
        .await?;
    let version = row.version;
    Ok(Answer::ok(row.into()).version(version).mode(write.mode))
}
