//! A tenant: own issuer, own keys, own users (never a customer's company inside it).
//!
//! Production, staging and sandbox are separate tenants with separate issuers, keys and secrets
//! (R-TEN-08), so the environment is a property here and not a level below.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Invalid, ids::TenantId, text};

/// The slug of the vendor's own tenant, whose users are the operators of the console.
pub const PLATFORM_SLUG: &str = "platform";

/// Slugs that would collide with our own routes or mislead people about who is speaking.
const RESERVED_SLUGS: &[&str] = &[
    "admin", "api", "assets", "auth", "console", "oauth2", "static", "vendor", "well-known", "www",
];

macro_rules! string_value {
    ($name:ident) => {
        impl $name {
            /// The text as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}
pub(crate) use string_value;

/// The tenant's short name in addresses: 3–40 of `a-z`, `0-9` and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);
string_value!(Slug);

impl FromStr for Slug {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |reason: &str| Err(Invalid::new("slug", reason));
        if !(3..=40).contains(&text.len()) {
            return refuse("must have 3 to 40 characters");
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return refuse("may contain only a-z, 0-9 and hyphens");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase())
            || text.ends_with('-')
            || text.contains("--")
        {
            return refuse(
                "must start with a letter, not end with a hyphen and not contain two hyphens in a row",
            );
        }
        if RESERVED_SLUGS.contains(&text) {
            return refuse("is reserved");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A place where nodes and identity stores stand, for example `eu-central`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);
string_value!(Region);

impl FromStr for Region {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let shape_ok = (2..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !shape_ok {
            return Err(Invalid::new(
                "region",
                "must be 2 to 32 of a-z, 0-9 and hyphens, starting with a letter",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A DNS name that belongs to one tenant, lower case, without port (R-TEN-06).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);
string_value!(Host);

impl FromStr for Host {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let all_digits = text
            .split('.')
            .all(|label| label.bytes().all(|b| b.is_ascii_digit()));
        if text.len() > 253 || !text.contains('.') || all_digits || !text.split('.').all(label_ok) {
            return Err(Invalid::new(
                "host",
                "must be a lower-case DNS name such as login.example.com",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The display name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(String);
string_value!(TenantName);

impl FromStr for TenantName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text::check_name("name", text)?;
        Ok(Self(text.to_owned()))
    }
}

/// What the tenant is used for; a separate tenant each (R-TEN-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real people sign in here.
    Production,
    /// The last rehearsal before production.
    Staging,
    /// For trying things; may opt out of approvals.
    Sandbox,
}

impl Environment {
    /// All environments, in the order in which people read them.
    pub const ALL: [Environment; 3] = [Self::Production, Self::Staging, Self::Sandbox];

    /// The wire and URL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Sandbox => "sandbox",
        }
    }
}

impl FromStr for Environment {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|environment| environment.as_str() == text)
            .ok_or_else(|| Invalid::new("environment", "must be production, staging or sandbox"))
    }
}

/// Whether nodes serve the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Served.
    Active,
    /// Every endpoint answers "not available"; nothing is deleted.
    Suspended,
}

impl TenantStatus {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// The `tenant` section of a release: who the tenant is and under which issuer it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantProfile {
    /// The tenant.
    pub id: TenantId,
    /// Its short name in path-form addresses.
    pub slug: Slug,
    /// Its display name, shown on hosted pages.
    pub name: TenantName,
    /// What it is used for.
    pub environment: Environment,
    /// The issuer identifier, byte for byte (OpenID Connect Discovery 1.0 §4.3, R-DISC-01).
    pub issuer: String,
    /// The tenant's own host, if it has one; otherwise it lives under a path of a shared host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for good in ["acme", "acme-2", "a1b", &"a".repeat(40), "platform"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "Acme",
            "1ab",
            "-ab",
            "ab-",
            "a--b",
            "a_b",
            "ä-b",
            "a/b",
            "admin",
            "../x",
            &"a".repeat(41),
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["login.acme.example", "acme.localhost", "a.b"] {
            assert!(good.parse::<Host>().is_ok(), "{good}");
        }
        for bad in [
            "", "localhost", "127.0.0.1", "A.b", "a..b", "-a.b", "a.b:80", "a.b/", "a_b.c",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }

    #[test]
    fn regions() {
        assert!("eu-central".parse::<Region>().is_ok());
        assert!("EU".parse::<Region>().is_err());
        assert!("e".parse::<Region>().is_err());
    }
}
