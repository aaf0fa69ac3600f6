//! P10, T32: one containment: what it stops, how far it got, what is still exposed, when it ends, and its receipt.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use console_islands::Propagation;
use contract::{containment::Subject, ids::ContainmentId, permission::Permission};
use control_plane::{ContainmentState, Denial};
use leptos::prelude::*;

use super::{
    change, href,
    meter::{is_complete, meter},
    review::{hit, named},
    words::{Phase, minute, subject},
};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    form::Form,
    kit::*,
    visit::Visit,
};

/// What the page shows.
pub(super) struct Seen {
    pub(super) state: ContainmentState,
    pub(super) denial: Option<Denial>,
}

/// `GET containments/{id}`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let form = change::first_form();
    Ok(visit.page(&title(&seen.state), || page(&visit, &seen, &form)))
}

/// The containment that the address names.
pub(super) async fn look(visit: &Visit) -> Result<Seen, Fault> {
    Ok(Seen {
        state: read(visit).await?,
        denial: why_not(visit, Permission::ContainmentsManage).await?,
    })
}

async fn read(visit: &Visit) -> Result<ContainmentState, Fault> {
    let id: ContainmentId = visit.param("id")?;
    let control_plane = visit.control_plane();
    let tenant = visit.tenant().id;
    Ok(control_plane
        .get_containment(visit.caller(), tenant, id)
        .await?)
}

/// `GET containments/{id}/receipt`: the signed receipt as a file; of another revision with `revision`.
pub(in crate::pages::tenant) async fn receipt(visit: Visit) -> Result<HttpResponse, Fault> {
    let id: ContainmentId = visit.param("id")?;
    let revision = match visit.query("revision") {
        Some(text) => Some(text.parse().map_err(|_| Fault::NotFound)?),
        None => None,
    };
    let control_plane = visit.control_plane();
    let tenant = visit.tenant().id;
    let receipt = control_plane
        .containment_receipt_of(visit.caller(), tenant, (id, revision))
        .await?;
    let name = format!("attachment; filename=\"{}\"", file_name(id));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_TYPE, "application/jose"))
        .insert_header((CONTENT_DISPOSITION, name))
        .body(receipt))
}

fn file_name(id: ContainmentId) -> String {
    format!("receipt-{id}.jws")
}

/// `Containment of a user`.
pub(super) fn title(state: &ContainmentState) -> String {
    format!("Containment of {}", subject(state).a_kind)
}

pub(super) fn page(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let state = &seen.state;
    let phase = Phase::of(state, visit.now());
    let title = title(state);
    let crumbs = crumbs(
        vec![("Containment".into(), visit.href("containments"))],
        subject(state).kind,
    );
    let log = visit.may(Permission::AuditView).then(|| {
        let href = visit.href(&format!("audit?object={}", state.containment.id));
        view! { <LinkButton href=href icon="history">"History"</LinkButton> }.into_any()
    });
    let changeable = phase == Phase::InForce && seen.denial.is_none();
    view! {
        <PageHead title=title sub=state.reason.clone() crumbs=crumbs state=phase.mark() actions=log />
        <ErrorSummary form=form />
        {notice(visit, seen.denial.as_ref())}
        {propagation(visit, state)}
        <div class="halves">
            <Card title="What is contained" padded=true><KeyValue facts=facts(visit, state, phase) /></Card>
            {receipt_card(visit, state)}
        </div>
        {changeable.then(|| change::zones(visit, state, form))}
    }
    .into_any()
}

fn propagation(visit: &Visit, state: &ContainmentState) -> AnyView {
    let meter = meter(state, visit.now());
    let (events, page) = (href(visit, state, "/events"), href(visit, state, ""));
    view! {
        <Card title="Nodes" sub="What each one confirmed with its own signature">
            <Propagation events=events page=page meter=meter />
        </Card>
    }
    .into_any()
}

fn facts(visit: &Visit, state: &ContainmentState, phase: Phase) -> Vec<(String, AnyView)> {
    let (containment, now) = (&state.containment, visit.now());
    let what = subject(state);
    let both =
        |at| view! { {time(at, now)}" "<span class="muted">"· "{minute(at)}</span> }.into_any();
    let mut facts = vec![
        kv(
            "Subject",
            view! { <span class="row">{named(&containment.subject, &what)}</span> },
        ),
        kv("Begun", both(containment.begun_at)),
        kv("By", state.actor_name.clone()),
    ];
    match phase {
        Phase::InForce => facts.push(kv("Ends by itself", both(containment.until))),
        Phase::Ended => facts.push(kv("Ended by itself", both(containment.until))),
        Phase::Lifted => {
            let by = state.lifted_by.clone().unwrap_or_default();
            let why = state.lifted_reason.clone().unwrap_or_default();
            facts.push(kv("Lifted", both(containment.ends_at())));
            facts.push(kv("Lifted by", by));
            facts.push(kv("Lifted because", why));
        }
    }
    facts.push(kv("What existed before", existing(state)));
    facts.push(kv("Hits", hit(state.impact.as_ref())));
    facts.push(kv("Containment ID", id(containment.id)));
    facts
}

fn existing(state: &ContainmentState) -> &'static str {
    match (state.containment.ends_existing, &state.containment.subject) {
        (_, Subject::SigningKey { .. }) => "What the key signed is not believed while this lasts",
        (true, _) => "Stays ended: sessions, grants and tokens from before do not come back",
        (false, _) => "Goes on afterwards, as far as it has not expired",
    }
}

fn receipt_card(visit: &Visit, state: &ContainmentState) -> AnyView {
    let get = href(visit, state, "/receipt");
    let first = (state.containment.revision > 1).then(|| {
        let first = format!("{get}?revision=1");
        view! { <LinkButton href=first icon="download">"Receipt of its beginning"</LinkButton> }
    });
    let partial = (!is_complete(state)).then_some(
        " Some nodes have not confirmed yet: the receipt says so, and a later one may know more.",
    );
    let command = format!(
        "bailiwick verify {} --trust trust.json",
        file_name(state.containment.id)
    );
    view! {
        <Card title="Receipt" sub="Proof for somebody who believes neither of us" padded=true>
            <p class="text-sm">
                "Signed by us, with each node's own signed word inside, and what is still exposed."{partial}
            </p>
            <div class="row">
                <LinkButton href=get icon="download">"Download receipt"</LinkButton>
                {first}
            </div>
            <Code caption="Check it, without a network" text=command />
            <p class="muted text-sm">
                "trust.json are our public keys, as /v1/trust-root of the admin API gives them: get it before you need it."
            </p>
        </Card>
    }
    .into_any()
}
