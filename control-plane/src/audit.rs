//! The audit log: who did what, or tried to, in words; one unbroken chain per tenant.
//!
//! Each event carries the hash of the one before it and is hashed itself in canonical form, so a removed
//! or edited event is found by anyone who reads the chain. Events of the platform are in the log of the
//! platform's own tenant. An event is written in the transaction of the change it tells of; a refused
//! attempt has a transaction of its own. Nothing secret is ever put into an event.

use chrono::{DateTime, Utc};
use contract::{
    canonical,
    ids::{EventId, OperatorId, TenantId},
    permission::Permission,
    role::Party,
    section::ContentHash,
    tenant::PLATFORM_SLUG,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Caller, ControlPlane, Denial, Page, PageRequest, Refusal, store::Tx, tenants::Tenant};

/// Longest state kept in an event, in bytes of canonical JSON; a longer one is kept as its hash.
const MAX_STATE_BYTES: usize = 16 * 1024;
/// Events read at once while a chain is checked.
const CHECK_BATCH: u64 = 500;

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Its id.
    pub id: EventId,
    /// Whose log it is in.
    pub tenant: TenantId,
    /// Its position in that log, from 1 without gaps.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// What, as a stable key, for example `policies.publish`.
    pub action: String,
    /// What, in words.
    pub sentence: String,
    /// To what.
    pub object: Option<AuditObject>,
    /// How it was before.
    pub before: Option<Value>,
    /// How it is now.
    pub after: Option<Value>,
    /// The request that asked for it.
    pub request_id: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// The hash of the event before it; of nothing for the first.
    pub previous: ContentHash,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The operator; the nil id for the product itself.
    pub operator: OperatorId,
    /// Their name at the time.
    pub name: String,
    /// Whose people they belong to.
    pub party: Party,
    /// The door they came through.
    pub via: String,
}

/// What was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditObject {
    /// What it is, for example `application`.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// What people call it.
    pub label: String,
}

/// Whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was tried and refused, or did not come to pass.
    Refused,
}

impl Outcome {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = contract::Invalid;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Done, Self::Refused]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| contract::Invalid::new("outcome", "must be done or refused"))
    }
}

/// An event together with its own hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The event.
    pub event: AuditEvent,
    /// SHA-256 of its canonical form.
    pub hash: ContentHash,
}

/// Which events are wanted; everything unless said.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only of this operator.
    pub actor: Option<OperatorId>,
    /// Only this action, or with a trailing `.` every action that begins so, and every refused attempt at
    /// one: `policies.` also finds `tenant.policies.password.draft`, the permission that was missing.
    pub action: Option<String>,
    /// Only about the thing with this id.
    pub object: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Only those whose text contains this.
    pub text: Option<String>,
}

/// What a check of a whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Events that hold.
    pub events: u64,
    /// The hash of the last one that holds.
    pub head: ContentHash,
    /// The first position that does not hold, if there is one.
    pub broken_at: Option<u64>,
}

/// What a method says about what it did. The chain, the time and the actor are added when it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    action: String,
    sentence: String,
    object: Option<AuditObject>,
    before: Option<Value>,
    after: Option<Value>,
    outcome: Outcome,
}

impl Event {
    /// What was done: a stable key and a sentence.
    pub(crate) fn new(action: &str, sentence: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            sentence: sentence.into(),
            object: None,
            before: None,
            after: None,
            outcome: Outcome::Done,
        }
    }

    /// A refused attempt.
    pub(crate) fn refused(denial: &Denial) -> Self {
        let phrase = denial.permission.phrase();
        Self::new(
            &denial.permission.key(),
            format!("Tried to {phrase}, and was refused."),
        )
        .unsuccessful()
        .after(&json!({
            "code": denial.code(),
            "duty": denial.duty(),
            "needed": denial.needed(),
        }))
    }

    /// A refused look; if it was at what leads up to a change, that change is not yet tried.
    pub(crate) fn refused_look(denial: &Denial) -> Self {
        let mut event = Self::refused(denial);
        if !denial.permission.is_view() {
            let phrase = denial.permission.phrase();
            event.sentence =
                format!("Asked for a page for those who may {phrase}, and was refused.");
        }
        event
    }

    /// An attempt on a tenant by somebody who has no role in it and was told that it does not exist.
    pub(crate) fn stranger(tenant: &Tenant) -> Self {
        Self::new(
            "tenants.enter",
            "Tried to reach a tenant without any role in it, and was told that it does not exist.",
        )
        .object("tenant", tenant.id, &tenant.name)
        .unsuccessful()
    }

    /// It was tried, and did not come to pass.
    pub(crate) fn unsuccessful(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    /// To what.
    pub(crate) fn object(mut self, kind: &str, id: impl ToString, label: impl ToString) -> Self {
        self.object = Some(AuditObject {
            kind: kind.to_owned(),
            id: id.to_string(),
            label: label.to_string(),
        });
        self
    }

    /// How it was before. Must not contain a secret.
    pub(crate) fn before<T: Serialize>(mut self, state: &T) -> Self {
        self.before = Some(shorten(state));
        self
    }

    /// How it is now. Must not contain a secret.
    pub(crate) fn after<T: Serialize>(mut self, state: &T) -> Self {
        self.after = Some(shorten(state));
        self
    }
}

fn shorten<T: Serialize>(state: &T) -> Value {
    let text = canonical::to_canonical(state).expect("domain types have no floats");
    if text.len() > MAX_STATE_BYTES {
        return json!({"sha256": canonical::sha256_hex(text.as_bytes()), "bytes": text.len()});
    }
    serde_json::from_str(&text).expect("canonical JSON is JSON")
}

impl AuditRecord {
    /// The canonical form that is hashed and kept.
    pub(crate) fn document(event: &AuditEvent) -> String {
        canonical::to_canonical(event).expect("an event has no floats")
    }

    fn holds_after(&self, previous: &ContentHash, seq: u64) -> bool {
        let hash = ContentHash::of(Self::document(&self.event).as_bytes());
        self.event.seq == seq && &self.event.previous == previous && self.hash == hash
    }
}

/// What the first event's `previous` is.
fn genesis() -> ContentHash {
    ContentHash::of(b"")
}

impl ControlPlane {
    /// Appends to a tenant's log, whose row the transaction has locked.
    pub(crate) async fn record(
        &self,
        tx: &Tx,
        caller: &Caller,
        tenant: TenantId,
        event: &Event,
    ) -> Result<(), Refusal> {
        let last = tx.find_audit_head(tenant).await?;
        let (seq, previous) = last.map_or_else(|| (1, genesis()), |(seq, hash)| (seq + 1, hash));
        let event = AuditEvent {
            id: self.new_id(),
            tenant,
            seq,
            at: self.clock().now(),
            actor: Actor {
                operator: caller.operator(),
                name: caller.name().to_owned(),
                party: caller.party(),
                via: caller.via().as_str().to_owned(),
            },
            action: event.action.clone(),
            sentence: event.sentence.clone(),
            object: event.object.clone(),
            before: event.before.clone(),
            after: event.after.clone(),
            request_id: caller.request_id().to_owned(),
            outcome: event.outcome,
            previous,
        };
        let hash = ContentHash::of(AuditRecord::document(&event).as_bytes());
        Ok(tx.insert_audit(&AuditRecord { event, hash }).await?)
    }

    /// Records what no change stands for, such as a refused attempt, in a transaction of its own.
    ///
    /// What cannot be recorded is refused or over all the same; the failure is logged.
    pub(crate) async fn record_alone(&self, caller: &Caller, tenant: TenantId, event: Event) {
        let recorded: Result<(), Refusal> = async {
            let tx = self.store().begin().await?;
            tx.lock_tenant(tenant).await?;
            self.record(&tx, caller, tenant, &event).await?;
            Ok(tx.commit().await?)
        }
        .await;
        if let Err(error) = recorded {
            tracing::error!(%tenant, ?error, "an audit event could not be recorded");
        }
    }

    /// Lists a tenant's events, newest first. The platform's own log is that of its tenant.
    ///
    /// # Errors
    /// Needs `tenant.audit.view`, for the platform's log `platform.audit.view`.
    pub async fn list_audit_events(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, Refusal> {
        let view = self.view_audit(caller, tenant).await?;
        Ok(view.list_audit(tenant, filter, page).await?)
    }

    /// Finds one event of a tenant.
    ///
    /// # Errors
    /// As [`ControlPlane::list_audit_events`]; [`Refusal::NotFound`].
    pub async fn get_audit_event(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: EventId,
    ) -> Result<AuditRecord, Refusal> {
        let view = self.view_audit(caller, tenant).await?;
        view.find_audit(tenant, id).await?.ok_or(Refusal::NotFound {
            what: "audit event",
        })
    }

    /// Checks a tenant's whole chain, from the first event to the last.
    ///
    /// # Errors
    /// As [`ControlPlane::list_audit_events`].
    pub async fn verify_audit(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<ChainReport, Refusal> {
        let view = self.view_audit(caller, tenant).await?;
        let mut report = ChainReport {
            events: 0,
            head: genesis(),
            broken_at: None,
        };
        loop {
            let batch = view
                .read_audit_chain(tenant, report.events, CHECK_BATCH)
                .await?;
            if batch.is_empty() {
                return Ok(report);
            }
            for record in batch {
                if !record.holds_after(&report.head, report.events + 1) {
                    report.broken_at = Some(report.events + 1);
                    return Ok(report);
                }
                report.events += 1;
                report.head = record.hash;
            }
        }
    }

    async fn view_audit(&self, caller: &Caller, tenant: TenantId) -> Result<Tx, Refusal> {
        let slug = self.slug_of(tenant).await?;
        let permission = if slug.as_str() == PLATFORM_SLUG {
            Permission::PlatformAuditView
        } else {
            Permission::AuditView
        };
        let view = self.view(caller, tenant, permission).await?;
        Ok(view.into_tx())
    }
}
