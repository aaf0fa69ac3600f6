//! P2: every tenant, to find one and to judge its state. Names and states, never a person of a tenant.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use contract::{ids::TenantId, permission::Permission, tenant::TenantStatus};
use control_plane::{Page, nodes::NodeState, tenants::Tenant};
use leptos::prelude::*;

use super::nodes::serves;
use crate::{
    fault::Fault,
    kit::*,
    pages::list::{pager, search},
    shell::environment,
    visit::Visit,
};

/// How far nodes are behind, per tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Behind {
    nodes: usize,
    rejected: usize,
}

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let text = visit.query("q");
    let tenants = visit
        .control_plane()
        .list_tenants(visit.caller(), text.as_deref(), &visit.page_request()?)
        .await?;
    let behind = match visit.may(Permission::NodesView) {
        true => count_behind(&visit.control_plane().list_nodes(visit.caller()).await?),
        false => BTreeMap::new(),
    };
    Ok(visit.page("Tenants", || {
        let new = visit.may(Permission::TenantsCreate).then(|| {
            let href = visit.href("tenants/new");
            view! { <LinkButton href=href kind=ButtonKind::Primary icon="plus">"New tenant"</LinkButton> }.into_any()
        });
        view! {
            <PageHead title="Tenants" sub="Each has its own issuer, keys and users" actions=new />
            {search(&visit, "Find a tenant by name, short name or host")}
            <div class="card table-card">{list(&visit, &tenants, &behind, text.is_some())}</div>
        }
    }))
}

fn list(
    visit: &Visit,
    page: &Page<Tenant>,
    behind: &BTreeMap<TenantId, Behind>,
    searched: bool,
) -> AnyView {
    if page.items.is_empty() {
        return empty(visit, searched);
    }
    let rows: Vec<AnyView> = page
        .items
        .iter()
        .map(|tenant| {
            row(
                visit,
                tenant,
                behind.get(&tenant.id).copied().unwrap_or_default(),
            )
        })
        .collect();
    let columns = vec![
        Column::text("Tenant"),
        Column::text("State"),
        Column::text("Environment"),
        Column::text("Region"),
        Column::number("Release"),
        Column::text("Nodes"),
        Column::text("Created"),
    ];
    view! {
        <Table label="Tenants" columns=columns>{rows}</Table>
        {pager(visit, page, "tenant", "tenants")}
    }
    .into_any()
}

fn row(visit: &Visit, tenant: &Tenant, behind: Behind) -> AnyView {
    let href = visit.href(&format!("tenants/{}", tenant.slug));
    let address = match &tenant.host {
        Some(host) => format!("{} · {host}", tenant.slug),
        None => tenant.slug.to_string(),
    };
    view! {
        <tr class="linked">
            <td>{row_link(href, tenant.name.to_string(), address)}</td>
            <td>{status(tenant.status)}</td>
            <td>{environment(tenant.environment)}</td>
            <td>{tenant.region.to_string()}</td>
            <td class="num">{tenant.release_version}</td>
            <td>{behind.view()}</td>
            <td>{time(tenant.created_at, visit.now())}</td>
        </tr>
    }
    .into_any()
}

/// A tenant's state in a word.
pub(super) fn status(status: TenantStatus) -> AnyView {
    match status {
        TenantStatus::Active => pill(Tone::Ok, "Active"),
        TenantStatus::Suspended => pill(Tone::Bad, "Suspended"),
    }
}

fn empty(visit: &Visit, searched: bool) -> AnyView {
    if searched {
        let all = visit.path().to_owned();
        return view! {
            <Empty icon_name="search" title="No tenant matches" text="Names, short names and hosts were searched.">
                <LinkButton href=all>"Show all tenants"</LinkButton>
            </Empty>
        }
        .into_any();
    }
    let new = visit.href("tenants/new");
    view! {
        <Empty icon_name="tenant" title="No tenants yet" text="A tenant is a customer's own issuer, keys and users.">
            <LinkButton href=new kind=ButtonKind::Primary icon="plus">"New tenant"</LinkButton>
        </Empty>
    }
    .into_any()
}

impl Behind {
    fn view(self) -> AnyView {
        match self {
            Self { rejected: 1.., .. } => pill(Tone::Bad, format!("{} rejected", self.rejected)),
            Self { nodes: 1.., .. } => pill(Tone::Warn, format!("{} behind", self.nodes)),
            Self { .. } => pill(Tone::Ok, "Up to date"),
        }
    }
}

fn count_behind(nodes: &[NodeState]) -> BTreeMap<TenantId, Behind> {
    let mut behind: BTreeMap<TenantId, Behind> = BTreeMap::new();
    let serving = nodes.iter().filter(|state| serves(state));
    for lag in serving.flat_map(|state| &state.behind) {
        let entry = behind.entry(lag.tenant).or_default();
        entry.nodes += 1;
        entry.rejected += usize::from(lag.rejected.is_some());
    }
    behind
}
