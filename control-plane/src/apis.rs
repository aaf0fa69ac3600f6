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
    change::{Change, Done, Target, check_version},
    client_grants::ClientGrantFilter,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiAt {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: ApiId,
    /// The version the caller has seen; `None` overwrites any.
    pub expected: Option<i64>,
}

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
            .view(caller, Target::Tenant(tenant), Permission::ApplicationsView)
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
        let view = self
            .view(caller, Target::Tenant(tenant), Permission::ApplicationsView)
            .await?;
        view.tx().find_api(tenant, id).await?.ok_or(NOT_FOUND)
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
            .change(caller, Target::Tenant(tenant), Permission::ApisEdit, mode)
            .await?;
        let api = Api {
            id: self.new_id(),
            name: new.name,
            audience: new.audience,
            scopes: new.scopes,
        };
        api.check()?;
        check_audience(&change, &api.audience).await?;
        if change.tx().count_apis(tenant).await? >= MAX_APIS {
            return Err(Refusal::conflict(
                "too_many_apis",
                format!("A tenant may have {MAX_APIS} APIs; delete one first."),
            ));
        }
        let record = ApiRecord {
            api,
            version: 1,
            created_at: change.at(),
            updated_at: change.at(),
        };
        change.tx().insert_api(tenant, &record).await?;
        let event = event("apis.create", "Created", &record).after(&record);
        change.finish(Done::new(record, event).releases()).await
    }

    /// Changes an API's name or scopes.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.apis.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Invalid`]; [`Refusal::Conflict`] if a client grant has a scope that would go.
    pub async fn update_api(
        &self,
        caller: &Caller,
        at: ApiAt,
        wanted: ApiChange,
        mode: Mode,
    ) -> Result<ApiRecord, Refusal> {
        let change = self
            .change(
                caller,
                Target::Tenant(at.tenant),
                Permission::ApisEdit,
                mode,
            )
            .await?;
        let before = at.load(&change).await?;
        let mut after = before.clone();
        after.api.name = wanted.name.unwrap_or(after.api.name);
        after.api.scopes = wanted.scopes.unwrap_or(after.api.scopes);
        after.api.check()?;
        check_scopes_unused(&change, &after.api).await?;
        after.version += 1;
        after.updated_at = change.at();
        change.tx().update_api(at.tenant, &after).await?;
        let event = event("apis.update", "Changed", &after)
            .before(&before)
            .after(&after);
        change.finish(Done::new(after, event).releases()).await
    }

    /// Deletes an API that no application may call.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.apis.edit`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Conflict`] while client grants exist, and for our own admin API.
    pub async fn delete_api(&self, caller: &Caller, at: ApiAt, mode: Mode) -> Result<(), Refusal> {
        let change = self
            .change(
                caller,
                Target::Tenant(at.tenant),
                Permission::ApisEdit,
                mode,
            )
            .await?;
        let before = at.load(&change).await?;
        if before.api.audience.as_str() == ADMIN_AUDIENCE {
            return Err(Refusal::conflict(
                "built_in",
                "This is the admin API itself; without it nobody could administer anything.",
            ));
        }
        let grants = ClientGrantFilter {
            api: Some(at.id),
            application: None,
        };
        let callers = change.tx().count_client_grants(at.tenant, grants).await?;
        if callers > 0 {
            return Err(Refusal::conflict(
                "api_in_use",
                format!(
                    "{callers} client grants allow applications to call this API; delete them first."
                ),
            ));
        }
        change.tx().delete_api(at.tenant, at.id).await?;
        let event = event("apis.delete", "Deleted", &before).before(&before);
        change.finish(Done::new((), event).releases()).await
    }
}

const NOT_FOUND: Refusal = Refusal::NotFound { what: "API" };

impl ApiAt {
    async fn load(&self, change: &Change<'_>) -> Result<ApiRecord, Refusal> {
        let record = change
            .tx()
            .find_api(self.tenant, self.id)
            .await?
            .ok_or(NOT_FOUND)?;
        check_version(self.expected, record.version)?;
        Ok(record)
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
