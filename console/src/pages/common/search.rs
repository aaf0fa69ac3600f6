//! S4: one search behind three doors: the search page, the command palette and the tenant switcher.
//!
//! The server ranks: pages of the scope one comes from, then tenants. Ids say by their prefix what they
//! are. It finds only what the person may see, because it asks the same methods as every page; it must
//! never act, only lead.

use actix_web::{HttpResponse, http::header};
use contract::ids::{ApplicationId, NodeId, TenantId};
use contract::permission::Permission;
use contract::policies::Policy;
use contract::tenant::Slug;
use control_plane::{PageRequest, Refusal, tenants::Tenant};
use leptos::prelude::*;
use serde::Serialize;

use crate::{
    fault::Fault,
    kit::*,
    routes::{self, Place},
    visit::{Visit, tenant_base},
};

/// Fits on a screen; what is further down is better found by typing more.
const MOST: u64 = 20;

/// One thing that was found; the shape that `console-islands` reads.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(super) struct Found {
    group: &'static str,
    label: String,
    detail: String,
    href: String,
    icon: &'static str,
}

/// The search page, which is also the palette without scripts.
pub(super) async fn page(visit: Visit) -> Result<HttpResponse, Fault> {
    let found = find(&visit).await?;
    let text = visit.query("q").unwrap_or_default();
    Ok(visit.page("Search", || {
        let sub = match (text.is_empty(), found.len()) {
            (true, _) => "Pages, tenants and identifiers".to_owned(),
            (false, 1) => "1 match".to_owned(),
            (false, number) => format!("{number} matches"),
        };
        view! {
            <PageHead title="Search" sub=sub />
            <form class="filters" method="get" role="search">
                <div class="search">
                    {icon("search")}
                    <input type="search" name="q" value=text aria-label="Search for" autocomplete="off" />
                </div>
                {visit.query("in").map(|from| view! { <input type="hidden" name="in" value=from /> })}
                <Button small=true>"Search"</Button>
            </form>
            <div class="card">{results(found)}</div>
        }
    }))
}

/// The same as data, for the islands.
pub(super) async fn json(visit: Visit) -> Result<HttpResponse, Fault> {
    let found = find(&visit).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(found))
}

fn results(found: Vec<Found>) -> AnyView {
    if found.is_empty() {
        return view! {
            <Empty icon_name="search" title="Nothing matches"
                text="Pages of your scope, tenants you may see and identifiers were searched. Try fewer letters." />
        }
        .into_any();
    }
    let mut groups: Vec<(&'static str, Vec<Found>)> = Vec::new();
    for item in found {
        match groups.last_mut().filter(|(group, _)| *group == item.group) {
            Some((_, items)) => items.push(item),
            None => groups.push((item.group, vec![item])),
        }
    }
    let groups = groups
        .into_iter()
        .map(|(group, items)| {
            let items = items.into_iter().map(result).collect_view();
            view! { <p class="group">{group}</p>{items} }
        })
        .collect_view();
    view! { <div class="results">{groups}</div> }.into_any()
}

fn result(found: Found) -> impl IntoView {
    view! {
        <a class="result" href=found.href>
            {icon(found.icon)}<span class="label">{found.label}<small>{found.detail}</small></span>
        </a>
    }
}

async fn find(visit: &Visit) -> Result<Vec<Found>, Fault> {
    let text = visit.query("q").unwrap_or_default();
    let only_tenants = visit.query("kind").as_deref() == Some("tenants");
    let here = scope_of(visit).await?;
    let mut found = Vec::new();
    if !only_tenants {
        found.extend(identifier(visit, here.as_ref(), &text));
        found.extend(pages(visit, here.as_ref(), &text).await?);
    }
    found.extend(tenants(visit, &text).await?);
    Ok(found)
}

/// The tenant one searches from: the address of the page is sent along.
async fn scope_of(visit: &Visit) -> Result<Option<Tenant>, Fault> {
    let from = visit.query("in").unwrap_or_default();
    let slug = from
        .strip_prefix("/t/")
        .and_then(|rest| rest.split('/').next());
    let Some(slug) = slug.and_then(|slug| slug.parse::<Slug>().ok()) else {
        return Ok(None);
    };
    match visit
        .control_plane()
        .get_tenant_by_slug(visit.caller(), &slug)
        .await
    {
        Ok(tenant) => Ok(Some(tenant)),
        Err(Refusal::NotFound { .. } | Refusal::Forbidden(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// A pasted id leads to its thing; its own page decides whether the person may see it.
fn identifier(visit: &Visit, here: Option<&Tenant>, text: &str) -> Option<Found> {
    let at = |label: &str, href: String, icon| Found {
        group: "Identifier",
        label: label.to_owned(),
        detail: text.to_owned(),
        href,
        icon,
    };
    if text.parse::<ApplicationId>().is_ok() {
        let base = tenant_base(here?);
        return Some(at("Application", format!("{base}apps/{text}"), "app"));
    }
    if text.parse::<NodeId>().is_ok() && visit.may(Permission::NodesView) {
        return Some(at("Node", format!("/p/nodes/{text}"), "node"));
    }
    let tenant: TenantId = text.parse().ok()?;
    let known = visit
        .offered_tenants()
        .iter()
        .find(|offered| offered.id == tenant)?;
    Some(at(
        known.name.as_str(),
        format!("{}home", tenant_base(known)),
        "tenant",
    ))
}

/// Pages of the navigation whose name holds the text: of the tenant one is in, and of the platform.
async fn pages(visit: &Visit, here: Option<&Tenant>, text: &str) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    if let Some(tenant) = here {
        let all = Permission::all();
        let allowed = visit
            .control_plane()
            .allowed(visit.caller(), tenant.id, all)
            .await?;
        let may = |permission: &Permission| allowed.contains(permission);
        found.extend(pages_of(
            Place::Tenant,
            &tenant_base(tenant),
            tenant.name.as_str(),
            text,
            &may,
        ));
        if may(&Permission::PoliciesView) {
            found.extend(policies_of(tenant, text));
        }
    }
    let may = |permission: &Permission| visit.may(*permission);
    found.extend(pages_of(Place::Platform, "/p/", "Platform", text, &may));
    found.extend(pages_about_nodes(visit, text));
    if matches("profile and preferences", text) {
        found.push(Found {
            group: "Pages",
            label: "Profile and preferences".to_owned(),
            detail: "Yours".to_owned(),
            href: "/me".to_owned(),
            icon: "user",
        });
    }
    Ok(found)
}

fn pages_of(
    place: Place,
    base: &str,
    scope: &str,
    text: &str,
    may: &dyn Fn(&Permission) -> bool,
) -> Vec<Found> {
    routes::screens()
        .filter(|screen| screen.place == place && screen.permission.as_ref().is_none_or(may))
        .filter_map(|screen| Some((screen.path, screen.nav?)))
        .filter(|(_, nav)| matches(nav.label, text))
        .map(|(path, nav)| Found {
            group: "Pages",
            label: nav.label.to_owned(),
            detail: scope.to_owned(),
            href: format!("{base}{path}"),
            icon: nav.icon,
        })
        .collect()
}

/// Policies are pages of their own, though the navigation has only the list of them. With nothing typed the
/// list is enough.
fn policies_of(tenant: &Tenant, text: &str) -> Vec<Found> {
    let base = tenant_base(tenant);
    let sought = Policy::WRITABLE.into_iter().filter(|_| !text.is_empty());
    sought
        .map(|kind| (kind, format!("{} policy", kind.title())))
        .filter(|(_, title)| matches(title, text))
        .map(|(kind, label)| Found {
            group: "Pages",
            label,
            detail: tenant.name.to_string(),
            href: format!("{base}policies/{kind}"),
            icon: "policy",
        })
        .collect()
}

/// What one does with nodes, below the list that the navigation has. With nothing typed the list is enough.
fn pages_about_nodes(visit: &Visit, text: &str) -> Vec<Found> {
    let all = [
        ("New node", "new", Permission::NodesManage, "plus"),
        (
            "Node authorities",
            "authorities",
            Permission::NodesView,
            "key",
        ),
    ];
    let sought = all.into_iter().filter(|_| !text.is_empty());
    sought
        .filter(|(label, _, permission, _)| visit.may(*permission) && matches(label, text))
        .map(|(label, path, _, icon)| Found {
            group: "Pages",
            label: label.to_owned(),
            detail: "Platform".to_owned(),
            href: format!("/p/nodes/{path}"),
            icon,
        })
        .collect()
}

fn matches(label: &str, text: &str) -> bool {
    label.to_lowercase().contains(&text.to_lowercase())
}

async fn tenants(visit: &Visit, text: &str) -> Result<Vec<Found>, Fault> {
    let page = PageRequest::parse(Some(MOST), None)?;
    let asked = (!text.is_empty()).then_some(text);
    let tenants = match visit
        .control_plane()
        .list_tenants(visit.caller(), asked, &page)
        .await
    {
        Ok(page) => page.items,
        Err(Refusal::Forbidden(_)) => Vec::new(),
        Err(other) => return Err(other.into()),
    };
    Ok(tenants
        .iter()
        .map(|tenant| Found {
            group: "Tenants",
            label: tenant.name.to_string(),
            detail: format!("{} · {}", tenant.slug, tenant.region),
            href: format!("{}home", tenant_base(tenant)),
            icon: "tenant",
        })
        .collect())
}
