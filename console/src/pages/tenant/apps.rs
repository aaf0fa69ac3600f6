//! T8: applications, the things that sign people in or call APIs for themselves.
//!
//! The list answers three questions at a glance: may it be used, how old is what proves it, and is
//! anything about it unwise. Warnings are computed from what is stored; they never block.

pub(super) mod access;
pub(super) mod basics;
pub(super) mod credentials;
pub(super) mod danger;
mod fields;
mod frame;
pub(super) mod new;
pub(super) mod redirects;
mod sample;
mod warnings;

use actix_web::HttpResponse;
use contract::{
    application::{ApplicationKind, ApplicationStatus},
    permission::Permission,
};
use control_plane::{Page, applications::ApplicationRecord};
use leptos::prelude::*;

use crate::{
    fault::Fault,
    kit::*,
    pages::list::{pager, search},
    visit::Visit,
};

/// What people call a kind of application.
pub(super) fn kind_name(kind: ApplicationKind) -> &'static str {
    match kind {
        ApplicationKind::Web => "Web application",
        ApplicationKind::Spa => "Browser application",
        ApplicationKind::Native => "Native application",
        ApplicationKind::Machine => "Machine",
    }
}

/// `GET apps`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let text = visit.query("q");
    let page = visit
        .control_plane()
        .list_applications(
            visit.caller(),
            visit.tenant().id,
            text.as_deref(),
            &visit.page_request()?,
        )
        .await?;
    Ok(visit.page("Applications", || list_view(&visit, &page, text.is_some())))
}

fn list_view(visit: &Visit, page: &Page<ApplicationRecord>, filtered: bool) -> AnyView {
    let new = visit
        .may(Permission::ApplicationsEdit)
        .then(|| new_button(visit))
        .into_any();
    let content = if page.items.is_empty() {
        empty(visit, filtered)
    } else {
        table(visit, page)
    };
    let search = search(visit, "Find an application by name or client ID");
    view! {
        <PageHead title="Applications" sub="Programs that sign people in, or call APIs for themselves." actions=new />
        <section class="card table-card" aria-label="Applications">{search}{content}</section>
    }
    .into_any()
}

fn new_button(visit: &Visit) -> AnyView {
    let href = visit.href("apps/new");
    view! { <LinkButton href=href kind=ButtonKind::Primary icon="plus">"New application"</LinkButton> }.into_any()
}

fn empty(visit: &Visit, filtered: bool) -> AnyView {
    if filtered {
        let all = visit.href("apps");
        return view! {
            <Empty icon_name="search" title="No application matches" text="Search for part of a name, or for a whole client ID.">
                <LinkButton href=all>"Show all applications"</LinkButton>
            </Empty>
        }
        .into_any();
    }
    let next = if visit.may(Permission::ApplicationsEdit) {
        let href = visit.href("apps/new");
        view! { <LinkButton href=href icon="plus">"Register the first one"</LinkButton> }.into_any()
    } else {
        view! { <span class="muted">"An application developer of the tenant can register one."</span> }.into_any()
    };
    view! {
        <Empty icon_name="app" title="No applications yet"
            text="An application is a program that people sign in to, or that calls APIs for itself. Until one is registered, nobody can sign in.">
            {next}
        </Empty>
    }
    .into_any()
}

fn table(visit: &Visit, page: &Page<ApplicationRecord>) -> AnyView {
    let rows: Vec<AnyView> = page.items.iter().map(|record| row(visit, record)).collect();
    let columns = ["Name", "Client ID", "State", "Secrets", "Worth a look"]
        .map(Column::text)
        .into();
    let pager = pager(visit, page, "application", "applications");
    view! {
        <Table label="Applications" columns=columns>{rows}</Table>
        {pager}
    }
    .into_any()
}

fn row(visit: &Visit, record: &ApplicationRecord) -> AnyView {
    let application = &record.application;
    let off = application.status == ApplicationStatus::Disabled;
    let link = row_link(
        visit.href(&format!("apps/{}", application.id)),
        application.name.clone(),
        kind_name(application.kind),
    );
    let class = if off { "linked off" } else { "linked" };
    let warnings: Vec<AnyView> = warnings::of(record, visit.tenant().environment, visit.now())
        .into_iter()
        .map(|warning| pill(Tone::Warn, warning.short))
        .collect();
    let warnings = if warnings.is_empty() {
        view! { <span class="muted">"Nothing"</span> }.into_any()
    } else {
        view! { <span class="row">{warnings}</span> }.into_any()
    };
    view! {
        <tr class=class>
            <td>{link}</td>
            <td>{id(application.id)}</td>
            <td>{status(application.status)}</td>
            <td>{secrets(visit, record)}</td>
            <td>{warnings}</td>
        </tr>
    }
    .into_any()
}

/// Whether an application may be used, as a word.
pub(super) fn status(status: ApplicationStatus) -> AnyView {
    match status {
        ApplicationStatus::Active => pill(Tone::Ok, "Active"),
        ApplicationStatus::Disabled => pill(Tone::Idle, "Disabled"),
    }
}

/// How many secrets work, and since when the newest one does.
fn secrets(visit: &Visit, record: &ApplicationRecord) -> AnyView {
    if !record.application.kind.is_confidential() {
        return view! { <span class="muted">"None needed"</span> }.into_any();
    }
    let now = visit.now();
    let working = warnings::working(record, now);
    let Some(newest) = working.last() else {
        return view! { <span class="muted">"None"</span> }.into_any();
    };
    let number = working.len();
    view! { {number}<small>"newest made "{time(newest.created_at, now)}</small> }.into_any()
}
