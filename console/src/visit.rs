//! A visit: one request of a signed-in person, with everything a page needs to decide and to draw.
//!
//! It is built once, before any handler runs: session → operator → scope of the address → permissions that
//! count there. Handlers get a [`Visit`] or do not run. What it says about permissions is for showing and
//! hiding; each method of the control plane authorizes by itself, so a page that forgets to ask cannot
//! give anything away.

use std::{collections::BTreeSet, rc::Rc, str::FromStr};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use chrono::{DateTime, Utc};
use contract::{
    permission::Permission,
    role::Party,
    tenant::{Environment, Slug},
};
use control_plane::{
    Caller, ControlPlane, PageRequest, Refusal, Via,
    console_sessions::{ConsoleSession, Preferences},
    tenants::Tenant,
};
use host::{RequestId, Secret};
use leptos::prelude::*;

use crate::{
    Console, denial,
    document::{self, Chrome, Head},
    fault::Fault,
    flash::{self, Flash},
    routes::Place,
    shell,
};

/// One request of a signed-in person. Clones share it.
#[derive(Clone)]
pub struct Visit(Rc<Inner>);

struct Inner {
    console: Console,
    request: HttpRequest,
    request_id: String,
    secret: Secret,
    session: ConsoleSession,
    caller: Caller,
    preferences: Preferences,
    tenant: Option<Tenant>,
    on_platform: bool,
    powers: BTreeSet<Permission>,
    tenants: Vec<Tenant>,
    flash: Option<Flash>,
}

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
        let flash = match request.method().is_safe() && !request.path().ends_with(".json") {
            true => {
                control_plane
                    .take_stash(secret.expose(), flash::SLOT)
                    .await?
            }
            false => None,
        };
        Ok(Self(Rc::new(Inner {
            console: console.clone(),
            request: request.clone(),
            request_id,
            preferences: control_plane.preferences(session.operator).await?,
            on_platform: place == Place::Platform,
            powers: powers(console, &caller, tenant.as_ref()).await?,
            tenants: offered(control_plane, &caller).await?,
            secret,
            session,
            caller,
            tenant,
            flash,
        })))
    }

    /// Refuses unless the person may use `permission` here, in the words of the control plane. It decides
    /// which page to show; what a page shows and what a command does is authorized by the methods they call.
    ///
    /// # Errors
    /// [`Fault::Forbidden`].
    pub(crate) async fn require(&self, permission: Option<Permission>) -> Result<(), Fault> {
        match permission.filter(|permission| !self.may(*permission)) {
            None => Ok(()),
            Some(missing) => Err(Fault::Forbidden(Box::new(
                denial::explain(self, missing).await?,
            ))),
        }
    }

    /// The console this visit came to.
    pub fn console(&self) -> &Console {
        &self.0.console
    }

    /// The methods behind every page.
    pub fn control_plane(&self) -> &ControlPlane {
        self.0.console.control_plane()
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The tenant that the address names. Only for screens and commands of [`Place::Tenant`].
    pub fn tenant(&self) -> &Tenant {
        self.0
            .tenant
            .as_ref()
            .expect("the route table says Place::Tenant, so begin() found the tenant or refused")
    }

    /// The tenant that the address names, if it names one.
    pub fn tenant_if_any(&self) -> Option<&Tenant> {
        self.0.tenant.as_ref()
    }

    /// Tenants to offer in the switcher.
    pub(crate) fn offered_tenants(&self) -> &[Tenant] {
        &self.0.tenants
    }

    /// Whether the person may do this here, matrix included. For showing and hiding only.
    pub fn may(&self, permission: Permission) -> bool {
        self.0.powers.contains(&permission)
    }

    /// Everything the person may do here.
    pub fn powers(&self) -> &BTreeSet<Permission> {
        &self.0.powers
    }

    /// Whether a member of the vendor's staff looks into a customer's tenant.
    pub fn is_guest(&self) -> bool {
        self.0.caller.party() == Party::Vendor
            && self
                .0
                .tenant
                .as_ref()
                .is_some_and(|tenant| !tenant.is_platform())
    }

    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.console.clock().now()
    }

    /// Names this request in logs and on error pages.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The request's path.
    pub fn path(&self) -> &str {
        self.0.request.path()
    }

    /// A part of the path, such as `id` of `apps/{id}`.
    ///
    /// # Errors
    /// [`Fault::NotFound`] if it is not a `T`.
    pub fn param<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        let text = self.0.request.match_info().query(name);
        text.parse().map_err(|_| Fault::NotFound)
    }

    /// A member of the query string without surrounding space; `None` if absent or empty.
    pub fn query(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.0.request.query_string().as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The page of a list that the query members `after` asks for.
    ///
    /// # Errors
    /// [`Fault::BadAddress`] for a cursor that we did not give.
    pub fn page_request(&self) -> Result<PageRequest, Fault> {
        Ok(PageRequest::parse(None, self.query("after").as_deref())?)
    }

    /// This address with other query members: `("after", Some(cursor))`; `None` removes a member.
    pub fn with_query(&self, changes: &[(&str, Option<&str>)]) -> String {
        let kept = url::form_urlencoded::parse(self.0.request.query_string().as_bytes())
            .filter(|(key, _)| changes.iter().all(|(changed, _)| changed != key))
            .map(|(key, value)| (key.into_owned(), value.into_owned()));
        let added = changes
            .iter()
            .filter_map(|(key, value)| Some(((*key).to_owned(), (*value)?.to_owned())));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept.chain(added))
            .finish();
        match query.as_str() {
            "" => self.path().to_owned(),
            query => format!("{}?{query}", self.path()),
        }
    }

    /// The address of a page in this scope: `href("apps")` → `/t/acme/production/apps`.
    pub fn href(&self, page: &str) -> String {
        format!("{}{page}", self.base())
    }

    /// The address of a command in this scope: `command("apps/create")` → `/cmd/t/acme/production/apps/create`.
    pub fn command(&self, command: &str) -> String {
        format!("/cmd{}{command}", self.base())
    }

    fn base(&self) -> String {
        match &self.0.tenant {
            Some(tenant) => tenant_base(tenant),
            None if self.0.on_platform => "/p/".to_owned(),
            None => "/".to_owned(),
        }
    }

    /// The form token that every POST form carries.
    pub fn csrf(&self) -> String {
        self.0.session.csrf.expose().to_owned()
    }

    pub(crate) fn form_token(&self) -> &Secret {
        &self.0.session.csrf
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// The session, for the person's own page.
    pub fn session(&self) -> &ConsoleSession {
        &self.0.session
    }

    /// The person's theme and density.
    pub fn preferences(&self) -> Preferences {
        self.0.preferences
    }

    /// The page `title` with status 200. Build the view inside the closure: it runs where islands may live.
    pub fn page<V: IntoView>(&self, title: &str, view: impl FnOnce() -> V) -> HttpResponse {
        self.page_with(StatusCode::OK, title, view)
    }

    /// The page again with a form that has problems: status 422.
    pub fn refused<V: IntoView>(&self, title: &str, view: impl FnOnce() -> V) -> HttpResponse {
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, title, view)
    }

    /// The page with a status of one's own.
    pub fn page_with<V: IntoView>(
        &self,
        status: StatusCode,
        title: &str,
        view: impl FnOnce() -> V,
    ) -> HttpResponse {
        let head = Head {
            title: format!("{title} · {} · Bailiwick", self.scope_name()),
            chrome: self.chrome(),
            preferences: self.preferences(),
            form_target: Some(self.0.console.relying_party().issuer_origin().to_owned()),
        };
        document::answer(status, &head, || {
            shell::frame(self, self.0.flash.clone(), view)
        })
    }

    /// After a command: 303 to a page of ours, which says what was done. The route that ran the command
    /// keeps the message for that page.
    pub fn done(&self, flash: &Flash, to: &str) -> HttpResponse {
        let mut answer = see_other(to).finish();
        answer.extensions_mut().insert(flash.clone());
        answer
    }

    fn chrome(&self) -> Chrome {
        match &self.0.tenant {
            Some(_) if self.is_guest() => Chrome::Grant,
            Some(_) => Chrome::Tenant,
            None if self.0.on_platform => Chrome::Platform,
            None => Chrome::Tenant,
        }
    }

    /// The scope's name in titles and landmarks.
    pub fn scope_name(&self) -> String {
        match &self.0.tenant {
            Some(tenant) => tenant.name.to_string(),
            None if self.0.on_platform => "Platform".to_owned(),
            None => "Console".to_owned(),
        }
    }

    /// Whether the address is one of the platform.
    pub fn is_on_platform(&self) -> bool {
        self.0.on_platform
    }
}

/// `/t/acme/production/`.
pub fn tenant_base(tenant: &Tenant) -> String {
    format!("/t/{}/{}/", tenant.slug, tenant.environment.as_str())
}

/// 303 to an own path. The path is checked here because it ends in a header.
pub fn see_other(path: &str) -> HttpResponseBuilder {
    let own =
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    let path = if own { path } else { crate::return_path::START };
    let mut answer = HttpResponse::SeeOther();
    answer
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    answer
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
