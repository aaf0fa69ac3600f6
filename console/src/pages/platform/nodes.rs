//! P5: the nodes that answer sign-ins: which are here, what they hold, what they refused and why; and the
//! way to a further one.
//!
//! What is said of a node is what it confirmed, never what was sent to it. It must never show whose sign-ins
//! a node answers: tenants have names here, people do not.

pub(super) mod authorities;
pub(super) mod join;
pub(super) mod new;
mod presence;
pub(super) mod removal;
pub(super) mod ring;
pub(super) mod show;

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use contract::{ids::TenantId, permission::Permission};
use control_plane::nodes::{Node, NodeStanding, NodeState};
use leptos::prelude::*;

pub(super) use self::presence::Presence;
use crate::{fault::Fault, kit::*, visit::Visit};

/// `GET nodes`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let nodes = visit.control_plane().list_nodes(visit.caller()).await?;
    Ok(visit.page("Nodes", || page(&visit, &nodes)))
}

fn page(visit: &Visit, nodes: &[NodeState]) -> AnyView {
    let new = visit.may(Permission::NodesManage).then(|| {
        let href = visit.href("nodes/new");
        view! { <LinkButton href=href kind=ButtonKind::Primary icon="plus">"New node"</LinkButton> }
            .into_any()
    });
    let actions = new.filter(|_| !nodes.is_empty());
    view! {
        <PageHead title="Nodes" sub="They hold signed releases and serve every tenant of their region" actions=actions />
        {tabs(visit, "nodes")}
        {fleet_ahead(nodes)}
        {(!nodes.is_empty()).then(|| tiles(nodes))}
        <div class="card table-card">{table(visit, nodes)}</div>
        {refusals(visit, nodes)}
    }
    .into_any()
}

/// A database that was restored to an earlier state: nodes refuse what it releases.
fn fleet_ahead(nodes: &[NodeState]) -> Option<AnyView> {
    let tenants: BTreeSet<TenantId> = nodes
        .iter()
        .flat_map(|state| state.ahead.iter().map(|lead| lead.tenant))
        .collect();
    let told = match tenants.len() {
        0 => return None,
        1 => "Nodes hold a release of 1 tenant that this control plane does not know.".to_owned(),
        many => {
            format!("Nodes hold releases of {many} tenants that this control plane does not know.")
        }
    };
    let detail = format!(
        "{told} Its database was restored to an earlier state; nodes refuse what it releases for them until \
         POST /v1/tenants/{{tenant}}/recover goes on above what they hold."
    );
    let banner = view! { <Notice tone=Tone::Bad title="The control plane is behind the fleet">{detail}</Notice> };
    Some(banner.into_any())
}

/// The two pages about nodes as a whole; `here` is the path of the one that is shown.
pub(super) fn tabs(visit: &Visit, here: &str) -> AnyView {
    let tabs = [("Nodes", "nodes"), ("Authorities", "nodes/authorities")]
        .map(|(name, path)| (name.to_owned(), visit.href(path), path == here));
    crate::kit::tabs("Nodes", tabs.into())
}

/// The address of a node's page, or of the page `below` it.
pub(super) fn href(visit: &Visit, node: &Node, below: &str) -> String {
    visit.href(&format!("nodes/{}{below}", node.id))
}

/// Whether it serves: only such a node can be behind, or refuse.
pub(super) fn serves(state: &NodeState) -> bool {
    state.node.standing == NodeStanding::Enrolled
}

fn tiles(nodes: &[NodeState]) -> AnyView {
    let serving = || nodes.iter().filter(|state| serves(state));
    let connected = serving().filter(|state| state.connected).count();
    let hear = serving().filter(|state| state.lane.connected).count();
    let behind = serving().filter(|state| !state.behind.is_empty()).count();
    let refused = serving().map(refused).sum::<usize>();
    let awaiting = nodes
        .iter()
        .filter(|state| state.node.standing == NodeStanding::Awaiting)
        .count();
    view! {
        <dl class="tiles">
            <StatTile label="Connected" value=format!("{connected} of {}", serving().count()) detail="enrolled nodes" />
            <StatTile label="Hear containments" value=format!("{hear} of {}", serving().count()) detail="within the last 2 s" />
            <StatTile label="Behind" value=behind.to_string() detail="nodes that miss a release" />
            <StatTile label="Refused" value=refused.to_string() detail="releases a node did not accept" />
            <StatTile label="Awaiting" value=awaiting.to_string() detail="made here, not joined yet" />
        </dl>
    }
    .into_any()
}

fn refused(state: &NodeState) -> usize {
    let lags = state.behind.iter();
    lags.filter(|lag| lag.rejected.is_some()).count()
}

/// How many of its region's tenants a node holds in some version.
fn held(state: &NodeState) -> usize {
    let missing = state.behind.iter().filter(|lag| lag.applied == 0).count();
    state.tenants.saturating_sub(missing)
}

fn table(visit: &Visit, nodes: &[NodeState]) -> AnyView {
    if nodes.is_empty() {
        return empty(visit);
    }
    let rows: Vec<AnyView> = nodes.iter().map(|state| row(visit, state)).collect();
    let columns = vec![
        Column::text("Node"),
        Column::text("State"),
        Column::text("Region"),
        Column::text("Software"),
        Column::number("Tenants held"),
        Column::text("Releases"),
        Column::text("Containments"),
        Column::text("Certificate ends"),
        Column::text("Last seen"),
    ];
    view! { <Table label="Nodes" columns=columns>{rows}</Table> }.into_any()
}

/// How to get the first one: said where it is missing.
fn empty(visit: &Visit) -> AnyView {
    let next = if visit.may(Permission::NodesManage) {
        let href = visit.href("nodes/new");
        view! { <LinkButton href=href kind=ButtonKind::Primary icon="plus">"Add the first node"</LinkButton> }
            .into_any()
    } else {
        view! { <span class="muted">"A platform owner or a platform operator can add one."</span> }
            .into_any()
    };
    view! {
        <Empty icon_name="node" title="No node yet"
            text="Until one serves a region, nobody can sign in there. Make it here, carry its join token to a machine \
                  and start bailiwick-node with it: within seconds it stands in this list.">
            {next}
        </Empty>
    }
    .into_any()
}

fn row(visit: &Visit, state: &NodeState) -> AnyView {
    let node = &state.node;
    let presence = Presence::of(state, visit.now());
    let class = match presence {
        Presence::Revoked => "linked off",
        _ => "linked",
    };
    let remark = match is_embedded(node) {
        true => "in the control plane's process",
        false => "",
    };
    let software = node.software.clone();
    view! {
        <tr class=class>
            <td>{row_link(href(visit, node, ""), node.name.to_string(), remark)}</td>
            <td>{presence.mark()}<small>{presence.remark()}</small></td>
            <td>{node.region.to_string()}<small>{ring::name(node.ring)}</small></td>
            <td class="mono nowrap">{software.map_or_else(none, IntoAny::into_any)}</td>
            <td class="num">{tenants(state)}</td>
            <td>{releases(state)}<small>{behind_since(state, visit.now())}</small></td>
            <td>{lane(state)}</td>
            <td class="nowrap">{certificate(visit, state)}</td>
            <td class="nowrap">{last_seen(visit, node)}</td>
        </tr>
    }
    .into_any()
}

/// A cell without a value.
fn none() -> AnyView {
    view! { <span class="muted">"–"</span> }.into_any()
}

fn tenants(state: &NodeState) -> AnyView {
    if !serves(state) {
        return none();
    }
    match (held(state), state.tenants) {
        (held, all) if held == all => all.to_string().into_any(),
        (held, all) => format!("{held} of {all}").into_any(),
    }
}

/// Whether it serves the newest of everything, as a mark.
pub(super) fn releases(state: &NodeState) -> AnyView {
    if !serves(state) {
        return none();
    }
    match (refused(state), state.behind.len()) {
        (0, 0) => pill(Tone::Ok, "Up to date"),
        (0, behind) => pill(Tone::Warn, format!("{behind} behind")),
        (refused, _) => pill(Tone::Bad, format!("{refused} refused")),
    }
}

/// For how long the node has been missing a release, by the oldest of them.
fn behind_since(state: &NodeState, now: DateTime<Utc>) -> Option<String> {
    let waiting = state.behind.iter().filter_map(|lag| lag.released_at);
    let oldest = waiting.min().filter(|_| serves(state))?;
    let near = relative(oldest, now);
    Some(match near.strip_suffix(" ago") {
        Some(distance) => format!("for {distance}"),
        None if near == "just now" => "for less than a minute".to_owned(),
        None => format!("since {near}"),
    })
}

/// Whether it hears of containments, as a mark. They come on a connection of their own.
pub(super) fn lane(state: &NodeState) -> AnyView {
    if !serves(state) {
        return none();
    }
    match (state.lane.connected, state.lane.heard_at) {
        (true, _) => pill(Tone::Ok, "Hears them"),
        (false, Some(_)) => pill(Tone::Bad, "Does not hear them"),
        (false, None) => pill(Tone::Bad, "Never heard"),
    }
}

/// A node that runs in the control plane's own process: nobody enrolled it, so it has no certificate.
pub(super) fn is_embedded(node: &Node) -> bool {
    node.standing == NodeStanding::Enrolled && node.certificate_ends_at.is_none()
}

fn certificate(visit: &Visit, state: &NodeState) -> AnyView {
    let (node, now) = (&state.node, visit.now());
    let muted = |text: &'static str| view! { <span class="muted">{text}</span> }.into_any();
    match (node.standing, node.certificate_ends_at) {
        (NodeStanding::Awaiting, _) => none(),
        (NodeStanding::Revoked, _) => muted("Refused"),
        (NodeStanding::Enrolled, None) => muted("None needed"),
        (NodeStanding::Enrolled, Some(end)) if end <= now => {
            view! { "Ended "{time(end, now)}<small>{absolute(end)}</small> }.into_any()
        }
        (NodeStanding::Enrolled, Some(end)) => {
            view! { {time(end, now)}<small>{absolute(end)}</small> }.into_any()
        }
    }
}

/// When it last said anything.
pub(super) fn last_seen(visit: &Visit, node: &Node) -> AnyView {
    match node.last_seen_at {
        Some(at) => time(at, visit.now()),
        None => view! { <span class="muted">"Never"</span> }.into_any(),
    }
}

/// Each release that a node refused, with the node's words.
fn refusals(visit: &Visit, nodes: &[NodeState]) -> Option<AnyView> {
    let rows: Vec<AnyView> = nodes
        .iter()
        .filter(|state| serves(state))
        .flat_map(|state| state.behind.iter().map(move |lag| (&state.node, lag)))
        .filter_map(|(node, lag)| {
            let reason = lag.rejected.clone()?;
            let versions = format!("{} → {}", lag.applied, lag.released);
            let (page, name) = (href(visit, node, ""), node.name.to_string());
            Some(
                view! {
                    <tr><td><a href=page>{name}</a></td><td>{id(lag.tenant)}</td><td class="num">{versions}</td><td>{reason}</td></tr>
                }
                .into_any(),
            )
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns = vec![
        Column::text("Node"),
        Column::text("Tenant"),
        Column::number("Served → released"),
        Column::text("Reason"),
    ];
    Some(
        view! {
            <Card title="Refused releases" sub="The last good version still serves">
                <Table label="Refused releases" columns=columns>{rows}</Table>
            </Card>
        }
        .into_any(),
    )
}
