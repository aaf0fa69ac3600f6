//! `/v1/operators` and the same below a tenant: who may administer, and their invitations.
//!
//! What an operator holds beyond the role they were invited with is in [`super::role_assignments`].

use actix_web::{HttpRequest, http::Method};
use chrono::{DateTime, Utc};
use contract::{
    ids::{OperatorId, UserId},
    permission::Permission as P,
    role::{Party, Role},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::Adding,
    body::JsonBody,
    operation::Operation,
    problem::Problem,
    role_assignments::AssignmentView,
    scoped::{ScopeOf, named},
};
use crate::{
    assignments::Member,
    operators::{Invitation, Invited, Invitee, Operator, OperatorKind},
};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = of_scope(
        ["listStaff", "inviteStaff", "resendStaffInvitation"],
        ["/operators", "/operators/{staff}/invitation"],
        [P::StaffView, P::StaffManage],
        "support_engineer",
    );
    all.extend(of_scope(
        ["listOperators", "inviteOperator", "resendInvitation"],
        [
            "/tenants/{tenant}/operators",
            "/tenants/{tenant}/operators/{operator}/invitation",
        ],
        [P::RolesView, P::RolesManage],
        "tenant_auditor",
    ));
    all
}

fn of_scope(
    [list_id, invite_id, resend_id]: [&'static str; 3],
    [people, invitation]: [&'static str; 2],
    [view, manage]: [P; 2],
    role: &str,
) -> Vec<Operation> {
    let new = json!({"name": "Kim New", "email": "kim@example.com", "role": role});
    vec![
        Operation::new(list_id, Method::GET, people, list)
            .summary("Lists operators with the roles they hold here.")
            .needs(view)
            .gives::<Listed<MemberView>>(),
        Operation::new(invite_id, Method::POST, people, invite)
            .summary("Invites a person and gives them a role; someone who is an operator already gets the role. Location is the role's.")
            .needs(manage)
            .takes::<InvitationBody>(new)
            .creates::<InvitedView>(),
        Operation::new(resend_id, Method::POST, invitation, resend)
            .summary("Sends an invitation again that nobody has accepted yet; the earlier link stops working.")
            .needs(manage)
            .gives::<InvitationView>(),
    ]
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
    /// When they first came with their account; `null` while they are only invited.
    accepted_at: Option<DateTime<Utc>>,
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
            accepted_at: operator.accepted_at,
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

/// What became of an invitation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvitationView {
    /// `sent`: on its way, unless the person can sign in already; `not_needed`; `tried` (dry run); `not_sent`.
    invitation: &'static str,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        let (invitation, reason) = match invitation {
            Invitation::Sent => ("sent", None),
            Invitation::NotNeeded => ("not_needed", None),
            Invitation::Tried => ("tried", None),
            Invitation::NotSent { reason } => ("not_sent", Some(reason)),
        };
        Self { invitation, reason }
    }
}

/// An operator with a new role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvitedView {
    operator: OperatorView,
    assignment: AssignmentView,
    #[serde(flatten)]
    invitation: InvitationView,
}

impl From<Invited> for InvitedView {
    fn from(invited: Invited) -> Self {
        Self {
            operator: invited.operator.into(),
            assignment: invited.assignment.into(),
            invitation: invited.invitation.into(),
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

async fn resend(
    at: ScopeOf,
    request: HttpRequest,
    write: Adding,
) -> Result<Answer<InvitationView>, Problem> {
    let sent = at
        .plane
        .resend_invitation(&at.caller, at.scope, named(&request)?, write.mode)
        .await?;
    Ok(Answer::ok(sent.into()).mode(write.mode))
}
