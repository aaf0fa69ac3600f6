//! An API (resource server): the audience of access tokens and the scopes it understands.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Invalid, ids::ApiId, scope::Scope, tenant::string_value, text};

/// An API's identifier: an absolute URI without fragment (RFC 8707 §2), the `aud` of its tokens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);
string_value!(Audience);

impl FromStr for Audience {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let shape_ok = text.len() <= 500
            && text.is_ascii()
            && !text.contains(['#', ' ', '\\', '"'])
            && Url::parse(text).is_ok();
        if !shape_ok {
            return Err(Invalid::new(
                "audience",
                "must be an absolute URI without fragment, such as https://orders.example or urn:example:orders",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The audience of Bailiwick's own admin API, an API of the platform tenant.
pub const ADMIN_AUDIENCE: &str = "urn:bailiwick:admin";
/// The one scope of the admin API; what a caller may do is decided by roles, not by scopes.
pub const ADMIN_SCOPE: &str = "admin";

/// A scope of an API, with the sentence people read on the consent page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiScope {
    /// The scope token.
    pub scope: Scope,
    /// What it allows, in words (R-CONS-01).
    pub description: String,
}

/// A resource server of a tenant, as it travels in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Its display name.
    pub name: String,
    /// Its audience.
    pub audience: Audience,
    /// The scopes it understands.
    pub scopes: Vec<ApiScope>,
}

/// Most scopes one API may have.
pub const MAX_API_SCOPES: usize = 100;

impl Api {
    /// Checks the parts against each other.
    ///
    /// # Errors
    /// The first rule that the API breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        text::check_name("name", &self.name)?;
        if self.scopes.len() > MAX_API_SCOPES {
            return Err(Invalid::new(
                "scopes",
                format!("must be at most {MAX_API_SCOPES}"),
            ));
        }
        for (position, scope) in self.scopes.iter().enumerate() {
            text::check_name("scope description", &scope.description)?;
            if scope.scope.is_standard() {
                return Err(Invalid::new(
                    "scopes",
                    format!(
                        "must not redefine {}, which belongs to the tenant",
                        scope.scope
                    ),
                ));
            }
            if self.scopes[..position]
                .iter()
                .any(|earlier| earlier.scope == scope.scope)
            {
                return Err(Invalid::new(
                    "scopes",
                    format!("name {} twice", scope.scope),
                ));
            }
        }
        Ok(())
    }

    /// The API's scope by this token, if it has one.
    pub fn scope(&self, token: &Scope) -> Option<&ApiScope> {
        self.scopes.iter().find(|scope| &scope.scope == token)
    }
}
