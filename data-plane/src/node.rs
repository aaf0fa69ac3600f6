//! The node: everything a data-plane process is, without its sockets.
//!
//! Opening it connects the stores, loads the sealed snapshot and verifies it again; from then on it can
//! serve, whether or not a control plane is ever reached. Implementations are chosen by the binary and
//! arrive as values, so nothing here asks in which mode it runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use contract::{
    ids::{NodeId, TenantId, UserId},
    jws::TrustRoot,
    tenant::Region,
};
use host::{Clock, Entropy, Health, HealthHandle, Kek};
use opentelemetry::metrics::Meter;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    accounts::{AccountError, Accounts, SeedUser},
    codes::Codes,
    grants::Grants,
    hashing::Hasher,
    identity::{ConnectError, IdentityStore, StoreError, User},
    mailer::Mailer,
    metrics::NodeMetrics,
    push::{self, NodeLink},
    releases::{Releases, Snapshot, SnapshotError, TenantRuntime, apply::Applier},
    requests::Requests,
    sessions::Sessions,
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
    releases_health: HealthHandle,
    control_plane_health: HealthHandle,
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
        let releases_health = config.health.register("releases");
        let control_plane_health = config.health.register("control_plane");
        control_plane_health.degraded("not connected yet");
        probe(&config.health, &identity, &config.state);
        let node = Self(Arc::new(Inner::new(
            config,
            (identity, snapshot, metrics),
            (releases_health, control_plane_health),
        )));
        node.0.applier.reload().await?;
        node.judge_releases(0);
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

    /// Every tenant that is held.
    pub fn tenants(&self) -> Vec<Arc<TenantRuntime>> {
        self.0.releases.all()
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

    /// Says how complete the held releases are, `behind` of those expected being absent or old.
    pub(crate) fn judge_releases(&self, behind: usize) {
        let health = &self.0.releases_health;
        match (self.0.releases.all().is_empty(), behind) {
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

impl Inner {
    fn new(
        config: NodeConfig,
        (identity, snapshot, metrics): (IdentityStore, Snapshot, NodeMetrics),
        (releases_health, control_plane_health): (HealthHandle, HealthHandle),
    ) -> Self {
        let NodeConfig {
            state,
            clock,
            entropy,
            ..
        } = config;
        let throttle = Throttle::new(state.clone(), clock.clone());
        let sessions = Sessions::new(state.clone(), clock.clone(), entropy.clone());
        let releases = Arc::new(Releases::default());
        Self {
            accounts: Accounts {
                identity: identity.clone(),
                hasher: Hasher::new(config.hash_workers, entropy.clone(), metrics.clone()),
                throttle: throttle.clone(),
                sessions: sessions.clone(),
                state: state.clone(),
                mailer: config.mailer,
                clock: clock.clone(),
                entropy: entropy.clone(),
                metrics: metrics.clone(),
            },
            grants: Grants::new(
                identity.clone(),
                state.clone(),
                (clock.clone(), entropy.clone()),
                metrics.clone(),
            ),
            requests: Requests::new(state.clone(), entropy.clone()),
            codes: Codes::new(state.clone(), clock.clone(), entropy.clone()),
            sessions,
            throttle,
            applier: Applier {
                region: config.region,
                software_version: config.software_version,
                trust: config.trust,
                snapshot: Arc::new(snapshot),
                identity: identity.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                releases: Arc::clone(&releases),
                turn: Mutex::new(()),
            },
            node_id: config.node_id,
            auth_base_url: config.auth_base_url,
            clock,
            entropy,
            state,
            metrics,
            identity,
            releases,
            releases_health,
            control_plane_health,
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
