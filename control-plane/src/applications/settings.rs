//! What callers say about an application: what a new one is to be, and what is to be different about one.
//!
//! What is left out of a new one becomes the narrowest setting of its kind; what is left out of a change
//! stays. Whether the whole is allowed is not decided here but by [`Application::check`].

use std::collections::BTreeSet;

use contract::{
    application::{
        Application, ApplicationKind, ApplicationStatus, GrantType, SigningAlgorithm,
        TokenAuthMethod,
    },
    ids::ApplicationId,
    redirect_uri::RedirectUri,
    scope::Scope,
};
use serde::Deserialize;
use utoipa::ToSchema;

/// What a new application is to be. What is left out becomes the safe default of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    /// Its display name, shown on sign-in and consent pages.
    pub name: String,
    /// What sort of program it is; it stays that.
    pub kind: ApplicationKind,
    /// Where an authorization response may go.
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may go after logout.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Grants it may use.
    pub grant_types: Option<BTreeSet<GrantType>>,
    /// How it may prove itself at the token endpoint.
    pub auth_methods: Option<BTreeSet<TokenAuthMethod>>,
    /// Standard scopes it may ask for.
    pub scopes: Option<BTreeSet<Scope>>,
    /// Algorithm of its tokens.
    #[serde(default)]
    pub signing_algorithm: SigningAlgorithm,
    /// Belongs to the tenant itself, so people are not asked for consent.
    #[serde(default)]
    pub first_party: bool,
}

/// What is to be different about an application; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationChange {
    /// Its display name.
    pub name: Option<String>,
    /// Whether it may be used.
    pub status: Option<ApplicationStatus>,
    /// Where an authorization response may go.
    pub redirect_uris: Option<Vec<RedirectUri>>,
    /// Where a browser may go after logout.
    pub post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    /// Grants it may use.
    pub grant_types: Option<BTreeSet<GrantType>>,
    /// How it may prove itself at the token endpoint.
    pub auth_methods: Option<BTreeSet<TokenAuthMethod>>,
    /// Standard scopes it may ask for.
    pub scopes: Option<BTreeSet<Scope>>,
    /// Algorithm of its tokens.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// Belongs to the tenant itself, so people are not asked for consent.
    pub first_party: Option<bool>,
}

impl NewApplication {
    /// A new application with every default of its kind.
    pub fn of_kind(name: impl Into<String>, kind: ApplicationKind) -> Self {
        Self {
            name: name.into(),
            kind,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grant_types: None,
            auth_methods: None,
            scopes: None,
            signing_algorithm: SigningAlgorithm::default(),
            first_party: false,
        }
    }

    /// The application that this asks for.
    pub(crate) fn into_application(self, id: ApplicationId) -> Application {
        let kind = self.kind;
        Application {
            id,
            name: self.name,
            kind,
            status: ApplicationStatus::Active,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            grant_types: self.grant_types.unwrap_or_else(|| default_grants(kind)),
            auth_methods: self
                .auth_methods
                .unwrap_or_else(|| [default_method(kind)].into()),
            secrets: Vec::new(),
            scopes: self.scopes.unwrap_or_else(|| default_scopes(kind)),
            signing_algorithm: self.signing_algorithm,
            first_party: self.first_party,
        }
    }
}

/// Browser applications get no refresh token unless asked for: anything that runs in the page can read it.
fn default_grants(kind: ApplicationKind) -> BTreeSet<GrantType> {
    match kind {
        ApplicationKind::Web | ApplicationKind::Native => {
            [GrantType::AuthorizationCode, GrantType::RefreshToken].into()
        }
        ApplicationKind::Spa => [GrantType::AuthorizationCode].into(),
        ApplicationKind::Machine => [GrantType::ClientCredentials].into(),
    }
}

fn default_method(kind: ApplicationKind) -> TokenAuthMethod {
    if kind.is_confidential() {
        TokenAuthMethod::ClientSecretBasic
    } else {
        TokenAuthMethod::None
    }
}

fn default_scopes(kind: ApplicationKind) -> BTreeSet<Scope> {
    let tokens: &[&str] = match kind {
        ApplicationKind::Web | ApplicationKind::Native => {
            &["openid", "profile", "email", "offline_access"]
        }
        ApplicationKind::Spa => &["openid", "profile", "email"],
        ApplicationKind::Machine => &[],
    };
    tokens
        .iter()
        .map(|token| token.parse().expect("standard scopes are scopes"))
        .collect()
}

impl ApplicationChange {
    /// Makes the application so.
    pub(super) fn apply(self, application: &mut Application) {
        fn set<T>(member: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *member = value;
            }
        }
        set(&mut application.name, self.name);
        set(&mut application.status, self.status);
        set(&mut application.redirect_uris, self.redirect_uris);
        set(
            &mut application.post_logout_redirect_uris,
            self.post_logout_redirect_uris,
        );
        set(&mut application.grant_types, self.grant_types);
        set(&mut application.auth_methods, self.auth_methods);
        set(&mut application.scopes, self.scopes);
        set(&mut application.signing_algorithm, self.signing_algorithm);
        set(&mut application.first_party, self.first_party);
    }
}

/// Everything of an application that a change can set.
impl From<Application> for ApplicationChange {
    fn from(application: Application) -> Self {
        Self {
            name: Some(application.name),
            status: Some(application.status),
            redirect_uris: Some(application.redirect_uris),
            post_logout_redirect_uris: Some(application.post_logout_redirect_uris),
            grant_types: Some(application.grant_types),
            auth_methods: Some(application.auth_methods),
            scopes: Some(application.scopes),
            signing_algorithm: Some(application.signing_algorithm),
            first_party: Some(application.first_party),
        }
    }
}
