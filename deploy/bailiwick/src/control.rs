//! `bailiwick control-plane`: console, admin API and push address; the nodes are processes elsewhere.
//!
//! Any number of them may run on one PostgreSQL: whatever one decides stands in the database, and the others
//! hear of it. They hold no tenant's private key and no user, so losing one loses connections and nothing
//! else. What can fail for the operator's reasons is done first: settings, sockets, directory, store.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
};

use control_plane::{ControlPlane, RegionPlace};
use data_plane::process::{DataDir, Failure, entry::listen, server::stop_on};
use host::{HostPort, Shutdown, Telemetry};

use crate::{
    banner::Fleet,
    config::{Addresses, Config},
    planes::{Means, open_control_plane},
    refused::refused,
    say,
    surfaces::{Operators, Setting, close_streams, console, console_client, local},
};

/// Runs until a signal asks to stop.
///
/// # Errors
/// One line: what could not be started, and why.
pub async fn run(config: &Config) -> Result<(), Failure> {
    // Before anything is written: a taken port must not leave half a data directory behind.
    let sockets = Sockets {
        console: listen("console_addr", config.console_addr)?,
        push: listen("push_addr", config.push_addr)?,
    };
    let places = Places::of(config, &sockets)?;
    let telemetry = config
        .log
        .start("bailiwick-control-plane", config.otlp_endpoint.as_deref())?;
    let shutdown = Shutdown::on_signals().map_err(Failure::because("cannot hear signals"))?;
    let ended = serve(config, sockets, places, &telemetry, &shutdown).await;
    telemetry.shutdown().await;
    ended
}

/// The sockets, taken before anything slow happens.
struct Sockets {
    console: TcpListener,
    push: TcpListener,
}

/// How everything is reached.
struct Places {
    addresses: Addresses,
    regions: Vec<RegionPlace>,
    push: HostPort,
}

impl Places {
    fn of(config: &Config, sockets: &Sockets) -> Result<Self, Failure> {
        let regions = config.region_places()?;
        // The console signs in where the platform tenant lives.
        let platform = regions[0].auth_base_url.clone();
        let console: SocketAddr = local(&sockets.console)?;
        let addresses = Addresses {
            auth: platform,
            ..config.addresses(console, console)?
        };
        Ok(Self {
            addresses,
            regions,
            push: config.push_place(local(&sockets.push)?)?,
        })
    }
}

async fn serve(
    config: &Config,
    sockets: Sockets,
    places: Places,
    telemetry: &Telemetry,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let dir = DataDir::lock(&config.data_dir)?;
    let means = Means::of(&dir, telemetry.clone())?;
    let ready = means.health.register("startup");
    let setting = Setting {
        config,
        addresses: &places.addresses,
        means: &means,
    };
    let opened = tokio::select! {
        opened = open(setting, &dir, &places) => opened?,
        // Whoever stops a start that waits for a database wants it to end, not to succeed.
        () = shutdown.requested() => return Ok(()),
    };
    let control_plane = opened.control_plane.clone();
    tokio::spawn(close_streams(opened.console.clone(), shutdown.clone()));
    let server = opened.serve(sockets.console)?;
    stop_on(shutdown.clone(), vec![server.handle()])
        .map_err(Failure::because("cannot hear signals"))?;
    let nodes = control_plane.serve_nodes(sockets.push, shutdown.clone());
    let replicas = control_plane.follow_replicas(shutdown.clone());
    let jobs = control_plane.run_jobs(shutdown.clone());
    let announced = async {
        announce(&control_plane, &places, dir.path()).await?;
        ready.ready();
        shutdown.requested().await;
        Ok(())
    };
    // Whichever ends first ends the others, and each of them in order.
    let (served, received, followed, announced, ()) = tokio::join!(
        and_stop(server, shutdown),
        and_stop(nodes, shutdown),
        and_stop(replicas, shutdown),
        and_stop(announced, shutdown),
        jobs,
    );
    served.map_err(Failure::because("a listener failed"))?;
    received.map_err(refused("cannot receive nodes"))?;
    followed.map_err(refused("cannot follow the other control planes"))?;
    announced?;
    tracing::info!("stopped");
    Ok(())
}

async fn and_stop<T>(running: impl Future<Output = T>, shutdown: &Shutdown) -> T {
    let ended = running.await;
    shutdown.trigger();
    ended
}

/// Tells the person where to go.
async fn announce(
    control_plane: &ControlPlane,
    places: &Places,
    data_dir: &Path,
) -> Result<(), Failure> {
    let token = control_plane
        .setup_link_token()
        .await
        .map_err(refused("cannot make the setup link"))?;
    let console = &places.addresses.console;
    tracing::info!(%console, push = %places.push, "ready");
    say(Fleet {
        console: console.origin().ascii_serialization(),
        push: places.push.to_string(),
        setup_link: token.map(|token| console::setup_url(console, &token)),
        data_dir: data_dir.to_owned(),
    })
}

async fn open<'a>(
    setting: Setting<'a>,
    dir: &DataDir,
    places: &Places,
) -> Result<Operators<'a>, Failure> {
    let (regions, push) = (places.regions.clone(), places.push.clone());
    let Setting { config, means, .. } = setting;
    let control_plane = open_control_plane(config, dir, means, regions, Some(push)).await?;
    let clients = control_plane
        .ensure_platform(console_client(setting.addresses)?)
        .await
        .map_err(refused("cannot prepare the platform tenant"))?;
    dir.write_trust(&control_plane.trust_root())?;
    Ok(Operators {
        setting,
        console: console(setting, &control_plane, clients, false)?,
        control_plane,
        mailbox: None,
    })
}
