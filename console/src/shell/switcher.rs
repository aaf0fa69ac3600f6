//! The scope one is in, and the way to another (S3). Search is the server's: a list of all tenants is
//! never loaded (console.md 1.2).

use console_islands::SwitcherSearch;
use leptos::prelude::*;

use crate::{
    kit::{icon, monogram},
    visit::{Visit, tenant_base},
};

pub(super) fn view(visit: &Visit) -> AnyView {
    let name = visit.scope_name();
    let detail = match visit.tenant_if_any() {
        Some(tenant) => format!("{} · {}", environment(tenant.environment), tenant.region),
        None if visit.is_on_platform() => "All tenants and nodes".to_owned(),
        None => "Yours".to_owned(),
    };
    let staff = visit.caller().is_staff();
    let only_here = !staff && visit.offered_tenants().len() < 2 && visit.tenant_if_any().is_some();
    if only_here {
        return view! {
            <p class="switch" title="You administer one tenant">
                {monogram(&name, false)}<span class="switch-text"><b>{name}</b><small>{detail}</small></span>
            </p>
        }
        .into_any();
    }
    view! {
        <button class="switch" type="button" popovertarget="switcher">
            {monogram(&name, false)}
            <span class="switch-text"><b>{name}</b><small>{detail}</small></span>
            {icon("chevrons-up-down")}
        </button>
        <div class="switcher" id="switcher" popover>
            <SwitcherSearch endpoint="/search.json?kind=tenants&".to_owned() sprite=ui_assets::sprite_url().to_owned() />
            <ul class="results">{offers(visit)}</ul>
            {staff.then(|| view! {
                <div class="menu-foot">
                    <a class="result" href="/p/tenants">{icon("tenant")}<span class="label">"Platform: all tenants"</span></a>
                </div>
            })}
        </div>
    }
    .into_any()
}

fn offers(visit: &Visit) -> Vec<AnyView> {
    let here = visit.tenant_if_any().map(|tenant| tenant.id);
    visit
        .offered_tenants()
        .iter()
        .map(|tenant| {
            let current = here == Some(tenant.id);
            let (name, slug) = (tenant.name.to_string(), tenant.slug.to_string());
            let href = format!("{}home", tenant_base(tenant));
            view! {
                <li>
                    <a class="result" href=href aria-current=current.then_some("true")>
                        {monogram(&name, false)}<span class="label">{name}<small>{slug}</small></span>
                        {current.then(|| icon("check"))}
                    </a>
                </li>
            }
            .into_any()
        })
        .collect()
}

pub(crate) fn environment(environment: contract::tenant::Environment) -> &'static str {
    use contract::tenant::Environment as E;
    match environment {
        E::Production => "Production",
        E::Staging => "Staging",
        E::Sandbox => "Sandbox",
    }
}
