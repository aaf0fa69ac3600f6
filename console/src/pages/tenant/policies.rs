//! T16: policies, what the tenant requires. One published document per kind, and perhaps a draft.

mod document;
pub(super) mod draft;
pub(super) mod review;
pub(super) mod show;

use actix_web::HttpResponse;
use contract::policies::PolicyKind;
use control_plane::policies::PolicyState;
use leptos::prelude::*;

use crate::{fault::Fault, kit::*, visit::Visit};

/// `GET policies`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let policies = visit
        .control_plane()
        .list_policies(visit.caller(), visit.tenant().id)
        .await?;
    Ok(visit.page("Policies", || list_view(&visit, &policies)))
}

fn list_view(visit: &Visit, policies: &[PolicyState]) -> AnyView {
    let rows: Vec<AnyView> = policies.iter().map(|state| row(visit, state)).collect();
    let columns = ["Policy", "Version in force", "Since", "By", "Draft"]
        .map(Column::text)
        .into();
    view! {
        <PageHead title="Policies" sub="What the tenant requires of people, passwords, sessions and tokens. Nodes enforce what is published." />
        <section class="card table-card" aria-label="Policies">
            <Table label="Policies" columns=columns>{rows}</Table>
        </section>
    }
    .into_any()
}

fn row(visit: &Visit, state: &PolicyState) -> AnyView {
    let kind = state.kind;
    let link = row_link(
        visit.href(&format!("policies/{kind}")),
        kind.title(),
        purpose(kind),
    );
    let now = visit.now();
    let published = &state.published;
    let draft = match &state.draft {
        None => view! { <span class="muted">"None"</span> }.into_any(),
        Some(draft) => {
            let by = format!("by {}", draft.updated_by);
            view! { {pill(Tone::Info, "Draft waits")}<small>{by}", "{time(draft.updated_at, now)}</small> }.into_any()
        }
    };
    view! {
        <tr class="linked">
            <td>{link}</td>
            <td>{format!("Version {}", published.version)}</td>
            <td>{time(published.published_at, now)}</td>
            <td>{published.published_by.clone()}</td>
            <td>{draft}</td>
        </tr>
    }
    .into_any()
}

/// What a kind of policy is for, in one line.
fn purpose(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Authentication => "How failed sign-ins are slowed down",
        PolicyKind::Password => "What a password must be",
        PolicyKind::Session => "How long people stay signed in",
        PolicyKind::Token => "How long codes and tokens live",
        PolicyKind::Registration => "Who may create an account",
        _ => "",
    }
}

/// `Passwords policy`, as a title.
fn title(kind: PolicyKind) -> String {
    format!("{} policy", kind.title())
}

/// `Policies › Passwords`, with what follows below it.
fn way(visit: &Visit, kind: PolicyKind, below: Option<&'static str>) -> AnyView {
    let mut way = vec![("Policies".to_owned(), visit.href("policies"))];
    match below {
        None => crumbs(way, kind.title()),
        Some(here) => {
            way.push((
                kind.title().to_owned(),
                visit.href(&format!("policies/{kind}")),
            ));
            crumbs(way, here)
        }
    }
}
