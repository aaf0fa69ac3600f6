//! APIs: what tokens can be for. The list; making and changing one is in [`edit`].

pub(super) mod edit;

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{Page, apis::ApiRecord};
use leptos::prelude::*;

use crate::{
    fault::Fault,
    kit::*,
    pages::list::{pager, search},
    visit::Visit,
};

/// `GET apis`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let text = visit.query("q");
    let page = visit
        .control_plane()
        .list_apis(
            visit.caller(),
            visit.tenant().id,
            text.as_deref(),
            &visit.page_request()?,
        )
        .await?;
    Ok(visit.page("APIs", || list_view(&visit, &page, text.is_some())))
}

fn list_view(visit: &Visit, page: &Page<ApiRecord>, filtered: bool) -> AnyView {
    let may = visit.may(Permission::ApisEdit);
    let new = may
        .then(|| {
            let href = visit.href("apis/new");
            view! { <LinkButton href=href kind=ButtonKind::Primary icon="plus">"New API"</LinkButton> }
        })
        .into_any();
    let content = if page.items.is_empty() {
        empty(filtered, may)
    } else {
        table(visit, page)
    };
    let search = search(visit, "Find an API by name or audience");
    view! {
        <PageHead title="APIs" sub="What access tokens can be for: an audience and the scopes it understands." actions=new />
        <section class="card table-card" aria-label="APIs">{search}{content}</section>
    }
    .into_any()
}

fn empty(filtered: bool, may: bool) -> AnyView {
    let (icon, title, text) = if filtered {
        (
            "search",
            "No API matches",
            "Search for part of a name or of an audience.",
        )
    } else if may {
        (
            "link",
            "No APIs yet",
            "Register an API to give applications tokens for it. Without one, tokens are only good for signing people in.",
        )
    } else {
        (
            "link",
            "No APIs yet",
            "An application developer of the tenant can register one.",
        )
    };
    view! { <Empty icon_name=icon title=title text=text /> }.into_any()
}

fn table(visit: &Visit, page: &Page<ApiRecord>) -> AnyView {
    let now = visit.now();
    let rows: Vec<AnyView> = page
        .items
        .iter()
        .map(|record| {
            let api = &record.api;
            let link = row_link(
                visit.href(&format!("apis/{}", api.id)),
                api.name.clone(),
                "",
            );
            let scopes: Vec<AnyView> = api
                .scopes
                .iter()
                .map(|scope| tag(scope.scope.as_str()))
                .collect();
            let audience = api.audience.to_string();
            view! {
                <tr class="linked">
                    <td>{link}</td>
                    <td><code>{audience}</code></td>
                    <td><span class="tags">{scopes}</span></td>
                    <td>{time(record.updated_at, now)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let columns = ["Name", "Audience", "Scopes", "Last changed"]
        .map(Column::text)
        .into();
    let pager = pager(visit, page, "API", "APIs");
    view! { <Table label="APIs" columns=columns>{rows}</Table>{pager} }.into_any()
}
