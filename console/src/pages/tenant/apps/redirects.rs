//! T10, Redirects: where a browser may be sent back to. Compared letter by letter by the nodes.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::applications::{ApplicationChange, ApplicationRecord};
use leptos::prelude::*;

use super::{
    fields,
    frame::{Edited, Tab, editor, frame, load, offers, update as update_tab},
};
use crate::{fault::Fault, form::Form, kit::*, visit::Visit};

/// `GET apps/{id}/redirects`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let mut form = Form::default();
    fields::fill_redirects(&mut form, &record.application);
    Ok(visit.page(&Tab::Redirects.title(&record), || {
        page(&visit, &record, &form)
    }))
}

/// `POST apps/{id}/redirects`.
pub(in crate::pages::tenant) async fn update(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let (redirects, logout) = fields::read_addresses(&mut form);
    let change = ApplicationChange {
        redirect_uris: Some(redirects),
        post_logout_redirect_uris: Some(logout),
        ..ApplicationChange::default()
    };
    update_tab(
        Edited::new(&visit, &record, Tab::Redirects),
        form,
        change,
        |form| page(&visit, &record, form),
    )
    .await
}

fn page(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let application = &record.application;
    let content = if !application.kind.signs_people_in() {
        view! {
            <Empty icon_name="bot" title="A machine is never redirected"
                text="It gets its tokens directly from the token endpoint, so there is no address to come back to." />
        }
        .into_any()
    } else if offers(visit, record, Permission::ApplicationsEdit) {
        edit(visit, record, form)
    } else {
        let lines = |name: &str| form.raw(name).to_owned();
        let facts = vec![
            kv(
                "Redirect URIs",
                view! { <pre>{lines("redirect_uris")}</pre> },
            ),
            kv(
                "Post-logout redirect URIs",
                view! { <pre>{lines("post_logout_redirect_uris")}</pre> },
            ),
        ];
        view! { <Card title="Redirects" padded=true><KeyValue facts=facts stacked=true /></Card> }
            .into_any()
    };
    frame(visit, record, Tab::Redirects, content)
}

fn edit(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    let fields = fields::redirects(form, record.application.kind);
    editor(
        Edited::new(visit, record, Tab::Redirects),
        "redirects",
        form,
        fields,
    )
}
