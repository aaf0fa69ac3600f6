//! The duty catalogue: powers and obligations that belong together, and who has them unless agreed otherwise.
//!
//! It is data, versioned with the code. Each permission belongs to exactly one duty (a test proves it and
//! prints the table as a snapshot that people review). A duty without permissions is an obligation whose
//! proof lies outside the API, such as patching; it still has a row in each tenant's matrix (R-ADM-03).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    permission::Permission::{self, *},
    policies::PolicyKind as K,
    role::Party::{self, *},
};

/// The part of the service a duty belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Policies.
    Policy,
    /// Who may administer.
    AdminAccess,
    /// Applications and machines.
    Applications,
    /// End-user data.
    UserData,
    /// Keys and secrets.
    Keys,
    /// Operation of the service.
    Operation,
    /// Incidents.
    Incidents,
    /// Evidence and exit.
    Evidence,
}

impl Area {
    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Policy => "Policy",
            Self::AdminAccess => "Admin access",
            Self::Applications => "Applications and machines",
            Self::UserData => "End-user data",
            Self::Keys => "Keys and secrets",
            Self::Operation => "Operation of the service",
            Self::Incidents => "Incidents",
            Self::Evidence => "Evidence and exit",
        }
    }
}

/// One entry of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Duty {
    /// Its key on the wire, for example `policy.sign_in`.
    pub key: &'static str,
    /// Where it belongs.
    pub area: Area,
    /// Its name.
    pub title: &'static str,
    /// What it means, in one sentence anyone understands.
    pub sentence: &'static str,
    /// The permissions it covers.
    pub permissions: &'static [Permission],
    /// What the accountable party owes beyond the API; empty if nothing.
    pub obligation: &'static str,
    /// NIST CSF 2.0 outcome it serves.
    pub csf: &'static str,
    /// Who is accountable in a new tenant.
    pub accountable: Party,
    /// Whose people may act in a new tenant.
    pub actors: &'static [Party],
}

/// What stands behind a duty today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The product enforces who may act.
    Enforced,
    /// People owe it to each other; its proof lies outside the product.
    Obligation,
    /// It is agreed already, and the product has nothing yet that could be done under it.
    Planned,
}

impl Standing {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Obligation => "obligation",
            Self::Planned => "planned",
        }
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Enforced => "Enforced",
            Self::Obligation => "Obligation",
            Self::Planned => "Planned",
        }
    }
}

impl Duty {
    /// What stands behind the duty today.
    pub fn standing(&self) -> Standing {
        if self.permissions.is_empty() {
            return Standing::Obligation;
        }
        match self.permissions.iter().any(|power| power.is_usable()) {
            true => Standing::Enforced,
            false => Standing::Planned,
        }
    }
}

/// A duty's key: a position in the catalogue, so only duties that exist can be named; ordered as people read it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DutyKey(usize);

const BOTH: &[Party] = &[Vendor, Customer];
const CUSTOMER: &[Party] = &[Customer];
const VENDOR: &[Party] = &[Vendor];

macro_rules! catalogue {
    ($($key:literal, $area:ident, $title:literal, $sentence:literal, [$($permission:expr),*], $obligation:literal, $csf:literal, $accountable:ident, $actors:ident;)*) => {
        /// The catalogue, by area.
        pub const CATALOGUE: &[Duty] = &[$(Duty {
            key: $key, area: Area::$area, title: $title, sentence: $sentence, permissions: &[$($permission),*],
            obligation: $obligation, csf: $csf, accountable: $accountable, actors: $actors,
        },)*];
    };
}

catalogue! {
    "policy.sign_in", Policy, "Sign-in policy", "Decides what a person must prove to sign in.",
        [PolicyDraft(K::Authentication), PolicyPublish(K::Authentication), PolicyDraft(K::Password), PolicyPublish(K::Password),
         PolicyDraft(K::Mfa), PolicyPublish(K::Mfa), PolicyDraft(K::Risk), PolicyPublish(K::Risk)],
        "", "PR.AA-03", Customer, CUSTOMER;
    "policy.sessions", Policy, "Session and token policy", "Decides how long sign-ins and tokens last.",
        [PolicyDraft(K::Session), PolicyPublish(K::Session), PolicyDraft(K::Token), PolicyPublish(K::Token)],
        "", "PR.AA-05", Customer, CUSTOMER;
    "policy.registration", Policy, "Registration and consent policy", "Decides who may create an account and what people are asked to agree to.",
        [PolicyDraft(K::Registration), PolicyPublish(K::Registration), PolicyDraft(K::Consent), PolicyPublish(K::Consent)],
        "", "PR.AA-02", Customer, CUSTOMER;
    "policy.recovery", Policy, "Recovery policy", "Decides how a person who lost access gets back in.",
        [PolicyDraft(K::Recovery), PolicyPublish(K::Recovery)], "", "PR.AA-02", Customer, CUSTOMER;
    "policy.federation", Policy, "Federation policy", "Decides which other identity providers are believed.",
        [PolicyDraft(K::Federation), PolicyPublish(K::Federation)], "", "PR.AA-04", Customer, CUSTOMER;
    "policy.machines", Policy, "Machine identity policy", "Decides what service accounts and agents must satisfy.",
        [PolicyDraft(K::Machine), PolicyPublish(K::Machine)], "", "PR.AA-01", Customer, CUSTOMER;
    "policy.retention", Policy, "Retention policy", "Decides how long data about people is kept.",
        [PolicyDraft(K::Retention), PolicyPublish(K::Retention)], "", "GV.PO-01", Customer, CUSTOMER;
    "policy.oversight", Policy, "Configuration oversight", "Sees how the tenant is configured, without any personal data.",
        [PoliciesView, SettingsView, ApplicationsView, RolesView, ResponsibilitiesView], "", "GV.OV-01", Customer, BOTH;
    "access.operators", AdminAccess, "Tenant operators", "Decides who may administer the tenant, and as what.",
        [RolesManage], "Review who holds which role at least yearly.", "PR.AA-05", Customer, CUSTOMER;
    "access.responsibilities", AdminAccess, "Responsibility matrix", "Keeps this matrix true.",
        [ResponsibilitiesEdit], "Confirm the matrix at least yearly.", "GV.RR-02", Customer, BOTH;
    "access.staff", AdminAccess, "Vendor staff", "Decides who at the vendor may work on the platform, and as what.",
        [StaffView, StaffManage], "Screen and train staff; remove access on the day they leave.", "GV.RR-04", Vendor, VENDOR;
    "applications.registration", Applications, "Applications", "Decides which applications people may sign in to.",
        [ApplicationsEdit], "", "PR.AA-01", Customer, CUSTOMER;
    "applications.apis", Applications, "APIs and client grants", "Decides which application may call which API.",
        [ApisEdit, ClientGrantsEdit], "", "PR.AA-05", Customer, CUSTOMER;
    "applications.secrets", Applications, "Application secrets", "Makes, rotates and revokes the secrets of applications.",
        [SecretsManage], "Keep secrets out of code and logs.", "PR.AA-01", Customer, CUSTOMER;
    "users.data", UserData, "End-user data", "Answers to people about the data held on them.",
        [], "Answer requests of data subjects in the legal time.", "GV.OC-03", Customer, CUSTOMER;
    "keys.signing", Keys, "Token signing keys", "Knows which keys sign the tenant's tokens, and has them rotated.",
        [KeysView], "Rotate at least yearly, and at once on suspicion.", "PR.DS-01", Customer, BOTH;
    "service.tenants", Operation, "Tenant provisioning", "Creates, suspends and resumes tenants.",
        [TenantsView, TenantsCreate, TenantsUpdate], "", "GV.SC-05", Vendor, VENDOR;
    "service.settings", Operation, "Tenant settings", "Names the tenant and its address.",
        [SettingsEdit], "", "GV.SC-05", Customer, BOTH;
    "service.nodes", Operation, "Node operation", "Runs the nodes that answer sign-ins.",
        [NodesView, NodesManage], "Keep every node at a confirmed release.", "PR.IR-03", Vendor, VENDOR;
    "service.rollouts", Operation, "Staged rollouts", "Decides when a release leaves the canary ring, or goes back.",
        [RolloutsView, RolloutsManage], "Give a reason for each release that is let through before its time.", "PR.PS-01", Vendor, VENDOR;
    "service.availability", Operation, "Availability", "Keeps sign-in working.",
        [], "Meet the agreed availability, and report it monthly.", "PR.IR-04", Vendor, VENDOR;
    "service.patching", Operation, "Patching", "Keeps the software free of known vulnerabilities.",
        [], "Fix critical vulnerabilities within 72 hours.", "PR.PS-02", Vendor, VENDOR;
    "service.backup", Operation, "Backup and restore", "Can bring back what was lost.",
        [], "Back up daily; rehearse a restore twice a year.", "PR.DS-11", Vendor, VENDOR;
    "incidents.containment", Incidents, "Incident containment", "Stops an attack that is under way.",
        [ContainmentsView, ContainmentsManage], "Either side may act at once, and tells the other.", "RS.MI-01", Customer, BOTH;
    "incidents.notice", Incidents, "Incident notice", "Tells the customer about an incident that concerns it.",
        [], "Notify within 24 hours of knowing.", "RS.CO-02", Vendor, VENDOR;
    "evidence.audit", Evidence, "Tenant audit log", "Reads who changed or saw what in the tenant.",
        [AuditView], "Review at least monthly.", "DE.CM-06", Customer, BOTH;
    "evidence.platform_audit", Evidence, "Platform audit log", "Reads what vendor staff did on the platform.",
        [PlatformAuditView], "Review at least weekly.", "DE.CM-06", Vendor, VENDOR;
    "exit.export", Evidence, "Exit and export", "Can leave with its data at any time.",
        [], "Rehearse the export at least yearly.", "GV.SC-10", Customer, CUSTOMER;
}

impl DutyKey {
    /// Every key of the catalogue.
    pub fn all() -> impl Iterator<Item = DutyKey> {
        (0..CATALOGUE.len()).map(DutyKey)
    }

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        self.duty().key
    }

    /// The catalogue entry.
    pub fn duty(self) -> &'static Duty {
        &CATALOGUE[self.0]
    }

    /// The duty that covers `permission`.
    pub fn covering(permission: Permission) -> DutyKey {
        Self::all()
            .find(|key| key.duty().permissions.contains(&permission))
            .expect("each permission belongs to a duty; the test below proves it")
    }
}

impl fmt::Debug for DutyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for DutyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DutyKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::all()
            .find(|key| key.as_str() == text)
            .ok_or_else(|| Invalid::new("duty", "is not in the catalogue"))
    }
}

impl TryFrom<String> for DutyKey {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<DutyKey> for String {
    fn from(key: DutyKey) -> String {
        key.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_belongs_to_exactly_one_duty() {
        for permission in Permission::all() {
            let owners: Vec<_> = CATALOGUE
                .iter()
                .filter(|duty| duty.permissions.contains(permission))
                .map(|duty| duty.key)
                .collect();
            assert_eq!(owners.len(), 1, "{permission} is covered by {owners:?}");
        }
    }

    #[test]
    fn the_catalogue_is_well_formed() {
        assert!(CATALOGUE.len() >= 15);
        for (position, duty) in CATALOGUE.iter().enumerate() {
            assert!(
                CATALOGUE[..position]
                    .iter()
                    .all(|earlier| earlier.key != duty.key),
                "{} twice",
                duty.key
            );
            assert!(
                duty.actors.contains(&duty.accountable),
                "{}: who is accountable must be able to act",
                duty.key
            );
            assert!(
                !duty.permissions.is_empty() || !duty.obligation.is_empty(),
                "{} demands nothing",
                duty.key
            );
            assert!(duty.sentence.ends_with('.'), "{}", duty.key);
            assert_eq!(duty.key.parse::<DutyKey>().unwrap().duty(), duty);
        }
        assert!("policy.nonsense".parse::<DutyKey>().is_err());
    }

    /// A planned duty becomes enforced with the first document of its kind, without anybody remembering to.
    #[test]
    fn duties_without_a_feature_say_so() {
        let planned: Vec<_> = CATALOGUE
            .iter()
            .filter(|duty| duty.standing() == Standing::Planned)
            .map(|duty| duty.key)
            .collect();
        assert_eq!(
            planned,
            [
                "policy.recovery", "policy.federation", "policy.machines", "policy.retention"
            ]
        );
        let standing = |key: &str| key.parse::<DutyKey>().unwrap().duty().standing();
        assert_eq!(standing("policy.sign_in"), Standing::Enforced);
        assert_eq!(standing("service.patching"), Standing::Obligation);
    }

    #[test]
    fn the_table_is_reviewed() {
        let table: String = CATALOGUE
            .iter()
            .map(|duty| {
                let actors: Vec<_> = duty.actors.iter().map(|party| party.as_str()).collect();
                let permissions: Vec<_> = duty
                    .permissions
                    .iter()
                    .map(|permission| format!("    {permission}\n"))
                    .collect();
                format!(
                    "{} | accountable {} | acts {}\n{}",
                    duty.key,
                    duty.accountable,
                    actors.join("+"),
                    permissions.concat()
                )
            })
            .collect();
        insta::assert_snapshot!(table);
    }
}
