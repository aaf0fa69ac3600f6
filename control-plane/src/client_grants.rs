//! Client grants: which application may call which API, with which scopes at most.
//!
//! One grant per pair, so that "what may this application do there" has one answer. Without a grant a
//! token for the API is never issued.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{
    client_grant::ClientGrant,
    ids::{ApiId, ApplicationId, ClientGrantId, TenantId},
    permission::Permission,
    scope::Scope,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Caller, ControlPlane, Mode, Page, PageRequest, Refusal,
    apis::ApiRecord,
    applications::ApplicationRecord,
    audit::Event,
    change::Change,
    kept::{Kept, ThingAt},
};

/// Most grants one application may have: together with it they travel in one section.
pub const MAX_GRANTS_PER_APPLICATION: u64 = 100;

/// A client grant as the control plane keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientGrantRecord {
    /// The grant.
    pub grant: ClientGrant,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which grants are meant: those of an application, those for an API, or all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientGrantFilter {
    /// Only of this application.
    pub application: Option<ApplicationId>,
    /// Only for this API.
    pub api: Option<ApiId>,
}

impl ClientGrantFilter {
    /// Those for one API.
    pub(crate) fn for_api(api: ApiId) -> Self {
        Self {
            api: Some(api),
            application: None,
        }
    }
}

/// What a new grant is to allow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClientGrant {
    /// Who may call.
    pub application: ApplicationId,
    /// What may be called.
    pub api: ApiId,
    /// With which scopes at most; all of them scopes of the API.
    pub scopes: BTreeSet<Scope>,
}

/// What a grant is to allow from now on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientGrantChange {
    /// With which scopes at most.
    pub scopes: BTreeSet<Scope>,
}

/// Which grant a change is about, and which version of it the caller has seen.
pub type ClientGrantAt = ThingAt<ClientGrantId>;

impl ControlPlane {
    /// Lists a tenant's client grants.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`.
    pub async fn list_client_grants(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: ClientGrantFilter,
        page: &PageRequest,
    ) -> Result<Page<ClientGrantRecord>, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ApplicationsView)
            .await?;
        Ok(view.tx().list_client_grants(tenant, filter, page).await?)
    }

    /// Gives one client grant.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`; [`Refusal::NotFound`].
    pub async fn get_client_grant(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ClientGrantId,
    ) -> Result<ClientGrantRecord, Refusal> {
        self.get_one(caller, tenant, id).await
    }

    /// Allows an application to call an API.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.client_grants.edit`; [`Refusal::Invalid`] if application,
    /// API or a scope does not exist; [`Refusal::Conflict`] if the pair has a grant already.
    pub async fn create_client_grant(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewClientGrant,
        mode: Mode,
    ) -> Result<ClientGrantRecord, Refusal> {
        let change = self
            .change(caller, tenant, Permission::ClientGrantsEdit, mode)
            .await?;
        check_free(&change, &new).await?;
        let grant = ClientGrant {
            id: self.new_id(),
            application: new.application,
            api: new.api,
            scopes: new.scopes,
        };
        let names = check(&change, &grant).await?;
        let record = ClientGrantRecord {
            grant,
            version: 1,
            created_at: change.at(),
            updated_at: change.at(),
        };
        let event = event("client_grants.create", "Allowed", &record, &names);
        change.add(record, event).await
    }

    /// Changes the scopes of a grant.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.client_grants.edit`; [`Refusal::NotFound`];
    /// [`Refusal::Stale`]; [`Refusal::Invalid`] for a scope that the API does not have.
    pub async fn update_client_grant(
        &self,
        caller: &Caller,
        at: ClientGrantAt,
        wanted: ClientGrantChange,
        mode: Mode,
    ) -> Result<ClientGrantRecord, Refusal> {
        let (change, before) = self
            .change_one::<ClientGrantRecord>(caller, at, Permission::ClientGrantsEdit, mode)
            .await?;
        let mut after = before.clone();
        after.grant.scopes = wanted.scopes;
        let names = check(&change, &after.grant).await?;
        let event = event(
            "client_grants.update", "Changed what allows", &after, &names,
        );
        change.replace(&before, after, event).await
    }

    /// Takes back the permission to call an API.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.client_grants.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`].
    pub async fn delete_client_grant(
        &self,
        caller: &Caller,
        at: ClientGrantAt,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let (change, before) = self
            .change_one::<ClientGrantRecord>(caller, at, Permission::ClientGrantsEdit, mode)
            .await?;
        let names = check(&change, &before.grant).await?;
        let event = event("client_grants.delete", "No longer allowed", &before, &names);
        change.remove(&before, event).await
    }
}

impl Kept for ClientGrantRecord {
    type Id = ClientGrantId;
    const WHAT: &'static str = "client grant";

    fn id(&self) -> ClientGrantId {
        self.grant.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn touch(&mut self, now: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = now;
    }

    /// What the console itself may call is refused by [`check`], which knows the application.
    fn built_in(&self) -> bool {
        false
    }
}

/// Checks that the pair has no grant yet and that the application may have another.
async fn check_free(change: &Change<'_>, new: &NewClientGrant) -> Result<(), Refusal> {
    let tenant = change.tenant().id;
    let mut filter = ClientGrantFilter {
        application: Some(new.application),
        api: None,
    };
    if change.tx().count_client_grants(tenant, filter).await? >= MAX_GRANTS_PER_APPLICATION {
        return Err(Refusal::conflict(
            "too_many_grants",
            format!("An application may have {MAX_GRANTS_PER_APPLICATION} client grants."),
        ));
    }
    filter.api = Some(new.api);
    if change.tx().count_client_grants(tenant, filter).await? > 0 {
        return Err(Refusal::conflict(
            "grant_exists",
            "This application may call this API already; change that grant instead.",
        ));
    }
    Ok(())
}

/// The names of the two sides, for people who read the audit log.
struct Names {
    application: String,
    api: String,
}

/// Checks that both sides exist in the tenant, that the API has the scopes, and that it is not about what
/// the console itself may call.
async fn check(change: &Change<'_>, grant: &ClientGrant) -> Result<Names, Refusal> {
    let tenant = change.tenant().id;
    let missing = |member| Refusal::invalid(member, "does not exist in this tenant");
    let application: Option<ApplicationRecord> =
        change.tx().find(tenant, grant.application).await?;
    let application = application.ok_or_else(|| missing("application"))?;
    change.refuse_built_in(&application)?;
    let api: Option<ApiRecord> = change.tx().find(tenant, grant.api).await?;
    let api = api.ok_or_else(|| missing("api"))?.api;
    grant.check(&api)?;
    Ok(Names {
        application: application.application.name,
        api: api.name,
    })
}

fn event(action: &'static str, verb: &str, record: &ClientGrantRecord, names: &Names) -> Event {
    let Names { application, api } = names;
    let sentence = format!("{verb} \u{201c}{application}\u{201d} to call \u{201c}{api}\u{201d}.");
    Event::new(action, sentence).object(
        "client_grant",
        record.grant.id,
        format!("{application} → {api}"),
    )
}
