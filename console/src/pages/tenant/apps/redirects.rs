//! T10, Redirects: where a browser may be sent back to. Compared letter by letter by the nodes.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    Mode,
    applications::{ApplicationChange, ApplicationRecord},
};
use leptos::prelude::*;

use super::{
    basics::saved,
    fields,
    frame::{Tab, at, frame, href, load},
};
use crate::{fault::Fault, form::Form, kit::*, pages::tenant::denied::again, visit::Visit};

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
    let change = ApplicationChange {
        redirect_uris: Some(fields::read_redirects(&mut form, "redirect_uris")),
        post_logout_redirect_uris: Some(fields::read_redirects(
            &mut form,
            "post_logout_redirect_uris",
        )),
        ..ApplicationChange::default()
    };
    if form.is_valid() {
        let at = at(&visit, &form)?;
        let control_plane = visit.control_plane();
        match control_plane
            .update_application(visit.caller(), at, change, Mode::Commit)
            .await
        {
            Ok(after) => return Ok(saved(&visit, &after, Tab::Redirects)),
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    again(
        &visit,
        Permission::ApplicationsEdit,
        &Tab::Redirects.title(&record),
        || page(&visit, &record, &form),
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
    } else if visit.may(Permission::ApplicationsEdit) {
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
    let summary = view! { <ErrorSummary form=form /> }.into_any();
    let fields = fields::redirects(form, record.application.kind);
    let (action, csrf) = (
        visit.command(&format!("apps/{}/redirects", record.application.id)),
        visit.csrf(),
    );
    let hidden = vec![("version", record.version.to_string())];
    let based = format!("Based on version {}", record.version);
    let discard = href(visit, record, Tab::Redirects);
    view! {
        {summary}
        <PostForm action=action csrf=csrf hidden=hidden>
            {fields}
            <SaveBar text=based>
                <LinkButton href=discard>"Discard"</LinkButton>
                <Button kind=ButtonKind::Primary>"Save"</Button>
            </SaveBar>
        </PostForm>
    }
    .into_any()
}
