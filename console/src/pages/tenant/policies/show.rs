//! T17, first page: what is in force, what is drafted, and every version before it.

use actix_web::HttpResponse;
use contract::{permission::Permission, policies::PolicyKind};
use control_plane::{
    Denial, Page,
    policies::{PolicyDraft, PolicyState, PublishedPolicy},
};
use leptos::prelude::*;

use super::{document, purpose, title, way};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    kit::*,
    pages::list::pager,
    visit::Visit,
};

/// `GET policies/{kind}`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let kind: PolicyKind = visit.param("kind")?;
    let (control_plane, caller, tenant) =
        (visit.control_plane(), visit.caller(), visit.tenant().id);
    let state = control_plane.get_policy(caller, tenant, kind).await?;
    let versions = control_plane
        .list_policy_versions(caller, tenant, kind, &visit.page_request()?)
        .await?;
    let denial = why_not(&visit, Permission::PolicyDraft(kind)).await?;
    Ok(visit.page(&title(kind), || {
        page(&visit, &state, &versions, denial.as_ref())
    }))
}

fn page(
    visit: &Visit,
    state: &PolicyState,
    versions: &Page<PublishedPolicy>,
    denial: Option<&Denial>,
) -> AnyView {
    let kind = state.kind;
    let edit = visit
        .may(Permission::PolicyDraft(kind))
        .then(|| {
            let href = visit.href(&format!("policies/{kind}/draft"));
            let text = if state.draft.is_some() {
                "Continue the draft"
            } else {
                "Change this policy"
            };
            view! { <LinkButton href=href kind=ButtonKind::Primary icon="edit">{text}</LinkButton> }
        })
        .into_any();
    let waiting = state
        .draft
        .as_ref()
        .map(|draft| waiting(visit, kind, draft));
    let published = &state.published;
    let since = format!(
        "Version {}, published by {} on {}.",
        published.version,
        published.published_by,
        absolute(published.published_at)
    );
    let facts = document::facts(&published.document);
    view! {
        <PageHead title=title(kind) sub=purpose(kind) crumbs=way(visit, kind, None) actions=edit />
        {notice(visit, denial)}
        {waiting}
        <Card title="In force" sub=since padded=true><KeyValue facts=facts /></Card>
        {history(visit, kind, versions)}
    }
    .into_any()
}

fn waiting(visit: &Visit, kind: PolicyKind, draft: &PolicyDraft) -> AnyView {
    let text = format!(
        "{} saved a draft, {}.",
        draft.updated_by,
        relative(draft.updated_at, visit.now())
    );
    let href = visit.href(&format!("policies/{kind}/review"));
    view! {
        <Notice tone=Tone::Info title="A draft waits to be published">
            {text}" "<a href=href>"Review what it would change"</a>
        </Notice>
    }
    .into_any()
}

fn history(visit: &Visit, kind: PolicyKind, versions: &Page<PublishedPolicy>) -> AnyView {
    let now = visit.now();
    let rows: Vec<AnyView> = versions
        .items
        .iter()
        .map(|version| {
            let text = document::text(&version.document);
            let caption = format!("{kind} version {}", version.version);
            view! {
                <tr>
                    <td>{format!("Version {}", version.version)}</td>
                    <td>{time(version.published_at, now)}</td>
                    <td>{version.published_by.clone()}</td>
                    <td>
                        <details>
                            <summary class="btn small">"Document"</summary>
                            <Code caption=caption text=text />
                            <p class="text-xs muted">"SHA-256 "<code>{version.hash.to_string()}</code></p>
                        </details>
                    </td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let columns = ["Version", "Since", "By", "Content"]
        .map(Column::text)
        .into();
    let pager = pager(visit, versions, "version", "versions");
    view! {
        <Card title="History" sub="Versions are never changed or reused.">
            <Table label="Versions of this policy" columns=columns>{rows}</Table>
            {pager}
        </Card>
    }
    .into_any()
}
