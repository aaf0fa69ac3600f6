//! The node: everything a data-plane process is, without its sockets.
//!
//! Opening it connects the stores, loads the sealed snapshot and verifies it again; from then on it can
//! serve, whether or not a control plane is ever reached. Implementations are chosen by the binary and
//! arrive as values, so nothing here asks in which mode it runs.

mod assemble;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId, UserId},
    jws::TrustRoot,
    lane::STALE_AFTER,
    tenant::Region,
};
use host::{Clock, Entropy, Health, HealthHandle, Kek};
use opentelemetry::metrics::Meter;
use url::Url;

use crate::{
    accounts::{AccountError, Accounts, SeedUser},
    clock_check::ClockCheck,
    codes::Codes,
    containments::{Containments, Door, Keeper, apply::Intake},
    grants::Grants,
    identity::{ConnectError, IdentityStore, StoreError, User},
    mailer::Mailer,
    metrics::NodeMetrics,
    push::{self, NodeLink, lane::LaneKey},
    releases::{Releases, Snapshot, SnapshotError, TenantRuntime, apply::Applier},
    requests::Requests,
    sessions::Sessions,
    standing::Standing,
    state::StateStore,
    throttle::Throttle,
};

const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What a node is made of.
pub struct NodeConfig {
    /// Who it is.
    pub node_id: NodeId,
    /// Where it stands.
    pub region: Region,
    /// Its software version, `major.minor.patch`.
    pub software_version: String,
    /// Where the sealed snapshot is kept; made if it is not there.
    pub data_dir: PathBuf,
    /// The identity database: `sqlite://…` or `postgres://…`.
    pub identity_url: String,
    /// Short-lived state, shared by the nodes of the region.
    pub state: Arc<dyn StateStore>,
    /// Whose releases it believes.
    pub trust: TrustRoot,
    /// The region's key-encryption key.
    pub kek: Kek,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// Who delivers mail.
    pub mailer: Arc<dyn Mailer>,
    /// The address under which people reach the node, without path.
    pub auth_base_url: Url,
    /// Password-hashing workers; 0 means one per core.
    pub hash_workers: usize,
    /// Where it counts.
    pub meter: Meter,
    /// Where it says how it is.
    pub health: Health,
}

/// Why a node does not start. One line, fit to be printed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The identity database.
    #[error(transparent)]
    Identity(#[from] ConnectError),
    /// The identity database answers, but its content is sealed under another key, or damaged.
    #[error("the identity database does not belong to this key: {0}")]
    IdentityKey(StoreError),
    /// The sealed snapshot.
    #[error("{0}")]
    Snapshot(Box<dyn std::error::Error + Send + Sync>),
    /// What is contained. Serving without it could let in whom somebody shut out.
    #[error("what is contained is not known: {0}")]
    Containments(Box<dyn std::error::Error + Send + Sync>),
}

impl From<SnapshotError> for OpenError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(Box::new(error))
    }
}

/// A data-plane node. Clones share.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    node_id: NodeId,
    started_at: DateTime<Utc>,
    auth_base_url: Url,
    clock: Clock,
    entropy: Entropy,
    state: Arc<dyn StateStore>,
    metrics: NodeMetrics,
    identity: IdentityStore,
    accounts: Accounts,
    grants: Grants,
    requests: Requests,
    codes: Codes,
    sessions: Sessions,
    throttle: Throttle,
    releases: Arc<Releases>,
    applier: Applier,
    containments: Arc<Containments>,
    intake: Intake,
    door: Door,
    releases_health: HealthHandle,
    control_plane_health: HealthHandle,
    containments_health: HealthHandle,
    /// Whether a roll was ever taken: until then nobody knows what is contained.
    knows_roll: AtomicBool,
    clock_check: ClockCheck,
    standing: Standing,
}

impl Node {
    /// Connects, loads and verifies.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: NodeConfig) -> Result<Node, OpenError> {
        let metrics = NodeMetrics::new(&config.meter);
        let identity = IdentityStore::open(
            &config.identity_url,
            &config.kek,
            config.clock.clone(),
            config.entropy.clone(),
        )
        .await?;
        identity.check_key().await.map_err(OpenError::IdentityKey)?;
        let snapshot = Snapshot::open(&config.data_dir, &config.kek, config.entropy.clone())?;
        let containments = Arc::new(Containments::new(
            config.region.clone(),
            config.clock.clone(),
        ));
        let keeper = Keeper::new(&config.data_dir, &config.kek, config.entropy.clone());
        let intake = Intake::open(Arc::clone(&containments), keeper, config.trust.clone())
            .map_err(|error| OpenError::Containments(Box::new(error)))?;
        let releases_health = config.health.register("releases");
        let control_plane_health = config.health.register("control_plane");
        control_plane_health.degraded("not connected yet");
        probe(&config.health, &identity, &config.state);
        let node = Self(Arc::new(Inner::new(
            config,
            (identity, snapshot, metrics),
            (containments, intake),
            (releases_health, control_plane_health),
        )));
        node.judge_containments();
        node.0.applier.reload()?;
        node.judge_releases();
        Ok(node)
    }

    /// Speaks with a control plane in the same process until the link ends, and goes on serving. Over a
    /// network, [`push::network`] does the same and keeps the connection.
    pub async fn run(&self, link: NodeLink) {
        push::run(self, link, None).await;
        self.control_plane_health()
            .degraded("not connected; serving the releases held");
        tracing::warn!("the link to the control plane ended; serving the releases held");
    }

    /// Hears of containments from a control plane in the same process until the link ends; what is contained stays
    /// so. Over a network, [`push::network`] keeps such a lane open.
    pub async fn run_lane(&self, link: NodeLink) {
        match LaneKey::of_process() {
            Ok(key) => push::lane::run(self, link, key).await,
            Err(error) => tracing::error!(%error, "no lane: statements cannot be signed"),
        }
        self.judge_containments();
    }

    /// Applies a signed containment as if it had come on the lane.
    ///
    /// # Errors
    /// Why it is not taken, in words.
    pub async fn hear_containment(&self, jws: &str) -> Result<(), String> {
        let taken = self.0.intake.take(jws).await;
        let taken = taken.map_err(|why| why.to_string())?;
        if let Some(taken) = taken {
            self.renew_keys(taken.containment.tenant).await;
        }
        Ok(())
    }

    /// What this node refuses.
    pub fn containments(&self) -> &Containments {
        &self.0.containments
    }

    /// Says where this node listens, so that it can ask its own door; with TLS or without.
    pub fn listens_at(&self, mut address: SocketAddr, tls: bool) {
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        self.0.door.opened(address, tls);
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.0.intake
    }

    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    /// A roll was taken, and everything that it lists is held.
    pub(crate) fn roll_taken(&self) {
        self.0.knows_roll.store(true, Ordering::Relaxed);
        self.judge_containments();
    }

    /// Says whether this node can hear of containments (R-REV-02).
    pub(crate) fn judge_containments(&self) {
        let silence = self.0.containments.silence();
        let health = &self.0.containments_health;
        if !self.0.knows_roll.load(Ordering::Relaxed) {
            health.degraded("the control plane has not said yet what is contained");
        } else if silence >= STALE_AFTER {
            health.degraded(format!(
                "nothing was heard for {} s: a containment would not reach this node",
                silence.num_seconds()
            ));
        } else {
            health.ready();
        }
    }

    pub(crate) fn clock_check(&self) -> &ClockCheck {
        &self.0.clock_check
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.0.standing
    }

    /// The tenant with this slug, if it is held.
    pub fn tenant_by_slug(&self, slug: &str) -> Option<Arc<TenantRuntime>> {
        self.0.releases.by_slug(slug)
    }

    /// The tenant that owns this host (lower case, without port), if it is held.
    pub fn tenant_by_host(&self, host: &str) -> Option<Arc<TenantRuntime>> {
        self.0.releases.by_host(host)
    }

    /// The tenant with this id, if it is held.
    pub fn tenant(&self, tenant: TenantId) -> Option<Arc<TenantRuntime>> {
        self.0.releases.by_id(tenant)
    }

    /// Whether a tenant is held.
    pub fn holds(&self, tenant: TenantId) -> bool {
        self.0.releases.find(tenant).is_some()
    }

    /// Every tenant that is held. Their releases are read by nobody but who asks for one.
    pub fn tenant_ids(&self) -> Vec<TenantId> {
        self.0.releases.ids()
    }

    /// Makes a user with a password, for demonstrations and tests of whole installations; the tenant's
    /// password policy applies. Repeating it returns the user that is there.
    ///
    /// # Errors
    /// See [`AccountError`]; nobody can register at a tenant that is not held.
    pub async fn create_user_with_password(
        &self,
        tenant: TenantId,
        id: UserId,
        user: SeedUser<'_>,
    ) -> Result<User, AccountError> {
        let runtime = self.tenant(tenant);
        let runtime = runtime.ok_or(AccountError::RegistrationClosed)?;
        self.0.accounts.seed(&runtime, id, user).await
    }

    /// Who it is.
    pub fn node_id(&self) -> NodeId {
        self.0.node_id
    }

    /// When it was opened: what it counts was counted since.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    /// Where it stands.
    pub fn region(&self) -> &Region {
        &self.0.applier.region
    }

    /// Its software version.
    pub fn software_version(&self) -> &str {
        &self.0.applier.software_version
    }

    /// The address under which people reach it.
    pub fn auth_base_url(&self) -> &Url {
        &self.0.auth_base_url
    }

    /// Time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Chance.
    pub fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    /// Short-lived state.
    pub fn state(&self) -> &Arc<dyn StateStore> {
        &self.0.state
    }

    /// What it counts.
    pub fn metrics(&self) -> &NodeMetrics {
        &self.0.metrics
    }

    /// The users of the region.
    pub fn identity(&self) -> &IdentityStore {
        &self.0.identity
    }

    /// Signing in, registering, being invited.
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// Grants and their refresh tokens.
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// Values that wait for a browser's next request.
    pub fn requests(&self) -> &Requests {
        &self.0.requests
    }

    /// Authorization codes.
    pub fn codes(&self) -> &Codes {
        &self.0.codes
    }

    /// Browser sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Counters that slow guessing down.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn applier(&self) -> &Applier {
        &self.0.applier
    }

    pub(crate) fn control_plane_health(&self) -> &HealthHandle {
        &self.0.control_plane_health
    }

    /// Says how complete the held releases are, by the region's index.
    pub(crate) fn judge_releases(&self) {
        self.say_behind(self.0.applier.expected.behind());
    }

    /// Says it anew after one tenant changed.
    pub(crate) fn judge_release(&self, tenant: TenantId) {
        let applier = &self.0.applier;
        self.say_behind(applier.expected.count(tenant, &applier.releases));
    }

    /// `behind` of the tenants expected are absent or old.
    fn say_behind(&self, behind: usize) {
        let health = &self.0.releases_health;
        match (self.0.releases.is_empty(), behind) {
            (true, 0) => health.not_ready(
                "no release is held and none was announced; the node needs the control plane once",
            ),
            (true, behind) => health.not_ready(format!("no release is held; {behind} announced")),
            (false, 0) => health.ready(),
            (false, behind) => {
                health.degraded(format!("{behind} tenants are behind the region's index"))
            }
        }
    }
}

fn probe(health: &Health, identity: &IdentityStore, state: &Arc<dyn StateStore>) {
    let identity = identity.clone();
    health.probe("identity_database", PROBE_LIMIT, move || {
        let identity = identity.clone();
        async move { identity.ping().await.map_err(|error| error.to_string()) }
    });
    let state = Arc::clone(state);
    health.probe("state_store", PROBE_LIMIT, move || {
        let state = Arc::clone(&state);
        async move { state.ping().await.map_err(|error| error.to_string()) }
    });
}
