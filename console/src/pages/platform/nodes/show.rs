//! P6: one node in depth: how it stands to us, what of its region it holds, what it refused and why, and
//! how long its certificate lasts.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use contract::{ids::TenantId, permission::Permission};
use control_plane::{
    Denial, PageRequest,
    nodes::{Lag, Node, NodeState},
    tenants::Tenant,
};
use leptos::prelude::*;

use super::{Presence, href, is_embedded, lane, releases, removal, ring, serves};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    form::Form,
    kit::*,
    pages::list::counted,
    visit::Visit,
};

/// Further rows say nothing new about a node.
const MOST_LAGS: usize = 25;

/// As many as one question may bring.
const MOST_NAMES: u64 = 100;

/// What the page shows.
pub(super) struct Seen {
    pub(super) state: NodeState,
    /// Connected nodes of the region besides this one.
    pub(super) peers: usize,
    tenants: BTreeMap<TenantId, Tenant>,
    denial: Option<Denial>,
}

impl Seen {
    pub(super) fn node(&self) -> &Node {
        &self.state.node
    }
}

/// `GET nodes/{node}`.
pub(in crate::pages::platform) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let title = seen.node().name.to_string();
    Ok(visit.page(&title, || page(&visit, &seen, &Form::default())))
}

/// The node that the address names, with what surrounds it.
pub(super) async fn look(visit: &Visit) -> Result<Seen, Fault> {
    let control_plane = visit.control_plane();
    let id = visit.param("node")?;
    let mut state = control_plane.get_node(visit.caller(), id).await?;
    // What was refused first, then what is missing, then what is old.
    state
        .behind
        .sort_by_key(|lag| (lag.rejected.is_none(), lag.applied, lag.tenant));
    let fleet = control_plane.list_nodes(visit.caller()).await?;
    let peers = fleet
        .iter()
        .filter(|other| other.node.region == state.node.region && other.node.id != id)
        .filter(|other| serves(other) && other.connected)
        .count();
    Ok(Seen {
        peers,
        tenants: tenants(visit, &state).await?,
        denial: why_not(visit, Permission::NodesManage).await?,
        state,
    })
}

/// What the tenants are called that the node lags behind with, for those who may list tenants. One page of
/// names: in a larger installation the others are shown by their ids.
async fn tenants(visit: &Visit, state: &NodeState) -> Result<BTreeMap<TenantId, Tenant>, Fault> {
    if !visit.may(Permission::TenantsView) || !serves(state) || state.behind.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = PageRequest::parse(Some(MOST_NAMES), None)?;
    let page = visit
        .control_plane()
        .list_tenants(visit.caller(), None, &all)
        .await?;
    let named = page.items.into_iter().map(|tenant| (tenant.id, tenant));
    Ok(named.collect())
}

pub(super) fn page(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let node = seen.node();
    let presence = Presence::of(&seen.state, visit.now());
    let crumbs = crumbs(
        vec![("Nodes".to_owned(), visit.href("nodes"))],
        node.name.to_string(),
    );
    let sub = match is_embedded(node) {
        true => format!(
            "A node of the region {}, in the control plane's own process",
            node.region
        ),
        false => format!("A node of the region {}", node.region),
    };
    view! {
        <PageHead title=node.name.to_string() sub=sub crumbs=crumbs state=presence.mark() actions=actions(visit, seen, presence) />
        <ErrorSummary form=form />
        {notice(visit, seen.denial.as_ref())}
        {told(visit, node, presence)}
        <Card title="Node" padded=true><KeyValue facts=facts(visit, seen) /></Card>
        <Card title="Certificate" sub="Proves to the control plane which node it is" padded=true>
            {certificate(visit, node, presence)}
        </Card>
        {serves(&seen.state).then(|| holdings(visit, seen))}
        {ring::card(visit, seen)}
        {removal::zone(visit, seen, form)}
    }
    .into_any()
}

fn actions(visit: &Visit, seen: &Seen, presence: Presence) -> Option<AnyView> {
    let node = seen.node();
    let log = visit.may(Permission::PlatformAuditView).then(|| {
        let href = visit.href(&format!("audit?object={}", node.id));
        view! { <LinkButton href=href icon="history">"History"</LinkButton> }
    });
    let joinable = presence != Presence::Revoked && !is_embedded(node);
    let join = (joinable && visit.may(Permission::NodesManage)).then(|| {
        let (kind, text) = match presence {
            Presence::Awaiting => (ButtonKind::Primary, "Join it"),
            Presence::LockedOut => (ButtonKind::Primary, "Join again"),
            _ => (ButtonKind::Plain, "Join again"),
        };
        let href = href(visit, node, "/join");
        view! { <LinkButton href=href kind=kind icon="key">{text}</LinkButton> }
    });
    (log.is_some() || join.is_some()).then(|| view! { {log}{join} }.into_any())
}

/// What is not as it should be, and what to do about it.
fn told(visit: &Visit, node: &Node, presence: Presence) -> Option<AnyView> {
    let now = visit.now();
    let at = |moment| format!("{} ({})", relative(moment, now), absolute(moment));
    let (tone, title, text) = match presence {
        Presence::Connected => return None,
        Presence::Awaiting => (
            Tone::Info,
            "Nothing has joined as this node yet".to_owned(),
            "It joins when bailiwick-node is started with a join token for it.".to_owned(),
        ),
        Presence::Away => (
            Tone::Warn,
            "It is not connected".to_owned(),
            away(node.certificate_ends_at.map(at)),
        ),
        Presence::LockedOut => (
            Tone::Bad,
            "It cannot connect any more: its certificate has ended".to_owned(),
            "It was away for too long to renew it. It keeps serving what it holds, but hears nothing more. With a new join \
             token it joins again, and keeps its ID and what it holds."
                .to_owned(),
        ),
        Presence::Revoked => (
            Tone::Bad,
            node.revoked_at
                .map_or_else(|| "Revoked".to_owned(), |moment| format!("Revoked {}", at(moment))),
            revoked(node.revoked_reason.as_deref().unwrap_or_default()),
        ),
    };
    Some(view! { <Notice tone=tone title=title>{text}</Notice> }.into_any())
}

fn away(certificate_ends: Option<String>) -> String {
    let serves = "As long as its process runs it keeps serving what it holds; releases and revocations wait for it.";
    match certificate_ends {
        None => serves.to_owned(),
        Some(end) => format!(
            "{serves} If it does not come back before its certificate ends, {end}, it has to join again."
        ),
    }
}

/// The reason in the words of whoever gave it, with one full stop.
fn revoked(reason: &str) -> String {
    let reason = reason.trim_end_matches('.');
    format!(
        "Reason: {reason}. If its process still runs, it serves what it held then and hears nothing more."
    )
}

fn facts(visit: &Visit, seen: &Seen) -> Vec<(String, AnyView)> {
    let (node, now) = (seen.node(), visit.now());
    let presence = Presence::of(&seen.state, now);
    let mut facts = vec![
        kv("Node ID", id(node.id)),
        kv(
            "State",
            view! { <span class="row">{presence.mark()}<span class="muted">{presence.remark()}</span></span> },
        ),
        kv("Region", node.region.to_string()),
    ];
    if serves(&seen.state) {
        facts.push(kv("Releases", releases(&seen.state)));
        facts.push(kv("Containments", containments(visit, &seen.state)));
    }
    if let Some(software) = &node.software {
        let software = software.clone();
        facts.push(kv("Software", view! { <code>{software}</code> }));
    }
    facts.push(kv("Made", exact(visit, node.created_at)));
    if let Some(first) = node.first_seen_at {
        facts.push(kv("First seen", exact(visit, first)));
    }
    facts.push(match node.last_seen_at {
        Some(last) => kv("Last seen", exact(visit, last)),
        None => kv("Last seen", "Never".to_owned()),
    });
    facts
}

/// Whether it hears of containments, and when it was last heard on that connection.
fn containments(visit: &Visit, state: &NodeState) -> AnyView {
    let last = state.lane.heard_at.filter(|_| !state.lane.connected);
    let last = last.map(|at| view! { <span class="muted">"last heard "{exact(visit, at)}</span> });
    view! { <span class="row">{lane(state)}{last}</span> }.into_any()
}

/// Near and exact at once, for what people compare with their own notes.
fn exact(visit: &Visit, at: chrono::DateTime<chrono::Utc>) -> AnyView {
    let near = relative(at, visit.now());
    let full = absolute(at);
    // Far moments are dates already.
    if full.starts_with(&near) {
        return full.into_any();
    }
    view! { {time(at, visit.now())}" "<span class="muted">"· "{full}</span> }.into_any()
}

fn certificate(visit: &Visit, node: &Node, presence: Presence) -> AnyView {
    let ends = |word: &'static str| {
        node.certificate_ends_at
            .map(|end| kv(word, exact(visit, end)))
    };
    let authorities = visit.href("nodes/authorities");
    let (facts, text) = match presence {
        Presence::Awaiting => (None, "None yet. It gets its first one when it joins."),
        Presence::Revoked => (
            None,
            "Every one of its certificates is refused, whatever end it names.",
        ),
        Presence::LockedOut => (ends("Ended"), "Only joining again gives it another."),
        Presence::Connected | Presence::Away if is_embedded(node) => (
            None,
            "It has none and needs none: it runs in the control plane's own process.",
        ),
        Presence::Connected | Presence::Away => (
            ends("Ends"),
            "The node renews it by itself when half of its day is over, as long as it is connected.",
        ),
    };
    let facts = facts.map(|fact| view! { <KeyValue facts=vec![fact] /> });
    let signed = (!is_embedded(node)).then(|| {
        view! { " "<a href=authorities>"Who signs certificates"</a> }
    });
    view! { <div class="stack tight">{facts}<p class="text-sm">{text}{signed}</p></div> }.into_any()
}

/// The tenants of its region that it does not serve as released.
fn holdings(visit: &Visit, seen: &Seen) -> AnyView {
    let state = &seen.state;
    let all = counted(state.tenants, "tenant", "tenants");
    let region = &state.node.region;
    if state.tenants == 0 {
        return view! {
            <Card title="Tenants">
                <Empty icon_name="tenant" title="Nothing to serve" text="Its region has no tenant yet." />
            </Card>
        }
        .into_any();
    }
    if state.behind.is_empty() {
        let text = format!(
            "It serves {all} of the region {region}, nothing older than what was released."
        );
        return view! {
            <Card title="Tenants"><Empty icon_name="check-circle" title="Up to date" text=text /></Card>
        }
        .into_any();
    }
    let current = state.tenants.saturating_sub(state.behind.len());
    let sub = format!(
        "It serves {current} of {all} of the region {region} in the current release, and not these:"
    );
    let rows: Vec<AnyView> = state
        .behind
        .iter()
        .take(MOST_LAGS)
        .map(|lag| lag_row(visit, seen, lag))
        .collect();
    let rest = state.behind.len().saturating_sub(MOST_LAGS);
    let rest = (rest > 0).then(|| {
        let rest = counted(rest, "further tenant is", "further tenants are");
        view! { <div class="pad"><p class="muted text-sm">{rest}" behind as well."</p></div> }
    });
    let columns = vec![
        Column::text("Tenant"),
        Column::text("State"),
        Column::number("Serves"),
        Column::number("Released"),
        Column::text("Since"),
        Column::text("Reason"),
    ];
    view! {
        <Card title="Tenants" sub=sub>
            <Table label="Tenants that it does not serve as released" columns=columns>{rows}</Table>
            {rest}
        </Card>
    }
    .into_any()
}

fn lag_row(visit: &Visit, seen: &Seen, lag: &Lag) -> AnyView {
    let who = match seen.tenants.get(&lag.tenant) {
        Some(tenant) => {
            let page = visit.href(&format!("tenants/{}", tenant.slug));
            let (name, slug) = (tenant.name.to_string(), tenant.slug.to_string());
            view! { <a href=page>{name}</a><small>{slug}</small> }.into_any()
        }
        None => id(lag.tenant),
    };
    let state = match (&lag.rejected, lag.applied) {
        (Some(_), _) => pill(Tone::Bad, "Refused"),
        (None, 0) => pill(Tone::Warn, "Not held"),
        (None, _) => pill(Tone::Warn, "Behind"),
    };
    let serves = match lag.applied {
        0 => "Nothing".to_owned(),
        version => version.to_string(),
    };
    let reason = lag
        .rejected
        .clone()
        .unwrap_or_else(|| "It has not answered to the release yet.".to_owned());
    view! {
        <tr>
            <td>{who}</td>
            <td>{state}</td>
            <td class="num">{serves}</td>
            <td class="num">{lag.released}</td>
            <td class="nowrap">{lag.released_at.map(|at| time(at, visit.now()))}</td>
            <td class="what">{reason}</td>
        </tr>
    }
    .into_any()
}
