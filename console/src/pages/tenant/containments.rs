//! T32: what is contained in this tenant, what was, and the way to contain something more.
//!
//! Either side may act at once and sees what the other one did. What is shown of nodes is what they confirmed
//! themselves; no page here waits for one unless the person asked for that. It must never show people: a user or a
//! session is its id here.

mod begin;
pub(super) mod change;
pub(super) mod events;
mod length;
pub(crate) mod meter;
pub(super) mod new;
pub(super) mod review;
pub(super) mod show;
pub(crate) mod words;

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{ContainmentState, Denial, Page};
use leptos::prelude::*;

pub(super) use self::begin::begin;
use self::words::{Phase, subject};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    kit::*,
    pages::list::counted,
    visit::Visit,
};

/// `GET containments`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let page = visit
        .control_plane()
        .list_containments(visit.caller(), visit.tenant().id, &visit.page_request()?)
        .await?;
    let denial = why_not(&visit, Permission::ContainmentsManage).await?;
    Ok(visit.page("Containment", || list_view(&visit, &page, denial.as_ref())))
}

/// The address of a containment's page, or of the page `below` it.
fn href(visit: &Visit, state: &ContainmentState, below: &str) -> String {
    visit.href(&format!("containments/{}{below}", state.containment.id))
}

fn list_view(visit: &Visit, page: &Page<ContainmentState>, denial: Option<&Denial>) -> AnyView {
    let open = visit.contained();
    let new = denial.is_none().then(|| new_button(visit)).into_any();
    let first_page = visit.query("after").is_none();
    let in_force = first_page.then(|| in_force_card(visit, open, denial));
    view! {
        <PageHead title="Containment" sub="What is refused at once on every node, past every release, until it ends." actions=new />
        {notice(visit, denial)}
        {in_force}
        {over_card(visit, page)}
    }
    .into_any()
}

fn new_button(visit: &Visit) -> AnyView {
    let href = visit.href("containments/new");
    view! { <LinkButton href=href kind=ButtonKind::Primary icon="lock">"Contain…"</LinkButton> }
        .into_any()
}

fn in_force_card(visit: &Visit, open: &[ContainmentState], denial: Option<&Denial>) -> AnyView {
    if open.is_empty() {
        let next = match denial {
            None => {
                "Stop a stolen session, an account that was taken over, an application, a key, or everything, in one step."
            }
            Some(_) => {
                "A security administrator of the tenant, or vendor staff on call, can contain something."
            }
        };
        return view! {
            <Card title="In force">
                <Empty icon_name="check-circle" title="Nothing is contained" text=next />
            </Card>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = open.iter().map(|state| row(visit, state)).collect();
    let sub = format!("{} now", counted(open.len(), "containment", "containments"));
    view! {
        <Card title="In force" sub=sub>
            <Table label="Containments in force" columns=columns()>{rows}</Table>
        </Card>
    }
    .into_any()
}

/// Those of the page that are over: what is in force stands above.
fn over_card(visit: &Visit, page: &Page<ContainmentState>) -> Option<AnyView> {
    let over = page
        .items
        .iter()
        .filter(|state| !state.containment.is_in_force(visit.now()));
    let rows: Vec<AnyView> = over.map(|state| row(visit, state)).collect();
    let first = visit
        .query("after")
        .map(|_| visit.with_query(&[("after", None)]));
    if rows.is_empty() && page.next.is_none() && first.is_none() {
        return None;
    }
    let shown = format!(
        "{} over",
        counted(rows.len(), "containment", "containments")
    );
    let next = page
        .next
        .as_ref()
        .map(|cursor| visit.with_query(&[("after", Some(&cursor.encode()))]));
    Some(
        view! {
            <Card title="Over" sub="They stay here, with their receipts">
                <Table label="Containments that are over, newest first" columns=columns()>{rows}</Table>
                <Pager shown=shown first=first next=next />
            </Card>
        }
        .into_any(),
    )
}

fn columns() -> Vec<Column> {
    ["Contained", "State", "Why", "By", "Ends", "Nodes"]
        .map(Column::text)
        .into()
}

fn row(visit: &Visit, state: &ContainmentState) -> AnyView {
    let now = visit.now();
    let phase = Phase::of(state, now);
    let class = match phase {
        Phase::InForce => "linked",
        Phase::Lifted | Phase::Ended => "linked off",
    };
    let what = subject(state);
    let (reason, by) = (state.reason.clone(), state.actor_name.clone());
    view! {
        <tr class=class>
            <td>{row_link(href(visit, state, ""), what.kind, what.short)}</td>
            <td>{phase.mark()}</td>
            <td class="what">{reason}</td>
            <td>{by}<small>{time(state.containment.begun_at, now)}</small></td>
            <td class="nowrap">{time(state.containment.ends_at(), now)}</td>
            <td class="nowrap">{meter::mark(state, now)}</td>
        </tr>
    }
    .into_any()
}
