//! The two listeners: console and admin API for operators, tenant endpoints for everyone.
//!
//! They are apart so that a firewall can be: the first address belongs into the operators' network.

use std::net::{SocketAddr, TcpListener};

use actix_web::{
    dev::Server,
    middleware::from_fn,
    web::{ServiceConfig, scope},
};
use console::{Console, ConsoleConfig};
use control_plane::{
    ControlPlane,
    platform::{ConsoleClient, PlatformClients},
};
use data_plane::{
    Node,
    http::refuse_oversized,
    mailer::Mailbox,
    process::{
        Failure, Tls,
        entry::listen,
        failure::ways_to_give,
        server::{Patience, Surface},
    },
};
use host::{Egress, EgressPolicy, HostPort, Observe, Shutdown};
use url::Url;

use crate::{
    config::{Addresses, Config},
    mailbox,
    planes::Means,
};

/// The sockets, taken before anything slow happens.
pub struct Sockets {
    console: TcpListener,
    auth: TcpListener,
}

impl Sockets {
    /// Takes both addresses.
    ///
    /// # Errors
    /// One is taken, or not of this machine, or both are one.
    pub fn bind(config: &Config) -> Result<Self, Failure> {
        let Config {
            console_addr,
            auth_addr,
            ..
        } = config;
        if console_addr == auth_addr && console_addr.port() != 0 {
            let why = format!(
                "{} is {auth_addr} too; operators and tenants need an address each",
                ways_to_give("auth_addr")
            );
            return Err(Failure::setting("console_addr", why));
        }
        Ok(Self {
            console: listen("console_addr", *console_addr)?,
            auth: listen("auth_addr", *auth_addr)?,
        })
    }

    /// How both are reached.
    ///
    /// # Errors
    /// A URL setting that cannot be used.
    pub fn addresses(&self, config: &Config) -> Result<Addresses, Failure> {
        config.addresses(local(&self.console)?, local(&self.auth)?)
    }

    /// Serves both. The servers run once they are awaited or spawned.
    ///
    /// # Errors
    /// Certificate or key cannot be used, or the workers cannot start.
    pub fn serve(self, operators: Operators<'_>, node: &Node) -> Result<[Server; 2], Failure> {
        let setting = operators.setting;
        node.listens_at(local(&self.auth)?, setting.config.tls.is_some());
        let node = node.clone();
        let tenants = move |routes: &mut ServiceConfig| {
            data_plane::http::configure(routes, &node);
        };
        Ok([
            operators.serve(self.console)?,
            setting
                .surface(&setting.addresses.auth)?
                .serve(self.auth, tenants)
                .map_err(Failure::because(NO_WORKERS))?,
        ])
    }
}

/// Where everything stands.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The settings.
    pub config: &'a Config,
    /// How browsers reach the listeners.
    pub addresses: &'a Addresses,
    /// Clock, chance, health, telemetry.
    pub means: &'a Means,
}

/// What the listener for operators is made of.
pub struct Operators<'a> {
    /// Where it stands.
    pub setting: Setting<'a>,
    /// Who answers.
    pub control_plane: ControlPlane,
    /// The console.
    pub console: Console,
    /// The mailbox, if mail stays in this process.
    pub mailbox: Option<Mailbox>,
}

impl Operators<'_> {
    /// Serves console, admin API and mailbox.
    ///
    /// # Errors
    /// Certificate or key cannot be used, or the workers cannot start.
    pub fn serve(self, listener: TcpListener) -> Result<Server, Failure> {
        let setting = self.setting;
        let public_url = setting.addresses.console.clone();
        let (control_plane, console) = (self.control_plane, self.console);
        let mailbox = self.mailbox.map(mailbox::routes);
        let routes = move |routes: &mut ServiceConfig| {
            let everything = |routes: &mut ServiceConfig| {
                control_plane::http::configure(routes, &control_plane, &public_url);
                if let Some(mailbox) = &mailbox {
                    mailbox(routes);
                }
                // Last: the console answers every path that nobody else took.
                console::configure(console.clone())(routes);
            };
            let limited = scope("").wrap(from_fn(refuse_oversized));
            routes.service(limited.configure(everything));
        };
        setting
            .surface(&setting.addresses.console)?
            .serve(listener, routes)
            .map_err(Failure::because(NO_WORKERS))
    }
}

const NO_WORKERS: &str = "cannot start the HTTP workers";

impl Setting<'_> {
    /// A listener that browsers reach at this address.
    fn surface(&self, reached_at: &Url) -> Result<Surface, Failure> {
        let Means {
            telemetry,
            clock,
            entropy,
            health,
            ..
        } = self.means.clone();
        let tls = self.config.tls.as_ref();
        Ok(Surface {
            observe: Observe::new(telemetry.http_metrics(), clock, entropy),
            health,
            telemetry,
            tls: tls.map(Tls::server_config).transpose()?,
            https: is_https(reached_at),
            proxies: self.config.trusted_proxies.clone(),
            patience: Patience::default(),
        })
    }
}

/// How the platform tenant knows the console.
///
/// # Errors
/// The console's URL cannot be a redirect URI.
pub fn console_client(addresses: &Addresses) -> Result<ConsoleClient, Failure> {
    let known = console::Addresses::of(&addresses.console);
    let uri = |text: &str| {
        text.parse()
            .map_err(|error| Failure::setting("console_url", error))
    };
    Ok(ConsoleClient {
        redirect_uris: vec![uri(&known.redirect)?],
        post_logout_redirect_uris: vec![uri(&known.post_logout)?],
    })
}

/// The console, which signs operators in at our own issuer.
///
/// # Errors
/// The issuer is no URL, or the egress settings are wrong.
pub fn console(
    setting: Setting<'_>,
    control_plane: &ControlPlane,
    clients: PlatformClients,
    mailbox: bool,
) -> Result<Console, Failure> {
    let Setting {
        config,
        addresses,
        means,
    } = setting;
    let made = Console::new(ConsoleConfig {
        control_plane: control_plane.clone(),
        public_url: addresses.console.clone(),
        platform: clients.tenant,
        issuer: clients.issuer,
        client_id: clients.console_client_id,
        client_secret: clients.console_secret,
        egress: egress(config, addresses)?,
        clock: means.clock.clone(),
        mailbox: mailbox.then(|| mailbox_url(addresses)),
    });
    made.map_err(Failure::because("cannot make the console"))
}

/// Ends what browsers would keep open for minutes, so that a stop waits for requests and for nothing else.
pub async fn close_streams(console: Console, shutdown: Shutdown) {
    shutdown.requested().await;
    console.close_streams();
}

/// Where the mailbox page is.
pub fn mailbox_url(addresses: &Addresses) -> String {
    format!("{}mailbox", addresses.console)
}

/// Calls out: what the settings allow, and our own tenant endpoints, where the console trades its codes.
fn egress(config: &Config, addresses: &Addresses) -> Result<Egress, Failure> {
    let mut allow = config.egress.places()?;
    allow.extend(place(&addresses.auth));
    Egress::new(EgressPolicy {
        allow,
        ..EgressPolicy::default()
    })
    .map_err(Failure::because("cannot make the HTTP client"))
}

fn place(url: &Url) -> Option<HostPort> {
    let port = url.port_or_known_default()?;
    format!("{}:{port}", url.host_str()?).parse().ok()
}

fn is_https(url: &Url) -> bool {
    url.scheme() == "https"
}

/// The address a listener got.
///
/// # Errors
/// The system does not tell.
pub fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(Failure::because("cannot read a socket's address"))
}
