//! P4: a new tenant, complete at once, with its first administrator invited.
//!
//! One form instead of a wizard: five answers fit on one page, and what follows from them (issuer, matrix,
//! policies) is said before the button. The result is the tenant's own page with the next steps.

use actix_web::HttpResponse;
use contract::tenant::{Environment, Region};
use control_plane::{
    Mode,
    operators::{Invitation, Invited},
    tenants::NewTenant,
};
use leptos::prelude::*;

use crate::{
    fault::Fault, flash::Flash, form::Form, kit::*, pages::people, shell::environment, visit::Visit,
};

const TITLE: &str = "New tenant";

/// The empty form.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let region = visit
        .control_plane()
        .regions()
        .first()
        .map(Region::to_string);
    let form = Form::with([
        ("environment", Environment::Production.as_str().to_owned()),
        ("region", region.unwrap_or_default()),
    ]);
    Ok(visit.page(TITLE, || page(&visit, &form)))
}

/// Creates the tenant, or shows the form again with what is wrong.
pub(super) async fn create(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let Some(new) = read(&mut form) else {
        return Ok(visit.refused(TITLE, || page(&visit, &form)));
    };
    let asked = visit
        .control_plane()
        .create_tenant(visit.caller(), new, Mode::Commit)
        .await;
    match asked {
        Ok(created) => {
            let flash = told(
                &visit,
                created.tenant.name.as_str(),
                created.first_admin.as_ref(),
            );
            let page = visit.href(&format!("tenants/{}?new=1", created.tenant.slug));
            Ok(visit.done(&flash, &page))
        }
        Err(refusal) => {
            let fields = [
                ("slug_taken", "slug"),
                ("region_full", "region"),
                ("host_taken", "host"),
                ("email_taken", "admin_email"),
                ("address_unusable", "admin_email"),
            ];
            form.absorb(refusal, &fields)?;
            Ok(visit.refused(TITLE, || page(&visit, &form)))
        }
    }
}

fn read(form: &mut Form) -> Option<NewTenant> {
    let name = form.read("name");
    let slug = form.read("slug");
    let environment = form.read("environment");
    let region = form.read("region");
    let host = form.read_optional("host");
    let admin = form.invitee("admin_name", "admin_email");
    if !form.is_valid() {
        return None;
    }
    Some(NewTenant {
        name: name?,
        slug: slug?,
        environment: environment?,
        region: region?,
        host,
        first_admin: Some(admin),
    })
}

/// What the next page says: that the tenant exists, and what became of the invitation.
fn told(visit: &Visit, name: &str, admin: Option<&Invited>) -> Flash {
    let made = format!("Created {name}.");
    let Some(admin) = admin else {
        return Flash::done(made);
    };
    let name = &admin.operator.name;
    let flash = match &admin.invitation {
        Invitation::NotSent { reason } => Flash::warn(format!(
            "{made} {} Send it again from this page.",
            people::not_sent(name, reason)
        )),
        other => Flash::done(format!("{made} {}", people::outcome(name, other))),
    };
    match visit.console().mailbox() {
        Some(mailbox) => flash.with_link("Open the mailbox", mailbox),
        None => flash,
    }
}

fn page(visit: &Visit, form: &Form) -> AnyView {
    let crumbs = crumbs(vec![("Tenants".to_owned(), visit.href("tenants"))], TITLE);
    view! {
        <PageHead title=TITLE sub="Own issuer, own keys, own users" crumbs=crumbs />
        <ErrorSummary form=form />
        <PostForm action=visit.command("tenants/create") csrf=visit.csrf()>
            {basics(visit, form)}
            <Fieldset legend="First administrator" hint="Becomes tenant owner and invites the others. The invitation is valid once.">
                {Field::text("admin_name", "Name").view(form)}
                {Field::email("admin_email", "E-mail address").view(form)}
            </Fieldset>
            <Notice tone=Tone::Info title="What is made">
                "A responsibility matrix in which policy, admin access, applications and user data belong to the customer; \
                 published default policies; a first release, signed and pushed to the region's nodes."
            </Notice>
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Create tenant"</Button>
                <LinkButton href=visit.href("tenants")>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}

fn basics(visit: &Visit, form: &Form) -> AnyView {
    let environments = Environment::ALL
        .into_iter()
        .map(|kind| Choice::new(kind.as_str(), environment(kind), meaning(kind)))
        .collect();
    let regions = visit
        .control_plane()
        .regions()
        .iter()
        .map(|region| (region.to_string(), region.to_string()))
        .collect();
    view! {
        <Fieldset legend="Tenant">
            {Field::text("name", "Name").hint("Shown on its sign-in pages.").view(form)}
            {Field::text("slug", "Short name").mono().hint("In addresses and in the issuer; cannot be changed. a-z, 0-9 and hyphens.").view(form)}
            {choices(form, "environment", "Used for", false, environments)}
            {Field::select("region", "Region", regions).hint("Where its users' data stays; cannot be changed.").view(form)}
            {Field::text("host", "Own host").mono().optional().hint("Such as login.example.com. Without one it lives under a path of the shared host.").view(form)}
        </Fieldset>
    }
    .into_any()
}

fn meaning(kind: Environment) -> &'static str {
    match kind {
        Environment::Production => "Real people sign in here.",
        Environment::Staging => "The last rehearsal before production.",
        Environment::Sandbox => "For trying things.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once_beside_its_field() {
        let mut form = Form::with([
            ("name", ""),
            ("slug", "Not A Slug"),
            ("environment", "moon"),
            ("region", "eu"),
            ("host", "127.0.0.1"),
            ("admin_name", ""),
            ("admin_email", "nobody"),
        ]);
        assert!(read(&mut form).is_none());
        for field in [
            "name", "slug", "environment", "host", "admin_name", "admin_email",
        ] {
            assert!(form.problem(field).is_some(), "{field}");
        }
        assert!(form.problem("region").is_none());
    }
}
