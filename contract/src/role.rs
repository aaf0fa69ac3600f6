//! Parties and built-in roles: who someone is, and which permissions that brings.
//!
//! A role gives permissions; the responsibility matrix decides whether the holder's party may use them
//! in this tenant. That is why the platform operator's role contains tenant permissions: the matrix, not
//! the role, is what keeps the vendor out (design section 1.1).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Invalid, permission::Permission, policies::PolicyKind};

/// One of the two sides of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Runs the platform.
    Vendor,
    /// Buys it, and governs its own tenant.
    Customer,
}

impl Party {
    /// Both parties.
    pub const ALL: [Party; 2] = [Self::Vendor, Self::Customer];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Customer => "customer",
        }
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Vendor => "Vendor",
            Self::Customer => "Customer",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Party {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|party| party.as_str() == text)
            .ok_or_else(|| Invalid::new("party", "must be vendor or customer"))
    }
}

/// A built-in role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything on the platform, staff included.
    PlatformOwner,
    /// Runs tenants and nodes.
    PlatformOperator,
    /// Looks, and helps by looking.
    SupportEngineer,
    /// Looks at everything, audit log included.
    PlatformAuditor,
    /// Everything in one tenant.
    TenantOwner,
    /// Policies, keys and evidence of one tenant.
    SecurityAdmin,
    /// Applications, APIs and their secrets.
    ApplicationDeveloper,
    /// Helps the tenant's users.
    UserSupport,
    /// Looks at everything in one tenant, audit log included.
    TenantAuditor,
}

impl Role {
    /// Every built-in role: the vendor's first, each side from most to least power.
    pub const ALL: [Role; 9] = [
        Self::PlatformOwner,
        Self::PlatformOperator,
        Self::SupportEngineer,
        Self::PlatformAuditor,
        Self::TenantOwner,
        Self::SecurityAdmin,
        Self::ApplicationDeveloper,
        Self::UserSupport,
        Self::TenantAuditor,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlatformOwner => "platform_owner",
            Self::PlatformOperator => "platform_operator",
            Self::SupportEngineer => "support_engineer",
            Self::PlatformAuditor => "platform_auditor",
            Self::TenantOwner => "tenant_owner",
            Self::SecurityAdmin => "security_admin",
            Self::ApplicationDeveloper => "application_developer",
            Self::UserSupport => "user_support",
            Self::TenantAuditor => "tenant_auditor",
        }
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::PlatformOwner => "Platform owner",
            Self::PlatformOperator => "Platform operator",
            Self::SupportEngineer => "Support engineer",
            Self::PlatformAuditor => "Platform auditor",
            Self::TenantOwner => "Tenant owner",
            Self::SecurityAdmin => "Security admin",
            Self::ApplicationDeveloper => "Application developer",
            Self::UserSupport => "User support",
            Self::TenantAuditor => "Tenant auditor",
        }
    }

    /// What the role is for, in one sentence.
    pub fn description(self) -> &'static str {
        match self {
            Self::PlatformOwner => "Everything on the platform, including the vendor's own staff.",
            Self::PlatformOperator => {
                "Runs tenants and nodes, and acts in a tenant where its matrix lets the vendor act."
            }
            Self::SupportEngineer => "Reads configuration to help a customer; changes nothing.",
            Self::PlatformAuditor => "Reads everything on the platform, including its audit log.",
            Self::TenantOwner => {
                "Everything in the tenant, including its operators and the responsibility matrix."
            }
            Self::SecurityAdmin => "Policies, keys and evidence of the tenant.",
            Self::ApplicationDeveloper => "Applications, APIs and their secrets.",
            Self::UserSupport => "Helps the tenant's users; sees settings and applications.",
            Self::TenantAuditor => "Reads everything in the tenant, including its audit log.",
        }
    }

    /// Which party's people may hold it. Platform roles reach every tenant, tenant roles exactly one.
    pub fn party(self) -> Party {
        match self {
            Self::PlatformOwner
            | Self::PlatformOperator
            | Self::SupportEngineer
            | Self::PlatformAuditor => Party::Vendor,
            _ => Party::Customer,
        }
    }

    /// Whether losing its last holder would lock the scope (R-ADM-02).
    pub fn is_owner(self) -> bool {
        matches!(self, Self::PlatformOwner | Self::TenantOwner)
    }

    /// Whether the role brings `permission`.
    pub fn grants(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::PlatformOwner => true,
            Self::PlatformOperator => !matches!(
                permission,
                P::StaffManage | P::RolesManage | P::ResponsibilitiesEdit
            ),
            Self::SupportEngineer => {
                permission.is_view()
                    && !matches!(
                        permission,
                        P::PlatformAuditView | P::AuditView | P::StaffView
                    )
            }
            Self::PlatformAuditor => permission.is_view(),
            Self::TenantOwner => !permission.is_platform(),
            Self::SecurityAdmin => {
                !permission.is_platform()
                    && !matches!(
                        permission,
                        P::RolesManage | P::ResponsibilitiesEdit | P::SettingsEdit
                    )
            }
            Self::ApplicationDeveloper => {
                matches!(
                    permission,
                    P::ApplicationsEdit
                        | P::SecretsManage
                        | P::ApisEdit
                        | P::ClientGrantsEdit
                        | P::PolicyDraft(PolicyKind::Token | PolicyKind::Machine)
                ) || Self::UserSupport.grants(permission)
                    || matches!(permission, P::PoliciesView | P::KeysView)
            }
            Self::UserSupport => matches!(
                permission,
                P::SettingsView | P::ApplicationsView | P::ResponsibilitiesView
            ),
            Self::TenantAuditor => permission.is_view() && !permission.is_platform(),
        }
    }

    /// Everything the role brings.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        Permission::all()
            .iter()
            .copied()
            .filter(move |permission| self.grants(*permission))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Invalid::new("role", "is not one of the built-in roles"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customer_roles_never_reach_the_platform() {
        for role in Role::ALL
            .into_iter()
            .filter(|role| role.party() == Party::Customer)
        {
            assert!(
                role.permissions()
                    .all(|permission| !permission.is_platform()),
                "{role}"
            );
        }
    }

    #[test]
    fn auditors_and_support_only_read() {
        for role in [
            Role::PlatformAuditor,
            Role::SupportEngineer,
            Role::TenantAuditor,
            Role::UserSupport,
        ] {
            assert!(role.permissions().all(Permission::is_view), "{role}");
        }
    }

    #[test]
    fn every_permission_is_held_by_some_role() {
        for permission in Permission::all() {
            assert!(
                Role::ALL.iter().any(|role| role.grants(*permission)),
                "{permission}"
            );
        }
    }

    #[test]
    fn the_table_is_reviewed() {
        let table: String = Role::ALL
            .iter()
            .map(|role| {
                let keys: Vec<String> = role.permissions().map(Permission::key).collect();
                format!("{role}\n  {}\n", keys.join("\n  "))
            })
            .collect();
        insta::assert_snapshot!(table);
    }
}
