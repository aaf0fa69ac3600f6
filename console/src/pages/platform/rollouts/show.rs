//! P8: one rollout: its rings with their nodes, its gates with what they measured, why it waits, what happened.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use contract::permission::Permission;
use control_plane::{
    Denial,
    nodes::Ring,
    rollouts::{Gate, GateKind, RolloutEvent, RolloutPhase, RolloutState, Verdict, Wave, WaveNode},
};
use leptos::prelude::*;

use super::{clock, decide, href, mark};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    kit::*,
    visit::Visit,
};

/// The ways of a release.
const STEPS: [&str; 2] = ["Canary ring", "All nodes"];

/// What the page shows.
pub(super) struct Seen {
    pub(super) state: RolloutState,
    pub(super) denial: Option<Denial>,
}

/// `GET rollouts/{id}`.
pub(in crate::pages::platform) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    Ok(visit.page(&title(&seen.state), || page(&visit, &seen)))
}

/// The rollout that the address names.
pub(super) async fn look(visit: &Visit) -> Result<Seen, Fault> {
    let id = visit.param("id")?;
    let control_plane = visit.control_plane();
    Ok(Seen {
        state: control_plane.get_rollout(visit.caller(), id).await?,
        denial: why_not(visit, Permission::RolloutsManage).await?,
    })
}

/// `Acme, version 7`.
pub(super) fn title(state: &RolloutState) -> String {
    format!("{}, version {}", state.tenant_name, state.rollout.version)
}

fn page(visit: &Visit, seen: &Seen) -> AnyView {
    let (state, rollout) = (&seen.state, &seen.state.rollout);
    let title = title(state);
    let crumbs = crumbs(
        vec![("Rollouts".into(), visit.href("rollouts"))],
        title.clone(),
    );
    let sub = format!("Takes the place of version {}", rollout.base_version);
    let step = match rollout.phase {
        RolloutPhase::Promoted => 1,
        _ => 0,
    };
    view! {
        <PageHead title=title sub=sub crumbs=crumbs state=mark(rollout.phase) actions=actions(visit, seen) />
        {notice(visit, seen.denial.as_ref())}
        {told(visit, state)}
        {stepper(&STEPS, step)}
        {gates_card(&rollout.gates, rollout.phase.is_open())}
        {state.waves.iter().map(|wave| wave_card(visit, state, wave)).collect_view()}
        <Card title="What happened" padded=true>{timeline(&rollout.events, visit.now())}</Card>
        {reload(visit, state)}
    }
    .into_any()
}

fn actions(visit: &Visit, seen: &Seen) -> AnyView {
    let log = visit.may(Permission::PlatformAuditView).then(|| {
        let href = visit.href(&format!("audit?object={}", seen.state.rollout.id));
        view! { <LinkButton href=href icon="history">"History"</LinkButton> }
    });
    let tenant = visit.href(&format!("tenants/{}", seen.state.tenant_slug));
    let steps = seen.denial.is_none().then(|| {
        decide::offered(seen.state.rollout.phase)
            .iter()
            .map(|step| {
                let to = href(visit, &seen.state, &format!("/{}", step.path));
                view! { <LinkButton href=to kind=step.kind icon=step.icon>{step.name}"…"</LinkButton> }
            })
            .collect_view()
    });
    view! { <LinkButton href=tenant icon="tenant">"Tenant"</LinkButton>{log}{steps} }.into_any()
}

/// Why it is where it is.
fn told(visit: &Visit, state: &RolloutState) -> AnyView {
    let rollout = &state.rollout;
    let reason = rollout.reason.clone().unwrap_or_default();
    let by = rollout.decided_by.clone().unwrap_or_default();
    let at = rollout
        .decided_at
        .map(|at| format!(" {} ({})", relative(at, visit.now()), absolute(at)))
        .unwrap_or_default();
    let (tone, title, text) = match rollout.phase {
        RolloutPhase::Baking => (
            Tone::Info,
            match state.bakes_until {
                Some(until) => format!("It is decided by {}", clock(until)),
                None => "It is not watched yet".to_owned(),
            },
            state.waits.clone().unwrap_or_default(),
        ),
        RolloutPhase::Held => (
            Tone::Warn,
            "It stays in the canary ring until somebody decides".to_owned(),
            reason,
        ),
        RolloutPhase::Promoted => (Tone::Ok, format!("Let through{at} by {by}"), reason),
        RolloutPhase::RolledBack => (
            Tone::Bad,
            format!("Rolled back{at} by {by}"),
            format!(
                "{reason} {} What was changed stays configured: the next release contains it again unless it is undone.",
                rollout
                    .reverted_by
                    .map_or_else(String::new, |version| format!(
                        "Version {version} has the content of version {} again.",
                        rollout.base_version
                    ))
            ),
        ),
        RolloutPhase::Superseded => (
            Tone::Info,
            "A newer release took its place before it was decided".to_owned(),
            reason,
        ),
    };
    view! { <Notice tone=tone title=title>{text}</Notice> }.into_any()
}

fn gates_card(gates: &[Gate], is_open: bool) -> AnyView {
    if gates.is_empty() {
        return view! {
            <Card title="Health gates">
                <Empty icon_name="activity" title="Nothing was judged" text="It was decided without its gates." />
            </Card>
        }
        .into_any();
    }
    let mut sorted: Vec<&Gate> = gates.iter().collect();
    // What failed first, then what cannot tell.
    sorted.sort_by_key(|gate| match gate.verdict {
        Verdict::Failed => 0,
        Verdict::TooLittle => 1,
        Verdict::Passed => 2,
    });
    let rows: Vec<AnyView> = sorted.into_iter().map(gate_row).collect();
    let columns = vec![
        Column::text("Gate"),
        Column::text("Verdict"),
        Column::number("New version"),
        Column::number("Version before"),
        Column::number("Limit"),
        Column::number("Counted"),
        Column::text("In words"),
    ];
    let sub = match is_open {
        true => "Nodes with the new version beside nodes with the one before, now",
        false => "As they were when it was decided",
    };
    view! {
        <Card title="Health gates" sub=sub><Table label="Health gates" columns=columns>{rows}</Table></Card>
    }
    .into_any()
}

fn gate_row(gate: &Gate) -> AnyView {
    let verdict = match gate.verdict {
        Verdict::Failed => pill(Tone::Bad, "Failed"),
        Verdict::TooLittle => pill(Tone::Idle, "Too little to tell"),
        Verdict::Passed => pill(Tone::Ok, "Passed"),
    };
    let value = |value: Option<u64>| {
        value.map_or_else(|| "–".to_owned(), |value| measure(gate.gate, value))
    };
    let limit = gate.limit.map(|limit| match gate.gate {
        GateKind::SignIns => format!("≥ {}", measure(gate.gate, limit)),
        _ => format!("≤ {}", measure(gate.gate, limit)),
    });
    view! {
        <tr>
            <td>{name(gate.gate)}</td>
            <td>{verdict}</td>
            <td class="num">{value(gate.measured)}</td>
            <td class="num">{value(gate.compared)}</td>
            <td class="num">{limit.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="num">{gate.samples}</td>
            <td class="what">{gate.says.clone()}</td>
        </tr>
    }
    .into_any()
}

fn name(gate: GateKind) -> &'static str {
    match gate {
        GateKind::Rejections => "Nodes that refused it",
        GateKind::Failures => "Server errors",
        GateKind::Latency => "95th percentile",
        GateKind::SignIns => "Sign-ins that succeed",
    }
}

/// A value in its unit; shares are per thousand.
fn measure(gate: GateKind, value: u64) -> String {
    match gate {
        GateKind::Rejections => value.to_string(),
        GateKind::Latency => format!("{value} ms"),
        GateKind::Failures | GateKind::SignIns => format!("{}.{} %", value / 10, value % 10),
    }
}

fn wave_card(visit: &Visit, state: &RolloutState, wave: &Wave) -> AnyView {
    let (title, sub) = match wave.ring {
        Ring::Canary => ("Wave 1: canary ring", "Is given each release at once"),
        Ring::Wide => (
            "Wave 2: all other nodes",
            "Are given what has proven itself",
        ),
    };
    if wave.nodes.is_empty() {
        return view! {
            <Card title=title sub=sub>
                <Empty icon_name="node" title="No node" text="None of the region is in this ring." />
            </Card>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = wave
        .nodes
        .iter()
        .map(|node| node_row(visit, state, wave, node))
        .collect();
    let columns = vec![
        Column::text("Node"),
        Column::text("State"),
        Column::number("Serves"),
        Column::number("Should serve"),
        Column::number("Requests"),
        Column::number("Server errors"),
    ];
    view! {
        <Card title=title sub=sub><Table label=title columns=columns>{rows}</Table></Card>
    }
    .into_any()
}

fn node_row(visit: &Visit, state: &RolloutState, wave: &Wave, node: &WaveNode) -> AnyView {
    let page = visit.href(&format!("nodes/{}", node.node));
    let name = node.name.to_string();
    let name = match visit.may(Permission::NodesView) {
        true => view! { <a href=page>{name}</a> }.into_any(),
        false => name.into_any(),
    };
    let standing = match &node.rejected {
        Some(why) => {
            let why = why.clone();
            view! { {pill(Tone::Bad, "Refused it")}<small>{why}</small> }.into_any()
        }
        None if !node.connected => pill(Tone::Bad, "Not connected"),
        None if node.applied == state.rollout.version => pill(Tone::Ok, "Serves it"),
        None if node.applied >= wave.wanted => pill(Tone::Idle, "As it should"),
        None => pill(Tone::Warn, "Behind"),
    };
    let serves = match node.applied {
        0 => "Nothing".to_owned(),
        version => version.to_string(),
    };
    let counted = |count: fn(&contract::traffic::Traffic) -> u64| {
        node.traffic
            .as_ref()
            .map_or_else(|| "–".to_owned(), |traffic| count(traffic).to_string())
    };
    view! {
        <tr>
            <td>{name}</td>
            <td>{standing}</td>
            <td class="num">{serves}</td>
            <td class="num">{wave.wanted}</td>
            <td class="num">{counted(|traffic| traffic.requests)}</td>
            <td class="num">{counted(|traffic| traffic.failures)}</td>
        </tr>
    }
    .into_any()
}

fn timeline(events: &[RolloutEvent], now: DateTime<Utc>) -> AnyView {
    let lines = events
        .iter()
        .rev()
        .map(|event| {
            let (class, picture) = match event.state {
                RolloutPhase::Baking => ("info", "release"),
                RolloutPhase::Held => ("warn", "clock"),
                RolloutPhase::Promoted => ("ok", "check"),
                RolloutPhase::RolledBack => ("bad", "history"),
                RolloutPhase::Superseded => ("info", "arrow-right"),
            };
            let (says, by) = (event.says.clone(), event.by.clone());
            view! {
                <li class=class>
                    {icon(picture)}
                    <div><p>{says}</p><p class="when">{time(event.at, now)}" · "{by}</p></div>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="timeline">{lines}</ol> }.into_any()
}

fn reload(visit: &Visit, state: &RolloutState) -> Option<AnyView> {
    let (here, now) = (visit.path().to_owned(), absolute(visit.now()));
    state.rollout.phase.is_open().then(|| {
        view! {
            <p class="muted text-sm">"As of "{now}". "<a href=here>"Reload to see more"</a>"."</p>
        }
        .into_any()
    })
}
