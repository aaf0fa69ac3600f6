//! T10, API access: which APIs the application may call, with which scopes at most. Without a row, none.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use contract::{
    ids::{ApiId, ApplicationId, ClientGrantId},
    permission::Permission,
    scope::Scope,
};
use control_plane::{
    Denial, Mode, PageRequest,
    apis::ApiRecord,
    applications::ApplicationRecord,
    client_grants::{
        ClientGrantAt, ClientGrantChange, ClientGrantFilter, ClientGrantRecord, NewClientGrant,
    },
};
use leptos::prelude::*;

use super::frame::{Tab, frame, href, load, offers};
use crate::{
    denial::{again, notice, why_not},
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::list::seen_version,
    visit::Visit,
};

/// Everything the page shows.
struct Access {
    record: ApplicationRecord,
    grants: Vec<ClientGrantRecord>,
    apis: Vec<ApiRecord>,
    denial: Option<Denial>,
}

impl Access {
    /// A tenant has at most 100 APIs and an application at most as many grants: one page holds them all.
    async fn load(visit: &Visit) -> Result<Self, Fault> {
        let record = load(visit).await?;
        let (control_plane, caller, tenant) =
            (visit.control_plane(), visit.caller(), visit.tenant().id);
        let all = PageRequest::parse(Some(100), None)?;
        let filter = ClientGrantFilter {
            application: Some(record.application.id),
            api: None,
        };
        let grants = control_plane
            .list_client_grants(caller, tenant, filter, &all)
            .await?
            .items;
        let apis = control_plane
            .list_apis(caller, tenant, None, &all)
            .await?
            .items;
        let denial = why_not(visit, Permission::ClientGrantsEdit).await?;
        Ok(Self {
            record,
            grants,
            apis,
            denial,
        })
    }

    fn api(&self, id: ApiId) -> Option<&ApiRecord> {
        self.apis.iter().find(|record| record.api.id == id)
    }

    fn grant(&self, api: ApiId) -> Option<&ClientGrantRecord> {
        self.grants.iter().find(|record| record.grant.api == api)
    }
}

/// `GET apps/{id}/access`; with `?api=` the scopes of that API are offered.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let access = Access::load(&visit).await?;
    let chosen = visit.query("api").and_then(|id| id.parse().ok());
    let mut form = Form::default();
    let held = chosen
        .and_then(|api| access.grant(api))
        .into_iter()
        .flat_map(|record| &record.grant.scopes);
    held.for_each(|scope| form.set("scopes", scope.as_str()));
    Ok(visit.page(&Tab::Access.title(&access.record), || {
        page(&visit, &access, chosen, &form)
    }))
}

/// `POST apps/{id}/access/allow` with `api` and `scopes`: makes the grant, or changes the one there is.
pub(in crate::pages::tenant) async fn allow(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let access = Access::load(&visit).await?;
    let api: ApiId = form.text("api").parse().map_err(|_| Fault::NotFound)?;
    let scopes = read_scopes(&mut form);
    if form.is_valid() {
        match write(&visit, &access, api, &form, scopes).await {
            Ok(_) => {
                let name = access
                    .api(api)
                    .map_or("the API", |record| record.api.name.as_str());
                let asked: Vec<&str> = form.all("scopes").collect();
                let text = format!(
                    "{} may call {name} with {}, and nothing else there.",
                    access.record.application.name,
                    asked.join(", ")
                );
                return Ok(done(&visit, &access.record, text));
            }
            Err(refusal) => form.absorb(
                refusal,
                &[("grant_exists", "scopes"), ("too_many_grants", "")],
            )?,
        }
    }
    let title = Tab::Access.title(&access.record);
    again(&visit, Permission::ClientGrantsEdit, &title, || {
        page(&visit, &access, Some(api), &form)
    })
    .await
}

async fn write(
    visit: &Visit,
    access: &Access,
    api: ApiId,
    form: &Form,
    scopes: BTreeSet<Scope>,
) -> Result<ClientGrantRecord, control_plane::Refusal> {
    let (control_plane, caller, tenant) =
        (visit.control_plane(), visit.caller(), visit.tenant().id);
    match access.grant(api) {
        Some(record) => {
            let at = ClientGrantAt {
                tenant,
                id: record.grant.id,
                expected: seen_version(form),
            };
            let change = ClientGrantChange { scopes };
            control_plane
                .update_client_grant(caller, at, change, Mode::Commit)
                .await
        }
        None => {
            let application: ApplicationId = access.record.application.id;
            let new = NewClientGrant {
                application,
                api,
                scopes,
            };
            control_plane
                .create_client_grant(caller, tenant, new, Mode::Commit)
                .await
        }
    }
}

/// `POST apps/{id}/access/{grant}/remove`.
pub(in crate::pages::tenant) async fn remove(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let id: ClientGrantId = visit.param("grant")?;
    let at = ClientGrantAt {
        tenant: visit.tenant().id,
        id,
        expected: seen_version(&form),
    };
    visit
        .control_plane()
        .delete_client_grant(visit.caller(), at, Mode::Commit)
        .await?;
    let text = format!("{} may no longer call that API.", record.application.name);
    Ok(done(&visit, &record, text))
}

fn done(visit: &Visit, record: &ApplicationRecord, text: String) -> HttpResponse {
    let log = visit.href("audit?action=client_grants.");
    visit.done(
        &Flash::done(text).with_link("Audit event", log),
        &href(visit, record, Tab::Access),
    )
}

fn read_scopes(form: &mut Form) -> BTreeSet<Scope> {
    let ticked: Vec<String> = form.all("scopes").map(str::to_owned).collect();
    let scopes: BTreeSet<Scope> = ticked.iter().filter_map(|text| text.parse().ok()).collect();
    if scopes.is_empty() {
        form.refuse("scopes", "Choose at least one scope.");
    }
    scopes
}

fn page(visit: &Visit, access: &Access, chosen: Option<ApiId>, form: &Form) -> AnyView {
    let may = offers(visit, &access.record, Permission::ClientGrantsEdit);
    let summary = view! { <ErrorSummary form=form /> }.into_any();
    let denial = notice(visit, access.denial.as_ref());
    let chosen = chosen.and_then(|id| access.api(id)).filter(|_| may);
    let next = match chosen {
        Some(api) => Some(scopes_card(visit, access, api, form)),
        None => may.then(|| choose_card(visit, access)),
    };
    let content = view! { {summary}{denial}{grants(visit, access)}{next} };
    frame(visit, &access.record, Tab::Access, content.into_any())
}

fn grants(visit: &Visit, access: &Access) -> AnyView {
    if access.grants.is_empty() {
        return view! {
            <section class="card">
                <Empty icon_name="link" title="It may call no API"
                    text="Tokens for an API are only issued after the application was allowed to call it." />
            </section>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = access
        .grants
        .iter()
        .map(|record| row(visit, access, record))
        .collect();
    let columns = vec![
        Column::text("API"),
        Column::text("Scopes, at most"),
        Column::text("Since"),
        Column::actions(),
    ];
    view! {
        <Card title="APIs it may call" sub="These and no others, each with the listed scopes at most."><Table label="APIs it may call" columns=columns>{rows}</Table></Card>
    }
    .into_any()
}

fn row(visit: &Visit, access: &Access, record: &ClientGrantRecord) -> AnyView {
    let grant = &record.grant;
    let (name, audience) = access
        .api(grant.api)
        .map_or_else(Default::default, |record| {
            (record.api.name.clone(), record.api.audience.to_string())
        });
    let scopes: Vec<AnyView> = grant
        .scopes
        .iter()
        .map(|scope| tag(scope.as_str()))
        .collect();
    let buttons = offers(visit, &access.record, Permission::ClientGrantsEdit).then(|| {
        let application = grant.application;
        let change = visit.href(&format!("apps/{application}/access?api={}", grant.api));
        let action = visit.command(&format!("apps/{application}/access/{}/remove", grant.id));
        let (hidden, csrf) = (vec![("version", record.version.to_string())], visit.csrf());
        view! {
            <div class="row">
                <LinkButton href=change small=true>"Change scopes"</LinkButton>
                <PostForm action=action csrf=csrf hidden=hidden bare=true>
                    <Button kind=ButtonKind::Danger small=true>"Remove"</Button>
                </PostForm>
            </div>
        }
    });
    view! {
        <tr>
            <td>{name}<small>{audience}</small></td>
            <td><span class="tags">{scopes}</span></td>
            <td>{time(record.created_at, visit.now())}</td>
            <td class="end">{buttons}</td>
        </tr>
    }
    .into_any()
}

fn choose_card(visit: &Visit, access: &Access) -> AnyView {
    let open: Vec<(String, String)> = access
        .apis
        .iter()
        .filter(|record| access.grant(record.api.id).is_none())
        .map(|record| {
            (
                record.api.id.to_string(),
                format!("{} ({})", record.api.name, record.api.audience),
            )
        })
        .collect();
    if open.is_empty() {
        let apis = visit.href("apis");
        let text = if access.apis.is_empty() {
            "The tenant has no APIs yet, so there is nothing to allow."
        } else {
            "No other API is left to allow: each one of the tenant is in the list above, with all that the application may ask of it."
        };
        return view! { <p class="muted">{text}" "<a href=apis>"APIs"</a></p> }.into_any();
    }
    let api = Field::select("api", "API", open).view(&Form::default());
    let action = href(visit, &access.record, Tab::Access);
    view! {
        <Card title="Allow another API" padded=true>
            <form class="form" method="get" action=action>
                {api}
                <div class="form-actions"><Button>"Choose scopes"</Button></div>
            </form>
        </Card>
    }
    .into_any()
}

fn scopes_card(visit: &Visit, access: &Access, api: &ApiRecord, form: &Form) -> AnyView {
    let options = api
        .api
        .scopes
        .iter()
        .map(|scope| {
            Choice::new(
                scope.scope.as_str(),
                scope.scope.as_str(),
                scope.description.clone(),
            )
        })
        .collect();
    let scopes = choices(
        form,
        "scopes",
        "Scopes it may ask for, at most",
        true,
        options,
    );
    let version = access.grant(api.api.id).map_or(0, |record| record.version);
    let action = visit.command(&format!(
        "apps/{}/access/allow",
        access.record.application.id
    ));
    let hidden = vec![
        ("version", version.to_string()),
        ("api", api.api.id.to_string()),
    ];
    let (csrf, cancel) = (visit.csrf(), href(visit, &access.record, Tab::Access));
    let title = format!("Allow calls to {}", api.api.name);
    view! {
        <Card title=title padded=true>
            <PostForm action=action csrf=csrf hidden=hidden>
                {scopes}
                <div class="form-actions">
                    <Button kind=ButtonKind::Primary>"Allow"</Button>
                    <LinkButton href=cancel>"Cancel"</LinkButton>
                </div>
            </PostForm>
        </Card>
    }
    .into_any()
}
