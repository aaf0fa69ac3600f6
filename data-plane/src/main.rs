//! `bailiwick-node`: a node by itself, serving what its disk holds.
//!
//! A node must start and serve while the control plane is gone, so it needs nothing from it: a key file,
//! the trust root, a sealed snapshot and its stores are enough. It carries no control-plane code. In this
//! version it has no network link of its own: `/readyz` says `control_plane: not connected`, and new
//! releases arrive only through a process that has one (`bailiwick up` on the same data directory).
//!
//! A blank disk does not end the process: it stays up, serves nobody, and `/readyz` says what is missing.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use contract::{jws::TrustRoot, tenant::Region};
use data_plane::{
    Node, NodeConfig,
    http::{self, TrustedProxies},
    process::{
        DataDir, Failure, Log, Mail, NodeSettings, Tls, choose,
        config::{address, reached_at, read},
        entry::{enter, listen},
        failure::not_opened,
        server::{Patience, Surface, stop_on},
    },
};
use figment::providers::Serialized;
use host::{Clock, Entropy, Health, Observe, Shutdown, Telemetry, listen::parse_address};
use serde::{Deserialize, Serialize};
use url::Url;

/// Many small allocations on many threads: the system's allocator spends more on them than we do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A data-plane node: serves tenants from its sealed snapshot, with or without a control plane.
///
/// The node has no network link to a control plane yet; it serves the releases its data directory holds,
/// and /readyz says "control_plane: not connected".
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
    /// A TOML file with settings; see docs/operations.md
    #[arg(long, value_name = "FILE", env = "BAILIWICK_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

/// Every setting of a node. The names are those of `bailiwick up`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    data_dir: PathBuf,
    #[serde(deserialize_with = "address")]
    auth_addr: SocketAddr,
    auth_base_url: Option<Url>,
    region: Region,
    log: Log,
    otlp_endpoint: Option<String>,
    node: NodeSettings,
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
            region: "local".parse().expect("a well-formed region"),
            log: Log::default(),
            otlp_endpoint: None,
            node: NodeSettings::default(),
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
    let ended = serve(&config, listener, &telemetry, &shutdown).await;
    telemetry.shutdown().await;
    ended
}

async fn serve(
    config: &Config,
    listener: TcpListener,
    telemetry: &Telemetry,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let socket = listener
        .local_addr()
        .map_err(Failure::because("cannot read a socket's address"))?;
    let base = reached_at(
        "auth_base_url",
        config.auth_base_url.as_ref(),
        socket,
        config.tls.is_some(),
    )?;
    let https = base.scheme() == "https";
    let dir = DataDir::lock(&config.data_dir)?;
    let (health, clock, entropy) = (Health::new(), Clock::system(), Entropy::system());
    let surface = Surface {
        observe: Observe::new(telemetry.http_metrics(), clock.clone(), entropy.clone()),
        health: health.clone(),
        telemetry: telemetry.clone(),
        tls: config.tls.as_ref().map(Tls::server_config).transpose()?,
        https,
        proxies: config.trusted_proxies.clone(),
        patience: Patience::default(),
    };
    let given = Given {
        base,
        health: health.clone(),
        clock,
        entropy,
        telemetry,
    };
    let opened = tokio::select! {
        opened = open(config, &dir, given) => opened,
        // Whoever stops a start that waits for a store wants it to end, not to succeed.
        () = shutdown.requested() => return Ok(()),
    };
    let node = opened?;
    health
        .register("control_plane")
        .degraded("not connected: this process has no network link; it serves what it holds");
    tokio::spawn(node.clone().keep_tidy());
    let server = surface
        .serve(listener, move |routes| http::configure(routes, &node))
        .map_err(Failure::because("cannot start the HTTP workers"))?;
    stop_on(shutdown.clone(), vec![server.handle()])
        .map_err(Failure::because("cannot hear signals"))?;
    tracing::info!(%socket, "serving");
    server.await.map_err(Failure::because("a listener failed"))
}

/// What a node is given beside its settings.
struct Given<'a> {
    base: Url,
    health: Health,
    clock: Clock,
    entropy: Entropy,
    telemetry: &'a Telemetry,
}

async fn open(config: &Config, dir: &DataDir, given: Given<'_>) -> Result<Node, Failure> {
    let identity_url = config.node.identity_url(dir.sqlite_url("identity.db"))?;
    Node::open(NodeConfig {
        node_id: dir.node_id(&given.clock, &given.entropy)?,
        region: config.region.clone(),
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: dir.node_dir()?,
        identity_url: identity_url.expose().to_owned(),
        state: choose::state_store(&config.node.state_url()?, &given.clock).await?,
        trust: trust_root(dir, &given.health)?,
        kek: dir.kek(&given.entropy)?,
        mailer: choose::post(&config.mail, &given.clock)?.mailer,
        auth_base_url: given.base,
        hash_workers: config.node.hash_workers,
        meter: given.telemetry.meter(),
        health: given.health,
        clock: given.clock,
        entropy: given.entropy,
    })
    .await
    .map_err(not_opened)
}

/// Whom the node believes. Without the file it believes nobody, and says so at `/readyz`.
fn trust_root(dir: &DataDir, health: &Health) -> Result<TrustRoot, Failure> {
    let path = dir.trust_file();
    let cannot = || format!("cannot read {}", path.display());
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(Failure::because(cannot())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            health.register("trust_root").not_ready(
                "trust.json is missing: copy it from the data directory of the control plane",
            );
            Ok(TrustRoot::default())
        }
        Err(error) => Err(Failure::new(cannot(), error)),
    }
}
