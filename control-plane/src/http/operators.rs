//! `/v1/operators`, `/v1/role-assignments` and the same below a tenant: who may administer, and as what.
//!
//! Vendor staff and a tenant's operators differ only in the scope, so each handler exists once and the
//! extractor [`ScopeOf`] says which it is.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    ids::{AssignmentId, OperatorId, UserId},
    permission::Permission as P,
    role::{Party, Role},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, Asking, InTenant},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::{
    Caller, ControlPlane, HeldRole, Scope,
    assignments::{Assignment, Member},
    operators::{Invitation, Invited, Invitee, Operator, OperatorKind},
};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = of_scope(
        [
            "listStaff", "inviteStaff", "assignStaffRole", "removeStaffRole",
        ],
        [
            "/operators",
            "/role-assignments",
            "/role-assignments/{staff_assignment}",
        ],
        [P::StaffView, P::StaffManage],
        ("support_engineer", "opr_01h00000000000000000000001"),
    );
    all.extend(of_scope(
        [
            "listOperators", "inviteOperator", "assignRole", "removeRole",
        ],
        [
            "/tenants/{tenant}/operators",
            "/tenants/{tenant}/role-assignments",
            "/tenants/{tenant}/role-assignments/{assignment}",
        ],
        [P::RolesView, P::RolesManage],
        ("tenant_auditor", "opr_01h00000000000000000000000"),
    ));
    all
}

fn of_scope(
    [list_id, invite_id, assign_id, remove_id]: [&'static str; 4],
    [people, roles, one]: [&'static str; 3],
    [view, manage]: [P; 2],
    (role, operator): (&str, &str),
) -> Vec<Operation> {
    let new = json!({"name": "Kim New", "email": "kim@example.com", "role": role});
    vec![
        Operation::new(list_id, Method::GET, people, list)
            .summary("Lists operators with the roles they hold here.")
            .needs(view)
            .gives::<Listed<MemberView>>(),
        Operation::new(invite_id, Method::POST, people, invite)
            .summary("Invites a person and gives them a role; someone who is an operator already gets the role.")
            .needs(manage)
            .takes::<InvitationBody>(new)
            .creates::<InvitedView>(),
        Operation::new(assign_id, Method::POST, roles, assign)
            .summary("Gives another role to an operator who holds one here.")
            .needs(manage)
            .takes::<AssignmentBody>(json!({"operator": operator, "role": role}))
            .creates::<AssignmentView>(),
        Operation::new(remove_id, Method::DELETE, one, remove)
            .summary("Takes a role from its holder; the last owner keeps theirs.")
            .needs(manage)
            .unguarded(),
    ]
}

/// Who asks, and about which scope.
struct ScopeOf {
    plane: ControlPlane,
    caller: Caller,
    scope: Scope,
}

impl ScopeOf {
    fn role(&self, role: Role) -> HeldRole {
        HeldRole {
            role,
            scope: self.scope,
        }
    }

    fn path(&self) -> String {
        match self.scope {
            Scope::Platform => String::new(),
            Scope::Tenant(tenant) => format!("/tenants/{tenant}"),
        }
    }
}

impl FromRequest for ScopeOf {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if request.match_info().get("tenant").is_none() {
            let ask = Asking::from_request(request, payload).into_inner();
            return Box::pin(async move {
                let Asking { plane, caller } = ask?;
                Ok(Self {
                    plane,
                    caller,
                    scope: Scope::Platform,
                })
            });
        }
        let at = InTenant::from_request(request, payload);
        Box::pin(async move {
            let InTenant {
                plane,
                caller,
                tenant,
            } = at.await?;
            Ok(Self {
                plane,
                caller,
                scope: Scope::Tenant(tenant),
            })
        })
    }
}

/// A person to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteeBody {
    name: String,
    email: String,
}

impl From<InviteeBody> for Invitee {
    fn from(body: InviteeBody) -> Self {
        Self {
            name: body.name,
            email: body.email,
        }
    }
}

/// A person to be invited, and as what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationBody {
    name: String,
    email: String,
    role: Role,
}

/// Who is to hold which role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AssignmentBody {
    operator: OperatorId,
    role: Role,
}

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperatorView {
    id: OperatorId,
    subject: UserId,
    name: String,
    email: String,
    party: Party,
    /// Whether a person is behind it: `person` or `data_dir`.
    kind: &'static str,
    created_at: DateTime<Utc>,
}

impl From<Operator> for OperatorView {
    fn from(operator: Operator) -> Self {
        Self {
            id: operator.id,
            subject: operator.subject,
            name: operator.name,
            email: operator.email,
            party: operator.party,
            kind: OperatorKind::as_str(operator.kind),
            created_at: operator.created_at,
        }
    }
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

/// An operator with the roles they hold here.
#[derive(Debug, Serialize, ToSchema)]
struct MemberView {
    operator: OperatorView,
    roles: Vec<AssignmentView>,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            operator: member.operator.into(),
            roles: member.roles.into_iter().map(Into::into).collect(),
        }
    }
}

/// An operator with a new role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvitedView {
    operator: OperatorView,
    assignment: AssignmentView,
    /// What became of the invitation: `sent`, `not_needed`, `tried` (dry run) or `not_sent`.
    invitation: &'static str,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Invited> for InvitedView {
    fn from(invited: Invited) -> Self {
        let (invitation, reason) = match invited.invitation {
            Invitation::Sent => ("sent", None),
            Invitation::NotNeeded => ("not_needed", None),
            Invitation::Tried => ("tried", None),
            Invitation::NotSent { reason } => ("not_sent", Some(reason)),
        };
        Self {
            operator: invited.operator.into(),
            assignment: invited.assignment.into(),
            invitation,
            reason,
        }
    }
}

async fn list(at: ScopeOf) -> Result<Listed<MemberView>, Problem> {
    Ok(Listed::all(
        at.plane.list_members(&at.caller, at.scope).await?,
    ))
}

async fn invite(
    at: ScopeOf,
    write: Adding,
    JsonBody(body): JsonBody<InvitationBody>,
) -> Result<Answer<InvitedView>, Problem> {
    let invitee = Invitee {
        name: body.name,
        email: body.email,
    };
    let invited = at
        .plane
        .invite_operator(&at.caller, at.role(body.role), invitee, write.mode)
        .await?;
    let location = format!("{}/role-assignments/{}", at.path(), invited.assignment.id);
    Ok(Answer::created(invited.into(), location).mode(write.mode))
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

async fn remove(at: ScopeOf, request: HttpRequest, write: Adding) -> Result<Answer<()>, Problem> {
    let segments = Path::<Vec<String>>::extract(&request)
        .await
        .map_err(|_| Problem::unknown())?;
    let assignment = segments
        .last()
        .and_then(|id| id.parse().ok())
        .ok_or_else(Problem::unknown)?;
    at.plane
        .remove_role(&at.caller, at.scope, assignment, write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}
