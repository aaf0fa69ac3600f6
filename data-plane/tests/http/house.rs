//! A node with two tenants that look alike, behind the server that production uses.
//!
//! Both tenants hold the same applications under the same ids and secrets, so that every test of one is
//! a chance for the other to be confused with it (R-TEN-03).

use std::{net::TcpListener, sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, TimeZone, Utc};
use contract::{
    api::{Api, ApiScope},
    application::{
        Application, ApplicationKind, ApplicationStatus, GrantType, SigningAlgorithm,
        TokenAuthMethod,
    },
    client_grant::ClientGrant,
    frames::{Down, Outcome, Up},
    ids::{ApiId, ApplicationId, ClientGrantId, CredentialId, NodeId, TenantId, TypedId, UserId},
    jws::{ReleaseSigner, TrustRoot},
    manifest::{FORMAT, Manifest},
    policies::PolicySet,
    release::{Release, ReleaseContent},
    secret::SecretHash,
    section::ContentHash,
    tenant::{Environment, Host, TenantProfile, TenantStatus},
};
use data_plane::{
    Node, NodeConfig, SeedUser,
    http::TrustedProxies,
    mailer::Mailbox,
    process::server::{Patience, Surface},
    push::NodeLink,
    state::{StateStore, memory::MemoryState},
};
use host::{
    Clock, Entropy, Health, Kek, ManualClock, Observe, Telemetry, TelemetryConfig, wire::Text,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::browser::Browser;

pub const PASSWORD: &str = "eleven quiet lanterns glow";
pub const EMAIL: &str = "mara@acme.example";
pub const SECRET: &str = "bwk_not-a-real-secret-but-long-enough-for-a-test";
pub const CALLBACK: &str = "https://shop.example/cb";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn id<T: TypedId>(number: u128) -> T {
    T::from_uuid(Uuid::from_u128(number))
}

/// The applications every tenant has.
#[derive(Debug, Clone, Copy)]
pub enum App {
    /// Confidential web application of someone else: asks for consent.
    Shop = 1,
    /// Confidential web application of the tenant itself, with RS256.
    Own = 2,
    /// Public browser application.
    Spa = 3,
    /// Public installed application.
    Native = 4,
    /// Confidential machine.
    Machine = 5,
}

impl App {
    pub fn id(self) -> String {
        id::<ApplicationId>(self as u128).to_string()
    }
}

pub struct House {
    pub node: Node,
    pub origin: String,
    pub clock: ManualClock,
    pub mailbox: Mailbox,
    now: Clock,
    signer: ReleaseSigner,
    to_node: mpsc::Sender<Text>,
    from_node: mpsc::Receiver<Text>,
    version: u64,
    _dir: tempfile::TempDir,
}

impl House {
    /// Two tenants, `acme` and `globex`, each with the person [`EMAIL`].
    pub async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    /// The same with `acme` changed first.
    pub async fn open_with(change: impl FnOnce(&mut ReleaseContent)) -> Self {
        let house = Self::empty(TrustedProxies::default(), |memory, _| Arc::new(memory));
        house.await.furnish(change).await
    }

    /// A house whose short-lived state is kept by what `around` makes of memory and the clock.
    pub async fn open_around(
        around: impl FnOnce(MemoryState, ManualClock) -> Arc<dyn StateStore>,
    ) -> Self {
        let house = Self::empty(TrustedProxies::default(), around).await;
        house.furnish(|_| ()).await
    }

    /// A house that believes these proxies.
    pub async fn open_behind(proxies: &[&str]) -> Self {
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let house = Self::empty(proxies.try_into().unwrap(), |memory, _| Arc::new(memory));
        house.await.furnish(|_| ()).await
    }

    async fn furnish(mut self, change: impl FnOnce(&mut ReleaseContent)) -> Self {
        let house = &mut self;
        let mut acme = house.content(1, "acme");
        change(&mut acme);
        house.publish(acme, TenantStatus::Active).await;
        let globex = house.content(2, "globex");
        house.publish(globex, TenantStatus::Active).await;
        for number in [1, 2] {
            let user = SeedUser {
                email: EMAIL,
                name: "Mara Lind",
                password: PASSWORD,
            };
            house
                .node
                .create_user_with_password(id(number), id(100 + number), user)
                .await
                .unwrap();
        }
        self
    }

    async fn empty(
        proxies: TrustedProxies,
        around: impl FnOnce(MemoryState, ManualClock) -> Arc<dyn StateStore>,
    ) -> Self {
        let start = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
        let (now, clock) = Clock::manual(start);
        let entropy = Entropy::system();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let signer = ReleaseSigner::from_secret(&[7; 32]);
        let telemetry = Telemetry::start(&TelemetryConfig {
            filter: "warn".into(),
            ..TelemetryConfig::new("data-plane-tests")
        })
        .unwrap();
        let mailbox = Mailbox::new(now.clone());
        let dir = tempfile::tempdir().unwrap();
        let health = Health::new();
        let node = Node::open(NodeConfig {
            node_id: id::<NodeId>(1),
            region: "eu-central".parse().unwrap(),
            software_version: "0.1.0".into(),
            data_dir: dir.path().to_owned(),
            identity_url: "sqlite::memory:".into(),
            state: around(MemoryState::new(now.clone()), clock.clone()),
            trust: TrustRoot {
                keys: vec![signer.public()],
            },
            kek: Kek::from_bytes([9; 32]),
            clock: now.clone(),
            entropy: entropy.clone(),
            mailer: Arc::new(mailbox.clone()),
            auth_base_url: origin.parse().unwrap(),
            hash_workers: 1,
            meter: telemetry.meter(),
            health: health.clone(),
        })
        .await
        .unwrap();
        let surface = Surface {
            observe: Observe::new(telemetry.http_metrics(), now.clone(), entropy),
            health,
            telemetry,
            tls: None,
            https: false,
            proxies,
            patience: Patience::default(),
        };
        let served = node.clone();
        let server = surface
            .serve(listener, move |cfg| {
                data_plane::http::configure(cfg, &served)
            })
            .unwrap();
        tokio::spawn(server);
        let (to_node, from_control) = mpsc::channel(64);
        let (to_control, from_node) = mpsc::channel(64);
        let running = node.clone();
        tokio::spawn(async move {
            running
                .run(NodeLink {
                    from_control,
                    to_control,
                })
                .await;
        });
        Self {
            node,
            origin,
            clock,
            mailbox,
            now,
            signer,
            to_node,
            from_node,
            version: 0,
            _dir: dir,
        }
    }

    /// What a tenant starts with.
    pub fn content(&self, number: u128, slug: &str) -> ReleaseContent {
        let apis = vec![Api {
            id: id::<ApiId>(1),
            name: "Orders".into(),
            audience: "urn:orders".parse().unwrap(),
            scopes: [
                ("orders:read", "See your orders"),
                ("orders:write", "Change your orders"),
            ]
            .map(|(scope, words)| ApiScope {
                scope: scope.parse().unwrap(),
                description: words.into(),
            })
            .into(),
        }];
        let grant = |number, app: App| ClientGrant {
            id: id::<ClientGrantId>(number),
            application: id(app as u128),
            api: id(1),
            scopes: ["orders:read", "orders:write"]
                .map(|scope| scope.parse().unwrap())
                .into(),
        };
        ReleaseContent {
            tenant: TenantProfile {
                id: id::<TenantId>(number),
                slug: slug.parse().unwrap(),
                name: slug.to_uppercase().parse().unwrap(),
                environment: Environment::Sandbox,
                issuer: format!("{}/t/{slug}", self.origin),
                host: None,
            },
            policies: PolicySet::default(),
            apis,
            applications: vec![
                application(App::Shop, "Demo shop"),
                application(App::Own, "Own portal"),
                application(App::Spa, "Browser app"),
                application(App::Native, "Phone app"),
                application(App::Machine, "Robot"),
            ],
            client_grants: vec![grant(1, App::Machine), grant(2, App::Shop)],
        }
    }

    /// Moves a tenant to a host of its own.
    pub fn at_host(mut content: ReleaseContent, host: &str, origin: &str) -> ReleaseContent {
        let port = origin.rsplit_once(':').unwrap().1;
        content.tenant.issuer = format!("http://{host}:{port}");
        content.tenant.host = Some(host.parse::<Host>().unwrap());
        content
    }

    /// Publishes a version and waits until the node serves it.
    pub async fn publish(&mut self, content: ReleaseContent, status: TenantStatus) {
        self.version += 1;
        let tenant = content.tenant.id;
        let sections = Release::sections(content).unwrap();
        let mut hashes = std::collections::BTreeMap::new();
        for (name, body) in sections {
            let hash = ContentHash::of(body.as_bytes());
            self.send(&Down::Section {
                hash: hash.clone(),
                body,
            })
            .await;
            hashes.insert(name, hash);
        }
        let manifest = Manifest {
            format: FORMAT,
            tenant,
            version: self.version,
            region: "eu-central".parse().unwrap(),
            issued_at: self.now.now(),
            min_node_version: "0.1.0".into(),
            status,
            sections: hashes,
        };
        let manifest = manifest.sign(&self.signer).unwrap();
        self.send(&Down::Release { tenant, manifest }).await;
        loop {
            let frame = tokio::time::timeout(StdDuration::from_secs(20), self.from_node.recv())
                .await
                .expect("the node answers a release in time")
                .expect("the node runs");
            if let Up::Ack {
                outcome, version, ..
            } = serde_json::from_str(&frame).unwrap()
                && version == self.version
            {
                assert_eq!(outcome, Outcome::Applied);
                return;
            }
        }
    }

    pub async fn send(&self, frame: &Down) {
        self.to_node
            .send(serde_json::to_string(frame).unwrap().into())
            .await
            .unwrap();
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now.now()
    }

    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// A new browser at a tenant.
    pub fn browser(&self, slug: &str) -> Browser {
        Browser::new(&self.origin, &format!("/t/{slug}"))
    }

    pub fn user(tenant: u128) -> UserId {
        id(100 + tenant)
    }
}

fn application(app: App, name: &str) -> Application {
    let (kind, redirects): (_, &[&str]) = match app {
        App::Shop => (ApplicationKind::Web, &[CALLBACK, "http://127.0.0.1/cb"]),
        App::Own => (ApplicationKind::Web, &["https://own.example/cb"]),
        App::Spa => (ApplicationKind::Spa, &["https://spa.example/cb"]),
        App::Native => (
            ApplicationKind::Native,
            &["com.example.app:/cb", "http://127.0.0.1/cb"],
        ),
        App::Machine => (ApplicationKind::Machine, &[]),
    };
    let people = kind.signs_people_in();
    let confidential = kind.is_confidential();
    Application {
        id: id(app as u128),
        name: name.into(),
        kind,
        status: ApplicationStatus::Active,
        redirect_uris: redirects.iter().map(|uri| uri.parse().unwrap()).collect(),
        post_logout_redirect_uris: match app {
            App::Shop => vec!["https://shop.example/bye".parse().unwrap()],
            _ => vec![],
        },
        grant_types: if people {
            [GrantType::AuthorizationCode, GrantType::RefreshToken].into()
        } else {
            [GrantType::ClientCredentials].into()
        },
        auth_methods: [match (confidential, app) {
            (false, _) => TokenAuthMethod::None,
            (true, App::Machine) => TokenAuthMethod::ClientSecretPost,
            (true, _) => TokenAuthMethod::ClientSecretBasic,
        }]
        .into(),
        secrets: if confidential {
            vec![SecretHash::of(id::<CredentialId>(1), SECRET, None)]
        } else {
            vec![]
        },
        scopes: if people {
            ["openid", "profile", "email", "offline_access"]
                .map(|s| s.parse().unwrap())
                .into()
        } else {
            [].into()
        },
        signing_algorithm: match app {
            App::Own => SigningAlgorithm::RS256,
            _ => SigningAlgorithm::ES256,
        },
        first_party: matches!(app, App::Own),
    }
}
