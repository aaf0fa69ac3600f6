//! `/v1/duties`, `/v1/roles` and `/v1/me`: what exists, and what of it the caller holds.

use actix_web::http::Method;
use contract::{
    duty::{Area, DutyKey, Standing},
    ids::{OperatorId, TenantId, UserId},
    permission::Permission,
    role::{Party, Role},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::Asking,
    operation::{Access, Operation},
    problem::Problem,
};
use crate::{HeldRole, Scope};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listDuties", Method::GET, "/duties", duties)
            .summary("Lists the duty catalogue.")
            .needs(Access::Operator)
            .gives::<Listed<DutyView>>(),
        Operation::new("listRoles", Method::GET, "/roles", roles)
            .summary("Lists the built-in roles and what they bring.")
            .needs(Access::Operator)
            .gives::<Listed<RoleView>>(),
        Operation::new("getMe", Method::GET, "/me", me)
            .summary(
                "Says who the caller is, which roles they hold where, and what they may do there.",
            )
            .needs(Access::Operator)
            .gives::<MeView>(),
    ]
}

/// A duty.
#[derive(Debug, Serialize, ToSchema)]
struct DutyView {
    key: DutyKey,
    area: Area,
    title: &'static str,
    sentence: &'static str,
    permissions: Vec<Permission>,
    /// Whether the product enforces it, people owe it to each other, or it waits for its feature.
    standing: Standing,
    /// What the accountable party owes beyond the API; empty if nothing.
    obligation: &'static str,
    /// The outcome of NIST CSF 2.0 it serves.
    csf: &'static str,
    /// Who is accountable in a new tenant.
    accountable: Party,
    /// Whose people may act in a new tenant.
    actors: Vec<Party>,
}

impl From<DutyKey> for DutyView {
    fn from(key: DutyKey) -> Self {
        let duty = key.duty();
        Self {
            key,
            area: duty.area,
            title: duty.title,
            sentence: duty.sentence,
            permissions: duty.permissions.to_vec(),
            standing: duty.standing(),
            obligation: duty.obligation,
            csf: duty.csf,
            accountable: duty.accountable,
            actors: duty.actors.to_vec(),
        }
    }
}

/// A built-in role.
#[derive(Debug, Serialize, ToSchema)]
struct RoleView {
    role: Role,
    title: &'static str,
    description: &'static str,
    /// Whose people may hold it.
    party: Party,
    permissions: Vec<Permission>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            role,
            title: role.title(),
            description: role.description(),
            party: role.party(),
            permissions: role.permissions().collect(),
        }
    }
}

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
struct MeView {
    operator: OperatorId,
    subject: UserId,
    name: String,
    party: Party,
    scopes: Vec<ScopeView>,
}

/// What the caller holds and may do in one scope.
#[derive(Debug, Serialize, ToSchema)]
struct ScopeView {
    /// The tenant; absent for the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    roles: Vec<Role>,
    /// What is left of the roles after the responsibility matrix. For the platform only its own powers:
    /// what staff may do in a tenant depends on that tenant's matrix.
    permissions: Vec<Permission>,
}

async fn duties(_: Asking) -> Listed<DutyView> {
    Listed::all(DutyKey::all())
}

async fn roles(_: Asking) -> Listed<RoleView> {
    Listed::all(Role::ALL)
}

async fn me(ask: Asking) -> Result<Answer<MeView>, Problem> {
    let mut held: Vec<HeldRole> = ask.caller.roles().to_vec();
    held.sort_by_key(|held| (held.scope, held.role));
    let mut scopes = Vec::new();
    for group in held.chunk_by(|one, next| one.scope == next.scope) {
        scopes.push(scope_of(&ask, group).await?);
    }
    Ok(Answer::ok(MeView {
        operator: ask.caller.operator(),
        subject: ask.caller.subject(),
        name: ask.caller.name().to_owned(),
        party: ask.caller.party(),
        scopes,
    }))
}

async fn scope_of(ask: &Asking, held: &[HeldRole]) -> Result<ScopeView, Problem> {
    let (tenant, platform) = match held[0].scope {
        Scope::Tenant(tenant) => (tenant, false),
        Scope::Platform => (ask.platform().await?, true),
    };
    let questions: Vec<Permission> = Permission::all()
        .iter()
        .copied()
        .filter(|permission| permission.is_platform() == platform)
        .collect();
    Ok(ScopeView {
        tenant: (!platform).then_some(tenant),
        roles: held.iter().map(|held| held.role).collect(),
        permissions: ask.plane.allowed(&ask.caller, tenant, &questions).await?,
    })
}
