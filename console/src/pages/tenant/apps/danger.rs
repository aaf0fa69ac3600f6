//! T10, Danger zone: disable, enable and delete. Deleting asks for the name, because it cannot be undone.

use actix_web::HttpResponse;
use contract::{application::ApplicationStatus, permission::Permission};
use control_plane::{
    Mode,
    applications::{ApplicationChange, ApplicationRecord},
};
use leptos::prelude::*;

use super::frame::{Tab, at, frame, href, load};
use crate::{
    denial::again, fault::Fault, flash::Flash, form::Form, kit::*, pages::list::counted,
    visit::Visit,
};

/// `GET apps/{id}/danger`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    Ok(visit.page(&Tab::Danger.title(&record), || {
        page(&visit, &record, &Form::default())
    }))
}

/// `POST apps/{id}/status` with `status=active|disabled`.
pub(in crate::pages::tenant) async fn set_status(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let (status, verb) = match form.text("status") {
        "active" => (ApplicationStatus::Active, "Enabled"),
        _ => (ApplicationStatus::Disabled, "Disabled"),
    };
    let change = ApplicationChange {
        status: Some(status),
        ..ApplicationChange::default()
    };
    let at = at(&visit, &form)?;
    let after = visit
        .control_plane()
        .update_application(visit.caller(), at, change, Mode::Commit)
        .await?;
    let log = visit.href(&format!("audit?object={}", after.application.id));
    let flash =
        Flash::done(format!("{verb} {}.", after.application.name)).with_link("Audit event", log);
    Ok(visit.done(&flash, &href(&visit, &after, Tab::Danger)))
}

/// `POST apps/{id}/delete` with the name in `confirm`.
pub(in crate::pages::tenant) async fn delete(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let name = &record.application.name;
    if !form.confirms(name) {
        return again(
            &visit,
            Permission::ApplicationsEdit,
            &Tab::Danger.title(&record),
            || page(&visit, &record, &form),
        )
        .await;
    }
    let at = at(&visit, &form)?;
    visit
        .control_plane()
        .delete_application(visit.caller(), at, Mode::Commit)
        .await?;
    let log = visit.href(&format!("audit?object={}", record.application.id));
    let flash = Flash::done(format!("Deleted {name}.")).with_link("Audit event", log);
    Ok(visit.done(&flash, &visit.href("apps")))
}

fn page(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let summary = view! { <ErrorSummary form=form /> }.into_any();
    let content = view! { {summary}<div class="stack">{use_card(visit, record)}{delete_card(visit, record, form)}</div> };
    frame(visit, record, Tab::Danger, content.into_any())
}

fn use_card(visit: &Visit, record: &ApplicationRecord) -> AnyView {
    let application = &record.application;
    let active = application.status == ApplicationStatus::Active;
    let (title, consequence, next, button) = if active {
        (
            "Disable",
            "Every request with its client ID is refused from the next release on. Nothing is deleted; you can enable it again.",
            "disabled",
            "Disable application",
        )
    } else {
        (
            "Enable",
            "It works again exactly as it was configured.",
            "active",
            "Enable application",
        )
    };
    let action = visit.command(&format!("apps/{}/status", application.id));
    let hidden = vec![
        ("version", record.version.to_string()),
        ("status", next.to_owned()),
    ];
    let csrf = visit.csrf();
    view! {
        <DangerZone title=title consequence=consequence>
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button kind=ButtonKind::Danger>{button}</Button>
            </PostForm>
        </DangerZone>
    }
    .into_any()
}

fn delete_card(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let application = &record.application;
    let secrets = counted(record.secrets.len(), "secret", "secrets");
    let consequence = format!(
        "Deletes {} with its {secrets} and all its API access. This cannot be undone, and its client ID is never given again.",
        application.name
    );
    let confirmation = Confirmation {
        action: visit.command(&format!("apps/{}/delete", application.id)),
        csrf: visit.csrf(),
        hidden: vec![("version", record.version.to_string())],
        name: application.name.clone(),
        button: "Delete application",
    };
    view! { <ConfirmedDanger title="Delete" consequence=consequence confirmation=confirmation form=form /> }
        .into_any()
}
