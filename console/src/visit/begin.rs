//! How a visit begins: session → operator → scope of the address → permissions that count there.
//!
//! Everything a page will need is read here, so that no page waits for it twice. It must never let anyone
//! in without a session, nor say of a foreign tenant more than that nothing is there.

use std::{collections::BTreeSet, rc::Rc};

use actix_web::HttpRequest;
use contract::{
    permission::Permission,
    tenant::{Environment, Slug},
};
use control_plane::{
    Caller, ContainmentState, ControlPlane, PageRequest, Refusal, Via, tenants::Tenant,
};
use host::RequestId;

use super::{Inner, Visit};
use crate::{Console, fault::Fault, flash, routes::Place};

/// How many tenants the switcher offers before one searches.
const OFFERED: u64 = 8;

impl Visit {
    /// Recognizes the person and the scope that the address names.
    ///
    /// # Errors
    /// [`Fault::SignIn`] without a session, [`Fault::NotAnOperator`] for an account without any role,
    /// [`Fault::NotFound`] for a tenant that does not exist or that the person has nothing to do with.
    pub(crate) async fn begin(
        console: &Console,
        request: &HttpRequest,
        place: Place,
    ) -> Result<Self, Fault> {
        let shows = request.method().is_safe() && !request.path().ends_with(".json");
        Self::recognize(console, request, place, shows).await
    }

    /// The same for something that is no page: it shows no message and no banner, so none is fetched.
    ///
    /// # Errors
    /// As [`Visit::begin`].
    pub(crate) async fn begin_beside(
        console: &Console,
        request: &HttpRequest,
        place: Place,
    ) -> Result<Self, Fault> {
        Self::recognize(console, request, place, false).await
    }

    /// `shows` says whether a message that waits is taken.
    async fn recognize(
        console: &Console,
        request: &HttpRequest,
        place: Place,
        shows: bool,
    ) -> Result<Self, Fault> {
        let request_id = RequestId::of(request)
            .map(|id| id.to_string())
            .unwrap_or_default();
        let control_plane = console.control_plane();
        let secret = console.cookies().session(request).ok_or(Fault::SignIn)?;
        let session = control_plane
            .find_console_session(secret.expose())
            .await?
            .ok_or(Fault::SignIn)?;
        let caller = control_plane
            .caller_for_subject(session.subject, Via::Console, request_id.as_str())
            .await
            .map_err(Fault::from_operator_lookup)?;
        let tenant = match place {
            Place::Tenant => Some(tenant_of(console, request, &caller).await?),
            Place::Platform | Place::Anywhere => None,
        };
        let flash = match shows {
            true => {
                control_plane
                    .take_stash(secret.expose(), flash::SLOT)
                    .await?
            }
            false => None,
        };
        let powers = powers(console, &caller, tenant.as_ref()).await?;
        let open_containments = match place {
            Place::Platform if caller.is_staff() => {
                control_plane.count_open_containments(&caller).await?
            }
            _ => 0,
        };
        Ok(Self(Rc::new(Inner {
            contained: contained(control_plane, &caller, tenant.as_ref(), &powers).await?,
            open_containments,
            console: console.clone(),
            request: request.clone(),
            request_id,
            preferences: control_plane.preferences(session.operator).await?,
            on_platform: place == Place::Platform,
            powers,
            tenants: offered(control_plane, &caller).await?,
            secret,
            session,
            caller,
            tenant,
            flash,
        })))
    }
}

/// The tenants to offer in the switcher. Who may not list tenants is offered none.
async fn offered(control_plane: &ControlPlane, caller: &Caller) -> Result<Vec<Tenant>, Fault> {
    let page = PageRequest::parse(Some(OFFERED), None)?;
    match control_plane.list_tenants(caller, None, &page).await {
        Ok(page) => Ok(page.items),
        Err(Refusal::Forbidden(_)) => Ok(Vec::new()),
        Err(other) => Err(other.into()),
    }
}

/// What is in force in the tenant: every page of it says so, also the answer to a form with mistakes.
async fn contained(
    control_plane: &ControlPlane,
    caller: &Caller,
    tenant: Option<&Tenant>,
    powers: &BTreeSet<Permission>,
) -> Result<Vec<ContainmentState>, Fault> {
    match tenant.filter(|_| powers.contains(&Permission::ContainmentsView)) {
        Some(tenant) => Ok(control_plane.contained(caller, tenant.id).await?),
        None => Ok(Vec::new()),
    }
}

/// What the person may do in the scope: everything in a tenant, otherwise what reaches the platform.
async fn powers(
    console: &Console,
    caller: &Caller,
    tenant: Option<&Tenant>,
) -> Result<BTreeSet<Permission>, Fault> {
    let (scope, asked): (_, Vec<Permission>) = match tenant {
        Some(tenant) => (tenant.id, Permission::all().to_vec()),
        None => {
            let all = Permission::all().iter().copied();
            (
                console.platform(),
                all.filter(|permission| permission.is_platform()).collect(),
            )
        }
    };
    let allowed = console
        .control_plane()
        .allowed(caller, scope, &asked)
        .await?;
    Ok(allowed.into_iter().collect())
}

/// The tenant of `/t/{tenant}/{env}/…`. Whoever has no role that counts there gets the same answer as for
/// a tenant that does not exist, so that addresses tell nothing (console.md 6.0a).
async fn tenant_of(
    console: &Console,
    request: &HttpRequest,
    caller: &Caller,
) -> Result<Tenant, Fault> {
    let slug: Slug = request
        .match_info()
        .query("tenant")
        .parse()
        .map_err(|_| Fault::NotFound)?;
    let environment: Environment = request
        .match_info()
        .query("env")
        .parse()
        .map_err(|_| Fault::NotFound)?;
    let tenant = console
        .control_plane()
        .get_tenant_by_slug(caller, &slug)
        .await?;
    if tenant.environment != environment {
        return Err(Fault::NotFound);
    }
    host::record_tenant(request, tenant.slug.as_str());
    Ok(tenant)
}
