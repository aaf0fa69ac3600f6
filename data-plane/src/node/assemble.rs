//! What a node consists of, put together once from its configuration and what was opened.

use std::sync::{Arc, atomic::AtomicBool};

use host::HealthHandle;
use tokio::sync::Mutex;

use super::{Inner, NodeConfig};
use crate::{
    accounts::Accounts,
    clock_check::ClockCheck,
    codes::Codes,
    containments::{Containments, Door, apply::Intake},
    grants::Grants,
    hashing::Hasher,
    identity::IdentityStore,
    keys::KeySource,
    metrics::NodeMetrics,
    releases::{Releases, Snapshot, apply::Applier, index::Expected},
    requests::Requests,
    sessions::Sessions,
    standing::Standing,
    throttle::Throttle,
};

impl Inner {
    pub(super) fn new(
        config: NodeConfig,
        (identity, snapshot, metrics): (IdentityStore, Snapshot, NodeMetrics),
        (containments, mut intake): (Arc<Containments>, Intake),
        (releases_health, control_plane_health): (HealthHandle, HealthHandle),
    ) -> Self {
        let accounts = accounts(&config, &identity, &metrics);
        let NodeConfig {
            state,
            clock,
            entropy,
            ..
        } = config;
        let releases = Arc::new(Releases::default());
        let applier = Applier {
            region: config.region,
            software_version: config.software_version,
            trust: config.trust,
            snapshot: Arc::new(snapshot),
            keys: KeySource::new(identity.clone(), clock.clone(), Arc::clone(&containments)),
            clock: clock.clone(),
            metrics: metrics.clone(),
            releases: Arc::clone(&releases),
            expected: Expected::default(),
            turn: Mutex::new(()),
        };
        Self {
            grants: Grants::new(
                identity.clone(),
                state.clone(),
                (clock.clone(), entropy.clone()),
                metrics.clone(),
            ),
            requests: Requests::new(state.clone(), entropy.clone()),
            codes: Codes::new(state.clone(), clock.clone(), entropy.clone()),
            sessions: accounts.sessions.clone(),
            throttle: accounts.throttle.clone(),
            accounts,
            applier,
            node_id: config.node_id,
            started_at: clock.now(),
            auth_base_url: config.auth_base_url,
            clock_check: ClockCheck::new(clock.clone(), config.health.register("clock")),
            standing: Standing::new(config.health.register("standing")),
            clock,
            entropy,
            state,
            metrics,
            identity,
            releases,
            containments_health: config.health.register("containments"),
            containments,
            knows_roll: AtomicBool::new(intake.knows_roll()),
            intake,
            door: Door::default(),
            releases_health,
            control_plane_health,
        }
    }
}

fn accounts(config: &NodeConfig, identity: &IdentityStore, metrics: &NodeMetrics) -> Accounts {
    let (state, clock, entropy) = (&config.state, &config.clock, &config.entropy);
    Accounts {
        identity: identity.clone(),
        hasher: Hasher::new(config.hash_workers, entropy.clone(), metrics.clone()),
        throttle: Throttle::new(state.clone(), clock.clone()),
        sessions: Sessions::new(state.clone(), clock.clone(), entropy.clone()),
        state: state.clone(),
        mailer: config.mailer.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        metrics: metrics.clone(),
    }
}
