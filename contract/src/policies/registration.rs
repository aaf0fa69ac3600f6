//! Who may create an account, and how.

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// Anyone.
    Open,
    /// Only people who were invited.
    InviteOnly,
}

impl RegistrationMode {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InviteOnly => "invite_only",
        }
    }
}

/// The registration policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegistrationPolicy {
    /// Who may create an account.
    pub mode: RegistrationMode,
    /// Ask for a name as well as an e-mail address.
    pub ask_name: bool,
    /// Prove the e-mail address by mail before the account exists. The answer to a registration then never
    /// tells whether the address was known already (R-ENUM-01), and nobody can take an address that is not
    /// theirs.
    ///
    /// Both are given up without it: the form says that an address is taken, because it has to say
    /// something else when it is not, and anyone can register anyone's address. Applications see such
    /// addresses as `email_verified: false`, and the account ends when the owner of its address accepts an
    /// invitation that came by mail.
    pub verify_email: bool,
    /// If not empty, only addresses in these domains may register.
    pub email_domains: Vec<String>,
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self {
            mode: RegistrationMode::Open,
            ask_name: false,
            verify_email: true,
            email_domains: Vec::new(),
        }
    }
}

impl RegistrationPolicy {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.email_domains.len() > 100 {
            return Err(Invalid::new("email_domains", "must be at most 100"));
        }
        let domain_ok = |domain: &String| domain.parse::<crate::tenant::Host>().is_ok();
        if !self.email_domains.iter().all(domain_ok) {
            return Err(Invalid::new(
                "email_domains",
                "must be lower-case DNS names such as example.com",
            ));
        }
        Ok(())
    }

    /// Whether an address in `domain` may register.
    pub fn allows_domain(&self, domain: &str) -> bool {
        self.email_domains.is_empty()
            || self
                .email_domains
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        let policy = RegistrationPolicy {
            email_domains: vec!["example.com".into()],
            ..Default::default()
        };
        assert!(policy.check().is_ok());
        assert!(policy.allows_domain("Example.com"));
        assert!(!policy.allows_domain("evil-example.com"));
        assert!(
            RegistrationPolicy {
                email_domains: vec!["*.com".into()],
                ..Default::default()
            }
            .check()
            .is_err()
        );
    }
}
