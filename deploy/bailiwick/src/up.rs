//! `bailiwick up`: every plane in one process, from an empty directory to a ready line.
//!
//! What can fail for the operator's reasons is done first and in this order: settings, sockets,
//! directory, stores. Listeners answer `/healthz` and `/readyz` before the first release is applied, so
//! that an orchestrator sees a process that is starting and not one that is dead.

use std::time::Duration;

use ::console::Console;
use actix_web::dev::Server;
use control_plane::{RegionPlace, platform::PlatformClients};
use data_plane::process::{
    DataDir, Failure,
    choose::{self, Post},
    server::stop_on,
};
use host::Shutdown;

use crate::{
    banner::{Banner, DemoPlace},
    config::{Addresses, Config},
    demo,
    planes::{Means, NodeParts, Planes, open_control_plane, open_node},
    refused::refused,
    say,
    surfaces::{Operators, Setting, Sockets, close_streams, console, console_client, mailbox_url},
};

/// How long the node may take before the log says what it waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs until a signal asks to stop.
///
/// # Errors
/// One line: what could not be started, and why.
pub async fn run(config: &Config, demo: bool) -> Result<(), Failure> {
    // Before anything is written: a taken port must not leave half a data directory behind.
    let sockets = Sockets::bind(config)?;
    let addresses = sockets.addresses(config)?;
    let telemetry = config
        .log
        .start("bailiwick", config.otlp_endpoint.as_deref())?;
    let shutdown = Shutdown::on_signals().map_err(Failure::because("cannot hear signals"))?;
    let within = async {
        let dir = DataDir::lock(&config.data_dir)?;
        let starting = Starting {
            config,
            dir: &dir,
            means: Means::of(&dir, telemetry.clone())?,
            addresses,
            demo,
        };
        starting.run(sockets, &shutdown).await
    };
    let ended = within.await;
    telemetry.shutdown().await;
    ended
}

/// What the steps of a start share.
struct Starting<'a> {
    config: &'a Config,
    dir: &'a DataDir,
    means: Means,
    addresses: Addresses,
    demo: bool,
}

/// What is open and linked, but serves nobody yet.
struct Opened {
    planes: Planes,
    console: Console,
    clients: PlatformClients,
    servers: [Server; 2],
    mailbox: bool,
}

impl Starting<'_> {
    async fn run(&self, sockets: Sockets, shutdown: &Shutdown) -> Result<(), Failure> {
        let ready = self.means.health.register("startup");
        let opened = tokio::select! {
            opened = self.open(sockets) => opened?,
            // Whoever stops a start that waits for a database wants it to end, not to succeed.
            () = shutdown.requested() => return Ok(()),
        };
        let Opened {
            planes,
            console,
            clients,
            servers,
            mailbox,
        } = opened;
        let handles = servers.iter().map(Server::handle).collect();
        stop_on(shutdown.clone(), handles).map_err(Failure::because("cannot hear signals"))?;
        tokio::spawn(close_streams(console, shutdown.clone()));
        tokio::spawn(planes.clone().keep_linked(shutdown.clone()));
        tokio::spawn(planes.node.clone().keep_tidy());
        tokio::spawn(planes.node.clone().watch_clock());
        tokio::spawn({
            let (control_plane, shutdown) = (planes.control_plane.clone(), shutdown.clone());
            async move { control_plane.follow_replicas(shutdown).await }
        });
        tokio::spawn({
            let (control_plane, shutdown) = (planes.control_plane.clone(), shutdown.clone());
            async move { control_plane.run_jobs(shutdown).await }
        });
        let mut serving = tokio::spawn(futures::future::try_join_all(servers));

        let become_ready = async {
            self.become_ready(&planes, &clients, mailbox).await?;
            ready.ready();
            Ok(())
        };
        let until_stopped = async {
            let started: Result<(), Failure> = tokio::select! {
                started = become_ready => started,
                () = shutdown.requested() => Ok(()),
            };
            if started.is_ok() {
                shutdown.requested().await;
            }
            shutdown.trigger();
            started
        };
        let (started, served) = tokio::join!(until_stopped, async {
            let served = (&mut serving).await;
            shutdown.trigger();
            served
        });
        started?;
        served
            .map_err(Failure::because("a listener failed"))?
            .map_err(Failure::because("a listener failed"))?;
        tracing::info!("stopped");
        Ok(())
    }

    async fn open(&self, sockets: Sockets) -> Result<Opened, Failure> {
        let Self {
            config,
            dir,
            means,
            addresses,
            ..
        } = self;
        let Post { mailer, mailbox } = choose::post(&config.mail, &means.clock)?;
        let state = choose::state_store(&config.node.state_url()?, &means.clock).await?;

        let place = RegionPlace::new(config.region.clone(), addresses.auth.clone());
        let control_plane = open_control_plane(config, dir, means, vec![place], None).await?;
        let clients = control_plane
            .ensure_platform(console_client(addresses)?)
            .await
            .map_err(refused("cannot prepare the platform tenant"))?;
        if self.demo {
            demo::check_place(&control_plane, means, dir).await?;
        }
        let trust = control_plane.trust_root();
        dir.write_trust(&trust)?;
        let parts = NodeParts {
            state,
            trust,
            post: Post {
                mailer,
                mailbox: None,
            },
            auth_base_url: addresses.auth.clone(),
        };
        let node = open_node(config, dir, means, parts).await?;
        let planes = Planes {
            control_plane,
            node,
        };
        let setting = Setting {
            config,
            addresses,
            means,
        };
        let control_plane = planes.control_plane.clone();
        let console = console(setting, &control_plane, clients.clone(), mailbox.is_some())?;
        let has_mailbox = mailbox.is_some();
        let operators = Operators {
            setting,
            control_plane,
            console: console.clone(),
            mailbox,
        };
        let servers = sockets.serve(operators, &planes.node)?;
        Ok(Opened {
            planes,
            console,
            clients,
            servers,
            mailbox: has_mailbox,
        })
    }

    /// Waits for the node, seeds the demo if asked, and tells the person where to go.
    async fn become_ready(
        &self,
        planes: &Planes,
        clients: &PlatformClients,
        mailbox: bool,
    ) -> Result<(), Failure> {
        self.await_platform(planes, clients).await?;
        let addresses = &self.addresses;
        let demo = if self.demo {
            let seeded = demo::seed(planes, &self.means, self.dir, &addresses.console).await?;
            Some(DemoPlace {
                issuer: seeded.issuer,
                credentials: seeded.file,
            })
        } else {
            None
        };
        let token = planes
            .control_plane
            .setup_link_token()
            .await
            .map_err(refused("cannot make the setup link"))?;
        tracing::info!(console = %addresses.console, auth = %addresses.auth, "ready");
        say(Banner {
            console: addresses.console.origin().ascii_serialization(),
            demo,
            setup_link: token.map(|token| console::setup_url(&addresses.console, &token)),
            mail: if mailbox {
                mailbox_url(addresses)
            } else {
                "sent through the configured server".to_owned()
            },
            data_dir: self.dir.path().to_owned(),
        })
    }

    /// The node serves the platform's current release: operators can sign in.
    async fn await_platform(
        &self,
        planes: &Planes,
        clients: &PlatformClients,
    ) -> Result<(), Failure> {
        let caller = planes.control_plane.system_caller();
        let tenant = planes
            .control_plane
            .get_tenant(&caller, clients.tenant)
            .await
            .map_err(refused("cannot read the platform tenant"))?;
        let wait = || {
            planes
                .control_plane
                .wait_applied(tenant.id, tenant.release_version, PATIENCE)
        };
        while let Err(refusal) = wait().await {
            let report = self.means.health.report().await;
            let reasons: Vec<String> = report
                .reasons
                .iter()
                .map(|reason| format!("{}: {}", reason.check, reason.reason))
                .collect();
            tracing::warn!(%refusal, waiting_for = reasons.join("; "), "the node is not ready yet");
        }
        Ok(())
    }
}
