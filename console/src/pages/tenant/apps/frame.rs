//! T10: what surrounds every tab of an application: the way back, its name and state, the tabs, the warnings.

use contract::permission::Permission;
use control_plane::applications::{ApplicationAt, ApplicationRecord};
use leptos::prelude::*;

use super::{kind_name, status, warnings};
use crate::{fault::Fault, form::Form, kit::*, pages::tenant::list::seen_version, visit::Visit};

/// A tab; each has an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Basics,
    Redirects,
    Credentials,
    Access,
    Danger,
}

const TABS: [(Tab, &str, &str); 5] = [
    (Tab::Basics, "Basics", ""),
    (Tab::Redirects, "Redirects", "/redirects"),
    (Tab::Credentials, "Credentials", "/credentials"),
    (Tab::Access, "API access", "/access"),
    (Tab::Danger, "Danger zone", "/danger"),
];

impl Tab {
    fn name(self) -> &'static str {
        TABS.iter()
            .find(|(tab, ..)| *tab == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The page's title: the thing first, then the part of it.
    pub(super) fn title(self, record: &ApplicationRecord) -> String {
        format!("{}: {}", record.application.name, self.name())
    }
}

/// The application that the address names.
pub(super) async fn load(visit: &Visit) -> Result<ApplicationRecord, Fault> {
    let id = visit.param("id")?;
    let control_plane = visit.control_plane();
    Ok(control_plane
        .get_application(visit.caller(), visit.tenant().id, id)
        .await?)
}

/// Which application and which version of it a form is about.
pub(super) fn at(visit: &Visit, form: &Form) -> Result<ApplicationAt, Fault> {
    Ok(ApplicationAt {
        tenant: visit.tenant().id,
        id: visit.param("id")?,
        expected: seen_version(form),
    })
}

/// The address of a tab.
pub(super) fn href(visit: &Visit, record: &ApplicationRecord, tab: Tab) -> String {
    let suffix = TABS
        .iter()
        .find(|(known, ..)| *known == tab)
        .map_or("", |(.., suffix)| suffix);
    visit.href(&format!("apps/{}{suffix}", record.application.id))
}

/// A tab with its content.
pub(super) fn frame(
    visit: &Visit,
    record: &ApplicationRecord,
    here: Tab,
    content: AnyView,
) -> AnyView {
    let application = &record.application;
    let shown = |tab: Tab| match tab {
        Tab::Redirects => application.kind.signs_people_in(),
        Tab::Danger => visit.may(Permission::ApplicationsEdit),
        _ => true,
    };
    let tabs = TABS
        .iter()
        .filter(|(tab, ..)| shown(*tab))
        .map(|(tab, name, _)| ((*name).to_owned(), href(visit, record, *tab), *tab == here))
        .collect();
    let tabs = crate::kit::tabs("Application", tabs);
    let crumbs = crumbs(
        vec![("Applications".into(), visit.href("apps"))],
        application.name.clone(),
    );
    let state = status(application.status);
    let worth: Vec<AnyView> = warnings::of(record, visit.tenant().environment, visit.now())
        .into_iter()
        .map(|warning| {
            view! { <Notice tone=Tone::Warn title=warning.short>{warning.long}</Notice> }.into_any()
        })
        .collect();
    view! {
        <PageHead title=application.name.clone() sub=kind_name(application.kind) crumbs=crumbs state=state />
        {tabs}
        {worth}
        {content}
    }
    .into_any()
}
