//! Applications: create by kind with safe defaults, change, disable, delete.
//!
//! What an application may be is decided by [`Application::check`], so that nodes and this file cannot
//! disagree. A new application gets the narrowest settings of its kind; widening them is a visible change.
//! The hash of a secret never enters a record: see [`secrets`].

pub mod secrets;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{
    application::{
        Application, ApplicationKind, ApplicationStatus, GrantType, SigningAlgorithm,
        TokenAuthMethod,
    },
    ids::{ApplicationId, CredentialId, TenantId},
    permission::Permission,
    redirect_uri::RedirectUri,
    scope::Scope,
};
use host::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Caller, ControlPlane, Mode, Page, PageRequest, Refusal,
    audit::Event,
    change::{Change, Done, Target, check_version},
};

/// Most applications one tenant may have.
pub const MAX_APPLICATIONS: u64 = 10_000;

/// An application as the control plane keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationRecord {
    /// The application; its `secrets` are always empty here.
    pub application: Application,
    /// Its secrets, oldest first, without anything secret.
    pub secrets: Vec<SecretRecord>,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What may be known about a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SecretRecord {
    /// Which secret it is.
    pub id: CredentialId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working, if it does.
    pub not_after: Option<DateTime<Utc>>,
}

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

/// A new application and, this once, its secret.
#[derive(Debug, Clone)]
pub struct CreatedApplication {
    /// The application.
    pub record: ApplicationRecord,
    /// Its first secret; `None` for public applications, and in a dry run, whose secret would open nothing.
    pub secret: Option<Secret>,
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

    fn into_application(self, id: ApplicationId) -> Application {
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
    fn apply(self, application: &mut Application) {
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

impl ControlPlane {
    /// Lists a tenant's applications; `text` is part of a name or a whole id.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`.
    pub async fn list_applications(
        &self,
        caller: &Caller,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApplicationRecord>, Refusal> {
        let view = self
            .view(caller, Target::Tenant(tenant), Permission::ApplicationsView)
            .await?;
        Ok(view.tx().list_applications(tenant, text, page).await?)
    }

    /// Gives one application.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`; [`Refusal::NotFound`].
    pub async fn get_application(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<ApplicationRecord, Refusal> {
        let view = self
            .view(caller, Target::Tenant(tenant), Permission::ApplicationsView)
            .await?;
        view.tx()
            .find_application(tenant, id)
            .await?
            .ok_or(NOT_FOUND)
    }

    /// Creates an application and, if it can keep one, its first secret.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.edit`, or without `tenant.secrets.manage` for a
    /// kind that keeps a secret; [`Refusal::Invalid`]; [`Refusal::Conflict`] at [`MAX_APPLICATIONS`].
    pub async fn create_application(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewApplication,
        mode: Mode,
    ) -> Result<CreatedApplication, Refusal> {
        let mut change = self
            .change(
                caller,
                Target::Tenant(tenant),
                Permission::ApplicationsEdit,
                mode,
            )
            .await?;
        if new.kind.is_confidential() {
            change = change.require(Permission::SecretsManage).await?;
        }
        let application = new.into_application(self.new_id());
        application.check()?;
        if change.tx().count_applications(tenant).await? >= MAX_APPLICATIONS {
            return Err(Refusal::conflict(
                "too_many_applications",
                format!("A tenant may have {MAX_APPLICATIONS} applications; delete one first."),
            ));
        }
        let mut record = ApplicationRecord {
            application,
            secrets: Vec::new(),
            version: 1,
            created_at: change.at(),
            updated_at: change.at(),
        };
        change.tx().insert_application(tenant, &record).await?;
        let mut secret = None;
        if record.application.kind.is_confidential() {
            let (made, text) = self.make_secret(&change, record.application.id).await?;
            record.secrets.push(made);
            secret = (!change.is_dry_run()).then_some(text);
        }
        let event = event("applications.create", "Created", &record).after(&record);
        let created = CreatedApplication { record, secret };
        change.finish(Done::new(created, event).releases()).await
    }

    /// Changes an application; `expected` is the version the caller has seen.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.edit`; [`Refusal::NotFound`];
    /// [`Refusal::Stale`]; [`Refusal::Invalid`].
    pub async fn update_application(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        wanted: ApplicationChange,
        mode: Mode,
    ) -> Result<ApplicationRecord, Refusal> {
        let change = self
            .change(
                caller,
                Target::Tenant(at.tenant),
                Permission::ApplicationsEdit,
                mode,
            )
            .await?;
        let before = at.load(&change).await?;
        let (action, verb) = match wanted.status {
            Some(status) if status == before.application.status => UPDATED,
            Some(ApplicationStatus::Disabled) => ("applications.disable", "Disabled"),
            Some(ApplicationStatus::Active) => ("applications.enable", "Enabled"),
            None => UPDATED,
        };
        let mut after = before.clone();
        wanted.apply(&mut after.application);
        after.application.check()?;
        after.touch(&change);
        change.tx().update_application(at.tenant, &after).await?;
        let event = event(action, verb, &after).before(&before).after(&after);
        change.finish(Done::new(after, event).releases()).await
    }

    /// Deletes an application with its secrets and client grants.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`].
    pub async fn delete_application(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let change = self
            .change(
                caller,
                Target::Tenant(at.tenant),
                Permission::ApplicationsEdit,
                mode,
            )
            .await?;
        let before = at.load(&change).await?;
        change
            .tx()
            .delete_client_grants_of(at.tenant, at.id)
            .await?;
        change.tx().delete_application(at.tenant, at.id).await?;
        let event = event("applications.delete", "Deleted", &before).before(&before);
        change.finish(Done::new((), event).releases()).await
    }
}

const NOT_FOUND: Refusal = Refusal::NotFound {
    what: "application",
};
const UPDATED: (&str, &str) = ("applications.update", "Changed");

/// Which application a change is about, and which version of it the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationAt {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: ApplicationId,
    /// The version the caller has seen; `None` overwrites any.
    pub expected: Option<i64>,
}

impl ApplicationAt {
    /// The application as it is now, if that is what the caller has seen.
    async fn load(&self, change: &Change<'_>) -> Result<ApplicationRecord, Refusal> {
        let record = change
            .tx()
            .find_application(self.tenant, self.id)
            .await?
            .ok_or(NOT_FOUND)?;
        check_version(self.expected, record.version)?;
        Ok(record)
    }
}

impl ApplicationRecord {
    fn touch(&mut self, change: &Change<'_>) {
        self.version += 1;
        self.updated_at = change.at();
    }
}

fn event(action: &'static str, verb: &str, record: &ApplicationRecord) -> Event {
    let Application { id, name, .. } = &record.application;
    Event::new(
        action,
        format!("{verb} application \u{201c}{name}\u{201d}."),
    )
    .object("application", *id, name)
}
