//! Listening until asked to stop: the same server for tenants, console and admin API.
//!
//! Every listener answers `/healthz`, `/readyz`, `/metrics` and `/favicon.ico`, carries the common security headers and
//! observes each request; what else it answers is the caller's `routes`. Workers finish what they are
//! answering before the process ends; a second signal does not wait.

mod patience;

use std::{io, net::TcpListener};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::header,
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use host::{Health, Observe, Shutdown, Telemetry, security_headers};
use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};

pub use self::patience::Patience;
use crate::http::TrustedProxies;

/// Longest wait for requests in flight, in seconds.
const DRAIN_SECONDS: u64 = 10;

/// What every listener of a process shares.
#[derive(Clone)]
pub struct Surface {
    /// Ids, spans, access lines and metrics of requests.
    pub observe: Observe,
    /// What `/readyz` asks.
    pub health: Health,
    /// What `/metrics` tells.
    pub telemetry: Telemetry,
    /// Certificate and key; without them the listener speaks plain http.
    pub tls: Option<ServerConfig>,
    /// Whether people reach it by https, here or at a proxy in front.
    pub https: bool,
    /// Whose word about the caller's address is believed.
    pub proxies: TrustedProxies,
    /// How long callers may be silent.
    pub patience: Patience,
}

impl Surface {
    /// Serves `routes` on `listener`. The server runs once it is awaited or spawned, and leaves signals
    /// to [`stop_on`].
    ///
    /// # Errors
    /// The operating system does not let the workers start.
    pub fn serve<R>(&self, listener: TcpListener, routes: R) -> io::Result<Server>
    where
        R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let (surface, patience) = (self.clone(), self.patience);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(surface.proxies.clone())
                .configure(surface.health.routes(&surface.telemetry))
                .route("/favicon.ico", web::get().to(favicon))
                .configure(&routes)
                .wrap(from_fn(move |request, next| {
                    patience::wait_for_body(patience.body_idle, request, next)
                }))
                .wrap(security_headers(surface.https))
                .wrap(surface.observe.clone())
        })
        .client_request_timeout(patience.head)
        .tls_handshake_timeout(patience.head)
        .keep_alive(patience.keep_alive)
        .disable_signals()
        .shutdown_timeout(DRAIN_SECONDS);
        let server = match self.tls.clone() {
            Some(tls) => server.listen_rustls_0_23(listener, tls)?,
            None => server.listen(listener)?,
        };
        Ok(server.run())
    }
}

/// Browsers ask for it where no page names an icon, as with JSON and text.
async fn favicon() -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, ui_assets::favicon_url()))
        .finish()
}

/// Stops the servers gracefully when `shutdown` is requested. A second SIGINT or SIGTERM ends the
/// process at once, with the exit code shells expect of an interrupted one.
///
/// # Errors
/// The operating system refuses to register the handlers.
pub fn stop_on(shutdown: Shutdown, servers: Vec<ServerHandle>) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        shutdown.requested().await;
        let draining = futures::future::join_all(servers.iter().map(|server| server.stop(true)));
        tokio::pin!(draining);
        // The first signal reached these streams too, or will in a moment.
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = &mut draining => return,
                _ = interrupt.recv() => signals += 1,
                _ = terminate.recv() => signals += 1,
            }
            if signals > 1 {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a second signal means now; requests in flight are given up on purpose"
                )]
                std::process::exit(130);
            }
        }
    });
    Ok(())
}
