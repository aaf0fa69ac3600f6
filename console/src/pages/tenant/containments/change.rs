//! Lifting a containment, after a question, and letting it end at another time.
//!
//! Lifting asks for a reason, because it lets somebody in again. Neither is possible once it is over: then the subject
//! is contained anew.

use actix_web::HttpResponse;
use contract::{ids::ContainmentId, permission::Permission};
use control_plane::{
    ContainmentChange, ContainmentState, Mode, Refusal, Wait, containments::ContainmentAt,
};
use leptos::prelude::*;

use super::{
    begin::wait,
    href, length,
    review::named,
    show::{Seen, look, page, title},
    words::{Phase, minute, subject},
};
use crate::{
    denial::again, fault::Fault, flash::Flash, form::Form, kit::*, pages::list::seen_version,
    visit::Visit,
};

const TITLE: &str = "Lift a containment";

/// What the page begins with.
pub(super) fn first_form() -> Form {
    Form::with([(length::CHOICE, "60")])
}

/// `GET containments/{id}/lift`.
pub(in crate::pages::tenant) async fn confirm(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    Ok(visit.page(TITLE, || question(&visit, &seen, &Form::default())))
}

/// `POST containments/{id}/lift` with `reason`.
pub(in crate::pages::tenant) async fn lift(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let reason = form.text("reason").to_owned();
    if reason.is_empty() {
        form.refuse("reason", "Say why it can be lifted.");
    }
    if form.is_valid() {
        let change = ContainmentChange::Lift { reason };
        match revise(&visit, change, &form).await {
            Ok(state) => {
                let text = format!("Lifted the containment of {}.", subject(&state).a_kind);
                return Ok(visit.done(&logged(&visit, &state, text), &href(&visit, &state, "")));
            }
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    let seen = look(&visit).await?;
    again(&visit, Permission::ContainmentsManage, TITLE, || {
        question(&visit, &seen, &form)
    })
    .await
}

/// `POST containments/{id}/extend` with a length from now.
pub(in crate::pages::tenant) async fn extend(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    if let Some(minutes) = length::read(&mut form) {
        let change = ContainmentChange::Until { minutes };
        match revise(&visit, change, &form).await {
            Ok(state) => {
                let until = minute(state.containment.until);
                let text = format!("It ends at {until} now.");
                return Ok(visit.done(&logged(&visit, &state, text), &href(&visit, &state, "")));
            }
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    let seen = look(&visit).await?;
    let title = title(&seen.state);
    again(&visit, Permission::ContainmentsManage, &title, || {
        page(&visit, &seen, &form)
    })
    .await
}

async fn revise(
    visit: &Visit,
    change: ContainmentChange,
    form: &Form,
) -> Result<ContainmentState, Refusal> {
    let id: ContainmentId = visit.param("id").map_err(|_| Refusal::NotFound {
        what: "containment",
    })?;
    let at = ContainmentAt {
        tenant: visit.tenant().id,
        id,
        expected: seen_version(form),
    };
    let how: (Wait, Mode) = (wait(form), Mode::Commit);
    visit
        .control_plane()
        .change_containment(visit.caller(), at, change, how)
        .await
}

fn logged(visit: &Visit, state: &ContainmentState, text: String) -> Flash {
    let log = visit.href(&format!("audit?object={}", state.containment.id));
    Flash::done(text).with_link("Audit event", log)
}

/// What can be done about one that is in force.
pub(super) fn zones(visit: &Visit, state: &ContainmentState, form: &Form) -> AnyView {
    let action = visit.command(&format!("containments/{}/extend", state.containment.id));
    let (csrf, hidden) = (visit.csrf(), vec![("version", state.version.to_string())]);
    let (length, lift) = (
        length::fields(form, "End it this long from now"),
        href(visit, state, "/lift"),
    );
    view! {
        <Card title="Another end" sub="Later or earlier than it would end by itself; counted from now" padded=true>
            <PostForm action=action csrf=csrf hidden=hidden>
                {length}
                <div class="form-actions"><Button>"Change the end"</Button></div>
            </PostForm>
        </Card>
        <DangerZone title="Lift" consequence="What is contained is let in again at once, on every node that can be reached.">
            <div class="row"><LinkButton href=lift kind=ButtonKind::Danger icon="unlock">"Lift…"</LinkButton></div>
        </DangerZone>
    }
    .into_any()
}

fn question(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let state = &seen.state;
    let back = href(visit, state, "");
    let what = subject(state);
    let crumbs = crumbs(
        vec![
            ("Containment".into(), visit.href("containments")),
            (what.kind.into(), back.clone()),
        ],
        TITLE,
    );
    let content = match Phase::of(state, visit.now()) {
        Phase::InForce => ask(visit, state, form, back),
        Phase::Lifted | Phase::Ended => view! {
            <Notice tone=Tone::Info title="It is over already">"Nothing is contained by it any more."</Notice>
            <div class="row"><LinkButton href=back>"Back to the containment"</LinkButton></div>
        }
        .into_any(),
    };
    let title = format!("Lift the containment of {}?", what.a_kind);
    view! {
        <PageHead title=title crumbs=crumbs />
        <ErrorSummary form=form />
        {content}
    }
    .into_any()
}

fn ask(visit: &Visit, state: &ContainmentState, form: &Form, back: String) -> AnyView {
    let what = subject(state);
    let consequence = match state.containment.ends_existing {
        true => {
            "New sign-ins and new tokens are possible again. Sessions, grants and tokens from before stay ended."
        }
        false => {
            "Everything that has not expired works again, sessions and grants from before included."
        }
    };
    let action = visit.command(&format!("containments/{}/lift", state.containment.id));
    let (csrf, hidden) = (visit.csrf(), vec![("version", state.version.to_string())]);
    let reason = Field::text("reason", "Reason")
        .hint("Stands in the tenant's log and in the receipt, such as: the password was reset.")
        .wide()
        .view(form);
    let named = named(&state.containment.subject, &what);
    let begun = state.reason.clone();
    view! {
        <DangerZone title="Lift" consequence=consequence>
            <PostForm action=action csrf=csrf hidden=hidden>
                <p class="row">{named}</p>
                <p class="text-sm">"Contained by "{state.actor_name.clone()}" because: “"{begun}"”"</p>
                {reason}
                <div class="form-actions">
                    <Button kind=ButtonKind::DangerSolid icon="unlock">"Lift now"</Button>
                    <LinkButton href=back>"Keep it contained"</LinkButton>
                </div>
            </PostForm>
        </DangerZone>
    }
    .into_any()
}
