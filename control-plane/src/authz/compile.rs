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

use crate::tenants::Tenant;

const DUTY_PREFIX: &str = "duty:";

/// The permits of all roles in a customer's tenant: the same for each, parsed once.
static IN_TENANTS: LazyLock<Vec<Policy>> = LazyLock::new(|| permits(Ground::Customer));
/// The permits of all roles in the platform's own tenant.
static IN_PLATFORM: LazyLock<Vec<Policy>> = LazyLock::new(|| permits(Ground::Platform));

/// Whose tenant a role is used in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A customer's.
    Customer,
    /// The vendor's own, whose tokens every operator signs in with.
    Platform,
}

impl Ground {
    /// Whose tenant it is.
    pub(crate) fn of(tenant: &Tenant) -> Self {
        match tenant.is_platform() {
            true => Self::Platform,
            false => Self::Customer,
        }
    }

    /// The row a matrix there begins with; also that of a duty younger than the matrix.
    pub(crate) fn row(self, duty: DutyKey) -> Responsibility {
        match self {
            Self::Customer => Responsibility::default_for(duty),
            Self::Platform => Responsibility::platform(duty),
        }
    }
}

/// Whether `role` brings `permission` there.
///
/// Whoever changes the platform's own tenant could sign in as anyone who has an account there, customers'
/// owners included: there, each power that changes something belongs to those who may give out any role
/// (R-ADM-02).
pub(super) fn brings(role: Role, permission: Permission, ground: Ground) -> bool {
    let changes_own_tenant =
        ground == Ground::Platform && !permission.is_platform() && !permission.is_view();
    role.grants(permission) && (!changes_own_tenant || role.grants(Permission::StaffManage))
}

fn permits(ground: Ground) -> Vec<Policy> {
    let permit = |role: Role| {
        let brought: Vec<Permission> = role
            .permissions()
            .filter(|permission| brings(role, *permission, ground))
            .collect();
        let text = format!(
            "permit(principal in Role::\"{role}\", action in [{}], resource);",
            actions(brought.into_iter())
        );
        Policy::parse(Some(PolicyId::new(format!("role:{role}"))), text)
            .expect("the text is made of role and permission names, which a test compiles")
    };
    Role::ALL.into_iter().map(permit).collect()
}

/// A tenant's policies: every role's permit, and a forbid for each duty that keeps a party out.
pub(super) fn policies(ground: Ground, matrix: &[Responsibility]) -> PolicySet {
    let roles = match ground {
        Ground::Customer => &IN_TENANTS,
        Ground::Platform => &IN_PLATFORM,
    };
    let forbids = DutyKey::all().filter_map(|duty| {
        // A duty younger than the tenant's matrix acts as the catalogue says.
        let stored = matrix.iter().find(|row| row.duty == duty);
        forbid(&stored.map_or_else(|| ground.row(duty), Clone::clone))
    });
    let mut set = PolicySet::new();
    for policy in roles.iter().cloned().chain(forbids) {
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
