//! Permissions: every power in the system, by name.
//!
//! A permission is `scope.object.verb`. The list is closed: the admin API's operations, the roles, the
//! duty catalogue and the console's navigation all speak of these values, so that a power without an
//! owner cannot exist (R-ADM-01; the test in [`crate::duty`] proves coverage).

use std::{fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    policies::{Policy, PolicyKind},
};

/// A power over something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Permission {
    /// See the list of tenants and their state, without personal data.
    TenantsView,
    /// Create a tenant and invite its first admin.
    TenantsCreate,
    /// Rename, suspend or resume a tenant.
    TenantsUpdate,
    /// See nodes and what each one holds.
    NodesView,
    /// Register and remove nodes.
    NodesManage,
    /// See which releases are on their way to all nodes, and why they wait.
    RolloutsView,
    /// Hold releases, let them through before their time, and roll them back.
    RolloutsManage,
    /// See the vendor's own staff and their roles.
    StaffView,
    /// Invite vendor staff, give and take their roles.
    StaffManage,
    /// Read the platform's audit log.
    PlatformAuditView,
    /// See a tenant's settings and releases.
    SettingsView,
    /// Change a tenant's settings.
    SettingsEdit,
    /// See a tenant's policies, drafts and history.
    PoliciesView,
    /// Write a draft of one kind of policy.
    PolicyDraft(PolicyKind),
    /// Publish a draft of one kind of policy.
    PolicyPublish(PolicyKind),
    /// See a tenant's applications, APIs and client grants.
    ApplicationsView,
    /// Create, change, disable and delete applications.
    ApplicationsEdit,
    /// Make and revoke application secrets.
    SecretsManage,
    /// Create, change and delete APIs.
    ApisEdit,
    /// Allow an application to call an API.
    ClientGrantsEdit,
    /// See a tenant's operators and their roles.
    RolesView,
    /// Invite a tenant's operators, give and take their roles.
    RolesManage,
    /// See the responsibility matrix.
    ResponsibilitiesView,
    /// Change the responsibility matrix.
    ResponsibilitiesEdit,
    /// See which public keys sign a tenant's tokens.
    KeysView,
    /// See what is contained in a tenant, and the receipts.
    ContainmentsView,
    /// Contain a tenant, or something or somebody of it, and lift that again.
    ContainmentsManage,
    /// Read a tenant's audit log.
    AuditView,
}

/// Permissions that take no parameter, with their keys and sentences.
const PLAIN: &[(Permission, &str, &str)] = &[
    (
        Permission::TenantsView,
        "platform.tenants.view",
        "see tenants and their state",
    ),
    (
        Permission::TenantsCreate,
        "platform.tenants.create",
        "create tenants and invite their first admin",
    ),
    (
        Permission::TenantsUpdate,
        "platform.tenants.update",
        "rename, suspend or resume tenants",
    ),
    (
        Permission::NodesView,
        "platform.nodes.view",
        "see nodes and what each one holds",
    ),
    (
        Permission::NodesManage,
        "platform.nodes.manage",
        "register and remove nodes",
    ),
    (
        Permission::RolloutsView,
        "platform.rollouts.view",
        "see rollouts and why they wait",
    ),
    (
        Permission::RolloutsManage,
        "platform.rollouts.manage",
        "hold releases, let them through before their time, and roll them back",
    ),
    (
        Permission::StaffView,
        "platform.staff.view",
        "see vendor staff and their roles",
    ),
    (
        Permission::StaffManage,
        "platform.staff.manage",
        "invite vendor staff and assign their roles",
    ),
    (
        Permission::PlatformAuditView,
        "platform.audit.view",
        "read the platform's audit log",
    ),
    (
        Permission::SettingsView,
        "tenant.settings.view",
        "see the tenant's settings and releases",
    ),
    (
        Permission::SettingsEdit,
        "tenant.settings.edit",
        "change the tenant's settings",
    ),
    (
        Permission::PoliciesView,
        "tenant.policies.view",
        "see policies, drafts and history",
    ),
    (
        Permission::ApplicationsView,
        "tenant.applications.view",
        "see applications, APIs and client grants",
    ),
    (
        Permission::ApplicationsEdit,
        "tenant.applications.edit",
        "create, change, disable and delete applications",
    ),
    (
        Permission::SecretsManage,
        "tenant.secrets.manage",
        "make and revoke application secrets",
    ),
    (
        Permission::ApisEdit,
        "tenant.apis.edit",
        "create, change and delete APIs",
    ),
    (
        Permission::ClientGrantsEdit,
        "tenant.client_grants.edit",
        "allow applications to call APIs",
    ),
    (
        Permission::RolesView,
        "tenant.roles.view",
        "see operators and their roles",
    ),
    (
        Permission::RolesManage,
        "tenant.roles.manage",
        "invite operators and assign their roles",
    ),
    (
        Permission::ResponsibilitiesView,
        "tenant.responsibilities.view",
        "see the responsibility matrix",
    ),
    (
        Permission::ResponsibilitiesEdit,
        "tenant.responsibilities.edit",
        "change the responsibility matrix",
    ),
    (
        Permission::KeysView,
        "tenant.keys.view",
        "see the public signing keys",
    ),
    (
        Permission::ContainmentsView,
        "tenant.containments.view",
        "see what is contained, and the receipts",
    ),
    (
        Permission::ContainmentsManage,
        "tenant.containments.manage",
        "contain users, sessions, applications, keys or the whole tenant, and lift that again",
    ),
    (
        Permission::AuditView,
        "tenant.audit.view",
        "read the tenant's audit log",
    ),
];

static ALL: LazyLock<Vec<Permission>> = LazyLock::new(|| {
    let plain = PLAIN.iter().map(|(permission, ..)| *permission);
    let policies = PolicyKind::ALL.iter().flat_map(|kind| {
        [
            Permission::PolicyDraft(*kind),
            Permission::PolicyPublish(*kind),
        ]
    });
    plain.chain(policies).collect()
});

impl Permission {
    /// Every permission that exists.
    pub fn all() -> &'static [Permission] {
        &ALL
    }

    /// The wire form, for example `tenant.policies.password.publish`.
    pub fn key(self) -> String {
        match self {
            Self::PolicyDraft(kind) => format!("tenant.policies.{kind}.draft"),
            Self::PolicyPublish(kind) => format!("tenant.policies.{kind}.publish"),
            plain => Self::row(plain).1.to_owned(),
        }
    }

    /// What it allows, as a phrase that follows "may".
    pub fn phrase(self) -> String {
        match self {
            Self::PolicyDraft(kind) => format!("draft the {} policy", kind.title().to_lowercase()),
            Self::PolicyPublish(kind) => {
                format!("publish the {} policy", kind.title().to_lowercase())
            }
            plain => Self::row(plain).2.to_owned(),
        }
    }

    /// Whether the power is over the platform rather than over one tenant.
    pub fn is_platform(self) -> bool {
        self.key().starts_with("platform.")
    }

    /// Whether the product has anything yet that takes the power: policies of some kinds have no documents.
    pub fn is_usable(self) -> bool {
        match self {
            Self::PolicyDraft(kind) | Self::PolicyPublish(kind) => Policy::WRITABLE.contains(&kind),
            _ => true,
        }
    }

    /// Whether the power only reads.
    pub fn is_view(self) -> bool {
        self.key().ends_with(".view")
    }

    fn row(self) -> &'static (Permission, &'static str, &'static str) {
        PLAIN
            .iter()
            .find(|(permission, ..)| *permission == self)
            .expect("every variant without parameter has a row; the test below walks them")
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

impl FromStr for Permission {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::all()
            .iter()
            .copied()
            .find(|permission| permission.key() == text)
            .ok_or_else(|| Invalid::new("permission", "is not known"))
    }
}

impl TryFrom<String> for Permission {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> String {
        permission.key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_parse() {
        let mut keys: Vec<String> = Permission::all()
            .iter()
            .map(|permission| permission.key())
            .collect();
        for (key, permission) in keys.iter().zip(Permission::all()) {
            assert_eq!(key.parse::<Permission>().unwrap(), *permission);
            assert!(!permission.phrase().is_empty());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), Permission::all().len());
        assert_eq!(
            Permission::all().len(),
            PLAIN.len() + 2 * PolicyKind::ALL.len()
        );
    }
}
