//! T26: the audit log. A sentence first, the record behind a click.
//!
//! Nothing here is interpreted: events are shown as they were written, with their place in the chain, so
//! that what an auditor reads is what was hashed. Each shown value that can be filtered by is a link that
//! filters by it. The platform's own log is drawn by the same page.

mod filter;

use actix_web::HttpResponse;
use contract::{ids::TenantId, role::Party};
use control_plane::{
    Page,
    audit::{AuditObject, AuditRecord, ChainReport, Outcome},
};
use leptos::prelude::*;
use serde_json::Value;

use self::filter::Asked;
use super::party::party;
use crate::{fault::Fault, kit::*, pages::list::pager, visit::Visit};

/// The heads of the list; an event's details span all of them.
const COLUMNS: [&str; 6] = ["When (UTC)", "What", "Who", "Outcome", "About", "Request"];

/// `GET audit`: the tenant's log.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let tenant = visit.tenant().id;
    log(
        visit,
        tenant,
        "Who changed what in this tenant, or tried to. Vendor staff included.",
    )
    .await
}

/// The log of `tenant` as a page of the visit's scope, filtered as the address says; `sub` is the line
/// below the heading.
pub(crate) async fn log(
    visit: Visit,
    tenant: TenantId,
    sub: &'static str,
) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&visit)?;
    let (control_plane, caller) = (visit.control_plane(), visit.caller());
    let events = control_plane
        .list_audit_events(caller, tenant, &asked.filter(), &visit.page_request()?)
        .await?;
    let chain = match visit.query("verify") {
        Some(_) => Some(control_plane.verify_audit(caller, tenant).await?),
        None => None,
    };
    Ok(visit.page("Audit log", || page(&visit, &asked, &events, (sub, chain))))
}

fn page(
    visit: &Visit,
    asked: &Asked,
    events: &Page<AuditRecord>,
    (sub, chain): (&'static str, Option<ChainReport>),
) -> AnyView {
    let verify = visit.with_query(&[("verify", Some("1"))]);
    let verify =
        view! { <LinkButton href=verify icon="shield">"Check the chain"</LinkButton> }.into_any();
    let rows: Vec<AnyView> = events
        .items
        .iter()
        .map(|record| row(visit, record))
        .collect();
    let content = if rows.is_empty() {
        empty(visit, asked)
    } else {
        table(visit, events, rows)
    };
    view! {
        <PageHead title="Audit log" sub=sub actions=verify />
        {chain.map(|report| chain_notice(&report))}
        <section class="card table-card" aria-label="Audit events">
            {asked.form(visit)}
            {asked.chips(visit)}
            {content}
        </section>
    }
    .into_any()
}

fn chain_notice(report: &ChainReport) -> AnyView {
    match report.broken_at {
        None => {
            let text = format!(
                "All {} events hold. The last one's hash is {}.",
                report.events, report.head
            );
            view! { <Notice tone=Tone::Ok title="The chain is unbroken">{text}</Notice> }.into_any()
        }
        Some(position) => {
            let text = format!(
                "Event {position} does not follow from the one before it; {} events before it hold. Somebody changed or \
                 removed events outside of this product.",
                report.events
            );
            view! { <Notice tone=Tone::Bad title="The chain is broken">{text}</Notice> }.into_any()
        }
    }
}

fn empty(visit: &Visit, asked: &Asked) -> AnyView {
    if asked.is_any() {
        let href = visit.path().to_owned();
        return view! {
            <Empty icon_name="filter" title="No event matches these filters" text="Take a filter away, or widen the time.">
                <LinkButton href=href>"Clear all filters"</LinkButton>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Empty icon_name="audit" title="Nothing has happened yet"
            text="Every change, and every attempt that was refused, is written here together with the change itself." />
    }
    .into_any()
}

fn table(visit: &Visit, events: &Page<AuditRecord>, rows: Vec<AnyView>) -> AnyView {
    let columns = COLUMNS.map(Column::text).into();
    let pager = pager(visit, events, "event", "events");
    view! { <Table label="Audit events, newest first" columns=columns>{rows}</Table>{pager} }
        .into_any()
}

/// This page with one more filter, from its first event on.
fn narrowed(visit: &Visit, name: &'static str, value: &str) -> String {
    visit.with_query(&[(name, Some(value)), ("after", None)])
}

fn row(visit: &Visit, record: &AuditRecord) -> AnyView {
    let event = &record.event;
    let machine = event.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    // On two lines, so that a phone has room for the sentence beside it.
    let date = event.at.format("%-d %b %Y").to_string();
    let time = event.at.format("%H:%M:%S").to_string();
    let actor = narrowed(visit, "actor", &event.actor.operator.to_string());
    let name = event.actor.name.clone();
    let via = format!("via {}", via(&event.actor.via));
    let who =
        view! { <a href=actor>{name}</a><small>{party_of(event.actor.party)}" "{via}</small> };
    view! {
        <tr id=event.id.to_string()>
            <td class="when"><time class="time" datetime=machine>{date}<small>{time}</small></time></td>
            <td class="what">{event.sentence.clone()}</td>
            <td>{who}</td>
            <td>{outcome(event.outcome)}</td>
            <td>{event.object.as_ref().map(|object| about(visit, object))}</td>
            <td>{(!event.request_id.is_empty()).then(|| id(&event.request_id))}</td>
        </tr>
        <tr class="more"><td colspan=COLUMNS.len()>{details(record)}</td></tr>
    }
    .into_any()
}

fn party_of(of: Party) -> AnyView {
    party(of)
}

/// Done or refused, as a word.
pub(super) fn outcome(outcome: Outcome) -> AnyView {
    match outcome {
        Outcome::Done => pill(Tone::Ok, "Done"),
        Outcome::Refused => pill(Tone::Bad, "Refused"),
    }
}

/// The door that somebody came through, in words.
fn via(stored: &str) -> &str {
    match stored {
        "console" => "the console",
        "admin_api" => "the admin API",
        "data_dir" => "the data directory",
        "system" => "the product itself",
        other => other,
    }
}

/// What it was about, with a way to it where it has a page, and to everything else about it.
fn about(visit: &Visit, object: &AuditObject) -> AnyView {
    let all = narrowed(visit, "object", &object.id);
    let page = match visit.tenant_if_any() {
        Some(_) => page_of(object),
        None => platform_page_of(object),
    };
    let label = match page {
        Some(page) => {
            let href = visit.href(&page);
            view! { <a href=href>{object.label.clone()}</a> }.into_any()
        }
        None => object.label.clone().into_any(),
    };
    let kind = object.kind.replace('_', " ");
    // Room between the two links, for fingers (WCAG 2.5.8).
    view! { <div class="stack tight">{label}<small>{kind}" · "<a href=all>"all about it"</a></small></div> }.into_any()
}

fn page_of(object: &AuditObject) -> Option<String> {
    let id = &object.id;
    match object.kind.as_str() {
        "application" => Some(format!("apps/{id}")),
        "api" => Some(format!("apis/{id}")),
        "policy" => Some(format!("policies/{id}")),
        "duty" => Some(format!("responsibility#{id}")),
        "operator" => Some("roles".to_owned()),
        _ => None,
    }
}

fn platform_page_of(object: &AuditObject) -> Option<String> {
    match object.kind.as_str() {
        "node" => Some(format!("nodes/{}", object.id)),
        "authority" => Some("nodes/authorities".to_owned()),
        _ => None,
    }
}

/// Before and after as they were hashed, and the event's place in the chain.
fn details(record: &AuditRecord) -> AnyView {
    let event = &record.event;
    let facts = vec![
        kv("Event", id(event.id)),
        kv("Action", view! { <code>{event.action.clone()}</code> }),
        kv("Position in the chain", event.seq.to_string()),
        kv("Hash", view! { <code>{record.hash.to_string()}</code> }),
        kv(
            "Hash of the event before",
            view! { <code>{event.previous.to_string()}</code> },
        ),
    ];
    let state = |caption: &'static str, value: &Option<Value>| {
        value.as_ref().map(|value| {
            let text = serde_json::to_string_pretty(value).expect("a JSON value is JSON");
            view! { <Code caption=caption text=text /> }.into_any()
        })
    };
    let (before, after) = (state("Before", &event.before), state("After", &event.after));
    view! {
        <details>
            <summary class="btn small ghost">"Details"</summary>
            <div class="stack tight"><KeyValue facts=facts />{before}{after}</div>
        </details>
    }
    .into_any()
}
