//! `/v1/tenants`.

use actix_web::http::Method;
use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    permission::Permission as P,
    tenant::{Environment, Host, Region, Slug, TenantName, TenantStatus},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, Asking, InTenant, Overwriting, Params, Searching},
    body::JsonBody,
    operation::{Access, Operation},
    operators::{InvitationView, InvitedView, InviteeBody},
    problem::Problem,
};
use crate::{
    ControlPlane,
    tenants::{NewTenant, Tenant, TenantChanges},
};

const ALL: &str = "/tenants";
const ONE: &str = "/tenants/{tenant}";
const STATUS: &str = "/tenants/{tenant}/status";
const OWNER: &str = "/tenants/{tenant}/owner-invitation";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let new = json!({
        "slug": "globex",
        "name": "Globex",
        "environment": "production",
        "region": "local",
        "first_admin": {"name": "Ada Admin", "email": "ada@globex.example"},
    });
    vec![
        Operation::new("listTenants", Method::GET, ALL, list)
            .summary("Lists tenants: all of them for vendor staff, otherwise those the caller has a role in.")
            .needs(Access::Operator)
            .query::<Searching>()
            .gives::<Listed<TenantView>>(),
        Operation::new("createTenant", Method::POST, ALL, create)
            .summary("Creates a tenant and invites its first owner.")
            .needs(P::TenantsCreate)
            .takes::<NewTenantBody>(new)
            .creates::<CreatedTenantView>()
            .versioned(),
        Operation::new("getTenant", Method::GET, ONE, get)
            .summary("Reads a tenant.")
            .needs(P::SettingsView)
            .gives::<TenantView>()
            .versioned(),
        Operation::new("updateTenant", Method::PATCH, ONE, update)
            .summary("Renames a tenant or moves it to another host; what is left out stays.")
            .needs(P::SettingsEdit)
            .takes::<TenantChange>(json!({"name": "Acme Ltd"}))
            .gives::<TenantView>()
            .versioned(),
        Operation::new("setTenantStatus", Method::PUT, STATUS, set_status)
            .summary("Suspends a tenant, so that nodes refuse to serve it, or resumes it. If-Match is the tenant's ETag.")
            .needs(P::TenantsUpdate)
            .takes::<StatusBody>(json!({"status": "suspended"}))
            .gives::<TenantView>()
            .versioned(),
        Operation::new("resendOwnerInvitation", Method::POST, OWNER, resend_owner)
            .summary("Sends a tenant's first owner the invitation again, to another address if one is given, while no owner has come.")
            .needs(P::TenantsCreate)
            .takes::<OwnerInvitationBody>(json!({"email": "ada.admin@globex.example"}))
            .gives::<InvitationView>(),
    ]
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantView {
    id: TenantId,
    slug: Slug,
    name: TenantName,
    environment: Environment,
    region: Region,
    host: Option<Host>,
    status: TenantStatus,
    /// The issuer identifier of its tokens.
    issuer: String,
    /// The current release; which nodes serve it says its effectiveness.
    release: u64,
    version: i64,
    created_at: DateTime<Utc>,
}

impl TenantView {
    /// A tenant as it is shown.
    pub(super) fn of(plane: &ControlPlane, tenant: Tenant) -> Self {
        Self {
            issuer: plane.issuer(&tenant),
            id: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            environment: tenant.environment,
            region: tenant.region,
            host: tenant.host,
            status: tenant.status,
            release: tenant.release_version,
            version: tenant.version,
            created_at: tenant.created_at,
        }
    }
}

/// What a new tenant is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenantBody {
    slug: Slug,
    name: TenantName,
    environment: Environment,
    region: Region,
    host: Option<Host>,
    /// Who becomes its first owner.
    first_admin: Option<InviteeBody>,
}

/// What is to be different about a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    name: Option<TenantName>,
    /// Another host, or `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Host>)]
    host: Option<Option<Host>>,
}

/// Keeps "null" apart from "left out".
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Host>>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

/// Whether a tenant is to be served.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusBody {
    status: TenantStatus,
}

/// How a tenant's first owner is to be invited again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnerInvitationBody {
    /// Another address, if the first one was wrong.
    email: Option<String>,
}

/// A new tenant, and what became of the invitation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedTenantView {
    tenant: TenantView,
    first_admin: Option<InvitedView>,
}

async fn list(
    ask: Asking,
    Params(search): Params<Searching>,
) -> Result<Listed<TenantView>, Problem> {
    let page = search.page()?;
    let found = ask
        .plane
        .list_tenants(&ask.caller, search.q.as_deref(), &page)
        .await?;
    Ok(Listed::page(
        found.map(|tenant| TenantView::of(&ask.plane, tenant)),
    ))
}

async fn get(at: InTenant) -> Result<Answer<TenantView>, Problem> {
    let tenant = at.plane.get_tenant(&at.caller, at.tenant).await?;
    Ok(shown(&at, tenant))
}

/// A tenant with its tag: its version, and the release that is shown with it.
fn shown(at: &InTenant, tenant: Tenant) -> Answer<TenantView> {
    let (version, release) = (tenant.version, tenant.release_version);
    Answer::ok(TenantView::of(&at.plane, tenant))
        .version(version)
        .also(release)
}

async fn create(
    ask: Asking,
    write: Adding,
    JsonBody(body): JsonBody<NewTenantBody>,
) -> Result<Answer<CreatedTenantView>, Problem> {
    let new = NewTenant {
        slug: body.slug,
        name: body.name,
        environment: body.environment,
        region: body.region,
        host: body.host,
        first_admin: body.first_admin.map(Into::into),
    };
    let created = ask
        .plane
        .create_tenant(&ask.caller, new, write.mode)
        .await?;
    let location = format!("/tenants/{}", created.tenant.slug);
    let (version, release) = (created.tenant.version, created.tenant.release_version);
    let view = CreatedTenantView {
        tenant: TenantView::of(&ask.plane, created.tenant),
        first_admin: created.first_admin.map(Into::into),
    };
    Ok(Answer::created(view, location)
        .version(version)
        .also(release)
        .mode(write.mode))
}

async fn update(
    at: InTenant,
    write: Overwriting,
    JsonBody(body): JsonBody<TenantChange>,
) -> Result<Answer<TenantView>, Problem> {
    let changes = TenantChanges {
        name: body.name,
        host: body.host,
    };
    let tenant = at
        .plane
        .update_tenant(&at.caller, at.seen(&write), changes, write.mode)
        .await?;
    Ok(shown(&at, tenant).mode(write.mode))
}

async fn set_status(
    at: InTenant,
    write: Overwriting,
    JsonBody(body): JsonBody<StatusBody>,
) -> Result<Answer<TenantView>, Problem> {
    let tenant = at
        .plane
        .set_tenant_status(&at.caller, at.seen(&write), body.status, write.mode)
        .await?;
    Ok(shown(&at, tenant).mode(write.mode))
}

async fn resend_owner(
    at: InTenant,
    write: Adding,
    JsonBody(body): JsonBody<OwnerInvitationBody>,
) -> Result<Answer<InvitationView>, Problem> {
    let sent = at
        .plane
        .resend_first_invitation(&at.caller, at.tenant, body.email.as_deref(), write.mode)
        .await?;
    Ok(Answer::ok(sent.into()).mode(write.mode))
}
