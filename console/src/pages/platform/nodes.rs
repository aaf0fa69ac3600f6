//! P5: the nodes that answer sign-ins: which are here, what they hold, what they refused and why.

use actix_web::HttpResponse;
use control_plane::nodes::NodeState;
use leptos::prelude::*;

use crate::{fault::Fault, kit::*, visit::Visit};

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let nodes = visit.control_plane().list_nodes(visit.caller()).await?;
    Ok(visit.page("Nodes", || {
        view! {
            <PageHead title="Nodes" sub="They hold signed releases and serve every tenant of their region" />
            {tiles(&nodes)}
            <div class="card table-card">{list(&visit, &nodes)}</div>
            {refusals(&nodes)}
        }
    }))
}

fn tiles(nodes: &[NodeState]) -> AnyView {
    let connected = nodes.iter().filter(|state| state.connected).count();
    let behind = nodes
        .iter()
        .filter(|state| !state.behind.is_empty())
        .count();
    let refused = nodes
        .iter()
        .flat_map(|state| &state.behind)
        .filter(|lag| lag.rejected.is_some())
        .count();
    view! {
        <dl class="tiles">
            <StatTile label="Connected" value=format!("{connected} of {}", nodes.len()) />
            <StatTile label="Behind" value=behind.to_string() detail="nodes that miss a release" />
            <StatTile label="Refused" value=refused.to_string() detail="releases a node did not accept" />
        </dl>
    }
    .into_any()
}

fn list(visit: &Visit, nodes: &[NodeState]) -> AnyView {
    if nodes.is_empty() {
        return view! {
            <Empty icon_name="node" title="No node has reported yet"
                text="A node appears here when it connects for the first time. Start one with the trust root of this control plane." />
        }
        .into_any();
    }
    let rows: Vec<AnyView> = nodes.iter().map(|state| row(visit, state)).collect();
    let columns = vec![
        Column::text("Node"),
        Column::text("State"),
        Column::text("Region"),
        Column::text("Software"),
        Column::number("Tenants"),
        Column::text("Releases"),
        Column::text("Last seen"),
    ];
    view! { <Table label="Nodes" columns=columns>{rows}</Table> }.into_any()
}

fn row(visit: &Visit, state: &NodeState) -> AnyView {
    let connection = match state.connected {
        true => pill(Tone::Ok, "Serving"),
        false => pill(Tone::Bad, "Not connected"),
    };
    let refused = state
        .behind
        .iter()
        .filter(|lag| lag.rejected.is_some())
        .count();
    let releases = match (refused, state.behind.len()) {
        (0, 0) => pill(Tone::Ok, "Up to date"),
        (0, behind) => pill(Tone::Warn, format!("{behind} behind")),
        (refused, _) => pill(Tone::Bad, format!("{refused} refused")),
    };
    view! {
        <tr>
            <td>{id(state.node.id)}</td>
            <td>{connection}</td>
            <td>{state.node.region.to_string()}</td>
            <td class="mono">{state.node.software.clone()}</td>
            <td class="num">{state.tenants}</td>
            <td>{releases}</td>
            <td>{time(state.node.last_seen_at, visit.now())}</td>
        </tr>
    }
    .into_any()
}

/// Each release that a node refused, with the node's words.
fn refusals(nodes: &[NodeState]) -> Option<AnyView> {
    let rows: Vec<AnyView> = nodes
        .iter()
        .flat_map(|state| state.behind.iter().map(move |lag| (state, lag)))
        .filter_map(|(state, lag)| {
            let reason = lag.rejected.clone()?;
            let versions = format!("{} → {}", lag.applied, lag.released);
            Some(
                view! {
                    <tr><td>{id(state.node.id)}</td><td>{id(lag.tenant)}</td><td class="num">{versions}</td><td>{reason}</td></tr>
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
