//! OAuth scope tokens and the OpenID Connect scopes every tenant knows.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Invalid, tenant::string_value};

/// One scope token: 1–100 characters of RFC 6749 §3.3 (`%x21 / %x23-5B / %x5D-7E`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);
string_value!(Scope);

impl FromStr for Scope {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || text.len() > 100 || !text.bytes().all(allowed) {
            return Err(Invalid::new(
                "scope",
                "must be 1 to 100 printable ASCII characters without space, quote or backslash",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The scopes of OpenID Connect Core 1.0 §5.4 and §11 that tenants answer.
pub const STANDARD_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

impl Scope {
    /// Whether the scope is one of [`STANDARD_SCOPES`], which belong to the tenant and not to an API.
    pub fn is_standard(&self) -> bool {
        STANDARD_SCOPES.contains(&self.0.as_str())
    }
}

/// Parses a space-delimited scope parameter; duplicates fold, order is lost on purpose.
pub fn parse_scopes(parameter: &str) -> Result<BTreeSet<Scope>, Invalid> {
    parameter
        .split(' ')
        .filter(|token| !token.is_empty())
        .map(str::parse)
        .collect()
}

/// The space-delimited wire form.
pub fn join_scopes<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> String {
    scopes
        .into_iter()
        .map(Scope::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_tokens() {
        for good in ["openid", "read:orders", "https://x.example/a", "!"] {
            assert!(good.parse::<Scope>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\n"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
        assert_eq!(join_scopes(&parse_scopes("b a  b").unwrap()), "a b");
    }
}
