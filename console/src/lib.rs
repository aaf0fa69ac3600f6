//! The operator console: server-rendered pages that call the control plane's methods.
//!
//! A console page is complete HTML before any script runs; what scripts add are the islands of
//! `console-islands`. Every change is a plain form posted to a command, answered with 303 and a flash.
//! Pages and commands call the same methods as the admin API and authorization is inside those methods,
//! so the two doors cannot disagree. The console signs people in as a relying party of our own product.
//!
//! The way through the crate: [`routes`] (every page and command, once) → [`visit::Visit`] (who asks, in
//! which scope, with which powers) → a file below [`pages`] (load, then draw with [`kit`]) → [`shell`] and
//! [`document`]. It must never reach a store, an end user's data or a page of the data plane.

mod assets;
mod authn;
mod cookies;
mod csrf;
mod denial;
pub mod document;
pub mod fault;
pub mod flash;
pub mod form;
pub mod kit;
pub mod pages;
mod return_path;
pub mod routes;
pub mod shell;
mod streams;
pub mod visit;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::ids::{ApplicationId, TenantId};
use control_plane::ControlPlane;
use host::{Clock, Egress, Secret};
use url::Url;

pub use crate::routes::configure;
use crate::{authn::RelyingParty, cookies::Cookies, streams::Streams};

/// What a console needs.
#[derive(Debug, Clone)]
pub struct ConsoleConfig {
    /// The methods behind every page.
    pub control_plane: ControlPlane,
    /// How browsers reach the console, without a path.
    pub public_url: Url,
    /// The platform's own tenant, whose users are the operators.
    pub platform: TenantId,
    /// The issuer of the platform's own tenant.
    pub issuer: String,
    /// The console's `client_id` there.
    pub client_id: ApplicationId,
    /// The console's secret there.
    pub client_secret: Secret,
    /// Makes the one outbound call: code against tokens, at the issuer.
    pub egress: Egress,
    /// The time.
    pub clock: Clock,
    /// Where mail can be read on this machine, if it does not go out.
    pub mailbox: Option<String>,
}

/// The addresses of a console that its issuer must know, for `ControlPlane::ensure_platform`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Where sign-in returns to.
    pub redirect: String,
    /// Where sign-out returns to.
    pub post_logout: String,
}

impl Addresses {
    /// The addresses of the console at `public_url`.
    pub fn of(public_url: &Url) -> Self {
        let origin = public_url.origin().ascii_serialization();
        Self {
            redirect: format!("{origin}/login/callback"),
            post_logout: format!("{origin}/signed-out"),
        }
    }
}

/// The address of the page on which the first operator is made, with its one-time token.
pub fn setup_url(public_url: &Url, token: &Secret) -> String {
    let origin = public_url.origin().ascii_serialization();
    format!("{origin}/setup?token={}", token.expose())
}

/// A console could not be made from its configuration.
#[derive(Debug, thiserror::Error)]
#[error("the issuer {0:?} is not an address")]
pub struct BadIssuer(String);

/// The console: a cheap handle that [`configure`] mounts on each worker.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    control_plane: ControlPlane,
    platform: TenantId,
    origin: String,
    relying_party: RelyingParty,
    cookies: Cookies,
    clock: Clock,
    mailbox: Option<String>,
    streams: Streams,
}

impl Console {
    /// Makes a console.
    ///
    /// # Errors
    /// [`BadIssuer`] if the issuer is not an absolute address.
    pub fn new(config: ConsoleConfig) -> Result<Self, BadIssuer> {
        let origin = config.public_url.origin().ascii_serialization();
        let cookies = Cookies::new(config.public_url.scheme() == "https");
        let relying_party = RelyingParty::new(&config)?;
        Ok(Self {
            inner: Arc::new(Inner {
                control_plane: config.control_plane,
                platform: config.platform,
                origin,
                relying_party,
                cookies,
                clock: config.clock,
                mailbox: config.mailbox,
                streams: Streams::default(),
            }),
        })
    }

    pub(crate) fn control_plane(&self) -> &ControlPlane {
        &self.inner.control_plane
    }

    /// The platform's own tenant.
    pub(crate) fn platform(&self) -> TenantId {
        self.inner.platform
    }

    /// `https://console.example`, as browsers write it into `Origin`.
    pub(crate) fn origin(&self) -> &str {
        &self.inner.origin
    }

    pub(crate) fn relying_party(&self) -> &RelyingParty {
        &self.inner.relying_party
    }

    pub(crate) fn cookies(&self) -> Cookies {
        self.inner.cookies
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Ends what would keep connections open for minutes. For a process that is about to end.
    pub fn close_streams(&self) {
        self.inner.streams.close();
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.inner.streams
    }

    /// Where mail can be read on this machine, if it does not go out.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        self.inner.mailbox.as_deref()
    }
}
