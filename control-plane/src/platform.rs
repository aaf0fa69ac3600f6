//! The platform's own tenant: ordinary in everything, except that its users are the operators.
//!
//! The console signs people in through it like any other relying party, and the admin API is one of its
//! APIs, so that what guards us is what we sell. Everything here is done once and found again at the next
//! start; the console's secret is kept sealed because the console has nowhere else to keep it.

use contract::{
    api::{ADMIN_AUDIENCE, ADMIN_SCOPE, ApiScope},
    application::{Application, ApplicationKind},
    ids::{ApplicationId, TenantId},
    permission::Permission,
    redirect_uri::RedirectUri,
};
use host::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    Caller, ControlPlane, Mode, Refusal,
    apis::NewApi,
    applications::{self, ApplicationAt, ApplicationRecord, NewApplication},
    change::Change,
    tenants::Tenant,
};

/// Tries to prepare the platform, one for each thing that another replica may have made first.
const START_TRIES: u32 = 4;
const CONSOLE: &str = "console_client";

/// Where the console is, as its relying-party side sees it.
#[derive(Debug, Clone)]
pub struct ConsoleClient {
    /// Where sign-in returns to.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where sign-out returns to.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
}

/// What the console needs to sign people in.
#[derive(Debug, Clone)]
pub struct PlatformClients {
    /// The platform's own tenant.
    pub tenant: TenantId,
    /// Its issuer.
    pub issuer: String,
    /// The console's `client_id`.
    pub console_client_id: ApplicationId,
    /// The console's secret.
    pub console_secret: Secret,
}

#[derive(Serialize, Deserialize)]
struct StoredClient {
    id: ApplicationId,
    secret: String,
}

impl ControlPlane {
    /// Makes what the platform itself needs, where it is not there yet, and follows the console's address.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for addresses an application may not have; [`Refusal::Internal`].
    pub async fn ensure_platform(
        &self,
        console: ConsoleClient,
    ) -> Result<PlatformClients, Refusal> {
        for _ in 1..START_TRIES {
            match self.try_to_ensure_platform(console.clone()).await {
                // Another replica that starts at the same moment was first; what it made is there now.
                Err(Refusal::Conflict { .. }) => {}
                other => return other,
            }
        }
        self.try_to_ensure_platform(console).await
    }

    async fn try_to_ensure_platform(
        &self,
        console: ConsoleClient,
    ) -> Result<PlatformClients, Refusal> {
        let tenant = self.ensure_platform_tenant().await?;
        let caller = self.system_caller();
        self.ensure_admin_api(&caller, tenant.id).await?;
        let client = match self.known_console(&caller, tenant.id).await? {
            Some((client, application)) => {
                self.follow_console(&caller, tenant.id, application, console)
                    .await?;
                client
            }
            None => self.register_console(&caller, tenant.id, console).await?,
        };
        Ok(PlatformClients {
            tenant: tenant.id,
            issuer: self.issuer(&tenant),
            console_client_id: client.id,
            console_secret: Secret::new(client.secret),
        })
    }

    /// The platform's own tenant, made if it is not there yet.
    ///
    /// # Errors
    /// [`Refusal::Internal`] only.
    pub async fn ensure_platform_tenant(&self) -> Result<Tenant, Refusal> {
        let known = {
            let tx = self.store().begin_read().await?;
            self.platform_tenant(&tx).await
        };
        match known {
            Err(Refusal::Unavailable { .. }) => self.found_platform().await,
            other => other,
        }
    }

    async fn ensure_admin_api(&self, caller: &Caller, tenant: TenantId) -> Result<(), Refusal> {
        let tx = self.store().begin_read().await?;
        let apis = tx.list_released_apis(tenant).await?;
        drop(tx);
        if apis
            .iter()
            .any(|api| api.audience.as_str() == ADMIN_AUDIENCE)
        {
            return Ok(());
        }
        let api = NewApi {
            name: "Admin API".to_owned(),
            audience: ADMIN_AUDIENCE.parse()?,
            scopes: vec![ApiScope {
                scope: ADMIN_SCOPE.parse()?,
                description: "Administer Bailiwick with your roles".to_owned(),
            }],
        };
        self.create_api(caller, tenant, api, Mode::Commit).await?;
        Ok(())
    }

    async fn known_console(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Option<(StoredClient, Application)>, Refusal> {
        let stored = {
            let tx = self.store().begin_read().await?;
            self.find_secret_setting(&tx, CONSOLE).await?
        };
        let Some(stored) = stored else {
            return Ok(None);
        };
        let client: StoredClient = serde_json::from_slice(&stored).map_err(Refusal::internal)?;
        match self.get_application(caller, tenant, client.id).await {
            Ok(record) => Ok(Some((client, record.application))),
            Err(Refusal::NotFound { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Registers the console and keeps its secret, in one transaction: half a console nobody could use, and
    /// nobody may delete.
    async fn register_console(
        &self,
        caller: &Caller,
        tenant: TenantId,
        console: ConsoleClient,
    ) -> Result<StoredClient, Refusal> {
        let change = self
            .change(caller, tenant, Permission::ApplicationsEdit, Mode::Commit)
            .await?;
        // Looked at once more, now that the tenant is locked.
        if self.is_console_registered(&change, tenant).await? {
            return Err(Refusal::conflict(
                "already_there",
                "Another control plane registered the console at the same moment.",
            ));
        }
        let application = console.into_application(self.new_id());
        application.check()?;
        let mut record = ApplicationRecord {
            built_in: true,
            ..ApplicationRecord::new(application, change.at())
        };
        let secret = self.first_secret(&change, &mut record).await?;
        let client = StoredClient {
            id: record.application.id,
            secret: secret.expose().to_owned(),
        };
        let sealed = serde_json::to_vec(&client).map_err(Refusal::internal)?;
        self.put_secret_setting(change.tx(), CONSOLE, &sealed)
            .await?;
        let event = applications::created(&record);
        change.add(record, event).await?;
        Ok(client)
    }

    async fn is_console_registered(
        &self,
        change: &Change<'_>,
        tenant: TenantId,
    ) -> Result<bool, Refusal> {
        let Some(stored) = self.find_secret_setting(change.tx(), CONSOLE).await? else {
            return Ok(false);
        };
        let client: StoredClient = serde_json::from_slice(&stored).map_err(Refusal::internal)?;
        let found = change
            .tx()
            .find::<ApplicationRecord>(tenant, client.id)
            .await?;
        Ok(found.is_some())
    }

    /// The console may have moved since the last start; and whatever else is not as it must be, in a
    /// database that somebody wrote to directly, would lock everybody out.
    async fn follow_console(
        &self,
        caller: &Caller,
        tenant: TenantId,
        known: Application,
        console: ConsoleClient,
    ) -> Result<(), Refusal> {
        let wanted = console.into_application(known.id);
        if known == wanted {
            return Ok(());
        }
        let at = ApplicationAt {
            tenant,
            id: known.id,
            expected: None,
        };
        self.update_application(caller, at, wanted.into(), Mode::Commit)
            .await?;
        Ok(())
    }
}

impl ConsoleClient {
    /// The application that the console is.
    fn into_application(self, id: ApplicationId) -> Application {
        let new = NewApplication {
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            first_party: true,
            ..NewApplication::of_kind("Console", ApplicationKind::Web)
        };
        new.into_application(id)
    }
}
