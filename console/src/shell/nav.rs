//! Navigation computed from the route table and the person's permissions: what one may not see is absent.

use std::collections::BTreeSet;

use contract::permission::Permission;
use leptos::prelude::*;

use crate::{
    kit::{count, icon},
    routes::{self, Place},
    visit::{Visit, tenant_base},
};

/// Links under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavGroup {
    /// The heading.
    pub title: &'static str,
    /// The links.
    pub items: Vec<NavItem>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavItem {
    /// Its text.
    pub label: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// The page's path below the scope's base.
    pub path: &'static str,
}

/// The navigation of a place for someone with these powers.
pub fn navigation(place: Place, powers: &BTreeSet<Permission>) -> Vec<NavGroup> {
    let mut groups: Vec<NavGroup> = Vec::new();
    for screen in routes::screens().filter(|screen| screen.place == place) {
        let Some(nav) = screen.nav else { continue };
        if screen
            .permission
            .is_some_and(|needed| !powers.contains(&needed))
        {
            continue;
        }
        let item = NavItem {
            label: nav.label,
            icon: nav.icon,
            path: screen.path,
        };
        match groups.iter_mut().find(|group| group.title == nav.group) {
            Some(group) => group.items.push(item),
            None => groups.push(NavGroup {
                title: nav.group,
                items: vec![item],
            }),
        }
    }
    groups
}

/// The place whose navigation a visit shows.
pub(crate) fn place_of(visit: &Visit) -> Option<Place> {
    match visit.tenant_if_any() {
        Some(_) => Some(Place::Tenant),
        None if visit.is_on_platform() || visit.caller().is_staff() => Some(Place::Platform),
        None => None,
    }
}

pub(super) fn view(visit: &Visit, label: &str) -> AnyView {
    let Some(place) = place_of(visit) else {
        return own_tenants(visit, label);
    };
    let groups = navigation(place, visit.powers());
    let groups: Vec<AnyView> = groups
        .into_iter()
        .enumerate()
        .map(|(position, group)| group_view(visit, position, group))
        .collect();
    view! { <nav class="nav" aria-label=label.to_owned()>{groups}</nav> }.into_any()
}

/// On everyone's own pages, tenant admins find their tenants where staff find the platform.
fn own_tenants(visit: &Visit, label: &str) -> AnyView {
    let items = visit
        .offered_tenants()
        .iter()
        .map(|tenant| {
            let (href, name) = (
                format!("{}home", tenant_base(tenant)),
                tenant.name.to_string(),
            );
            view! { <li><a href=href>{icon("tenant")}<span>{name}</span></a></li> }
        })
        .collect_view();
    view! {
        <nav class="nav" aria-label=label.to_owned()>
            <p class="group" id="nav-0">"Your tenants"</p><ul aria-labelledby="nav-0">{items}</ul>
        </nav>
    }
    .into_any()
}

fn group_view(visit: &Visit, position: usize, group: NavGroup) -> AnyView {
    let id = format!("nav-{position}");
    let items = group
        .items
        .into_iter()
        .map(|item| {
            let href = link(visit, item.path);
            // A page below this one keeps the link current: the way back up stays marked.
            let rest = visit.path().strip_prefix(href.as_str());
            let here = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let waiting = waiting(visit, item.path);
            view! {
                <li>
                    <a href=href aria-current=here.then_some("page")>
                        {icon(item.icon)}<span>{item.label}</span>{waiting}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <p class="group" id=id.clone()>{group.title}</p><ul aria-labelledby=id>{items}</ul> }
        .into_any()
}

/// How many things behind a link need somebody now; nothing where none does.
fn waiting(visit: &Visit, path: &str) -> Option<AnyView> {
    let number = match path {
        "incidents" => visit.open_containments(),
        "containments" => visit.contained().len(),
        _ => 0,
    };
    (number > 0).then(|| count(number, true))
}

/// On everyone's own pages staff keep the platform's navigation, whose base is not the page's.
pub(crate) fn link(visit: &Visit, path: &str) -> String {
    match visit.tenant_if_any() {
        Some(_) => visit.href(path),
        None => format!("/p/{path}"),
    }
}
