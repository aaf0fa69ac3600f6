//! S5: the person's own page: how the console looks, this session, and what they can do where.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use contract::{ids::TenantId, role::Role};
use control_plane::{
    Scope,
    console_sessions::{Density, Preferences, Theme},
};
use leptos::prelude::*;

use crate::{fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let Preferences { theme, density } = visit.preferences();
    let form = Form::with([("theme", theme.as_str()), ("density", density.as_str())]);
    Ok(visit.page("Profile", || page(&visit, &form)))
}

/// Keeps the preferences.
pub(super) async fn save(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let (theme, density) = (form.read::<Theme>("theme"), form.read::<Density>("density"));
    let (Some(theme), Some(density)) = (theme, density) else {
        return Ok(visit.refused("Profile", || page(&visit, &form)));
    };
    visit
        .control_plane()
        .set_preferences(visit.caller().operator(), Preferences { theme, density })
        .await?;
    Ok(visit.done(&Flash::done("Your preferences are kept."), "/me"))
}

fn page(visit: &Visit, form: &Form) -> AnyView {
    let caller = visit.caller();
    let session = visit.session();
    let facts = vec![
        kv("Name", caller.name().to_owned()),
        kv("Side", caller.party().title()),
        kv("Operator", id(caller.operator())),
        kv("Signed in", time(session.created_at, visit.now())),
        kv("Session ends", time(session.expires_at, visit.now())),
    ];
    view! {
        <PageHead title="Profile and preferences" sub="Yours, in every tenant" />
        <ErrorSummary form=form />
        <div class="halves">
            <Card title="You" padded=true><KeyValue facts=facts /></Card>
            {preferences(visit, form)}
        </div>
        <Card title="What you can do" sub="By your roles; each tenant's responsibility matrix may take from it" padded=true>
            {powers(visit)}
        </Card>
    }
    .into_any()
}

fn preferences(visit: &Visit, form: &Form) -> AnyView {
    let themes = vec![
        Choice::new("system", "As the system", ""),
        Choice::new("light", "Light", ""),
        Choice::new("dark", "Dark", ""),
    ];
    let densities = vec![
        Choice::new("comfortable", "Comfortable", "Room to breathe."),
        Choice::new("compact", "Compact", "More rows on a screen."),
    ];
    view! {
        <Card title="Appearance" padded=true>
            <PostForm action=visit.command("me/preferences") csrf=visit.csrf()>
                {choices(form, "theme", "Theme", false, themes)}
                {choices(form, "density", "Density", false, densities)}
                <div class="form-actions"><Button kind=ButtonKind::Primary>"Save"</Button></div>
            </PostForm>
        </Card>
    }
    .into_any()
}

/// Each role with its scope and everything it brings, folded away.
fn powers(visit: &Visit) -> AnyView {
    let names: BTreeMap<TenantId, String> = visit
        .offered_tenants()
        .iter()
        .map(|tenant| (tenant.id, tenant.name.to_string()))
        .collect();
    visit
        .caller()
        .roles()
        .iter()
        .map(|held| {
            let place = match held.scope {
                Scope::Platform => "the platform".to_owned(),
                Scope::Tenant(tenant) => names
                    .get(&tenant)
                    .cloned()
                    .unwrap_or_else(|| tenant.to_string()),
            };
            role(held.role, &place)
        })
        .collect_view()
        .into_any()
}

fn role(role: Role, place: &str) -> AnyView {
    let powers = role
        .permissions()
        .map(
            |permission| view! { <li>{permission.phrase()}" "<code>{permission.key()}</code></li> },
        )
        .collect_view();
    view! {
        <details>
            <summary><b>{role.title()}</b>" in "{place.to_owned()}" · "{role.description()}</summary>
            <ul>{powers}</ul>
        </details>
    }
    .into_any()
}
