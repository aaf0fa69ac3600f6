//! A control plane of one page, and nodes with everything replaceable replaced.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{
    frames::{Down, Outcome, Up},
    ids::{NodeId, TenantId, TypedId, UserId},
    index::{self, Bucket, BucketHashes, Entries, IndexEntry, RegionIndex},
    jws::{ReleaseSigner, TrustRoot},
    manifest::{FORMAT, Manifest},
    policies::PolicySet,
    release::{Release, ReleaseContent},
    section::{ContentHash, SectionName},
    tenant::{Environment, TenantProfile, TenantStatus},
};
use data_plane::{
    Node, NodeConfig, OpenError,
    mailer::{Mailbox, Mailer},
    push::NodeLink,
    releases::TenantRuntime,
    state::{StateStore, memory::MemoryState},
};
use host::{Clock, Entropy, Health, Kek, ManualClock, wire::Text};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

pub fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

pub fn start_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

/// Signs releases as the control plane does.
pub struct ControlPlane {
    pub signer: ReleaseSigner,
}

/// A release before it is sent; tests spoil it in between.
#[derive(Clone)]
pub struct Draft {
    pub manifest: Manifest,
    pub sections: BTreeMap<SectionName, String>,
}

impl ControlPlane {
    pub fn new() -> Self {
        Self {
            signer: ReleaseSigner::from_secret(&[7; 32]),
        }
    }

    pub fn trust(&self) -> TrustRoot {
        TrustRoot {
            keys: vec![self.signer.public()],
        }
    }

    pub fn draft(&self, id: TenantId, slug: &str, version: u64) -> Draft {
        let mut policies = PolicySet::default();
        // Something that differs from version to version.
        policies.token.access_token_seconds = 300 + u32::try_from(version).expect("small");
        self.draft_with(id, slug, version, policies)
    }

    pub fn draft_with(&self, id: TenantId, slug: &str, version: u64, policies: PolicySet) -> Draft {
        let content = ReleaseContent {
            tenant: TenantProfile {
                id,
                slug: slug.parse().expect("a slug"),
                name: "Acme Orders".parse().expect("a name"),
                environment: Environment::Production,
                issuer: format!("http://127.0.0.1:7100/t/{slug}"),
                host: None,
            },
            policies,
            apis: vec![],
            applications: vec![],
            client_grants: vec![],
        };
        let sections = Release::sections(content).expect("sections");
        let manifest = Manifest {
            format: FORMAT,
            tenant: id,
            version,
            region: "local".parse().expect("a region"),
            issued_at: start_of_time(),
            min_node_version: "0.1.0".into(),
            status: TenantStatus::Active,
            sections: sections
                .iter()
                .map(|(name, body)| (*name, ContentHash::of(body.as_bytes())))
                .collect(),
        };
        Draft { manifest, sections }
    }

    pub fn sign(&self, draft: &Draft) -> String {
        draft.manifest.sign(&self.signer).expect("a signature")
    }

    /// The frames of an index of these releases: the documents, then the index.
    pub fn index(&self, at: DateTime<Utc>, drafts: &[&Draft]) -> Vec<Down> {
        let mut buckets: BTreeMap<Bucket, Entries> = BTreeMap::new();
        for draft in drafts {
            let tenant = draft.manifest.tenant;
            let entry = IndexEntry {
                version: draft.manifest.version,
                manifest: Manifest::hash_of(&self.sign(draft)),
            };
            let entries = buckets.entry(Bucket::of(tenant)).or_default();
            entries.insert(tenant, entry);
        }
        let documents = buckets.iter().map(|(bucket, entries)| {
            let body = index::document(entries).expect("small").expect("not empty");
            (*bucket, body)
        });
        let documents: Vec<(Bucket, String)> = documents.collect();
        let names = documents.iter();
        let index = RegionIndex {
            region: "local".parse().expect("a region"),
            issued_at: at,
            buckets: names
                .map(|(bucket, body)| (*bucket, ContentHash::of(body.as_bytes())))
                .collect(),
        };
        let jws = index.sign(&self.signer).expect("a signature");
        let documents = documents.into_iter();
        documents
            .map(|(bucket, body)| Down::Bucket { bucket, body })
            .chain([Down::Index { jws }])
            .collect()
    }
}

/// A machine on which nodes can be started and restarted.
pub struct Machine {
    pub dir: TempDir,
    pub clock: Clock,
    pub time: ManualClock,
    pub state: Arc<dyn StateStore>,
    pub mailbox: Mailbox,
    /// Who sends instead of the mailbox.
    pub mailer: Option<Arc<dyn Mailer>>,
    pub health: Health,
    pub kek: [u8; 32],
    pub trust: TrustRoot,
    pub identity_url: String,
}

impl Machine {
    pub fn new() -> Self {
        let (clock, time) = Clock::manual(start_of_time());
        let dir = tempfile::tempdir().expect("a directory");
        let url = sqlite(&dir.path().join("identity.db"));
        Self {
            state: Arc::new(MemoryState::new(clock.clone())),
            mailbox: Mailbox::new(clock.clone()),
            mailer: None,
            health: Health::new(),
            kek: [9; 32],
            trust: ControlPlane::new().trust(),
            identity_url: url,
            dir,
            clock,
            time,
        }
    }

    /// A machine per database that is at hand.
    pub async fn on_every_database() -> Vec<Self> {
        let mut machines = vec![Self::new()];
        machines.extend(on_postgres().await);
        machines
    }

    pub async fn start(&self) -> Node {
        self.try_start("node").await.expect("the node starts")
    }

    /// A node with a snapshot of its own on the machine's stores.
    pub async fn try_start(&self, name: &str) -> Result<Node, OpenError> {
        self.open(name, NodeId::from_uuid(Uuid::from_u128(1))).await
    }

    /// The machine's node, as who it enrolled to be.
    pub async fn start_as(&self, id: NodeId) -> Node {
        self.open("node", id).await.expect("the node starts")
    }

    async fn open(&self, name: &str, id: NodeId) -> Result<Node, OpenError> {
        Node::open(NodeConfig {
            node_id: id,
            region: "local".parse().expect("a region"),
            software_version: "0.1.0".into(),
            data_dir: self.dir.path().join(name),
            identity_url: self.identity_url.clone(),
            state: Arc::clone(&self.state),
            trust: self.trust.clone(),
            kek: Kek::from_bytes(self.kek),
            clock: self.clock.clone(),
            entropy: Entropy::system(),
            mailer: self
                .mailer
                .clone()
                .unwrap_or_else(|| Arc::new(self.mailbox.clone())),
            auth_base_url: "http://127.0.0.1:7100".parse().expect("a URL"),
            hash_workers: 2,
            meter: opentelemetry::global::meter("test"),
            health: self.health.clone(),
        })
        .await
    }

    /// A node that serves tenant 1, `acme`, under these policies.
    pub async fn serving(&self, policies: PolicySet) -> (Node, Arc<TenantRuntime>) {
        let node = self.start().await;
        let control = ControlPlane::new();
        let draft = control.draft_with(tenant(1), "acme", 1, policies);
        let mut link = Link::connect(&node).await;
        assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
        let runtime = node.tenant(tenant(1)).expect("it is held");
        (node, runtime)
    }

    /// Changes the database behind the node's back.
    pub async fn sql(&self, statement: &str) {
        use sea_orm::{ConnectionTrait, Database};

        let db = Database::connect(&self.identity_url).await.unwrap();
        db.execute_unprepared(statement).await.unwrap();
        db.close().await.unwrap();
    }

    pub async fn not_ready_because(&self, check: &str) -> Option<String> {
        let report = self.health.report().await;
        let reason = report
            .reasons
            .into_iter()
            .find(|reason| reason.check == check);
        reason.map(|reason| reason.reason)
    }
}

fn sqlite(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

/// The control plane's end of a link to a node that runs in the background.
pub struct Link {
    down: mpsc::Sender<Text>,
    up: mpsc::Receiver<Text>,
}

impl Link {
    /// Connects and swallows the greeting.
    pub async fn connect(node: &Node) -> Self {
        Self::greet(node).await.0
    }

    /// Connects and returns the names of what the node says it holds.
    pub async fn greet(node: &Node) -> (Self, BucketHashes) {
        let (down, from_control) = mpsc::channel(64);
        let (to_control, up) = mpsc::channel(64);
        let node = node.clone();
        tokio::spawn(async move {
            let link = NodeLink {
                from_control,
                to_control,
            };
            node.run(link).await;
        });
        let mut link = Self { down, up };
        match link.hear().await {
            Up::Hello { buckets, .. } => (link, buckets),
            other => panic!("expected a greeting, heard {other:?}"),
        }
    }

    pub async fn tell(&self, frame: &Down) {
        let text = serde_json::to_string(frame).expect("a frame");
        self.tell_text(text).await;
    }

    pub async fn tell_all(&self, frames: Vec<Down>) {
        for frame in &frames {
            self.tell(frame).await;
        }
    }

    /// Asks what the node holds of a tenant's bucket.
    pub async fn holds(&mut self, tenant: TenantId) -> Entries {
        let buckets = vec![Bucket::of(tenant)];
        self.tell(&Down::Compare { buckets }).await;
        loop {
            if let Up::Holds { bucket, holds } = self.hear().await {
                assert_eq!(bucket, Bucket::of(tenant));
                return holds;
            }
        }
    }

    pub async fn tell_text(&self, text: String) {
        self.down.send(text.into()).await.expect("the node listens");
    }

    pub async fn hear(&mut self) -> Up {
        let text = self.up.recv().await.expect("the node speaks");
        serde_json::from_str(&text).expect("a frame")
    }

    /// Sends a whole release and returns what the node did with it.
    pub async fn release(&mut self, control: &ControlPlane, draft: &Draft) -> Outcome {
        self.sections(draft).await;
        self.manifest(draft.manifest.tenant, control.sign(draft))
            .await
    }

    pub async fn sections(&self, draft: &Draft) {
        for (name, body) in &draft.sections {
            let hash = draft.manifest.sections.get(name).cloned();
            let hash = hash.unwrap_or_else(|| ContentHash::of(body.as_bytes()));
            let body = body.clone();
            self.tell(&Down::Section { hash, body }).await;
        }
    }

    pub async fn manifest(&mut self, tenant: TenantId, manifest: String) -> Outcome {
        self.tell(&Down::Release { tenant, manifest }).await;
        loop {
            if let Up::Ack { outcome, .. } = self.hear().await {
                return outcome;
            }
        }
    }

    /// Waits until everything sent so far was handled.
    pub async fn settle(&mut self) {
        self.tell(&Down::Ping { nonce: 42 }).await;
        while self.hear().await != (Up::Pong { nonce: 42 }) {}
    }
}

/// A machine on PostgreSQL, where a server is at hand.
pub async fn on_postgres() -> Option<Machine> {
    let identity_url = fresh_postgres().await?;
    Some(Machine {
        identity_url,
        ..Machine::new()
    })
}

/// The URL of an empty PostgreSQL database, where a server is at hand.
async fn fresh_postgres() -> Option<String> {
    use sea_orm::{ConnectionTrait, Database};

    #[expect(
        clippy::disallowed_methods,
        reason = "a test suite is configured at its edge"
    )]
    let server = std::env::var("BAILIWICK_TEST_POSTGRES_URL").ok()?;
    let name = format!(
        "node_{}",
        Uuid::from_bytes(Entropy::system().bytes()).simple()
    );
    let admin = Database::connect(&server)
        .await
        .expect("PostgreSQL answers");
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .expect("databases may be made");
    let mut url: url::Url = server.parse().expect("a URL");
    url.set_path(&name);
    Some(url.into())
}
