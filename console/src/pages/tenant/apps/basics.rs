//! T10, Basics: name, scopes, grants and signature of an application, and how a program connects to it.

use actix_web::HttpResponse;
use contract::{application::ApplicationKind, permission::Permission, scope::join_scopes};
use control_plane::applications::{ApplicationChange, ApplicationRecord};
use leptos::prelude::*;

use super::{
    fields,
    frame::{Edited, Tab, editor, frame, load, offers, update as update_tab},
    kind_name, sample,
};
use crate::{fault::Fault, form::Form, kit::*, visit::Visit};

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
    update_tab(
        Edited::new(&visit, &record, Tab::Basics),
        form,
        change,
        |form| page(&visit, &record, form),
    )
    .await
}

fn filled(record: &ApplicationRecord) -> Form {
    let mut form = Form::with([("name", record.application.name.as_str())]);
    fields::fill_protocol(&mut form, &record.application);
    form
}

fn read(form: &mut Form, kind: ApplicationKind) -> ApplicationChange {
    ApplicationChange {
        name: Some(fields::read_name(form)),
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
    let settings = if offers(visit, record, Permission::ApplicationsEdit) {
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
    let people = kind.signs_people_in().then(|| {
        let trusted = "It belongs to the tenant itself, so people are not asked for consent.";
        let first_party = toggle(form, "first_party", "First-party application", trusted);
        view! { {fields::scopes(form)}{first_party} }
    });
    let fields = view! {
        {fields::name(form, kind)}{people}{fields::protocol(form, kind)}{fields::algorithm(form)}
    };
    editor(
        Edited::new(visit, record, Tab::Basics),
        "update",
        form,
        fields.into_any(),
    )
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
