//! `bailiwick-node`: a node by itself.
//!
//! Given a join token once, it becomes a node of an installation: it connects to the control plane, takes
//! releases and goes on when the control plane is gone. It must start and serve without it, so it needs
//! nothing from it: a key file, whom to believe, a sealed snapshot and its stores are enough. It carries no
//! control-plane code.
//!
//! A blank disk does not end the process: it stays up, serves nobody, and `/readyz` says what is missing.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser};
use contract::{jws::TrustRoot, tenant::Region};
use data_plane::{
    Node, NodeConfig,
    http::{self, TrustedProxies},
    process::{
        DataDir, Failure, Log, Mail, NodeSettings, PushSettings, Tls, choose,
        config::{address, reached_at, read},
        entry::{enter, listen},
        failure::not_opened,
        server::{Patience, Surface, stop_on},
    },
    push::{Credentials, IdentityFile, NodeIdentity, Pace, enrol::Joining, network::Network},
};
use figment::providers::Serialized;
use host::{Clock, Entropy, Health, Kek, Observe, Shutdown, Telemetry, listen::parse_address};
use serde::{Deserialize, Serialize};
use url::Url;

/// Many small allocations on many threads: the system's allocator spends more on them than we do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A data-plane node: serves tenants from its sealed snapshot, with or without a control plane.
///
/// The first start needs a join token, which the console makes; from then on the node knows who it is and
/// connects by itself. /readyz says whether it is connected.
#[derive(Debug, Parser, Serialize)]
#[command(name = "bailiwick-node", version)]
struct Cli {
    /// Where key, trust root and snapshot lie [default: ./bailiwick-data]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Tenant endpoints and hosted pages [default: 127.0.0.1:7100]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address)]
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_addr: Option<SocketAddr>,
    #[command(flatten)]
    push: PushFlags,
    /// A TOML file with settings; see docs/operations.md
    #[arg(long, value_name = "FILE", env = "BAILIWICK_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

#[derive(Debug, Args, Serialize)]
struct PushFlags {
    /// A file with a join token: makes this machine a node, once
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    join_token_file: Option<PathBuf>,
}

/// Every setting of a node. The names are those of `bailiwick up`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    data_dir: PathBuf,
    #[serde(deserialize_with = "address")]
    auth_addr: SocketAddr,
    auth_base_url: Option<Url>,
    /// Where it stands, for a process that is no node yet; a node knows it from its enrolment.
    region: Option<Region>,
    log: Log,
    otlp_endpoint: Option<String>,
    node: NodeSettings,
    push: PushSettings,
    mail: Mail,
    tls: Option<Tls>,
    trusted_proxies: TrustedProxies,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("bailiwick-data"),
            auth_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7100)),
            auth_base_url: None,
            region: None,
            log: Log::default(),
            otlp_endpoint: None,
            node: NodeSettings::default(),
            push: PushSettings::default(),
            mail: Mail::default(),
            tls: None,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

fn main() -> ExitCode {
    enter("bailiwick-node", run)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let config: Config = read(cli.config.as_deref(), Serialized::globals(&cli))?;
    // Before anything is written: a taken port must not leave half a data directory behind.
    let listener = listen("auth_addr", config.auth_addr)?;
    let telemetry = config
        .log
        .start("bailiwick-node", config.otlp_endpoint.as_deref())?;
    let shutdown = Shutdown::on_signals().map_err(Failure::because("cannot hear signals"))?;
    let ended = live(config, listener, &telemetry, &shutdown).await;
    telemetry.shutdown().await;
    ended
}

/// Serves until asked to stop. A process that becomes a node meanwhile opens everything anew as that node;
/// the listener stays, so that callers wait for a moment and are not refused.
async fn live(
    config: Config,
    listener: TcpListener,
    telemetry: &Telemetry,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let process = Process::new(config, &listener, telemetry, shutdown)?;
    loop {
        let listener = listener
            .try_clone()
            .map_err(Failure::because("cannot keep a socket"))?;
        match process.serve(listener).await? {
            Ended::Stopped => return Ok(()),
            Ended::Enrolled => tracing::info!("starting over as a node"),
        }
    }
}

/// Why serving came to an end.
enum Ended {
    /// Somebody asked for it.
    Stopped,
    /// The process is a node now, and was none before.
    Enrolled,
}

/// What stays the same as long as the process lives.
struct Process {
    config: Config,
    dir: DataDir,
    base: Url,
    kek: Kek,
    identity: IdentityFile,
    surface: Surface,
    health: Health,
    clock: Clock,
    entropy: Entropy,
    shutdown: Shutdown,
}

impl Process {
    fn new(
        config: Config,
        listener: &TcpListener,
        telemetry: &Telemetry,
        shutdown: &Shutdown,
    ) -> Result<Self, Failure> {
        let socket = listener
            .local_addr()
            .map_err(Failure::because("cannot read a socket's address"))?;
        let base = reached_at(
            "auth_base_url",
            config.auth_base_url.as_ref(),
            socket,
            config.tls.is_some(),
        )?;
        let dir = DataDir::lock(&config.data_dir)?;
        let (health, clock, entropy) = (Health::new(), Clock::system(), Entropy::system());
        let surface = Surface {
            observe: Observe::new(telemetry.http_metrics(), clock.clone(), entropy.clone()),
            health: health.clone(),
            telemetry: telemetry.clone(),
            tls: config.tls.as_ref().map(Tls::server_config).transpose()?,
            https: base.scheme() == "https",
            proxies: config.trusted_proxies.clone(),
            patience: Patience::default(),
        };
        let kek = dir.kek(&entropy)?;
        tracing::info!(%socket, "listening");
        Ok(Self {
            identity: IdentityFile::new(&dir.node_dir()?, &kek, entropy.clone()),
            config,
            dir,
            base,
            kek,
            surface,
            health,
            clock,
            entropy,
            shutdown: shutdown.clone(),
        })
    }

    async fn serve(&self, listener: TcpListener) -> Result<Ended, Failure> {
        let identity = self
            .identity
            .read()
            .map_err(Failure::because("cannot use the node's identity"))?;
        let opened = tokio::select! {
            opened = self.open(identity.as_ref()) => opened,
            // Whoever stops a start that waits for a store wants it to end, not to succeed.
            () = self.shutdown.requested() => return Ok(Ended::Stopped),
        };
        let node = opened?;
        if identity.as_ref().is_some_and(NodeIdentity::is_revoked) {
            node.stand_down();
        }
        node.compare_clock().await;
        let tidying = tokio::spawn(node.clone().keep_tidy());
        let watching = tokio::spawn(node.clone().watch_clock());
        let served = node.clone();
        let address = listener
            .local_addr()
            .map_err(Failure::because("cannot read a socket's address"))?;
        node.listens_at(address, self.surface.tls.is_some());
        let server = self
            .surface
            .serve(listener, move |routes| http::configure(routes, &served))
            .map_err(Failure::because("cannot start the HTTP workers"))?;
        let handle = server.handle();
        stop_on(self.shutdown.clone(), vec![handle.clone()])
            .map_err(Failure::because("cannot hear signals"))?;
        let mut serving = tokio::spawn(server);
        tracing::info!("serving");
        let ended = tokio::select! {
            served = &mut serving => served
                .map_err(Failure::because("a listener failed"))?
                .map_err(Failure::because("a listener failed"))
                .map(|()| Ended::Stopped),
            () = self.stay_in_touch(node, identity) => {
                handle.stop(true).await;
                Ok(Ended::Enrolled)
            }
        };
        tidying.abort();
        watching.abort();
        ended
    }

    async fn open(&self, identity: Option<&NodeIdentity>) -> Result<Node, Failure> {
        let settings = &self.config.node;
        let identity_url = settings.identity_url(self.dir.sqlite_url("identity.db"))?;
        Node::open(NodeConfig {
            node_id: match identity {
                Some(identity) => identity.node,
                None => self.dir.node_id(&self.clock, &self.entropy)?,
            },
            region: self.region(identity)?,
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: self.dir.node_dir()?,
            identity_url: identity_url.expose().to_owned(),
            state: choose::state_store(&settings.state_url()?, &self.clock).await?,
            trust: self.trust_root(identity)?,
            kek: self.kek.clone(),
            mailer: choose::post(&self.config.mail, &self.clock)?.mailer,
            auth_base_url: self.base.clone(),
            hash_workers: settings.hash_workers,
            meter: self.surface.telemetry.meter(),
            health: self.health.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        })
        .await
        .map_err(not_opened)
    }

    fn region(&self, identity: Option<&NodeIdentity>) -> Result<Region, Failure> {
        match (&self.config.region, identity) {
            (Some(set), Some(identity)) if *set != identity.region => Err(Failure::setting(
                "region",
                format!(
                    "it is {set}, and this node was enrolled in {}",
                    identity.region
                ),
            )),
            (_, Some(identity)) => Ok(identity.region.clone()),
            (Some(set), None) => Ok(set.clone()),
            (None, None) => Ok("local".parse().expect("a well-formed region")),
        }
    }

    /// Whom the node believes: whom it was enrolled under, or the file. Without either it believes nobody,
    /// and says so at `/readyz`.
    fn trust_root(&self, identity: Option<&NodeIdentity>) -> Result<TrustRoot, Failure> {
        let health = self.health.register("trust_root");
        health.ready();
        if let Some(identity) = identity {
            // For people and tools; the node itself goes by its identity.
            self.dir.write_trust(&identity.trust)?;
            return Ok(identity.trust.clone());
        }
        let path = self.dir.trust_file();
        let cannot = || format!("cannot read {}", path.display());
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(Failure::because(cannot())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                health.not_ready(
                    "trust.json is missing: enrol this node, or copy the file from the data directory of the control plane",
                );
                Ok(TrustRoot::default())
            }
            Err(error) => Err(Failure::new(cannot(), error)),
        }
    }

    /// Keeps the node connected, or makes the process one. Ends only when the process became a node.
    async fn stay_in_touch(&self, node: Node, identity: Option<NodeIdentity>) {
        let settings = &self.config.push;
        let joining = settings.join_token_file.clone().map(|token_file| {
            Joining::new(token_file, self.identity.clone(), self.clock.clone())
                .at(settings.address.clone())
                .only_in(self.config.region.clone())
        });
        match (identity, joining) {
            (Some(identity), joining) => {
                let file = self.identity.clone();
                let credentials = Credentials::new(identity, file, self.clock.clone());
                Network::new(node, credentials)
                    .at(settings.address.clone())
                    .rejoining(joining)
                    .keep_connected(self.shutdown.clone())
                    .await;
            }
            (None, Some(mut joining)) => {
                let health = self.health.register("control_plane");
                let (pace, entropy) = (Pace::default(), self.entropy.clone());
                joining.until_joined(pace, entropy, &health).await;
                return;
            }
            (None, None) => self.health.register("control_plane").degraded(
                "not enrolled: no join token was given; this process is not connected and serves what it holds",
            ),
        }
        std::future::pending().await
    }
}
