//! What a token will be good for: scopes and, if an API is called, its audience.

use std::collections::BTreeSet;

use contract::{
    api::Audience,
    scope::{Scope, parse_scopes},
};

use super::error::{ErrorCode, OAuthError};
use crate::identity::{Allowance, Consent};

pub(super) const UNKNOWN_SCOPE: OAuthError = OAuthError::new(
    ErrorCode::InvalidScope,
    "A requested scope is unknown or not granted to this client.",
);

/// What a token will be good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Every scope, standard ones included.
    pub scopes: BTreeSet<Scope>,
    /// The API, if one is called.
    pub audience: Option<Audience>,
}

impl Target {
    /// What a person has to allow: the standard scopes, which are about the person here, and those of the
    /// API, which mean something only there. Two APIs may use the same word for different things.
    pub fn allowances(&self) -> Vec<Allowance> {
        let (standard, of_api): (BTreeSet<Scope>, BTreeSet<Scope>) =
            self.scopes.iter().cloned().partition(Scope::is_standard);
        let here = Allowance {
            audience: None,
            scopes: standard,
        };
        let there = self.audience.clone().map(|audience| Allowance {
            audience: Some(audience),
            scopes: of_api,
        });
        // To call an API at all is something to allow, even without a scope.
        let here = Some(here).filter(|here| !here.scopes.is_empty());
        here.into_iter().chain(there).collect()
    }

    /// Whether earlier decisions cover all of it (R-CONS-03).
    pub fn is_covered_by(&self, consents: &[Consent]) -> bool {
        let covered = |wanted: &Allowance| {
            consents
                .iter()
                .any(|consent| consent.allowed.covers(wanted))
        };
        self.allowances().iter().all(covered)
    }
}

/// The scopes of a request.
///
/// # Errors
/// `invalid_scope` for text that is no scope.
pub fn requested(scope: Option<&str>) -> Result<BTreeSet<Scope>, OAuthError> {
    parse_scopes(scope.unwrap_or_default()).map_err(|_| UNKNOWN_SCOPE)
}

/// Narrows a grant's scopes at refresh (RFC 6749 §6).
///
/// # Errors
/// `invalid_scope` if more is asked for than was granted.
pub fn narrow(
    granted: &BTreeSet<Scope>,
    scope: Option<&str>,
) -> Result<BTreeSet<Scope>, OAuthError> {
    let wanted = requested(scope)?;
    match () {
        () if wanted.is_empty() => Ok(granted.clone()),
        () if wanted.is_subset(granted) => Ok(wanted),
        () => Err(UNKNOWN_SCOPE),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contract::{
        ids::{ApplicationId, TypedId},
        scope::join_scopes,
    };
    use uuid::Uuid;

    use super::*;

    fn target(scopes: &str, audience: Option<&str>) -> Target {
        Target {
            scopes: parse_scopes(scopes).unwrap(),
            audience: audience.map(|audience| audience.parse().unwrap()),
        }
    }

    #[test]
    fn what_was_allowed_covers_its_own_api_only_r_cons_03() {
        let orders = Some("urn:orders");
        for (allowed, wanted, covered) in [
            (("openid email", None), ("openid", None), true),
            (("openid", None), ("openid email", None), false),
            (("openid", None), ("openid", orders), false),
            (("openid", orders), ("openid", None), true),
            (("openid read", orders), ("openid read", orders), true),
            (("openid read write", orders), ("read", orders), true),
            (("openid read", orders), ("openid write", orders), false),
            (("openid read", orders), ("read", Some("urn:mail")), false),
            (("read", orders), ("", orders), true),
        ] {
            let consents: Vec<Consent> = target(allowed.0, allowed.1)
                .allowances()
                .into_iter()
                .map(|allowed| Consent {
                    application: ApplicationId::from_uuid(Uuid::from_u128(1)),
                    allowed,
                    version: 1,
                    granted_at: DateTime::UNIX_EPOCH,
                })
                .collect();
            let wanted_now = target(wanted.0, wanted.1);
            let answer = wanted_now.is_covered_by(&consents);
            assert_eq!(answer, covered, "{allowed:?} {wanted:?}");
        }
    }

    #[test]
    fn refresh_only_narrows_r_tok_08() {
        let granted = requested(Some("openid email")).unwrap();
        assert_eq!(narrow(&granted, None).unwrap(), granted);
        let email = narrow(&granted, Some("email")).unwrap();
        assert_eq!(join_scopes(&email), "email");
        assert!(narrow(&granted, Some("email profile")).is_err());
    }
}
