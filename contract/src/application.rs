//! An application: an OAuth client of one tenant. Its id is the `client_id` on the wire.
//!
//! The kind decides what is possible at all (a browser application can keep no secret, a machine has no
//! redirect), so that an unsafe combination is refused when it is written down and not when a token is
//! asked for. Implicit, hybrid-with-token and password grants do not exist (R-AUTHZ-04).

use std::{collections::BTreeSet, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Invalid, ids::ApplicationId, redirect_uri::RedirectUri, scope::Scope, secret::SecretHash, text,
};

/// What sort of program the application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApplicationKind {
    /// Runs on a server and can keep a secret.
    Web,
    /// Runs in a browser; public client.
    Spa,
    /// Installed on a device; public client.
    Native,
    /// Acts for itself without a person; confidential client.
    Machine,
}

impl ApplicationKind {
    /// All kinds.
    pub const ALL: [ApplicationKind; 4] = [Self::Web, Self::Spa, Self::Native, Self::Machine];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Spa => "spa",
            Self::Native => "native",
            Self::Machine => "machine",
        }
    }

    /// Whether the program can keep a secret (RFC 6749 §2.1).
    pub fn is_confidential(self) -> bool {
        matches!(self, Self::Web | Self::Machine)
    }

    /// Whether people sign in through it.
    pub fn signs_people_in(self) -> bool {
        !matches!(self, Self::Machine)
    }
}

impl FromStr for ApplicationKind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Invalid::new("kind", "must be web, spa, native or machine"))
    }
}

/// An OAuth grant an application may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1, always with PKCE S256.
    AuthorizationCode,
    /// RFC 6749 §6, with rotation.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// How an application proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenAuthMethod {
    /// Public client: PKCE is the only proof.
    None,
    /// HTTP Basic (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Secret in the form body.
    ClientSecretPost,
}

impl TokenAuthMethod {
    /// The registered name (OpenID Connect Core 1.0 §9).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

/// Signature algorithm of an application's tokens; an allow-list per client, never the token's header (R-JWT-02).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SigningAlgorithm {
    /// ECDSA P-256 with SHA-256: the default.
    #[default]
    ES256,
    /// RSA PKCS#1 v1.5 with SHA-256, for clients that know nothing else.
    RS256,
}

impl SigningAlgorithm {
    /// All algorithms a tenant has keys for.
    pub const ALL: [SigningAlgorithm; 2] = [Self::ES256, Self::RS256];

    /// The `alg` value (RFC 7518 §3.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
        }
    }
}

impl FromStr for SigningAlgorithm {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|alg| alg.as_str() == text)
            .ok_or_else(|| Invalid::new("signing_algorithm", "must be ES256 or RS256"))
    }
}

/// Whether an application may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApplicationStatus {
    /// May be used.
    Active,
    /// Every request with its `client_id` is refused.
    Disabled,
}

impl ApplicationStatus {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// Most redirect URIs one application may have.
pub const MAX_REDIRECT_URIS: usize = 50;

/// An application, as it travels in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its id and `client_id`.
    pub id: ApplicationId,
    /// Its display name, shown on sign-in and consent pages.
    pub name: String,
    /// What sort of program it is.
    pub kind: ApplicationKind,
    /// Whether it may be used.
    pub status: ApplicationStatus,
    /// Where an authorization response may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may go after logout (OpenID Connect RP-Initiated Logout 1.0 §3).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Grants it may use.
    pub grant_types: BTreeSet<GrantType>,
    /// How it may prove itself.
    pub auth_methods: BTreeSet<TokenAuthMethod>,
    /// Its secrets' hashes; none for public clients, up to two during a rotation.
    pub secrets: Vec<SecretHash>,
    /// Standard scopes it may ask for; API scopes come from client grants.
    pub scopes: BTreeSet<Scope>,
    /// Algorithm of its ID and access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// Belongs to the tenant itself, so people are not asked for consent.
    pub first_party: bool,
}

impl Application {
    /// Whether the application keeps a secret.
    pub fn is_public(&self) -> bool {
        self.auth_methods.contains(&TokenAuthMethod::None)
    }

    /// Checks the parts against the kind.
    ///
    /// # Errors
    /// The first rule that the application breaks, in words for the person who configures it.
    pub fn check(&self) -> Result<(), Invalid> {
        text::check_name("name", &self.name)?;
        self.check_redirects()?;
        self.check_grants()?;
        self.check_authentication()?;
        match self.scopes.iter().find(|scope| !scope.is_standard()) {
            Some(other) => Err(Invalid::new(
                "scopes",
                format!("name {other}; scopes of APIs are given by client grants"),
            )),
            None => Ok(()),
        }
    }

    fn check_redirects(&self) -> Result<(), Invalid> {
        for (what, uris) in [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ] {
            if uris.len() > MAX_REDIRECT_URIS {
                return Err(Invalid::new(
                    what,
                    format!("must be at most {MAX_REDIRECT_URIS}"),
                ));
            }
            if !self.kind.signs_people_in() && !uris.is_empty() {
                return Err(Invalid::new(
                    what,
                    "must be empty for a machine application",
                ));
            }
        }
        if self.kind.signs_people_in() && self.redirect_uris.is_empty() {
            return Err(Invalid::new(
                "redirect_uris",
                "must name at least one address to return to",
            ));
        }
        let private_scheme = |uri: &RedirectUri| RedirectUri::is_private_use(uri.as_str());
        if self.kind != ApplicationKind::Native && self.redirect_uris.iter().any(private_scheme) {
            return Err(Invalid::new(
                "redirect_uris",
                "may use a private-use scheme only for a native application",
            ));
        }
        Ok(())
    }

    fn check_grants(&self) -> Result<(), Invalid> {
        let has = |grant| self.grant_types.contains(&grant);
        let refuse = |reason: &str| Err(Invalid::new("grant_types", reason));
        if self.grant_types.is_empty() {
            return refuse("must name at least one grant");
        }
        if has(GrantType::ClientCredentials) && !self.kind.is_confidential() {
            return refuse(
                "may contain client_credentials only for an application that keeps a secret",
            );
        }
        if has(GrantType::RefreshToken) && !has(GrantType::AuthorizationCode) {
            return refuse("may contain refresh_token only together with authorization_code");
        }
        if has(GrantType::AuthorizationCode) != self.kind.signs_people_in() {
            return refuse(
                "must contain authorization_code exactly when people sign in through the application",
            );
        }
        Ok(())
    }

    fn check_authentication(&self) -> Result<(), Invalid> {
        let refuse = |reason: &str| Err(Invalid::new("auth_methods", reason));
        let none = self.auth_methods.contains(&TokenAuthMethod::None);
        if self.auth_methods.is_empty() {
            return refuse("must name at least one method");
        }
        if none && self.auth_methods.len() > 1 {
            return refuse("must not combine none with another method");
        }
        if none == self.kind.is_confidential() {
            return refuse("must be none exactly for browser and native applications");
        }
        if none && !self.secrets.is_empty() {
            return Err(Invalid::new(
                "secrets",
                "must be empty for a public application",
            ));
        }
        if self.secrets.len() > 2 {
            return Err(Invalid::new(
                "secrets",
                "must be at most two, the old and the new one of a rotation",
            ));
        }
        self.secrets.iter().try_for_each(SecretHash::check)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::TypedId;

    fn web() -> Application {
        Application {
            id: ApplicationId::from_uuid(Uuid::nil()),
            name: "Shop".into(),
            kind: ApplicationKind::Web,
            status: ApplicationStatus::Active,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            post_logout_redirect_uris: vec![],
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            auth_methods: [TokenAuthMethod::ClientSecretBasic].into(),
            secrets: vec![],
            scopes: ["openid".parse().unwrap()].into(),
            signing_algorithm: SigningAlgorithm::ES256,
            first_party: false,
        }
    }

    type Change = fn(&mut Application);

    #[test]
    fn unsafe_combinations_are_refused_with_the_member_named() {
        assert!(web().check().is_ok());
        let table: &[(&str, Change)] = &[
            ("name", |a| a.name = " ".into()),
            ("redirect_uris", |a| a.redirect_uris.clear()),
            ("redirect_uris", |a| {
                a.redirect_uris = vec!["com.example.app:/cb".parse().unwrap()]
            }),
            ("redirect_uris", |a| {
                a.redirect_uris = vec!["https.example.app:/cb".parse().unwrap()]
            }),
            ("redirect_uris", |a| {
                a.redirect_uris = vec!["https://a.example/".parse().unwrap(); 51]
            }),
            ("grant_types", |a| a.grant_types.clear()),
            ("grant_types", |a| {
                a.grant_types = [GrantType::RefreshToken].into()
            }),
            ("grant_types", |a| {
                a.kind = ApplicationKind::Spa;
                a.grant_types.insert(GrantType::ClientCredentials);
            }),
            ("auth_methods", |a| {
                a.auth_methods = [TokenAuthMethod::None].into()
            }),
            ("auth_methods", |a| a.kind = ApplicationKind::Spa),
            ("auth_methods", |a| a.auth_methods.clear()),
            ("redirect_uris", |a| a.kind = ApplicationKind::Machine),
            ("scopes", |a| {
                a.scopes = ["orders:read".parse().unwrap()].into()
            }),
        ];
        for (what, change) in table {
            let mut application = web();
            change(&mut application);
            assert_eq!(application.check().unwrap_err().what, *what);
        }
    }

    #[test]
    fn unknown_members_are_refused_r_adm_08() {
        let mut value = serde_json::to_value(web()).unwrap();
        assert_eq!(
            serde_json::from_value::<Application>(value.clone()).unwrap(),
            web()
        );
        value["owner"] = true.into();
        assert!(serde_json::from_value::<Application>(value).is_err());
    }
}
