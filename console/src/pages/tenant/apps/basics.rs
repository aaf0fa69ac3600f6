//! T10, Basics: name, scopes, grants and signature of an application, and how a program connects to it.

use actix_web::HttpResponse;
use contract::{application::ApplicationKind, permission::Permission, scope::join_scopes};
use control_plane::{
    Mode,
    applications::{ApplicationChange, ApplicationRecord},
};
use leptos::prelude::*;

use super::{
    fields,
    frame::{Tab, at, frame, href, load},
    kind_name, sample,
};
use crate::{
    fault::Fault, flash::Flash, form::Form, kit::*, pages::tenant::denied::again, visit::Visit,
};

/// `GET apps/{id}`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let form = filled(&record);
    Ok(visit.page(&Tab::Basics.title(&record), || page(&visit, &record, &form)))
}

/// `POST apps/{id}/update`.
pub(in crate::pages::tenant) async fn update(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let change = read(&mut form, record.application.kind);
    if form.is_valid() {
        let at = at(&visit, &form)?;
        let control_plane = visit.control_plane();
        match control_plane
            .update_application(visit.caller(), at, change, Mode::Commit)
            .await
        {
            Ok(after) => return Ok(saved(&visit, &after, Tab::Basics)),
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    again(
        &visit,
        Permission::ApplicationsEdit,
        &Tab::Basics.title(&record),
        || page(&visit, &record, &form),
    )
    .await
}

/// Back to a tab, saying what was saved as which version.
pub(super) fn saved(visit: &Visit, record: &ApplicationRecord, tab: Tab) -> HttpResponse {
    let application = &record.application;
    let text = format!("Saved {} as version {}.", application.name, record.version);
    let log = visit.href(&format!("audit?object={}", application.id));
    visit.done(
        &Flash::done(text).with_link("Audit event", log),
        &href(visit, record, tab),
    )
}

fn filled(record: &ApplicationRecord) -> Form {
    let mut form = Form::with([("name", record.application.name.as_str())]);
    fields::fill_protocol(&mut form, &record.application);
    form
}

fn read(form: &mut Form, kind: ApplicationKind) -> ApplicationChange {
    ApplicationChange {
        name: Some(form.text("name").to_owned()),
        scopes: kind.signs_people_in().then(|| fields::read_scopes(form)),
        grant_types: Some(fields::read_grants(form, kind)),
        auth_methods: fields::read_methods(form, kind),
        signing_algorithm: Some(fields::read_algorithm(form)),
        first_party: kind
            .signs_people_in()
            .then(|| form.has("first_party", "on")),
        ..ApplicationChange::default()
    }
}

fn page(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let issuer = visit.control_plane().issuer(visit.tenant());
    let settings = if visit.may(Permission::ApplicationsEdit) {
        edit(visit, record, form)
    } else {
        read_only(record)
    };
    let connect = sample::card(&record.application, &issuer);
    let now = visit.now();
    let facts = vec![
        kv("Version", record.version.to_string()),
        kv("Created", time(record.created_at, now)),
        kv("Last changed", time(record.updated_at, now)),
    ];
    let content = view! {
        <div class="two">
            <div class="stack">{settings}</div>
            <div class="stack">{connect}<Card title="Record" padded=true><KeyValue facts=facts stacked=true /></Card></div>
        </div>
    };
    frame(visit, record, Tab::Basics, content.into_any())
}

fn edit(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let kind = record.application.kind;
    let summary = view! { <ErrorSummary form=form /> }.into_any();
    let name = Field::text("name", "Name")
        .hint("People see it on the sign-in and consent pages.")
        .view(form);
    let people = kind.signs_people_in().then(|| {
        let trusted = "It belongs to the tenant itself, so people are not asked for consent.";
        let first_party = toggle(form, "first_party", "First-party application", trusted);
        view! { {fields::scopes(form)}{first_party} }
    });
    let protocol = fields::protocol(form, kind);
    let algorithm = fields::algorithm(form);
    let (action, csrf) = (
        visit.command(&format!("apps/{}/update", record.application.id)),
        visit.csrf(),
    );
    let hidden = vec![("version", record.version.to_string())];
    let based = format!("Based on version {}", record.version);
    let discard = href(visit, record, Tab::Basics);
    view! {
        {summary}
        <PostForm action=action csrf=csrf hidden=hidden>
            {name}{people}{protocol}{algorithm}
            <SaveBar text=based>
                <LinkButton href=discard>"Discard"</LinkButton>
                <Button kind=ButtonKind::Primary>"Save"</Button>
            </SaveBar>
        </PostForm>
    }
    .into_any()
}

fn read_only(record: &ApplicationRecord) -> AnyView {
    let application = &record.application;
    let words = |items: Vec<&str>| items.join(", ").replace('_', " ");
    let facts = vec![
        kv("Kind", kind_name(application.kind)),
        kv("Scopes", join_scopes(&application.scopes)),
        kv(
            "Grants",
            words(
                application
                    .grant_types
                    .iter()
                    .map(|grant| grant.as_str())
                    .collect(),
            ),
        ),
        kv(
            "Proves itself by",
            words(
                application
                    .auth_methods
                    .iter()
                    .map(|method| method.as_str())
                    .collect(),
            ),
        ),
        kv("Signature", application.signing_algorithm.as_str()),
        kv(
            "First-party",
            if application.first_party {
                "Yes, people are not asked for consent"
            } else {
                "No"
            },
        ),
    ];
    view! { <Card title="Settings" padded=true><KeyValue facts=facts /></Card> }.into_any()
}
