//! P7: rollouts: which releases are on their way through the fleet, how far each one is and why it waits.
//!
//! What is shown of nodes is what they confirmed and counted; no person of any tenant stands here. A rollout is
//! decided on its own page.

pub(super) mod decide;
pub(super) mod show;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use control_plane::{
    Page, PageRequest,
    rollouts::{RolloutFilter, RolloutPhase, RolloutState, Verdict},
};
use leptos::prelude::*;

use crate::{fault::Fault, kit::*, pages::list::counted, visit::Visit};

/// As many as one question may bring.
const MOST: u64 = 100;

/// `GET rollouts`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let mut open = Vec::new();
    for phase in [RolloutPhase::Held, RolloutPhase::Baking] {
        let filter = RolloutFilter {
            phase: Some(phase),
            ..RolloutFilter::default()
        };
        let all = PageRequest::parse(Some(MOST), None)?;
        let page = visit
            .control_plane()
            .list_rollouts(visit.caller(), filter, &all)
            .await?;
        open.extend(page.items);
    }
    let all = visit
        .control_plane()
        .list_rollouts(
            visit.caller(),
            RolloutFilter::default(),
            &visit.page_request()?,
        )
        .await?;
    Ok(visit.page("Rollouts", || page(&visit, &open, &all)))
}

fn href(visit: &Visit, state: &RolloutState, below: &str) -> String {
    visit.href(&format!("rollouts/{}{below}", state.rollout.id))
}

fn page(visit: &Visit, open: &[RolloutState], all: &Page<RolloutState>) -> AnyView {
    let first_page = visit.query("after").is_none();
    view! {
        <PageHead title="Rollouts" sub="Each release goes to the canary ring first, and to all nodes once it has proven itself there" />
        {first_page.then(|| in_progress(visit, open))}
        {decided(visit, all)}
    }
    .into_any()
}

fn in_progress(visit: &Visit, open: &[RolloutState]) -> AnyView {
    if open.is_empty() {
        return view! {
            <Card title="In progress">
                <Empty icon_name="check-circle" title="No change in progress"
                    text="A release stands here from the moment a canary node is to serve it until it is decided. Where no node is in the canary ring, releases go to all nodes at once." />
            </Card>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = open.iter().map(|state| row(visit, state)).collect();
    let sub = counted(open.len(), "release", "releases");
    view! {
        <Card title="In progress" sub=sub>
            <Table label="Rollouts in progress" columns=columns("Decided")>{rows}</Table>
        </Card>
    }
    .into_any()
}

fn decided(visit: &Visit, page: &Page<RolloutState>) -> Option<AnyView> {
    let rows: Vec<AnyView> = page
        .items
        .iter()
        .filter(|state| !state.rollout.phase.is_open())
        .map(|state| row(visit, state))
        .collect();
    let first = visit
        .query("after")
        .map(|_| visit.with_query(&[("after", None)]));
    if rows.is_empty() && page.next.is_none() && first.is_none() {
        return None;
    }
    let shown = format!("{} decided", counted(rows.len(), "rollout", "rollouts"));
    let next = page
        .next
        .as_ref()
        .map(|cursor| visit.with_query(&[("after", Some(&cursor.encode()))]));
    Some(
        view! {
            <Card title="Decided" sub="Newest first">
                <Table label="Rollouts that were decided" columns=columns("Decided")>{rows}</Table>
                <Pager shown=shown first=first next=next />
            </Card>
        }
        .into_any(),
    )
}

fn columns(decided: &'static str) -> Vec<Column> {
    ["Tenant", "State", "Where", "Gates", "Started", decided]
        .map(Column::text)
        .into()
}

fn row(visit: &Visit, state: &RolloutState) -> AnyView {
    let (rollout, now) = (&state.rollout, visit.now());
    let versions = format!("version {} after {}", rollout.version, rollout.base_version);
    let begun = rollout.events.first().map(|event| event.by.clone());
    let begun = begun.map(|by| view! { <small>"by "{by}</small> });
    view! {
        <tr class="linked">
            <td>{row_link(href(visit, state, ""), state.tenant_name.clone(), versions)}</td>
            <td>{mark(rollout.phase)}</td>
            <td class="what">{place(state)}</td>
            <td>{gates(state)}</td>
            <td>{time(rollout.started_at, now)}{begun}</td>
            <td>{decision(state, now)}</td>
        </tr>
    }
    .into_any()
}

/// How far it has come, as a mark.
pub(super) fn mark(phase: RolloutPhase) -> AnyView {
    match phase {
        RolloutPhase::Baking => pill(Tone::Info, "In the canary ring"),
        RolloutPhase::Held => pill(Tone::Warn, "Held"),
        RolloutPhase::Promoted => pill(Tone::Ok, "On all nodes"),
        RolloutPhase::RolledBack => pill(Tone::Bad, "Rolled back"),
        RolloutPhase::Superseded => pill(Tone::Idle, "Superseded"),
    }
}

/// Which wave it is in, by what nodes confirmed.
fn place(state: &RolloutState) -> String {
    let version = state.rollout.version;
    let serving = |wave: usize| {
        let nodes = state
            .waves
            .get(wave)
            .map_or(&[][..], |wave| &wave.nodes[..]);
        let serving = nodes.iter().filter(|node| node.applied == version).count();
        format!("{serving} of {}", counted(nodes.len(), "node", "nodes"))
    };
    match state.rollout.phase.is_open() {
        true => format!("Wave 1 of 2, {} serve it", serving(0)),
        false => match state.rollout.phase {
            RolloutPhase::Promoted => "Wave 2 of 2".to_owned(),
            _ => "No further".to_owned(),
        },
    }
}

/// What the gates say together.
fn gates(state: &RolloutState) -> AnyView {
    let gates = &state.rollout.gates;
    let failed = gates.iter().filter(|gate| gate.verdict == Verdict::Failed);
    let little = gates
        .iter()
        .filter(|gate| gate.verdict == Verdict::TooLittle);
    match (failed.count(), little.count()) {
        _ if gates.is_empty() => view! { <span class="muted">"Not judged"</span> }.into_any(),
        (0, 0) => pill(Tone::Ok, "All passed"),
        (0, little) => pill(
            Tone::Idle,
            format!("{little} of {} too little", gates.len()),
        ),
        (failed, _) => pill(Tone::Bad, format!("{failed} failed")),
    }
}

fn decision(state: &RolloutState, now: DateTime<Utc>) -> AnyView {
    let rollout = &state.rollout;
    if let Some(at) = rollout.decided_at {
        let by = rollout.decided_by.clone();
        let by = by.map(|by| view! { <small>"by "{by}</small> });
        return view! { {time(at, now)}{by} }.into_any();
    }
    match state.bakes_until {
        Some(until) => view! { "By "{clock(until)} }.into_any(),
        None => view! { <span class="muted">"Not yet"</span> }.into_any(),
    }
}

/// A moment of today of which seconds matter.
pub(crate) fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}
