//! The stage: a control plane on a database of its own, people with roles, and a node.

mod bell;
mod lane;
mod node;
pub mod wired;

use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use contract::{
    ids::{OperatorId, TenantId, TypedId, UserId},
    policies::{PasswordPolicy, Policy, PolicyKind},
    role::Role,
    tenant::{Environment, TenantStatus},
};
use control_plane::{
    At, Caller, ControlPlane, ControlPlaneConfig, HeldRole, Mode, OpenError, Page, PageRequest,
    Refusal, RegionPlace, Scope, Via,
    audit::{AuditFilter, AuditRecord},
    operators::Invitee,
    policies::{PublishRequest, PublishedPolicy},
    tenants::{NewTenant, Tenant},
};
use host::{Clock, Entropy, Kek, ManualClock};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};

use self::bell::Bell;
pub use self::{
    lane::FakeLane,
    node::{FakeNode, IMPACT},
};

/// A control plane with its platform founded, and a clock to advance.
pub struct World {
    pub cp: ControlPlane,
    pub clock: ManualClock,
    time: Clock,
    entropy: Entropy,
    url: String,
    bell: Bell,
    _dir: tempfile::TempDir,
}

pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

impl World {
    pub async fn new() -> Self {
        Self::seeded(7).await
    }

    pub async fn seeded(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = database_url(&dir).await;
        let (time, clock) = Clock::manual(start());
        let entropy = Entropy::seeded(seed);
        let bell = Bell::default();
        let config = ControlPlaneConfig {
            database_url: url.clone(),
            regions: places(&["local", "elsewhere"], "http://127.0.0.1:7100"),
            bake_seconds: 30,
            push_address: Some("127.0.0.1:7200".parse().unwrap()),
            bus: Arc::new(bell.another()),
            kek: Kek::from_bytes([5; 32]),
            clock: time.clone(),
            entropy: entropy.clone(),
        };
        let cp = ControlPlane::open(config).await.unwrap();
        cp.ensure_platform_tenant().await.unwrap();
        Self {
            cp,
            clock,
            time,
            entropy,
            url,
            bell,
            _dir: dir,
        }
    }

    /// The same database, opened again as after a restart.
    pub async fn reopened(&self, base: &str) -> ControlPlane {
        self.try_reopened(&["local", "elsewhere"], base)
            .await
            .unwrap()
    }

    /// The same database, opened with these regions.
    pub async fn try_reopened(
        &self,
        regions: &[&str],
        base: &str,
    ) -> Result<ControlPlane, OpenError> {
        ControlPlane::open(ControlPlaneConfig {
            database_url: self.url.clone(),
            regions: places(regions, base),
            bake_seconds: 30,
            push_address: Some("127.0.0.1:7200".parse().unwrap()),
            bus: Arc::new(self.bell.another()),
            kek: Kek::from_bytes([5; 32]),
            clock: self.time.clone(),
            entropy: self.entropy.clone(),
        })
        .await
    }

    /// A statement behind the store's back, as someone with access to the database could run it.
    pub async fn tamper(&self, sql: &str) {
        let db = Database::connect(&self.url).await.unwrap();
        db.execute_unprepared(sql).await.unwrap();
    }

    /// What rests in the database, row by row, as somebody who stole it could read it.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let db = Database::connect(&self.url).await.unwrap();
        let found = db.query_all_raw(statement(&db, sql)).await.unwrap();
        found.iter().map(shown).collect()
    }

    /// The first column of the first row, as bytes.
    pub async fn bytes(&self, sql: &str) -> Vec<u8> {
        let db = Database::connect(&self.url).await.unwrap();
        let found = db.query_one_raw(statement(&db, sql)).await.unwrap();
        found.unwrap().try_get_by_index(0).unwrap()
    }

    /// A connected node of the platform's region that does as it is told.
    pub async fn node(&self) -> FakeNode {
        let node = FakeNode::greet(&self.cp, 1, Vec::new()).await;
        let platform = self.cp.ensure_platform_tenant().await.unwrap();
        let node = node.obey();
        let limit = std::time::Duration::from_secs(10);
        self.cp.wait_applied(platform.id, 1, limit).await.unwrap();
        node
    }

    /// A person of the vendor with this role.
    pub async fn staff(&self, role: Role) -> Caller {
        self.person(role, Scope::Platform).await
    }

    /// A person with this role in one tenant.
    pub async fn member(&self, tenant: &Tenant, role: Role) -> Caller {
        self.person(role, Scope::Tenant(tenant.id)).await
    }

    async fn person(&self, role: Role, scope: Scope) -> Caller {
        let subject: UserId = UserId::from_uuid(self.entropy.uuid_v7(start()));
        let invitee = Invitee {
            name: format!("{} {}", role.title(), &subject.to_string()[20..]),
            email: format!("{subject}@example.com"),
        };
        let held = [HeldRole { role, scope }];
        self.cp
            .adopt_operator(subject, invitee, &held)
            .await
            .unwrap();
        self.cp
            .caller_for_subject(subject, Via::AdminApi, "req_test")
            .await
            .unwrap()
    }

    /// A tenant made by the product itself.
    pub async fn tenant(&self, slug: &str) -> Tenant {
        let caller = self.cp.system_caller();
        let created = self
            .cp
            .create_tenant(&caller, new_tenant(slug), Mode::Commit)
            .await;
        let id = created.unwrap().tenant.id;
        self.cp.get_tenant(&caller, id).await.unwrap()
    }

    /// Raises the shortest password by draft and publication.
    pub async fn publish_min_length(
        &self,
        caller: &Caller,
        tenant: TenantId,
        min_length: u32,
        mode: Mode,
    ) -> Result<PublishedPolicy, Refusal> {
        let wanted = Policy::Password(PasswordPolicy {
            min_length,
            ..PasswordPolicy::default()
        });
        let at = At {
            tenant,
            expected: None,
        };
        let draft = self
            .cp
            .save_policy_draft(caller, at, wanted, Mode::Commit)
            .await?;
        let request = PublishRequest {
            kind: PolicyKind::Password,
            draft_version: draft.version,
            base_version: draft.base_version,
        };
        self.cp.publish_policy(caller, tenant, request, mode).await
    }

    /// A tenant's whole audit log, newest first, as the product itself may read it.
    pub async fn audit(&self, tenant: TenantId) -> Vec<AuditRecord> {
        let page = PageRequest::parse(Some(100), None).unwrap();
        let caller = self.cp.system_caller();
        let found: Page<AuditRecord> = self
            .cp
            .list_audit_events(&caller, tenant, &AuditFilter::default(), &page)
            .await
            .unwrap();
        found.items
    }

    /// The current release.
    pub async fn released(&self, tenant: TenantId) -> u64 {
        let caller = self.cp.system_caller();
        self.cp
            .get_tenant(&caller, tenant)
            .await
            .unwrap()
            .release_version
    }
}

/// A row as text: the drivers' own does not show what is in it.
fn shown(row: &QueryResult) -> String {
    let cell = |name: &String| {
        let text = row.try_get_by::<String, _>(name.as_str());
        let number = || row.try_get_by::<i64, _>(name.as_str());
        let bytes = || row.try_get_by::<Vec<u8>, _>(name.as_str());
        text.or_else(|_| number().map(|number| number.to_string()))
            .or_else(|_| bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            .unwrap_or_default()
    };
    let cells = row.column_names();
    let cells = cells.iter().map(|name| format!("{name}={}", cell(name)));
    cells.collect::<Vec<_>>().join(" ")
}

fn statement(db: &DatabaseConnection, sql: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), sql)
}

pub fn new_tenant(slug: &str) -> NewTenant {
    NewTenant {
        slug: slug.parse().unwrap(),
        name: slug.to_uppercase().parse().unwrap(),
        environment: Environment::Production,
        region: "local".parse().unwrap(),
        host: None,
        first_admin: None,
    }
}

pub fn invitee(name: &str) -> Invitee {
    Invitee {
        name: name.to_owned(),
        email: format!("{}@example.com", name.to_lowercase()),
    }
}

/// The stable code of a refusal, for comparing.
pub fn code<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(Refusal::NotFound { what }) => format!("not found: {what}"),
        Err(Refusal::Invalid(violations)) => format!("invalid: {}", violations[0].member),
        Err(Refusal::Forbidden(denial)) => match denial.duty() {
            Some(duty) => format!("{}: {duty}", denial.code()),
            None => denial.code().to_owned(),
        },
        Err(Refusal::Conflict { code, .. }) => code.to_owned(),
        Err(Refusal::Stale { current_version }) => format!("stale: {current_version}"),
        Err(Refusal::Unavailable { .. }) => "unavailable".to_owned(),
        Err(Refusal::Internal(source)) => panic!("{source:?}"),
    }
}

pub fn nobody() -> OperatorId {
    OperatorId::from_uuid(uuid::Uuid::from_u128(99))
}

pub const ACTIVE: TenantStatus = TenantStatus::Active;

fn places(regions: &[&str], base: &str) -> Vec<RegionPlace> {
    let place = |region: &&str| RegionPlace::new(region.parse().unwrap(), base.parse().unwrap());
    regions.iter().map(place).collect()
}

async fn database_url(dir: &tempfile::TempDir) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test run chooses the database"
    )]
    let server = std::env::var("BAILIWICK_TEST_POSTGRES_URL").ok();
    let Some(server) = server else {
        return format!(
            "sqlite://{}?mode=rwc",
            dir.path().join("control.db").display()
        );
    };
    let name = format!("cp_{}", Entropy::system().uuid_v7(start()).simple());
    let admin = Database::connect(&server).await.unwrap();
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(&name);
    url.to_string()
}
