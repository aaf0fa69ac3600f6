//! Roles and matrix as Cedar policies.
//!
//! The text is built only from closed lists of our own (roles, permissions, duties, parties), never from
//! what anyone typed, so there is nothing to escape.

use std::{str::FromStr, sync::LazyLock};

use cedar_policy::{
    EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, RestrictedExpression,
};
use contract::{
    duty::DutyKey,
    ids::TenantId,
    permission::Permission,
    responsibility::Responsibility,
    role::{Party, Role},
};

const DUTY_PREFIX: &str = "duty:";

/// The permits of all roles: the same for each tenant, parsed once.
static ROLES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    Role::ALL
        .into_iter()
        .map(|role| {
            let text = format!(
                "permit(principal in Role::\"{role}\", action in [{}], resource);",
                actions(role.permissions())
            );
            Policy::parse(Some(PolicyId::new(format!("role:{role}"))), text)
                .expect("the text is made of role and permission names, which a test compiles")
        })
        .collect()
});

/// A tenant's policies: every role's permit, and a forbid for each duty that keeps a party out.
pub(super) fn policies(matrix: &[Responsibility]) -> PolicySet {
    let forbids = DutyKey::all().filter_map(|duty| {
        // A duty younger than the tenant's matrix acts as the catalogue says.
        let stored = matrix.iter().find(|row| row.duty == duty);
        forbid(&stored.map_or_else(|| Responsibility::default_for(duty), Clone::clone))
    });
    let mut set = PolicySet::new();
    for policy in ROLES.iter().cloned().chain(forbids) {
        set.add(policy)
            .expect("roles and duties have distinct names, and so have their policies");
    }
    set
}

fn forbid(row: &Responsibility) -> Option<Policy> {
    let permissions = row.duty.duty().permissions;
    if permissions.is_empty() || Party::ALL.iter().all(|party| row.actors.contains(party)) {
        return None;
    }
    let actors: Vec<String> = row
        .actors
        .iter()
        .map(|party| format!("\"{party}\""))
        .collect();
    let text = format!(
        "forbid(principal, action in [{}], resource) unless {{ [{}].contains(principal.party) }};",
        actions(permissions.iter().copied()),
        actors.join(", ")
    );
    let id = PolicyId::new(format!("{DUTY_PREFIX}{}", row.duty));
    let policy = Policy::parse(Some(id), text)
        .expect("the text is made of permission and party names, which a test compiles");
    Some(policy)
}

fn actions(permissions: impl Iterator<Item = Permission>) -> String {
    permissions
        .map(|permission| format!("Action::\"{permission}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The duty behind a policy's name, if it is a duty's.
pub(super) fn duty_of(policy: &str) -> Option<DutyKey> {
    policy.strip_prefix(DUTY_PREFIX)?.parse().ok()
}

/// The person who asks.
pub(super) fn principal(id: &str) -> EntityUid {
    uid(&OPERATOR, id)
}

/// A role, as a group of people.
pub(super) fn role_entity(role: Role) -> EntityUid {
    uid(&ROLE, role.as_str())
}

/// A permission, as an action.
pub(super) fn action(permission: Permission) -> EntityUid {
    uid(&ACTION, &permission.key())
}

/// A tenant, as what is acted on.
pub(super) fn resource(tenant: TenantId) -> EntityUid {
    uid(&TENANT, &tenant.to_string())
}

/// A text attribute.
pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

static OPERATOR: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Operator"));
static ROLE: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Role"));
static ACTION: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Action"));
static TENANT: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Tenant"));

fn type_name(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("the four names above are identifiers")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
