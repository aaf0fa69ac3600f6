//! T17, review: what publishing would change, in words first and as text behind a click, and the button.
//!
//! The button carries the draft and the version that were compared. If either moved, nothing is published
//! and the page says so with the new comparison.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode};
use contract::{
    permission::Permission,
    policies::{Policy, PolicyKind},
};
use control_plane::{
    Mode, Refusal,
    policies::{PolicyDraft, PolicyState, PublishRequest, PublishedPolicy},
    releases::{Effectiveness, Serving},
};
use leptos::prelude::*;

use super::{document, title, way};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::reach::words,
    visit::Visit,
};

/// Nodes usually confirm within a tenth of it; a person does not notice that they waited.
const MOMENT: Duration = Duration::from_secs(1);

/// `GET policies/{kind}/review`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    answer(&visit, StatusCode::OK, None).await
}

/// `POST policies/{kind}/publish`, with `version` of the draft and `base` of the version in force.
pub(in crate::pages::tenant) async fn publish(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let kind: PolicyKind = visit.param("kind")?;
    let seen = |name: &str| form.text(name).parse().unwrap_or(0);
    let request = PublishRequest {
        kind,
        draft_version: seen("version"),
        base_version: seen("base"),
    };
    let (control_plane, tenant) = (visit.control_plane(), visit.tenant().id);
    match control_plane
        .publish_policy(visit.caller(), tenant, request, Mode::Commit)
        .await
    {
        Ok(published) => {
            let text = said(&visit, kind, &published).await?;
            let log = visit.href(&format!("audit?object={kind}&action=policies.publish"));
            let flash = Flash::done(text).with_link("Audit event", log);
            Ok(visit.done(&flash, &visit.href(&format!("policies/{kind}"))))
        }
        Err(Refusal::Stale { .. }) => {
            let moved = "The draft was saved again since you looked at it. Nothing was published; this is the draft now.";
            answer(&visit, StatusCode::CONFLICT, Some(moved.to_owned())).await
        }
        Err(Refusal::Conflict { detail, .. }) => {
            answer(&visit, StatusCode::CONFLICT, Some(detail)).await
        }
        Err(other) => Err(other.into()),
    }
}

/// What the next page says: the version, and how many nodes have it already.
async fn said(
    visit: &Visit,
    kind: PolicyKind,
    published: &PublishedPolicy,
) -> Result<String, Fault> {
    let text = format!(
        "Published version {} of the {}.",
        published.version,
        title(kind)
    );
    if !visit.may(Permission::SettingsView) {
        return Ok(text);
    }
    Ok(format!("{text} {}.", words(&settled(visit).await?)))
}

/// How far the current release has come, once the connected nodes had a moment to confirm it: what the next
/// page says stays there, and would otherwise tell of a wait that was over before anybody read it.
async fn settled(visit: &Visit) -> Result<Effectiveness, Fault> {
    let (control_plane, caller, tenant) =
        (visit.control_plane(), visit.caller(), visit.tenant().id);
    let reach = control_plane.effectiveness(caller, tenant).await?;
    let late =
        |node: &Serving| node.connected && node.applied < node.wanted && node.rejected.is_none();
    if !reach.serving.iter().any(late) {
        return Ok(reach);
    }
    // Who needs longer is named below as one that is waited for.
    let _ = control_plane
        .wait_applied(tenant, reach.version, MOMENT)
        .await;
    Ok(control_plane.effectiveness(caller, tenant).await?)
}

async fn answer(
    visit: &Visit,
    status: StatusCode,
    problem: Option<String>,
) -> Result<HttpResponse, Fault> {
    let kind: PolicyKind = visit.param("kind")?;
    let state = visit
        .control_plane()
        .get_policy(visit.caller(), visit.tenant().id, kind)
        .await?;
    let denial = why_not(visit, Permission::PolicyPublish(kind)).await?;
    Ok(
        visit.page_with(status, &format!("Review of the {}", title(kind)), || {
            let denial = notice(visit, denial.as_ref());
            match &state.draft {
                Some(draft) => page(visit, &state, draft, (problem, denial)),
                None => nothing(visit, kind, problem),
            }
        }),
    )
}

fn nothing(visit: &Visit, kind: PolicyKind, problem: Option<String>) -> AnyView {
    let href = visit.href(&format!("policies/{kind}"));
    let problem = problem.map(
        |text| view! { <Notice tone=Tone::Warn title="Nothing was published">{text}</Notice> },
    );
    view! {
        <PageHead title=title(kind) crumbs=way(visit, kind, Some("Review")) />
        {problem}
        <section class="card">
            <Empty icon_name="policy" title="There is no draft" text="It was published or discarded, or nobody has begun one.">
                <LinkButton href=href>"Back to the policy"</LinkButton>
            </Empty>
        </section>
    }
    .into_any()
}

/// What differs, in words and as text.
pub(super) fn comparison(before: &Policy, after: &Policy) -> AnyView {
    let differences = document::differences(before, after);
    if differences.is_empty() {
        return view! { <p class="muted">"Nothing differs from what is in force."</p> }.into_any();
    }
    let (old, new) = (document::text(before), document::text(after));
    view! {
        {changes(differences)}
        <details>
            <summary class="btn small">"Show the documents line by line"</summary>
            <Diff title="in force → draft" before=old after=new />
        </details>
    }
    .into_any()
}

fn page(
    visit: &Visit,
    state: &PolicyState,
    draft: &PolicyDraft,
    notices: (Option<String>, Option<AnyView>),
) -> AnyView {
    let kind = state.kind;
    let base = state.published.version;
    let moved = draft.base_version != base;
    let same = draft.document == state.published.document;
    let sub = format!(
        "Draft by {}, saved {}, compared with version {base} in force.",
        draft.updated_by,
        relative(draft.updated_at, visit.now())
    );
    let problem = notices.0.map(
        |text| view! { <Notice tone=Tone::Warn title="Nothing was published">{text}</Notice> },
    );
    let older = moved.then(|| {
        let text = format!("Version {base} came into force since the draft was saved. Open the draft, look through it and save it again.");
        view! { <Notice tone=Tone::Warn title="This draft is older than what is in force">{text}</Notice> }
    });
    let head = format!("Review the {} policy", kind.title().to_lowercase());
    let buttons = buttons(visit, state, draft, !moved && !same);
    view! {
        <PageHead title=head sub=sub crumbs=way(visit, kind, Some("Review")) />
        {stepper(&["Draft", "Review", "In force"], 1)}
        {problem}{older}{notices.1}
        {comparison(&state.published.document, &draft.document)}
        <p class="muted text-sm">"Publishing makes a new release; nodes enforce it as soon as they confirm it, usually within a second."</p>
        {buttons}
    }
    .into_any()
}

fn buttons(visit: &Visit, state: &PolicyState, draft: &PolicyDraft, publishable: bool) -> AnyView {
    let kind = state.kind;
    let versions = || {
        vec![
            ("version", draft.version.to_string()),
            ("base", state.published.version.to_string()),
        ]
    };
    let publish = (publishable && visit.may(Permission::PolicyPublish(kind))).then(|| {
        let (action, csrf, hidden) = (
            visit.command(&format!("policies/{kind}/publish")),
            visit.csrf(),
            versions(),
        );
        let text = format!("Publish as version {}", state.published.version + 1);
        view! {
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button kind=ButtonKind::Primary>{text}</Button>
            </PostForm>
        }
    });
    let draft = visit.may(Permission::PolicyDraft(kind)).then(|| {
        let edit = visit.href(&format!("policies/{kind}/draft"));
        let (action, csrf, hidden) = (
            visit.command(&format!("policies/{kind}/discard")),
            visit.csrf(),
            versions(),
        );
        view! {
            <LinkButton href=edit icon="edit">"Change the draft"</LinkButton>
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button kind=ButtonKind::Danger>"Discard the draft"</Button>
            </PostForm>
        }
    });
    view! { <div class="row">{publish}{draft}</div> }.into_any()
}
