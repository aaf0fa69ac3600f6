//! `/v1/tenants/{tenant}/audit-events` and `/v1/audit-events`: who did what.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    ids::{EventId, OperatorId, TenantId},
    permission::Permission as P,
    role::Party,
    section::ContentHash,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{Answer, Listed},
    asking::{Asking, InTenant, Params, page},
    operation::Operation,
    problem::Problem,
};
use crate::audit::{AuditFilter, AuditRecord, ChainReport, Outcome};

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            "listAuditEvents",
            Method::GET,
            "/tenants/{tenant}/audit-events",
            list,
        )
        .summary("Lists a tenant's audit events, newest first.")
        .needs(P::AuditView)
        .query::<Filter>()
        .gives::<Listed<EventView>>(),
        Operation::new(
            "getAuditEvent",
            Method::GET,
            "/tenants/{tenant}/audit-events/{event}",
            get,
        )
        .summary("Reads one audit event.")
        .needs(P::AuditView)
        .gives::<EventView>(),
        Operation::new(
            "listPlatformAuditEvents",
            Method::GET,
            "/audit-events",
            list_platform,
        )
        .summary("Lists the platform's audit events, newest first.")
        .needs(P::PlatformAuditView)
        .query::<Filter>()
        .gives::<Listed<EventView>>(),
        Operation::new(
            "verifyAudit",
            Method::GET,
            "/tenants/{tenant}/audit-chain",
            verify,
        )
        .summary("Checks a tenant's whole audit log, each event against the one before it.")
        .needs(P::AuditView)
        .gives::<ChainView>(),
        Operation::new(
            "verifyPlatformAudit",
            Method::GET,
            "/audit-chain",
            verify_platform,
        )
        .summary("Checks the platform's whole audit log, each event against the one before it.")
        .needs(P::PlatformAuditView)
        .gives::<ChainView>(),
    ]
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only of this operator.
    actor: Option<OperatorId>,
    /// Only this action; with a trailing dot every action that begins so, and refused attempts at them.
    action: Option<String>,
    /// Only about the thing with this id.
    object: Option<String>,
    /// Only with this outcome: `done` or `refused`.
    #[param(value_type = Option<String>)]
    outcome: Option<Outcome>,
    /// Not before.
    since: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
    /// Only those whose text contains this.
    q: Option<String>,
    /// Things per page, 1 to 100; 25 if left out.
    limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<Filter> for AuditFilter {
    fn from(filter: Filter) -> Self {
        Self {
            actor: filter.actor,
            action: filter.action,
            object: filter.object,
            outcome: filter.outcome,
            since: filter.since,
            until: filter.until,
            text: filter.q,
        }
    }
}

/// What was done or refused.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    id: EventId,
    tenant: TenantId,
    /// Its position in the tenant's log.
    seq: u64,
    at: DateTime<Utc>,
    actor: ActorView,
    action: String,
    sentence: String,
    object: Option<ObjectView>,
    /// How it was before.
    before: Option<Value>,
    /// How it is now.
    after: Option<Value>,
    request_id: String,
    /// `done` or `refused`.
    outcome: &'static str,
    /// The hash of the event before it.
    previous: ContentHash,
    /// SHA-256 of this event in canonical form.
    hash: ContentHash,
}

/// Who acted.
#[derive(Debug, Serialize, ToSchema)]
struct ActorView {
    operator: OperatorId,
    name: String,
    party: Party,
    /// The door they came through.
    via: String,
}

/// What was acted on.
#[derive(Debug, Serialize, ToSchema)]
struct ObjectView {
    kind: String,
    id: String,
    label: String,
}

impl From<AuditRecord> for EventView {
    fn from(AuditRecord { event, hash }: AuditRecord) -> Self {
        Self {
            id: event.id,
            tenant: event.tenant,
            seq: event.seq,
            at: event.at,
            actor: ActorView {
                operator: event.actor.operator,
                name: event.actor.name,
                party: event.actor.party,
                via: event.actor.via,
            },
            action: event.action,
            sentence: event.sentence,
            object: event.object.map(|object| ObjectView {
                kind: object.kind,
                id: object.id,
                label: object.label,
            }),
            before: event.before,
            after: event.after,
            request_id: event.request_id,
            outcome: event.outcome.as_str(),
            previous: event.previous,
            hash,
        }
    }
}

/// What a check of a whole log found.
#[derive(Debug, Serialize, ToSchema)]
struct ChainView {
    /// Events that hold.
    events: u64,
    /// The hash of the last one that holds; note it elsewhere to notice a log that was cut.
    head: ContentHash,
    /// The first position that does not hold; `null` if all do.
    broken_at: Option<u64>,
}

impl From<ChainReport> for ChainView {
    fn from(report: ChainReport) -> Self {
        Self {
            events: report.events,
            head: report.head,
            broken_at: report.broken_at,
        }
    }
}

async fn list(at: InTenant, Params(filter): Params<Filter>) -> Result<Listed<EventView>, Problem> {
    let page = page(filter.limit, filter.cursor.as_deref())?;
    let found = at
        .plane
        .list_audit_events(&at.caller, at.tenant, &filter.into(), &page)
        .await?;
    Ok(Listed::page(found))
}

async fn list_platform(
    ask: Asking,
    Params(filter): Params<Filter>,
) -> Result<Listed<EventView>, Problem> {
    let page = page(filter.limit, filter.cursor.as_deref())?;
    let platform = ask.platform().await?;
    let found = ask
        .plane
        .list_audit_events(&ask.caller, platform, &filter.into(), &page)
        .await?;
    Ok(Listed::page(found))
}

async fn get(at: InTenant, path: Path<(String, EventId)>) -> Result<Answer<EventView>, Problem> {
    Ok(Answer::ok(
        at.plane
            .get_audit_event(&at.caller, at.tenant, path.1)
            .await?
            .into(),
    ))
}

async fn verify(at: InTenant) -> Result<Answer<ChainView>, Problem> {
    Ok(Answer::ok(
        at.plane.verify_audit(&at.caller, at.tenant).await?.into(),
    ))
}

async fn verify_platform(ask: Asking) -> Result<Answer<ChainView>, Problem> {
    let platform = ask.platform().await?;
    Ok(Answer::ok(
        ask.plane.verify_audit(&ask.caller, platform).await?.into(),
    ))
}
