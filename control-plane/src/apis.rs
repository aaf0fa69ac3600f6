//! APIs: the audiences of a tenant's access tokens and the scopes they understand.
//!
//! An audience is unique within the tenant and stays what it is: resource servers compare it literally.
//! What a client grant relies on (the API, a scope of it) cannot be removed under it.

use chrono::{DateTime, Utc};
use contract::{
    api::{ADMIN_AUDIENCE, Api, ApiScope, Audience},
    ids::{ApiId, TenantId},
    permission::Permission,
    tenant::PLATFORM_SLUG,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Caller, ControlPlane, Mode, Page, PageRequest, Refusal,
    audit::Event,
    change::Change,
    client_grants::ClientGrantFilter,
    kept::{Kept, ThingAt},
};

/// Most APIs one tenant may have: they travel as one section of a release.
pub const MAX_APIS: u64 = 100;

/// Audiences that only the platform tenant may have: our own.
const RESERVED_AUDIENCES: &str = "urn:bailiwick:";

/// An API as the control plane keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiRecord {
    /// The API.
    pub api: Api,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl ApiRecord {
    /// Whether it is the admin API itself: nobody changes that but the product (problem code `built_in`).
    /// No other tenant can have its audience.
    pub fn built_in(&self) -> bool {
        self.api.audience.as_str() == ADMIN_AUDIENCE
    }
}

/// What a new API is to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApi {
    /// Its display name.
    pub name: String,
    /// The `aud` of its tokens; it stays that.
    pub audience: Audience,
    /// The scopes it understands.
    #[serde(default)]
    pub scopes: Vec<ApiScope>,
}

/// What is to be different about an API; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiChange {
    /// Its display name.
    pub name: Option<String>,
    /// The scopes it understands, all of them.
    pub scopes: Option<Vec<ApiScope>>,
}

/// Which API a change is about, and which version of it the caller has seen.
pub type ApiAt = ThingAt<ApiId>;

impl ControlPlane {
    /// Lists a tenant's APIs; `text` is part of a name or audience, or a whole id.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`.
    pub async fn list_apis(
        &self,
        caller: &Caller,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApiRecord>, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ApplicationsView)
            .await?;
        Ok(view.tx().list_apis(tenant, text, page).await?)
    }

    /// Gives one API.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.applications.view`; [`Refusal::NotFound`].
    pub async fn get_api(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApiId,
    ) -> Result<ApiRecord, Refusal> {
        self.get_one(caller, tenant, id).await
    }

    /// Creates an API.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.apis.edit`; [`Refusal::Invalid`]; [`Refusal::Conflict`] if
    /// the audience is taken or the tenant has [`MAX_APIS`].
    pub async fn create_api(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewApi,
        mode: Mode,
    ) -> Result<ApiRecord, Refusal> {
        let change = self
            .change(caller, tenant, Permission::ApisEdit, mode)
            .await?;
        let api = Api {
            id: self.new_id(),
            name: new.name,
            audience: new.audience,
            scopes: new.scopes,
        };
        api.check()?;
        check_audience(&change, &api.audience).await?;
        change
            .check_room::<ApiRecord>(MAX_APIS, "too_many_apis")
            .await?;
        let record = ApiRecord {
            api,
            version: 1,
            created_at: change.at(),
            updated_at: change.at(),
        };
        let event = event("apis.create", "Created", &record);
        change.add(record, event).await
    }

    /// Changes an API's name or scopes.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.apis.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Invalid`]; [`Refusal::Conflict`] if a client grant has a scope that would go, and for our
    /// own admin API.
    pub async fn update_api(
        &self,
        caller: &Caller,
        at: ApiAt,
        wanted: ApiChange,
        mode: Mode,
    ) -> Result<ApiRecord, Refusal> {
        let (change, before) = self
            .change_one::<ApiRecord>(caller, at, Permission::ApisEdit, mode)
            .await?;
        let mut after = before.clone();
        after.api.name = wanted.name.unwrap_or(after.api.name);
        after.api.scopes = wanted.scopes.unwrap_or(after.api.scopes);
        after.api.check()?;
        check_scopes_unused(&change, &after.api).await?;
        let event = event("apis.update", "Changed", &after);
        change.replace(&before, after, event).await
    }

    /// Deletes an API that no application may call.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.apis.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Conflict`] while client grants exist, and for our own admin API.
    pub async fn delete_api(&self, caller: &Caller, at: ApiAt, mode: Mode) -> Result<(), Refusal> {
        let (change, before) = self
            .change_one::<ApiRecord>(caller, at, Permission::ApisEdit, mode)
            .await?;
        let grants = ClientGrantFilter::for_api(at.id);
        let callers = change.tx().count_client_grants(at.tenant, grants).await?;
        if callers > 0 {
            return Err(Refusal::conflict(
                "api_in_use",
                format!(
                    "{callers} client grants allow applications to call this API; delete them first."
                ),
            ));
        }
        let event = event("apis.delete", "Deleted", &before);
        change.remove(&before, event).await
    }
}

impl Kept for ApiRecord {
    type Id = ApiId;
    const WHAT: &'static str = "API";

    fn id(&self) -> ApiId {
        self.api.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn touch(&mut self, now: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = now;
    }

    fn built_in(&self) -> bool {
        self.built_in()
    }
}

async fn check_audience(change: &Change<'_>, audience: &Audience) -> Result<(), Refusal> {
    let tenant = change.tenant();
    if audience.as_str().starts_with(RESERVED_AUDIENCES) && tenant.slug.as_str() != PLATFORM_SLUG {
        return Err(Refusal::invalid(
            "audience",
            "must not begin with urn:bailiwick:, which is ours",
        ));
    }
    match change
        .tx()
        .find_api_by_audience(tenant.id, audience)
        .await?
    {
        None => Ok(()),
        Some(other) => Err(Refusal::conflict(
            "audience_taken",
            format!(
                "The API \u{201c}{}\u{201d} has this audience already.",
                other.api.name
            ),
        )),
    }
}

async fn check_scopes_unused(change: &Change<'_>, api: &Api) -> Result<(), Refusal> {
    let grants = change
        .tx()
        .client_grants_for_api(change.tenant().id, api.id)
        .await?;
    let lost = grants
        .iter()
        .flat_map(|grant| &grant.scopes)
        .find(|scope| api.scope(scope).is_none());
    match lost {
        None => Ok(()),
        Some(scope) => Err(Refusal::conflict(
            "scope_in_use",
            format!("A client grant has the scope {scope}; take it from the grant first."),
        )),
    }
}

fn event(action: &'static str, verb: &str, record: &ApiRecord) -> Event {
    let Api { id, name, .. } = &record.api;
    Event::new(action, format!("{verb} API \u{201c}{name}\u{201d}.")).object("api", *id, name)
}
