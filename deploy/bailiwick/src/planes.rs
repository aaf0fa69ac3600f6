//! The planes of one process, opened on what the settings name and linked by a channel.
//!
//! Order matters once: the control plane opens first, because its public keys are the node's trust root.
//! They are also written to `trust.json`, which is how a node of its own is told whom to believe.

use std::{sync::Arc, time::Duration};

use contract::jws::TrustRoot;
use control_plane::{ControlPlane, ControlPlaneConfig, OpenError, RegionPlace};
use data_plane::{
    Node, NodeConfig,
    process::{DataDir, Failure, choose::Post, failure::not_opened},
    push::NodeLink,
    state::StateStore,
};
use host::{Clock, Entropy, Health, HostPort, Kek, Shutdown, Telemetry};
use url::Url;

use crate::config::Config;

/// Longest wait for the control plane's database at `/readyz`.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// Pause before a broken link is made again.
const RELINK_PAUSE: Duration = Duration::from_millis(500);

/// What everything in the process is given.
#[derive(Clone)]
pub struct Means {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// Opens what is sealed.
    pub kek: Kek,
    /// What `/readyz` asks.
    pub health: Health,
    /// Logs, metrics, traces.
    pub telemetry: Telemetry,
}

/// A control plane and a node of its only region.
#[derive(Clone)]
pub struct Planes {
    /// Decides.
    pub control_plane: ControlPlane,
    /// Serves.
    pub node: Node,
}

impl Means {
    /// The means of a process that works in `dir`.
    ///
    /// # Errors
    /// The key file cannot be used.
    pub fn of(dir: &DataDir, telemetry: Telemetry) -> Result<Self, Failure> {
        let entropy = Entropy::system();
        Ok(Self {
            clock: Clock::system(),
            kek: dir.kek(&entropy)?,
            entropy,
            health: Health::new(),
            telemetry,
        })
    }
}

/// Opens the control plane.
///
/// # Errors
/// Its database cannot be reached or migrated, or is sealed with another key.
pub async fn open_control_plane(
    config: &Config,
    dir: &DataDir,
    means: &Means,
    regions: Vec<RegionPlace>,
    push_address: Option<HostPort>,
) -> Result<ControlPlane, Failure> {
    let embedded = dir.sqlite_url("control.db");
    let database_url = config.control_plane.database_url(embedded)?;
    let control_plane = ControlPlane::open(ControlPlaneConfig {
        database_url: database_url.expose().to_owned(),
        regions,
        push_address,
        bake_seconds: config.rollout.bake_seconds()?,
        bus: config.control_plane.bus()?,
        kek: means.kek.clone(),
        clock: means.clock.clone(),
        entropy: means.entropy.clone(),
    })
    .await
    .map_err(|error| match error {
        OpenError::Database(why) => Failure::setting("control_plane.database_url", why),
        other => Failure::new("cannot open the control plane", other),
    })?;
    let probed = control_plane.clone();
    means
        .health
        .probe("control_database", PROBE_LIMIT, move || {
            let probed = probed.clone();
            async move { probed.database_ready().await }
        });
    Ok(control_plane)
}

/// Opens the node, which then serves what its sealed snapshot holds.
///
/// # Errors
/// A store cannot be reached, or the directory cannot be used.
pub async fn open_node(
    config: &Config,
    dir: &DataDir,
    means: &Means,
    rest: NodeParts,
) -> Result<Node, Failure> {
    let identity_url = config.node.identity_url(dir.sqlite_url("identity.db"))?;
    Node::open(NodeConfig {
        node_id: dir.node_id(&means.clock, &means.entropy)?,
        region: config.region.clone(),
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: dir.node_dir()?,
        identity_url: identity_url.expose().to_owned(),
        state: rest.state,
        trust: rest.trust,
        kek: means.kek.clone(),
        clock: means.clock.clone(),
        entropy: means.entropy.clone(),
        mailer: rest.post.mailer,
        auth_base_url: rest.auth_base_url,
        hash_workers: config.node.hash_workers,
        meter: means.telemetry.meter(),
        health: means.health.clone(),
    })
    .await
    .map_err(not_opened)
}

/// What a node needs beside the settings.
pub struct NodeParts {
    /// Short-lived state.
    pub state: Arc<dyn StateStore>,
    /// Whom it believes.
    pub trust: TrustRoot,
    /// Who delivers its mail.
    pub post: Post,
    /// Where browsers reach it.
    pub auth_base_url: Url,
}

impl Planes {
    /// Keeps the node linked to the control plane until the process stops, for releases and for containments.
    pub async fn keep_linked(self, shutdown: Shutdown) {
        let listening = self.clone().keep_listening(shutdown.clone());
        tokio::join!(self.keep_updated(shutdown), listening);
    }

    async fn keep_listening(self, shutdown: Shutdown) {
        while !shutdown.is_requested() {
            let ours = self.control_plane.attach_lane();
            let link = NodeLink {
                from_control: ours.to_node,
                to_control: ours.from_node,
            };
            tokio::select! {
                () = shutdown.requested() => return,
                () = self.node.run_lane(link) => {
                    tracing::warn!("the node lost its lane of containments; linking again");
                    tokio::time::sleep(RELINK_PAUSE).await;
                }
            }
        }
    }

    async fn keep_updated(self, shutdown: Shutdown) {
        while !shutdown.is_requested() {
            let ours = self.control_plane.attach_node();
            let link = NodeLink {
                from_control: ours.to_node,
                to_control: ours.from_node,
            };
            tokio::select! {
                () = shutdown.requested() => return,
                _ = self.node.run(link) => {
                    tracing::warn!("the node lost its link to the control plane; linking again");
                    tokio::time::sleep(RELINK_PAUSE).await;
                }
            }
        }
    }
}
