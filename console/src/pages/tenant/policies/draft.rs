//! T17, the form: a draft of one policy. Saving changes nothing for anyone yet; the next page shows what
//! publishing would change.
//!
//! A form remembers the version in force when it was shown. If another one came into force meanwhile, the
//! person sees both and decides; nothing is merged behind their back.

use actix_web::{HttpResponse, http::StatusCode};
use contract::{
    permission::Permission,
    policies::{Policy, PolicyKind},
};
use control_plane::{At, Mode, policies::PolicyState};
use leptos::prelude::*;

use super::{document, title, way};
use crate::{
    fault::Fault, flash::Flash, form::Form, kit::*, pages::list::seen_version, visit::Visit,
};

/// `GET policies/{kind}/draft`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let (kind, state) = load(&visit).await?;
    visit.require(Some(Permission::PolicyDraft(kind))).await?;
    let shown = state
        .draft
        .as_ref()
        .map_or(&state.published.document, |draft| &draft.document);
    let form = document::filled(shown);
    Ok(visit.page(&format!("Draft of the {}", title(kind)), || {
        page(&visit, &state, &form)
    }))
}

/// `POST policies/{kind}/save`, with `version` of the draft and `base` of the version in force.
pub(in crate::pages::tenant) async fn save(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let (kind, state) = load(&visit).await?;
    // Before anything is said about the form: who may not save gets a refusal that is written down.
    visit.require(Some(Permission::PolicyDraft(kind))).await?;
    if let Some(document) = document::read(kind, &mut form) {
        let in_force = state.published.version;
        if form.text("base").parse() != Ok(in_force) {
            return Ok(conflict(&visit, &state, &document));
        }
        let at = At {
            tenant: visit.tenant().id,
            expected: seen_version(&form),
        };
        match visit
            .control_plane()
            .save_policy_draft(visit.caller(), at, document, Mode::Commit)
            .await
        {
            Ok(_) => {
                let text = format!(
                    "Saved a draft of the {}. Nothing is in force yet.",
                    title(kind)
                );
                return Ok(visit.done(
                    &Flash::done(text),
                    &visit.href(&format!("policies/{kind}/review")),
                ));
            }
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    Ok(visit.refused(&format!("Draft of the {}", title(kind)), || {
        page(&visit, &state, &form)
    }))
}

/// `POST policies/{kind}/discard`.
pub(in crate::pages::tenant) async fn discard(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let kind: PolicyKind = visit.param("kind")?;
    let at = At {
        tenant: visit.tenant().id,
        expected: seen_version(&form),
    };
    visit
        .control_plane()
        .discard_policy_draft(visit.caller(), at, kind, Mode::Commit)
        .await?;
    let text = format!("Discarded the draft of the {}.", title(kind));
    Ok(visit.done(&Flash::done(text), &visit.href(&format!("policies/{kind}"))))
}

async fn load(visit: &Visit) -> Result<(PolicyKind, PolicyState), Fault> {
    let kind: PolicyKind = visit.param("kind")?;
    let state = visit
        .control_plane()
        .get_policy(visit.caller(), visit.tenant().id, kind)
        .await?;
    Ok((kind, state))
}

fn hidden(state: &PolicyState) -> Vec<(&'static str, String)> {
    let draft = state.draft.as_ref().map_or(0, |draft| draft.version);
    vec![
        ("version", draft.to_string()),
        ("base", state.published.version.to_string()),
    ]
}

fn page(visit: &Visit, state: &PolicyState, form: &Form) -> AnyView {
    let kind = state.kind;
    let head = format!("Change the {} policy", kind.title().to_lowercase());
    let fields = document::fields(kind, form);
    let (action, csrf) = (
        visit.command(&format!("policies/{kind}/save")),
        visit.csrf(),
    );
    let based = format!(
        "Draft, based on version {} in force",
        state.published.version
    );
    let cancel = visit.href(&format!("policies/{kind}"));
    let hidden = hidden(state);
    let moved = state.draft.as_ref().filter(|draft| draft.base_version != state.published.version).map(|draft| {
        let text = format!(
            "It was based on version {}, and version {} is in force now. Look through the values before you save.",
            draft.base_version, state.published.version
        );
        view! { <Notice tone=Tone::Warn title="This draft is older than what is in force">{text}</Notice> }
    });
    view! {
        <PageHead title=head crumbs=way(visit, kind, Some("Draft"))
            sub="Saving keeps a draft. Nothing changes for people until it is reviewed and published." />
        {stepper(&["Draft", "Review", "In force"], 0)}
        <ErrorSummary form=form />
        {moved}
        <EditForm action=action csrf=csrf hidden=hidden based=based back=cancel leave="Cancel" save="Save and review">
            {fields}
        </EditForm>
    }
    .into_any()
}

/// Someone published while the form was open: what is in force now, and what was typed.
fn conflict(visit: &Visit, state: &PolicyState, mine: &Policy) -> HttpResponse {
    let kind = state.kind;
    let published = &state.published;
    let heading = format!("Version {} came into force meanwhile", published.version);
    let text = format!(
        "{} published it while you were editing. Nothing of yours was saved yet. Below is what your values would change.",
        published.published_by
    );
    let name = |form: Form, key: &str| form.raw(key).to_owned();
    visit.page_with(
        StatusCode::CONFLICT,
        &format!("Conflict in the {}", title(kind)),
        || {
            let changed = super::review::comparison(&published.document, mine);
            let (theirs, yours) = (document::facts(&published.document), document::facts(mine));
            let mut members = hidden(state);
            let filled = document::filled(mine);
            members.extend(document::keys(kind).map(|key| (key, name(filled.clone(), key))));
            members.retain(|(_, value)| !value.is_empty());
            let (action, csrf) = (
                visit.command(&format!("policies/{kind}/save")),
                visit.csrf(),
            );
            let start = visit.href(&format!("policies/{kind}/draft"));
            let sub = format!("By {}", published.published_by);
            view! {
                <PageHead title=heading.clone() crumbs=way(visit, kind, Some("Conflict")) />
                <Notice tone=Tone::Warn title="Two people changed this policy">{text}</Notice>
                {changed}
                <div class="halves">
                    <Card title="In force now" sub=sub padded=true><KeyValue facts=theirs /></Card>
                    <Card title="What you typed" padded=true><KeyValue facts=yours /></Card>
                </div>
                <PostForm action=action csrf=csrf hidden=members>
                    <div class="form-actions">
                        <Button kind=ButtonKind::Primary>"Keep my values as a draft on top"</Button>
                        <LinkButton href=start>"Start again from what is in force"</LinkButton>
                    </div>
                </PostForm>
            }
        },
    )
}
