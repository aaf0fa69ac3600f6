//! `/v1/role-assignments` and the same below a tenant: who holds which role.

use actix_web::{HttpRequest, http::Method};
use chrono::{DateTime, Utc};
use contract::{
    ids::{AssignmentId, OperatorId},
    permission::Permission as P,
    role::Role,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::Answer,
    asking::Adding,
    body::JsonBody,
    operation::Operation,
    problem::Problem,
    scoped::{ScopeOf, named},
};
use crate::{Refusal, assignments::Assignment};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = of_scope(
        ["assignStaffRole", "getStaffRole", "removeStaffRole"],
        ["/role-assignments", "/role-assignments/{staff_assignment}"],
        [P::StaffView, P::StaffManage],
        json!({"operator": "opr_01h00000000000000000000001", "role": "support_engineer"}),
    );
    all.extend(of_scope(
        ["assignRole", "getRole", "removeRole"],
        [
            "/tenants/{tenant}/role-assignments",
            "/tenants/{tenant}/role-assignments/{assignment}",
        ],
        [P::RolesView, P::RolesManage],
        json!({"operator": "opr_01h00000000000000000000000", "role": "tenant_auditor"}),
    ));
    all
}

fn of_scope(
    [assign_id, get_id, remove_id]: [&'static str; 3],
    [roles, one]: [&'static str; 2],
    [view, manage]: [P; 2],
    new: serde_json::Value,
) -> Vec<Operation> {
    vec![
        Operation::new(assign_id, Method::POST, roles, assign)
            .summary("Gives another role to an operator who holds one here.")
            .needs(manage)
            .takes::<AssignmentBody>(new)
            .names()
            .creates::<AssignmentView>(),
        Operation::new(get_id, Method::GET, one, get)
            .summary("Reads who holds a role, and who gave it.")
            .needs(view)
            .gives::<AssignmentView>(),
        Operation::new(remove_id, Method::DELETE, one, remove)
            .summary("Takes a role from its holder; the last owner keeps theirs.")
            .needs(manage)
            .unguarded(),
    ]
}

/// Who is to hold which role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AssignmentBody {
    operator: OperatorId,
    role: Role,
}

/// A role that an operator holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignmentView {
    id: AssignmentId,
    operator: OperatorId,
    role: Role,
    created_at: DateTime<Utc>,
    created_by: String,
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        Self {
            id: assignment.id,
            operator: assignment.operator,
            role: assignment.role,
            created_at: assignment.created_at,
            created_by: assignment.created_by,
        }
    }
}

async fn assign(
    at: ScopeOf,
    write: Adding,
    JsonBody(body): JsonBody<AssignmentBody>,
) -> Result<Answer<AssignmentView>, Problem> {
    let given = at
        .plane
        .assign_role(&at.caller, at.role(body.role), body.operator, write.mode)
        .await?;
    let location = format!("{}/role-assignments/{}", at.path(), given.id);
    Ok(Answer::created(given.into(), location).mode(write.mode))
}

async fn get(at: ScopeOf, request: HttpRequest) -> Result<Answer<AssignmentView>, Problem> {
    let wanted: AssignmentId = named(&request)?;
    let members = at.plane.list_members(&at.caller, at.scope).await?;
    let found = members
        .into_iter()
        .flat_map(|member| member.roles)
        .find(|given| given.id == wanted);
    let given = found.ok_or(Refusal::NotFound {
        what: "role assignment",
    })?;
    Ok(Answer::ok(given.into()))
}

async fn remove(at: ScopeOf, request: HttpRequest, write: Adding) -> Result<Answer<()>, Problem> {
    at.plane
        .remove_role(&at.caller, at.scope, named(&request)?, write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}
