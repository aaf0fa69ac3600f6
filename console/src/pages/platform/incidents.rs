//! P10: the incident room: everything that is in force in all tenants that the person may see, how far it got, and the
//! way to contain something more, which begins with a tenant.
//!
//! A containment itself is shown in its tenant: there the matrix says who may do what. Nothing about people stands
//! here; a subject is its kind and its id.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use control_plane::{ContainmentState, Page, tenants::Tenant};
use leptos::prelude::*;

use crate::{
    fault::Fault,
    kit::*,
    pages::{
        list::{counted, pager, search},
        tenant::containments::{meter, words::subject},
    },
    shell::environment,
    visit::{Visit, tenant_base},
};

/// `GET incidents`.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let control_plane = visit.control_plane();
    let open = control_plane.list_open_containments(visit.caller()).await?;
    let mut rooms: BTreeMap<String, Vec<ContainmentState>> = BTreeMap::new();
    for state in open {
        let slug = state.tenant_slug.to_string();
        rooms.entry(slug).or_default().push(state);
    }
    let places = places(&visit, &rooms).await?;
    Ok(visit.page("Incidents", || page(&visit, &rooms, &places)))
}

/// The tenants by their short names, for their addresses.
async fn places(
    visit: &Visit,
    rooms: &BTreeMap<String, Vec<ContainmentState>>,
) -> Result<BTreeMap<String, Tenant>, Fault> {
    let mut places = BTreeMap::new();
    for states in rooms.values() {
        let Some(state) = states.first() else {
            continue;
        };
        let tenant = visit
            .control_plane()
            .get_tenant_by_slug(visit.caller(), &state.tenant_slug)
            .await?;
        places.insert(tenant.slug.to_string(), tenant);
    }
    Ok(places)
}

fn page(
    visit: &Visit,
    rooms: &BTreeMap<String, Vec<ContainmentState>>,
    places: &BTreeMap<String, Tenant>,
) -> AnyView {
    let contain = visit.href("incidents/contain");
    let actions = view! {
        <LinkButton href=contain kind=ButtonKind::Primary icon="lock">"Contain…"</LinkButton>
    }
    .into_any();
    let cards: Vec<AnyView> = rooms
        .iter()
        .filter_map(|(slug, states)| Some(room(visit, places.get(slug)?, states)))
        .collect();
    let content = match cards.is_empty() {
        true => empty(),
        false => view! { {tiles(visit, rooms)}{cards}{reload(visit)} }.into_any(),
    };
    view! {
        <PageHead title="Incidents" sub="What is contained now, in every tenant whose containments you may see" actions=actions />
        {content}
    }
    .into_any()
}

fn empty() -> AnyView {
    view! {
        <div class="card">
            <Empty icon_name="check-circle" title="Nothing is contained"
                text="When somebody stops a user, a session, an application, a key or a whole tenant, it stands here until it ends." />
        </div>
    }
    .into_any()
}

fn tiles(visit: &Visit, rooms: &BTreeMap<String, Vec<ContainmentState>>) -> AnyView {
    let all = || rooms.values().flatten();
    let everywhere = all().filter(|state| meter::is_complete(state)).count();
    let soon = all()
        .map(|state| state.containment.ends_at())
        .min()
        .map(|end| relative(end, visit.now()));
    view! {
        <dl class="tiles">
            <StatTile label="In force" value=all().count().to_string() detail="containments" />
            <StatTile label="Tenants" value=rooms.len().to_string() detail="with something contained" />
            <StatTile label="Everywhere" value=format!("{everywhere} of {}", all().count()) detail="confirmed by every node there is" />
            <StatTile label="Next end" value=soon.unwrap_or_default() detail="by itself" />
        </dl>
    }
    .into_any()
}

fn room(visit: &Visit, tenant: &Tenant, states: &[ContainmentState]) -> AnyView {
    let rows: Vec<AnyView> = states
        .iter()
        .map(|state| row(visit, tenant, state))
        .collect();
    let name = tenant.name.to_string();
    let sub = format!(
        "{} · {} · {}",
        tenant.slug,
        environment(tenant.environment),
        counted(states.len(), "containment", "containments")
    );
    let new = format!("{}containments/new", tenant_base(tenant));
    let actions = view! { <a href=new>"Contain more"</a> }.into_any();
    let label = format!("Containments in force in {name}");
    let columns = ["Contained", "Why", "By", "Ends", "Nodes"]
        .map(Column::text)
        .into();
    view! {
        <Card title=name sub=sub actions=actions>
            <Table label=label columns=columns>{rows}</Table>
        </Card>
    }
    .into_any()
}

fn row(visit: &Visit, tenant: &Tenant, state: &ContainmentState) -> AnyView {
    let now = visit.now();
    let what = subject(state);
    let page = format!(
        "{}containments/{}",
        tenant_base(tenant),
        state.containment.id
    );
    let (reason, by) = (state.reason.clone(), state.actor_name.clone());
    view! {
        <tr class="linked">
            <td>{row_link(page, what.kind, what.short)}</td>
            <td class="what">{reason}</td>
            <td>{by}<small>{time(state.containment.begun_at, now)}</small></td>
            <td class="nowrap">{time(state.containment.ends_at(), now)}</td>
            <td class="nowrap">{meter::mark(state, now)}</td>
        </tr>
    }
    .into_any()
}

/// This page is as it was when it was asked for; a containment's own page moves by itself.
fn reload(visit: &Visit) -> AnyView {
    let (here, now) = (visit.path().to_owned(), absolute(visit.now()));
    view! {
        <p class="muted text-sm">
            "As of "{now}". "<a href=here>"Reload to see more"</a>", or open one: its page updates by itself."
        </p>
    }
    .into_any()
}

/// `GET incidents/contain`: in which tenant.
pub(super) async fn choose(visit: Visit) -> Result<HttpResponse, Fault> {
    let text = visit.query("q");
    let tenants = visit
        .control_plane()
        .list_tenants(visit.caller(), text.as_deref(), &visit.page_request()?)
        .await?;
    Ok(visit.page(TITLE, || choice(&visit, &tenants)))
}

const TITLE: &str = "Contain in which tenant?";

fn choice(visit: &Visit, page: &Page<Tenant>) -> AnyView {
    let crumbs = crumbs(
        vec![("Incidents".into(), visit.href("incidents"))],
        "Contain",
    );
    let rows: Vec<AnyView> = page
        .items
        .iter()
        .map(|tenant| {
            let href = format!("{}containments/new", tenant_base(tenant));
            let (name, slug) = (tenant.name.to_string(), tenant.slug.to_string());
            view! {
                <tr class="linked">
                    <td>{row_link(href, name, slug)}</td>
                    <td>{environment(tenant.environment)}</td>
                    <td>{tenant.region.to_string()}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let content = if rows.is_empty() {
        let all = visit.path().to_owned();
        view! {
            <Empty icon_name="search" title="No tenant matches" text="Names, short names and hosts were searched.">
                <LinkButton href=all>"Show all tenants"</LinkButton>
            </Empty>
        }
        .into_any()
    } else {
        let columns = ["Tenant", "Environment", "Region"].map(Column::text).into();
        view! {
            <Table label="Tenants" columns=columns>{rows}</Table>
            {pager(visit, page, "tenant", "tenants")}
        }
        .into_any()
    };
    view! {
        <PageHead title=TITLE sub="Its responsibility matrix says whether you may; both sides see what you do." crumbs=crumbs />
        {search(visit, "Find a tenant by name, short name or host")}
        <div class="card table-card">{content}</div>
    }
    .into_any()
}
