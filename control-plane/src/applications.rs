//! Applications: create by kind with safe defaults, change, disable, delete.
//!
//! What an application may be is decided by [`Application::check`], so that nodes and this file cannot
//! disagree. A new application gets the narrowest settings of its kind (see [`settings`]); widening them is a
//! visible change. The hash of a secret never enters a record: see [`secrets`].

pub mod secrets;
mod settings;

use chrono::{DateTime, Utc};
use contract::{
    application::{Application, ApplicationStatus},
    ids::{ApplicationId, CredentialId, TenantId},
    permission::Permission,
};
use host::Secret;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::settings::{ApplicationChange, NewApplication};
use crate::{
    Caller, ControlPlane, Mode, Page, PageRequest, Refusal,
    audit::Event,
    kept::{Kept, ThingAt},
};

/// Most applications one tenant may have.
pub const MAX_APPLICATIONS: u64 = 10_000;

/// Which application a change is about, and which version of it the caller has seen.
pub type ApplicationAt = ThingAt<ApplicationId>;

/// An application as the control plane keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationRecord {
    /// The application; its `secrets` are always empty here.
    pub application: Application,
    /// Its secrets, oldest first, without anything secret.
    pub secrets: Vec<SecretRecord>,
    /// Whether it is the console itself: nobody changes that but the product (problem code `built_in`).
    pub built_in: bool,
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

/// A new application and, this once, its secret.
#[derive(Debug, Clone)]
pub struct CreatedApplication {
    /// The application.
    pub record: ApplicationRecord,
    /// Its first secret; `None` for public applications, and in a dry run, whose secret would open nothing.
    pub secret: Option<Secret>,
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
            .view(caller, tenant, Permission::ApplicationsView)
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
        self.get_one(caller, tenant, id).await
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
            .change(caller, tenant, Permission::ApplicationsEdit, mode)
            .await?;
        let confidential = new.kind.is_confidential();
        if confidential {
            change = change.require(Permission::SecretsManage).await?;
        }
        let application = new.into_application(self.new_id());
        application.check()?;
        change
            .check_room::<ApplicationRecord>(MAX_APPLICATIONS, "too_many_applications")
            .await?;
        let mut record = ApplicationRecord::new(application, change.at());
        let mut secret = None;
        if confidential {
            let text = self.first_secret(&change, &mut record).await?;
            secret = (!change.is_dry_run()).then_some(text);
        }
        let event = created(&record);
        let record = change.add(record, event).await?;
        Ok(CreatedApplication { record, secret })
    }

    /// Changes an application; `expected` is the version the caller has seen.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.edit`; [`Refusal::NotFound`];
    /// [`Refusal::Stale`]; [`Refusal::Invalid`]; [`Refusal::Conflict`] for the console itself.
    pub async fn update_application(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        wanted: ApplicationChange,
        mode: Mode,
    ) -> Result<ApplicationRecord, Refusal> {
        let (change, before) = self
            .change_one::<ApplicationRecord>(caller, at, Permission::ApplicationsEdit, mode)
            .await?;
        let (action, verb) = match wanted.status {
            Some(status) if status == before.application.status => UPDATED,
            Some(ApplicationStatus::Disabled) => ("applications.disable", "Disabled"),
            Some(ApplicationStatus::Active) => ("applications.enable", "Enabled"),
            None => UPDATED,
        };
        let mut after = before.clone();
        wanted.apply(&mut after.application);
        after.application.check()?;
        let event = event(action, verb, &after);
        change.replace(&before, after, event).await
    }

    /// Deletes an application with its secrets and client grants.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Conflict`] for the console itself.
    pub async fn delete_application(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let (change, before) = self
            .change_one::<ApplicationRecord>(caller, at, Permission::ApplicationsEdit, mode)
            .await?;
        change
            .tx()
            .delete_client_grants_of(at.tenant, at.id)
            .await?;
        change.tx().delete_secrets_of(at.tenant, at.id).await?;
        let event = event("applications.delete", "Deleted", &before);
        change.remove(&before, event).await
    }
}

const UPDATED: (&str, &str) = ("applications.update", "Changed");

impl ApplicationRecord {
    /// A new application, without secrets.
    pub(crate) fn new(application: Application, now: DateTime<Utc>) -> Self {
        Self {
            application,
            secrets: Vec::new(),
            built_in: false,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

impl Kept for ApplicationRecord {
    type Id = ApplicationId;
    const WHAT: &'static str = "application";

    fn id(&self) -> ApplicationId {
        self.application.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn touch(&mut self, now: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = now;
    }

    fn built_in(&self) -> bool {
        self.built_in
    }
}

/// What the audit log says about a new application.
pub(crate) fn created(record: &ApplicationRecord) -> Event {
    event("applications.create", "Created", record)
}

fn event(action: &'static str, verb: &str, record: &ApplicationRecord) -> Event {
    let Application { id, name, .. } = &record.application;
    Event::new(
        action,
        format!("{verb} application \u{201c}{name}\u{201d}."),
    )
    .object("application", *id, name)
}
