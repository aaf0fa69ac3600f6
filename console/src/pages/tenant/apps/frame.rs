//! T10: what surrounds every tab of an application: the way back, its name and state, the tabs, the warnings;
//! and how a tab's form is drawn and carried out.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    Mode,
    applications::{ApplicationAt, ApplicationChange, ApplicationRecord},
};
use leptos::prelude::*;

use super::{kind_name, status, warnings};
use crate::{
    denial::again, fault::Fault, flash::Flash, form::Form, kit::*, pages::list::seen_version,
    visit::Visit,
};

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

/// Which part of which application is edited, by whom.
pub(super) struct Edited<'a> {
    visit: &'a Visit,
    record: &'a ApplicationRecord,
    tab: Tab,
}

impl<'a> Edited<'a> {
    pub(super) fn new(visit: &'a Visit, record: &'a ApplicationRecord, tab: Tab) -> Self {
        Self { visit, record, tab }
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

/// Whether to offer what `permission` is for. Nothing is offered that changes the console itself: every such
/// change is refused.
pub(super) fn offers(visit: &Visit, record: &ApplicationRecord, permission: Permission) -> bool {
    visit.may(permission) && !record.built_in
}

/// Carries out the change that a tab's form asks for, unless something is wrong with the form; then `draw`
/// shows it again.
pub(super) async fn update(
    edited: Edited<'_>,
    mut form: Form,
    change: ApplicationChange,
    draw: impl FnOnce(&Form) -> AnyView,
) -> Result<HttpResponse, Fault> {
    let Edited { visit, record, tab } = edited;
    if form.is_valid() {
        let changed = visit
            .control_plane()
            .update_application(visit.caller(), at(visit, &form)?, change, Mode::Commit)
            .await;
        match changed {
            Ok(after) => return Ok(saved(visit, &after, tab)),
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    let title = tab.title(record);
    again(visit, Permission::ApplicationsEdit, &title, || draw(&form)).await
}

/// Back to a tab, saying what was saved as which version.
fn saved(visit: &Visit, record: &ApplicationRecord, tab: Tab) -> HttpResponse {
    let application = &record.application;
    let text = format!("Saved {} as version {}.", application.name, record.version);
    let log = visit.href(&format!("audit?object={}", application.id));
    visit.done(
        &Flash::done(text).with_link("Audit event", log),
        &href(visit, record, tab),
    )
}

/// The form of a tab, with its errors first and its save bar last.
pub(super) fn editor(edited: Edited<'_>, command: &str, form: &Form, fields: AnyView) -> AnyView {
    let Edited { visit, record, tab } = edited;
    let action = visit.command(&format!("apps/{}/{command}", record.application.id));
    let hidden = vec![("version", record.version.to_string())];
    let based = format!("Based on version {}", record.version);
    let (csrf, back) = (visit.csrf(), href(visit, record, tab));
    view! {
        <ErrorSummary form=form />
        <EditForm action=action csrf=csrf hidden=hidden based=based back=back>{fields}</EditForm>
    }
    .into_any()
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
        Tab::Danger => offers(visit, record, Permission::ApplicationsEdit),
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
    let built_in = record.built_in.then(|| {
        view! {
            <Notice tone=Tone::Info title="Built in">
                "Operators sign in through this application, so a change could lock everybody out. Only Bailiwick itself changes it."
            </Notice>
        }
    });
    view! {
        <PageHead title=application.name.clone() sub=kind_name(application.kind) crumbs=crumbs state=state />
        {tabs}
        {built_in}
        {worth}
        {content}
    }
    .into_any()
}
