//! A new node: a name and a region, which stay. What joins as it is decided on the next page.

use actix_web::HttpResponse;
use contract::{permission::Permission, tenant::Region};
use control_plane::{
    Mode,
    nodes::{NewNode, Ring},
};
use leptos::prelude::*;

use super::{href, join::STEPS};
use crate::{denial::again, fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

const TITLE: &str = "New node";

/// `GET nodes/new`.
pub(in crate::pages::platform) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let region = visit.control_plane().regions().first();
    let region = region.map(Region::to_string).unwrap_or_default();
    let form = Form::with([("region", region)]);
    Ok(visit.page(TITLE, || page(&visit, &form)))
}

/// `POST nodes/create`.
pub(in crate::pages::platform) async fn create(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let (name, region) = (form.read("name"), form.read("region"));
    if let (Some(name), Some(region)) = (name, region) {
        let ring = Ring::default();
        let new = NewNode { name, region, ring };
        let made = visit
            .control_plane()
            .create_node(visit.caller(), new, Mode::Commit)
            .await;
        match made {
            Ok(state) => {
                let node = &state.node;
                let log = visit.href(&format!("audit?object={}", node.id));
                let flash =
                    Flash::done(format!("Made {}.", node.name)).with_link("Audit event", log);
                return Ok(visit.done(&flash, &href(&visit, node, "/join")));
            }
            Err(refusal) => form.absorb(refusal, &[("node_name_taken", "name")])?,
        }
    }
    again(&visit, Permission::NodesManage, TITLE, || {
        page(&visit, &form)
    })
    .await
}

fn page(visit: &Visit, form: &Form) -> AnyView {
    let crumbs = crumbs(vec![("Nodes".to_owned(), visit.href("nodes"))], TITLE);
    let regions = visit
        .control_plane()
        .regions()
        .iter()
        .map(|region| (region.to_string(), region.to_string()))
        .collect();
    let (action, cancel) = (visit.command("nodes/create"), visit.href("nodes"));
    let csrf = visit.csrf();
    view! {
        <PageHead title=TITLE sub="A further machine that answers the sign-ins of a region" crumbs=crumbs />
        {stepper(&STEPS, 0)}
        <ErrorSummary form=form />
        <PostForm action=action csrf=csrf>
            {Field::text("name", "Name").mono().hint("Unique here, such as eu-central-1; cannot be changed. a-z, 0-9 and hyphens.").view(form)}
            {Field::select("region", "Region", regions).hint("It serves every tenant of this region and no other; cannot be changed.").view(form)}
            <p class="muted text-sm">"Nothing can connect yet: a process becomes this node only with the join token that you make next."</p>
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Create node"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}
