//! A visit: one request of a signed-in person, with everything a page needs to decide and to draw.
//!
//! It is built once, before any handler runs: session → operator → scope of the address → permissions that
//! count there. Handlers get a [`Visit`] or do not run. What it says about permissions is for showing and
//! hiding; each method of the control plane authorizes by itself, so a page that forgets to ask cannot
//! give anything away.

mod address;
mod answer;
mod begin;

use std::{collections::BTreeSet, rc::Rc};

use actix_web::{HttpRequest, http::Method};
use chrono::{DateTime, Utc};
use contract::{permission::Permission, role::Party};
use control_plane::{
    Caller, ContainmentState, ControlPlane, Scope,
    console_sessions::{ConsoleSession, Preferences},
    tenants::Tenant,
};
use host::Secret;

pub use self::{address::tenant_base, answer::see_other};
use crate::{Console, fault::Fault, flash::Flash};

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
    contained: Vec<ContainmentState>,
    open_containments: usize,
}

impl Visit {
    /// Refuses unless the person may use `permission` here. The control plane is asked, so that the attempt
    /// is in the audit log like one that a method refused. It decides which page to show; what a page shows
    /// and what a command does is authorized by the methods they call.
    ///
    /// # Errors
    /// [`Fault::Forbidden`].
    pub(crate) async fn require(&self, permission: Option<Permission>) -> Result<(), Fault> {
        let Some(missing) = permission.filter(|permission| !self.may(*permission)) else {
            return Ok(());
        };
        let (control_plane, scope) = (self.control_plane(), self.scope());
        // Opening a page is not yet an attempt at what the page is for.
        if self.0.request.method() == Method::GET {
            control_plane.require(self.caller(), scope, missing).await?;
        } else {
            let tried = control_plane.require_to_change(self.caller(), scope, missing);
            tried.await?;
        }
        Ok(())
    }

    fn scope(&self) -> Scope {
        self.tenant_if_any()
            .map_or(Scope::Platform, |tenant| Scope::Tenant(tenant.id))
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

    /// The tenant that the address names. Only for screens and commands of [`crate::routes::Place::Tenant`].
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

    /// What is in force in the tenant now, newest first, as far as the person may know.
    pub fn contained(&self) -> &[ContainmentState] {
        &self.0.contained
    }

    /// On the platform: how many containments are in force in tenants whose containments the person may see.
    pub fn open_containments(&self) -> usize {
        self.0.open_containments
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
