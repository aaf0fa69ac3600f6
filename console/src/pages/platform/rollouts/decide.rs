//! Holding a rollout, letting it through before its time, rolling it back: each after a question, with a reason.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    Mode,
    rollouts::{RolloutAt, RolloutPhase, RolloutState, RolloutStep},
};
use leptos::prelude::*;

use super::{
    href, mark,
    show::{Seen, look, title},
};
use crate::{
    denial::again, fault::Fault, flash::Flash, form::Form, kit::*, pages::list::seen_version,
    visit::Visit,
};

/// Something that can be done about a rollout.
pub(super) struct Step {
    /// Its part of the address.
    pub(super) path: &'static str,
    /// What the button says.
    pub(super) name: &'static str,
    /// How the button looks.
    pub(super) kind: ButtonKind,
    /// Its icon.
    pub(super) icon: &'static str,
    step: RolloutStep,
    consequence: &'static str,
    hint: &'static str,
    done: &'static str,
}

const HOLD: Step = Step {
    path: "hold",
    name: "Hold",
    kind: ButtonKind::Plain,
    icon: "clock",
    step: RolloutStep::Hold,
    consequence: "It stays in the canary ring until somebody decides. No other node is given it.",
    hint: "Such as: we look into slow sign-ins first.",
    done: "Held",
};

const PROMOTE: Step = Step {
    path: "promote",
    name: "Promote",
    kind: ButtonKind::Plain,
    icon: "check",
    step: RolloutStep::Promote,
    consequence: "All nodes are given it now, whatever the gates say.",
    hint: "This is the only way past the gates; the logs of the tenant and of the platform tell it.",
    done: "Let through",
};

const ROLL_BACK: Step = Step {
    path: "roll-back",
    name: "Roll back",
    kind: ButtonKind::Danger,
    icon: "history",
    step: RolloutStep::RollBack,
    consequence: "A new version with the content of the one before takes its place on all nodes. What was changed stays configured: the next release contains it again unless it is undone.",
    hint: "The tenant's people read it in their log.",
    done: "Rolled back",
};

/// What can be done about a rollout that has come so far.
pub(super) fn offered(phase: RolloutPhase) -> &'static [Step] {
    const WHILE_BAKING: [Step; 3] = [HOLD, PROMOTE, ROLL_BACK];
    const WHILE_HELD: [Step; 2] = [PROMOTE, ROLL_BACK];
    const AFTERWARDS: [Step; 1] = [ROLL_BACK];
    match phase {
        RolloutPhase::Baking => &WHILE_BAKING,
        RolloutPhase::Held => &WHILE_HELD,
        RolloutPhase::Promoted => &AFTERWARDS,
        RolloutPhase::RolledBack | RolloutPhase::Superseded => &[],
    }
}

fn asked(visit: &Visit) -> Result<Step, Fault> {
    let path: String = visit.param("step")?;
    let known = [HOLD, PROMOTE, ROLL_BACK].into_iter();
    known
        .into_iter()
        .find(|step| step.path == path)
        .ok_or(Fault::NotFound)
}

/// `GET rollouts/{id}/{step}`.
pub(in crate::pages::platform) async fn confirm(visit: Visit) -> Result<HttpResponse, Fault> {
    let step = asked(&visit)?;
    let seen = look(&visit).await?;
    Ok(visit.page(step.name, || page(&visit, &seen, &step, &Form::default())))
}

/// `POST rollouts/{id}/{step}` with `reason`.
pub(in crate::pages::platform) async fn run(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let step = asked(&visit)?;
    let reason = form.text("reason").to_owned();
    if reason.is_empty() {
        form.refuse("reason", "Say why.");
    }
    if form.is_valid() {
        let at = RolloutAt {
            id: visit.param("id")?,
            expected: seen_version(&form),
        };
        let decided = visit
            .control_plane()
            .decide_rollout(visit.caller(), at, (step.step, reason), Mode::Commit)
            .await;
        match decided {
            Ok(state) => {
                let text = format!("{}: {}.", step.done, title(&state));
                let log = visit.href(&format!("audit?object={}", state.rollout.id));
                let flash = Flash::done(text).with_link("Audit event", log);
                return Ok(visit.done(&flash, &href(&visit, &state, "")));
            }
            Err(refusal) => form.absorb(
                refusal,
                &[
                    ("decided", ""),
                    ("held", ""),
                    ("not_current", ""),
                    ("same_content", ""),
                ],
            )?,
        }
    }
    let seen = look(&visit).await?;
    again(&visit, Permission::RolloutsManage, step.name, || {
        page(&visit, &seen, &step, &form)
    })
    .await
}

fn page(visit: &Visit, seen: &Seen, step: &Step, form: &Form) -> AnyView {
    let state = &seen.state;
    let (name, back) = (title(state), href(visit, state, ""));
    let crumbs = crumbs(
        vec![
            ("Rollouts".into(), visit.href("rollouts")),
            (name.clone(), back.clone()),
        ],
        step.name,
    );
    let heading = format!("{} {name}?", step.name);
    let is_offered = offered(state.rollout.phase)
        .iter()
        .any(|offered| offered.path == step.path);
    let content = match is_offered {
        true => ask(visit, state, step, form),
        false => view! {
            <Notice tone=Tone::Info title="It is decided already">"There is nothing left to do about it here."</Notice>
            <div class="row"><LinkButton href=back>"Back to the rollout"</LinkButton></div>
        }
        .into_any(),
    };
    view! {
        <PageHead title=heading crumbs=crumbs state=mark(state.rollout.phase) />
        <ErrorSummary form=form />
        {content}
    }
    .into_any()
}

fn ask(visit: &Visit, state: &RolloutState, step: &Step, form: &Form) -> AnyView {
    let action = visit.command(&format!("rollouts/{}/{}", state.rollout.id, step.path));
    let hidden = vec![("version", state.rollout.revision.to_string())];
    let (csrf, back) = (visit.csrf(), href(visit, state, ""));
    let reason = Field::text("reason", "Reason")
        .hint(step.hint)
        .wide()
        .view(form);
    let kind = match step.kind {
        ButtonKind::Danger => ButtonKind::DangerSolid,
        _ => ButtonKind::Primary,
    };
    let (name, icon) = (step.name, step.icon);
    let fields = view! {
        <PostForm action=action csrf=csrf hidden=hidden>
            {reason}
            <div class="form-actions">
                <Button kind=kind icon=icon>{name}" now"</Button>
                <LinkButton href=back>"Leave it"</LinkButton>
            </div>
        </PostForm>
    };
    match step.kind {
        ButtonKind::Danger => view! {
            <DangerZone title=name consequence=step.consequence>{fields}</DangerZone>
        }
        .into_any(),
        _ => view! { <Card title=name sub=step.consequence padded=true>{fields}</Card> }.into_any(),
    }
}
