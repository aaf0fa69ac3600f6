//! An API: its name, its audience (which stays) and its scopes with the sentence people read on the
//! consent page. Scopes are typed one per line, so that ten of them are still one field.

use actix_web::HttpResponse;
use contract::{
    api::{ApiScope, Audience},
    permission::Permission,
};
use control_plane::{
    Mode,
    apis::{ApiAt, ApiChange, ApiRecord, NewApi},
};
use leptos::prelude::*;

use crate::{
    denial::again,
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::{
        list::seen_version,
        tenant::lines::{further, numbered},
    },
    visit::Visit,
};

const NEW: &str = "New API";

/// `GET apis/new`.
pub(in crate::pages::tenant) async fn new(visit: Visit) -> Result<HttpResponse, Fault> {
    Ok(visit.page(NEW, || new_view(&visit, &Form::default())))
}

/// `POST apis/create`.
pub(in crate::pages::tenant) async fn create(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let name = read_name(&mut form);
    let scopes = read_scopes(&mut form);
    let audience = form.read::<Audience>("audience");
    if let (Some(audience), true) = (audience, form.is_valid()) {
        let new = NewApi {
            name,
            audience,
            scopes,
        };
        let (control_plane, tenant) = (visit.control_plane(), visit.tenant().id);
        match control_plane
            .create_api(visit.caller(), tenant, new, Mode::Commit)
            .await
        {
            Ok(record) => return Ok(done(&visit, "Created", &record, &page_of(&visit, &record))),
            Err(refusal) => form.absorb(
                refusal,
                &[("audience_taken", "audience"), ("too_many_apis", "")],
            )?,
        }
    }
    again(&visit, Permission::ApisEdit, NEW, || {
        new_view(&visit, &form)
    })
    .await
}

/// `GET apis/{id}`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let lines: Vec<String> = record
        .api
        .scopes
        .iter()
        .map(|scope| format!("{} {}", scope.scope, scope.description))
        .collect();
    let form = Form::with([
        ("name", record.api.name.clone()),
        ("scopes", lines.join("\n")),
    ]);
    Ok(visit.page(&record.api.name, || page(&visit, &record, &form)))
}

/// `POST apis/{id}/update`.
pub(in crate::pages::tenant) async fn update(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let change = ApiChange {
        name: Some(read_name(&mut form)),
        scopes: Some(read_scopes(&mut form)),
    };
    if form.is_valid() {
        let at = at(&visit, &form)?;
        match visit
            .control_plane()
            .update_api(visit.caller(), at, change, Mode::Commit)
            .await
        {
            Ok(after) => return Ok(done(&visit, "Saved", &after, &page_of(&visit, &after))),
            Err(refusal) => form.absorb(refusal, &[("scope_in_use", "scopes")])?,
        }
    }
    again(&visit, Permission::ApisEdit, &record.api.name, || {
        page(&visit, &record, &form)
    })
    .await
}

/// `POST apis/{id}/delete` with the name in `confirm`.
pub(in crate::pages::tenant) async fn delete(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    if form.confirms(&record.api.name) {
        let at = at(&visit, &form)?;
        match visit
            .control_plane()
            .delete_api(visit.caller(), at, Mode::Commit)
            .await
        {
            Ok(()) => return Ok(done(&visit, "Deleted", &record, &visit.href("apis"))),
            Err(refusal) => form.absorb(refusal, &[("api_in_use", "confirm")])?,
        }
    }
    // The upper form was not sent; it shows what is stored.
    let mut shown = form.clone();
    shown.set("name", record.api.name.clone());
    let lines = record
        .api
        .scopes
        .iter()
        .map(|scope| format!("{} {}\n", scope.scope, scope.description));
    shown.set("scopes", lines.collect::<String>());
    again(&visit, Permission::ApisEdit, &record.api.name, || {
        page(&visit, &record, &shown)
    })
    .await
}

async fn load(visit: &Visit) -> Result<ApiRecord, Fault> {
    let id = visit.param("id")?;
    Ok(visit
        .control_plane()
        .get_api(visit.caller(), visit.tenant().id, id)
        .await?)
}

fn at(visit: &Visit, form: &Form) -> Result<ApiAt, Fault> {
    Ok(ApiAt {
        tenant: visit.tenant().id,
        id: visit.param("id")?,
        expected: seen_version(form),
    })
}

fn page_of(visit: &Visit, record: &ApiRecord) -> String {
    visit.href(&format!("apis/{}", record.api.id))
}

fn done(visit: &Visit, verb: &str, record: &ApiRecord, to: &str) -> HttpResponse {
    let log = visit.href(&format!("audit?object={}", record.api.id));
    visit.done(
        &Flash::done(format!("{verb} {}.", record.api.name)).with_link("Audit event", log),
        to,
    )
}

fn read_name(form: &mut Form) -> String {
    let name = form.text("name").to_owned();
    form.hold("name", contract::text::check_name("name", &name));
    name
}

/// `orders:read Read your orders`: the scope, a space, the sentence.
fn read_scopes(form: &mut Form) -> Vec<ApiScope> {
    let mut scopes = Vec::new();
    for (number, line) in numbered(form, "scopes") {
        let (token, description) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let description = description.trim();
        match token.parse() {
            Err(_) => form.refuse(
                "scopes",
                format!(
                    "Line {number}: {token} is no scope; use printable letters without quotes."
                ),
            ),
            Ok(_) if description.is_empty() => {
                form.refuse(
                    "scopes",
                    format!("Line {number}: say in a few words what {token} allows."),
                );
            }
            Ok(scope) => scopes.push(ApiScope {
                scope,
                description: description.to_owned(),
            }),
        }
    }
    scopes
}

fn fields(form: &Form) -> AnyView {
    let name = Field::text("name", "Name")
        .hint("People see it on the consent page.")
        .view(form);
    let scopes = Field::area("scopes", "Scopes", 6)
        .mono()
        .wide()
        .optional()
        .hint("One per line: the scope, a space, then the sentence people read. For example: orders:read See your orders")
        .view(form);
    view! { {name}{scopes}{further(form, "scopes")} }.into_any()
}

fn new_view(visit: &Visit, form: &Form) -> AnyView {
    let crumbs = crumbs(vec![("APIs".into(), visit.href("apis"))], NEW);
    let audience = Field::text("audience", "Audience")
        .mono()
        .hint("The value of aud in its tokens, which the API compares literally. It stays. For example https://orders.example")
        .view(form);
    let fields = fields(form);
    let (action, csrf, cancel) = (
        visit.command("apis/create"),
        visit.csrf(),
        visit.href("apis"),
    );
    view! {
        <PageHead title=NEW sub="Something that accepts access tokens of this tenant." crumbs=crumbs />
        <ErrorSummary form=form />
        <PostForm action=action csrf=csrf>
            {fields}{audience}
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Create API"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}

fn page(visit: &Visit, record: &ApiRecord, form: &Form) -> AnyView {
    let api = &record.api;
    let crumbs = crumbs(vec![("APIs".into(), visit.href("apis"))], api.name.clone());
    let now = visit.now();
    let facts = vec![
        kv("ID", id(api.id)),
        kv(
            "Audience",
            view! { <code>{api.audience.to_string()}</code> },
        ),
        kv("Version", record.version.to_string()),
        kv("Last changed", time(record.updated_at, now)),
    ];
    // Without the admin API nobody could administer anything; the methods refuse it as well.
    let may = visit.may(Permission::ApisEdit) && !record.built_in();
    let settings = if may {
        edit(visit, record, form)
    } else {
        read_only(record)
    };
    let danger = may.then(|| danger(visit, record, form));
    view! {
        <PageHead title=api.name.clone() crumbs=crumbs />
        <ErrorSummary form=form />
        <div class="two">
            <div class="stack">{settings}{danger}</div>
            <Card title="Record" padded=true><KeyValue facts=facts stacked=true /></Card>
        </div>
    }
    .into_any()
}

fn edit(visit: &Visit, record: &ApiRecord, form: &Form) -> AnyView {
    let fields = fields(form);
    let action = visit.command(&format!("apis/{}/update", record.api.id));
    let (hidden, csrf) = (vec![("version", record.version.to_string())], visit.csrf());
    let based = format!("Based on version {}", record.version);
    let back = page_of(visit, record);
    view! {
        <EditForm action=action csrf=csrf hidden=hidden based=based back=back>{fields}</EditForm>
    }
    .into_any()
}

fn read_only(record: &ApiRecord) -> AnyView {
    let facts = record
        .api
        .scopes
        .iter()
        .map(|scope| kv(scope.scope.to_string(), scope.description.clone()))
        .collect();
    view! { <Card title="Scopes" padded=true><KeyValue facts=facts /></Card> }.into_any()
}

fn danger(visit: &Visit, record: &ApiRecord, form: &Form) -> AnyView {
    let confirmation = Confirmation {
        action: visit.command(&format!("apis/{}/delete", record.api.id)),
        csrf: visit.csrf(),
        hidden: vec![("version", record.version.to_string())],
        name: record.api.name.clone(),
        button: "Delete API",
    };
    let consequence = "Possible only while no application may call it. No token for it is issued from the next release on.";
    view! { <ConfirmedDanger title="Delete" consequence=consequence confirmation=confirmation form=form /> }
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_line_by_line() {
        let mut form = Form::with([(
            "scopes",
            "orders:read See your orders\n\norders:write\nbad\"token Words",
        )]);
        let scopes = read_scopes(&mut form);
        assert_eq!(scopes.len(), 1);
        assert_eq!(scopes[0].description, "See your orders");
        let messages: Vec<&str> = form
            .problems()
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert!(
            messages[0].starts_with("Line 3:") && messages[1].starts_with("Line 4:"),
            "{messages:?}"
        );
    }
}
