//! How anything is written: authorize, validate, write, audit, compile, commit — in one transaction.
//!
//! [`Change`] holds the transaction and is the only thing that can commit it. It ends in
//! [`Change::finish`], which demands a [`Done`], which demands an audit [`Event`]: a write without an
//! audit entry does not compile. Dropped anywhere before, nothing happened. A dry run does the very same
//! work and then rolls back, so its answer is the real one.
//!
//! The tenant's row is locked first. Release versions and audit numbers of one tenant are therefore given
//! one after the other, on every replica; different tenants do not wait for each other.

mod view;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    ids::TenantId,
    permission::Permission,
    tenant::{PLATFORM_SLUG, Region},
};

use crate::{
    Caller, ControlPlane, Denial, Refusal, Scope,
    audit::Event,
    releases::{Compiled, Reach},
    store::{News, Tx},
    tenants::Tenant,
};

/// Whether a change is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It stays.
    #[default]
    Commit,
    /// It is tried, answered and undone (`dry_run=true`).
    DryRun,
}

/// Which tenant a change is in, and which version of the changed thing the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The tenant.
    pub tenant: TenantId,
    /// The version the caller has seen (`If-Match`); `None` overwrites any.
    pub expected: Option<i64>,
}

/// What is changed or looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The platform itself; decided by the platform tenant's matrix.
    Platform,
    /// One tenant.
    Tenant(TenantId),
}

impl From<TenantId> for Target {
    fn from(tenant: TenantId) -> Self {
        Self::Tenant(tenant)
    }
}

impl From<Scope> for Target {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Platform => Self::Platform,
            Scope::Tenant(tenant) => Self::Tenant(tenant),
        }
    }
}

/// What a change came to.
pub(crate) struct Done<T> {
    value: T,
    event: Event,
    releases: Vec<TenantId>,
    release_own: bool,
    also_audited_by: Option<TenantId>,
    further: Vec<(TenantId, Event)>,
    news: Vec<News>,
    written: Vec<Compiled>,
    promotions: Vec<Promotion>,
}

/// A version that the canary ring has and all nodes are given from now on.
#[derive(Debug, Clone)]
pub(crate) struct Promotion {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Whose nodes.
    pub(crate) region: Region,
    /// Which one.
    pub(crate) version: u64,
}

impl Promotion {
    fn news(&self) -> News {
        News::Release {
            tenant: self.tenant,
            region: self.region.clone(),
            version: self.version,
            reach: Reach::Wide,
        }
    }
}

impl<T> Done<T> {
    /// The answer, and what the audit log says about it.
    pub(crate) fn new(value: T, event: Event) -> Self {
        Self {
            value,
            event,
            releases: Vec::new(),
            release_own: false,
            also_audited_by: None,
            further: Vec::new(),
            news: Vec::new(),
            written: Vec::new(),
            promotions: Vec::new(),
        }
    }

    /// A release was written already: tell nodes of it.
    pub(crate) fn wrote(mut self, release: Compiled) -> Self {
        self.written.push(release);
        self
    }

    /// All nodes are given a version that the canary ring has.
    pub(crate) fn promotes(mut self, promotion: Promotion) -> Self {
        self.promotions.push(promotion);
        self
    }

    /// Nodes have to learn of it: compile a release of the tenant that was changed.
    pub(crate) fn releases(mut self) -> Self {
        self.release_own = true;
        self
    }

    /// A platform change that concerned `tenant`: release it, and tell its own audit log as well.
    pub(crate) fn concerns(mut self, tenant: TenantId) -> Self {
        self.releases.push(tenant);
        self.also_told(tenant)
    }

    /// A platform change that `tenant` should know of: tell its own audit log as well.
    pub(crate) fn also_told(mut self, tenant: TenantId) -> Self {
        self.also_audited_by = Some(tenant);
        self
    }

    /// Tells the log of `tenant` one thing more, after what the change is: a role that came with it.
    pub(crate) fn tells(mut self, tenant: TenantId, event: Event) -> Self {
        self.further.push((tenant, event));
        self
    }
}

impl<T> Done<T> {
    /// Control planes and their nodes have to hear of it, beside releases.
    pub(crate) fn also_news(mut self, news: News) -> Self {
        self.news.push(news);
        self
    }
}

/// The versions that a change was compiled to, or would have been.
pub(crate) struct Releases(BTreeMap<TenantId, u64>);

impl Releases {
    /// The tenant as it is from now on.
    pub(crate) fn current(&self, mut tenant: Tenant) -> Tenant {
        if let Some(version) = self.0.get(&tenant.id) {
            tenant.release_version = *version;
        }
        tenant
    }
}

/// A change under way.
pub(crate) struct Change<'a> {
    control_plane: &'a ControlPlane,
    caller: &'a Caller,
    tenant: Tenant,
    permission: Permission,
    /// Every power that was demanded so far.
    needed: Vec<Permission>,
    mode: Mode,
    at: DateTime<Utc>,
    tx: Tx,
}

impl ControlPlane {
    /// Begins a change: locks the tenant and authorizes.
    pub(crate) async fn change<'a>(
        &'a self,
        caller: &'a Caller,
        target: impl Into<Target>,
        permission: Permission,
        mode: Mode,
    ) -> Result<Change<'a>, Refusal> {
        let tx = self.store().begin().await?;
        let id = self.target_tenant(&tx, target.into()).await?;
        let tenant = tx.lock_tenant(id).await?.ok_or(NO_TENANT)?;
        let change = Change {
            control_plane: self,
            caller,
            tenant,
            permission,
            needed: Vec::new(),
            mode,
            at: self.clock().now(),
            tx,
        };
        change.require(permission).await
    }

    /// Begins a change of the platform that is about one tenant. A stranger to the tenant learns nothing,
    /// also not that the permission is missing.
    pub(crate) async fn change_about<'a>(
        &'a self,
        caller: &'a Caller,
        tenant: TenantId,
        permission: Permission,
        mode: Mode,
    ) -> Result<Change<'a>, Refusal> {
        self.enter(caller, tenant).await?;
        self.change(caller, Target::Platform, permission, mode)
            .await
    }

    /// Begins the one change that nobody could authorize: making the platform's own tenant.
    pub(crate) async fn found<'a>(
        &'a self,
        system: &'a Caller,
        platform: Tenant,
    ) -> Result<Change<'a>, Refusal> {
        let tx = self.store().begin().await?;
        tx.insert_tenant(&platform).await?;
        Ok(Change {
            control_plane: self,
            caller: system,
            permission: Permission::TenantsCreate,
            needed: vec![Permission::TenantsCreate],
            mode: Mode::Commit,
            at: platform.created_at,
            tenant: platform,
            tx,
        })
    }

    async fn target_tenant(&self, tx: &Tx, target: Target) -> Result<TenantId, Refusal> {
        match target {
            Target::Tenant(id) => Ok(id),
            Target::Platform => Ok(self.platform_tenant(tx).await?.id),
        }
    }

    /// The vendor's own tenant.
    pub(crate) async fn platform_tenant(&self, tx: &Tx) -> Result<Tenant, Refusal> {
        let slug = PLATFORM_SLUG
            .parse()
            .expect("the platform's slug is a slug");
        tx.find_tenant_by_slug(&slug)
            .await?
            .ok_or_else(|| Refusal::Unavailable {
                detail: "The platform has not been set up yet.".to_owned(),
            })
    }

    /// The vendor's own tenant, whose audit log is also the platform's.
    pub(crate) async fn platform_id(&self) -> Result<TenantId, Refusal> {
        let tx = self.store().begin_read().await?;
        Ok(self.platform_tenant(&tx).await?.id)
    }
}

pub(crate) const NO_TENANT: Refusal = Refusal::NotFound { what: "tenant" };

impl<'a> Change<'a> {
    /// The tenant as it was when the change began.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The transaction.
    pub(crate) fn tx(&self) -> &Tx {
        &self.tx
    }

    /// Who asks.
    pub(crate) fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// The one moment at which the change happens.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Whether nothing of it is to stay.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.mode == Mode::DryRun
    }

    /// Demands one more power in the same tenant.
    pub(crate) async fn require(mut self, permission: Permission) -> Result<Self, Refusal> {
        let verdict = self
            .control_plane
            .authorize(&self.tx, self.caller, permission, &self.tenant)
            .await;
        match verdict {
            Ok(()) => {
                self.needed.push(permission);
                Ok(self)
            }
            Err(Refusal::Forbidden(denial)) => Err(self.refuse(*denial).await),
            Err(Refusal::NotFound { .. }) => {
                let (control_plane, caller, tenant) =
                    (self.control_plane, self.caller, self.tenant);
                self.tx.roll_back().await?;
                Err(control_plane.turn_away(caller, &tenant).await)
            }
            Err(other) => Err(other),
        }
    }

    /// Gives up because of a rule about who may do this; undoes everything and records the attempt.
    pub(crate) async fn refuse(self, denial: Denial) -> Refusal {
        let event = Event::refused(&denial);
        self.refuse_as(event, denial.into()).await
    }

    /// Gives up for another reason that the log should tell; undoes everything and records `event` as an
    /// attempt that came to nothing.
    pub(crate) async fn refuse_as(self, event: Event, refusal: Refusal) -> Refusal {
        let (control_plane, caller, tenant) = (self.control_plane, self.caller, self.tenant.id);
        // The writer's lock must be free before the record is written.
        if let Err(error) = self.tx.roll_back().await {
            return error.into();
        }
        control_plane
            .record_alone(caller, tenant, event.unsuccessful())
            .await;
        refusal
    }

    /// The power this change was begun with.
    pub(crate) fn permission(&self) -> Permission {
        self.permission
    }

    /// Ends the change: audits, compiles, commits or rolls back, and tells the nodes.
    pub(crate) async fn finish<T>(self, done: Done<T>) -> Result<T, Refusal> {
        Ok(self.finish_with_releases(done).await?.0)
    }

    /// As [`Change::finish`], for an answer that shows which release of a tenant is the current one.
    pub(crate) async fn finish_with_releases<T>(
        self,
        done: Done<T>,
    ) -> Result<(T, Releases), Refusal> {
        let control_plane = self.control_plane;
        let mut logs = vec![self.tenant.id];
        logs.extend(
            done.also_audited_by
                .filter(|other| *other != self.tenant.id),
        );
        let told = logs.into_iter().map(|log| (log, &done.event));
        let further = done.further.iter().map(|(log, event)| (*log, event));
        for (log, event) in told.chain(further) {
            if log != self.tenant.id {
                self.tx.lock_tenant(log).await?;
            }
            control_plane
                .record(&self.tx, self.caller, log, event)
                .await?;
        }
        let mut releases = done.releases;
        if done.release_own {
            releases.push(self.tenant.id);
        }
        let mut compiled: Vec<Compiled> = done.written;
        for tenant in releases {
            if let Some(new) = control_plane.compile(&self.tx, tenant, self.at).await? {
                let staged = control_plane.stage(&self.tx, self.caller, new, self.at);
                compiled.push(staged.await?);
            }
        }
        let versions = compiled.iter().map(|new| (new.tenant, new.version));
        let versions = Releases(versions.collect());
        match self.mode {
            Mode::DryRun => self.tx.roll_back().await?,
            Mode::Commit => {
                self.mark_acted().await?;
                let mut news = done.news;
                news.extend(compiled.iter().map(Compiled::news));
                news.extend(done.promotions.iter().map(Promotion::news));
                for told in &news {
                    self.tx.put_news(told, self.at).await?;
                }
                self.tx.commit().await?;
                if !news.is_empty() {
                    control_plane.bus().ring();
                }
                control_plane.announce(compiled, done.promotions).await;
            }
        }
        Ok((done.value, versions))
    }

    /// Under an `Idempotency-Key`: writes with the change that it was made. A key that somebody took over
    /// in the meantime makes nothing of it happen here.
    async fn mark_acted(&self) -> Result<(), Refusal> {
        let Some(claim) = self.caller.claim() else {
            return Ok(());
        };
        let is_ours = self
            .tx
            .mark_idempotency_acted(claim, self.tenant.id, &self.needed)
            .await?;
        if is_ours {
            return Ok(());
        }
        Err(Refusal::conflict(
            "idempotency_in_progress",
            "It took too long, and another request with the same Idempotency-Key took its place.",
        ))
    }
}

/// Refuses to overwrite what the caller has not seen (`If-Match`, R-ADM-07). `None` overwrites anything.
pub(crate) fn check_version(expected: Option<i64>, current: i64) -> Result<(), Refusal> {
    match expected {
        Some(seen) if seen != current => Err(Refusal::Stale {
            current_version: current,
        }),
        _ => Ok(()),
    }
}
