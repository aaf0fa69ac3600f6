//! Policies: what a tenant requires of sign-in, passwords, sessions, tokens and registration.
//!
//! A tenant has one published document per kind. Each kind is one file with its own rules and floors;
//! [`Policy`] is the sum of them, tagged by kind on the wire, so a new kind is one file and one line.
//! Documents carry the floor with them: a value below it cannot be constructed (R-PWD-01, R-SESS-04).

mod authentication;
mod password;
mod registration;
mod session;
mod token;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    authentication::AuthenticationPolicy,
    password::{MAX_PASSWORD_CHARS, MIN_LENGTH_FLOOR, PasswordPolicy},
    registration::{RegistrationMode, RegistrationPolicy},
    session::SessionPolicy,
    token::TokenPolicy,
};
use crate::Invalid;

macro_rules! policy_kinds {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $title:literal;)*) => {
        /// The area a policy governs. Every kind has its place in the duty catalogue, also those whose
        /// documents nodes do not evaluate yet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum PolicyKind { $($(#[$doc])* $name,)* }

        impl PolicyKind {
            /// Every kind.
            pub const ALL: &'static [PolicyKind] = &[$(Self::$name,)*];

            /// The wire and URL form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// The name people read.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

policy_kinds! {
    /// Which factors sign a person in, and how failures are slowed down.
    Authentication = "authentication", "Sign-in";
    /// What a password must be.
    Password = "password", "Passwords";
    /// When a second factor is required.
    Mfa = "mfa", "Second factor";
    /// How long a person stays signed in.
    Session = "session", "Sessions";
    /// How long tokens live and how they rotate.
    Token = "token", "Tokens";
    /// Who may create an account, and how.
    Registration = "registration", "Registration";
    /// How a person gets back in.
    Recovery = "recovery", "Recovery";
    /// Which purposes people are asked about.
    Consent = "consent", "Consent";
    /// Which other identity providers are believed.
    Federation = "federation", "Federation";
    /// What unusual circumstances demand.
    Risk = "risk", "Risk";
    /// What machine identities must satisfy.
    Machine = "machine", "Machine identities";
    /// How long data is kept.
    Retention = "retention", "Retention";
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicyKind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Invalid::new("policy kind", "is not known"))
    }
}

/// A policy document of any kind: `{"kind": "password", "min_length": 15, …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Policy {
    /// Sign-in.
    Authentication(AuthenticationPolicy),
    /// Passwords.
    Password(PasswordPolicy),
    /// Sessions.
    Session(SessionPolicy),
    /// Tokens.
    Token(TokenPolicy),
    /// Registration.
    Registration(RegistrationPolicy),
}

impl Policy {
    /// The kinds that have a document today, in the order in which people read them.
    pub const WRITABLE: [PolicyKind; 5] = [
        PolicyKind::Authentication,
        PolicyKind::Password,
        PolicyKind::Session,
        PolicyKind::Token,
        PolicyKind::Registration,
    ];

    /// The document's kind.
    pub fn kind(&self) -> PolicyKind {
        match self {
            Self::Authentication(_) => PolicyKind::Authentication,
            Self::Password(_) => PolicyKind::Password,
            Self::Session(_) => PolicyKind::Session,
            Self::Token(_) => PolicyKind::Token,
            Self::Registration(_) => PolicyKind::Registration,
        }
    }

    /// The document a new tenant starts with, or `None` for a kind without documents yet.
    pub fn default_for(kind: PolicyKind) -> Option<Policy> {
        match kind {
            PolicyKind::Authentication => {
                Some(Self::Authentication(AuthenticationPolicy::default()))
            }
            PolicyKind::Password => Some(Self::Password(PasswordPolicy::default())),
            PolicyKind::Session => Some(Self::Session(SessionPolicy::default())),
            PolicyKind::Token => Some(Self::Token(TokenPolicy::default())),
            PolicyKind::Registration => Some(Self::Registration(RegistrationPolicy::default())),
            _ => None,
        }
    }

    /// Checks the document against the floors of its kind.
    ///
    /// # Errors
    /// The first rule the document breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Authentication(policy) => policy.check(),
            Self::Password(policy) => policy.check(),
            Self::Session(policy) => policy.check(),
            Self::Token(policy) => policy.check(),
            Self::Registration(policy) => policy.check(),
        }
    }
}

/// The `policies` section of a release: one published document per kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySet {
    /// Sign-in.
    pub authentication: AuthenticationPolicy,
    /// Passwords.
    pub password: PasswordPolicy,
    /// Sessions.
    pub session: SessionPolicy,
    /// Tokens.
    pub token: TokenPolicy,
    /// Registration.
    pub registration: RegistrationPolicy,
}

impl PolicySet {
    /// Puts a document in its place.
    pub fn set(&mut self, policy: Policy) {
        match policy {
            Policy::Authentication(policy) => self.authentication = policy,
            Policy::Password(policy) => self.password = policy,
            Policy::Session(policy) => self.session = policy,
            Policy::Token(policy) => self.token = policy,
            Policy::Registration(policy) => self.registration = policy,
        }
    }

    /// Checks every document.
    ///
    /// # Errors
    /// The first rule a document breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        self.authentication.check()?;
        self.password.check()?;
        self.session.check()?;
        self.token.check()?;
        self.registration.check()
    }
}

/// Refuses `value` outside `range`, naming the member and the unit.
pub(crate) fn check_range(
    what: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
    unit: &str,
) -> Result<(), Invalid> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Invalid::new(
        what,
        format!(
            "must be between {} and {} {unit}",
            range.start(),
            range.end()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_writable_kind_has_a_valid_default() {
        for kind in Policy::WRITABLE {
            let policy = Policy::default_for(kind).unwrap();
            assert_eq!(policy.kind(), kind);
            policy.check().unwrap();
        }
        PolicySet::default().check().unwrap();
    }

    #[test]
    fn documents_are_tagged_by_kind_and_refuse_unknown_members() {
        let text =
            r#"{"kind":"password","min_length":16,"refuse_common":true,"refuse_context":true}"#;
        let policy: Policy = serde_json::from_str(text).unwrap();
        assert_eq!(policy.kind(), PolicyKind::Password);
        for bad in [
            r#"{"kind":"password","min_length":16,"refuse_common":true,"refuse_context":true,"require_uppercase":true}"#,
            r#"{"kind":"nonsense"}"#,
            r#"{"min_length":16}"#,
            r#"{"kind":"password","min_length":"16","refuse_common":true,"refuse_context":true}"#,
        ] {
            assert!(serde_json::from_str::<Policy>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_parse_what_they_print() {
        for kind in PolicyKind::ALL {
            assert_eq!(kind.as_str().parse::<PolicyKind>().unwrap(), *kind);
        }
        assert!("".parse::<PolicyKind>().is_err());
    }

    proptest! {
        #[test]
        fn password_documents_survive_json(min_length in 15_u32..=64, refuse_common: bool, refuse_context: bool) {
            let policy = Policy::Password(PasswordPolicy { min_length, refuse_common, refuse_context });
            prop_assert!(policy.check().is_ok());
            let text = serde_json::to_string(&policy).unwrap();
            prop_assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
        }
    }
}
