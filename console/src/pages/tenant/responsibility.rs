//! T20: the responsibility matrix. It is not a description of who may act: it decides it.
//!
//! Rows are the duties of the catalogue, by area. Duties that reach the whole platform stay with the
//! vendor and are locked; every other row can be changed by people of the party accountable for it.

pub(super) mod edit;

use actix_web::HttpResponse;
use contract::{
    duty::{Area, CATALOGUE, Duty, Standing},
    permission::Permission,
};
use control_plane::{Denial, responsibilities::MatrixRow};
use leptos::prelude::*;

use super::party::{acting, party};
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    kit::*,
    pages::list::counted,
    visit::Visit,
};

const TITLE: &str = "Responsibility matrix";

/// `GET responsibility`.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let control_plane = visit.control_plane();
    let matrix = control_plane
        .list_responsibilities(visit.caller(), visit.tenant().id)
        .await?;
    let denial = why_not(&visit, Permission::ResponsibilitiesEdit).await?;
    Ok(visit.page(TITLE, || page(&visit, &matrix, denial.as_ref())))
}

/// Why a row can be changed by nobody, if so.
fn lock(visit: &Visit, duty: &Duty) -> Option<&'static str> {
    if visit.tenant().is_platform() {
        return Some("This is the vendor's own tenant: the vendor is both sides.");
    }
    let reaches_platform = duty
        .permissions
        .iter()
        .any(|permission| permission.is_platform());
    reaches_platform.then_some("It reaches the whole platform, so it stays with the vendor.")
}

/// Whether this person may change this row.
fn editable(visit: &Visit, row: &MatrixRow) -> bool {
    visit.may(Permission::ResponsibilitiesEdit)
        && lock(visit, row.responsibility.duty.duty()).is_none()
        && row.responsibility.accountable == visit.caller().party()
}

fn page(visit: &Visit, matrix: &[MatrixRow], denial: Option<&Denial>) -> AnyView {
    let areas =
        CATALOGUE
            .iter()
            .map(|duty| duty.area)
            .fold(Vec::new(), |mut areas: Vec<Area>, area| {
                if !areas.contains(&area) {
                    areas.push(area);
                }
                areas
            });
    let rows: Vec<AnyView> = areas
        .into_iter()
        .flat_map(|area| group(visit, area, matrix))
        .collect();
    let heads: Vec<AnyView> = [
        "Duty", "Accountable", "Who acts", "NIST CSF 2.0", "Permissions", "Change",
    ]
    .into_iter()
    .map(|head| view! { <th scope="col">{head}</th> }.into_any())
    .collect();
    view! {
        <PageHead title=TITLE sub="Who answers for what in this tenant. The nodes and every page obey it." />
        {notice(visit, denial)}
        <Notice tone=Tone::Info title="How to read it">
            "Accountable is the one party that answers for a duty. Who acts says whose people may use its permissions: \
             the vendor's, the customer's, or shared, which means that people of both may act while one party answers for it. \
             Only people of the accountable party change a row. A planned duty is agreed already, but nothing can be done \
             under it yet."
        </Notice>
        <section class="card table-card" aria-label="Responsibility matrix">
            <div class="table-box" tabindex="0" role="region" aria-label="Responsibility matrix">
                <table class="matrix"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>
            </div>
        </section>
    }
    .into_any()
}

fn group(visit: &Visit, area: Area, matrix: &[MatrixRow]) -> Vec<AnyView> {
    let head =
        view! { <tr class="group"><th colspan="6" scope="colgroup">{area.title()}</th></tr> }
            .into_any();
    let rows = matrix
        .iter()
        .filter(|row| row.responsibility.duty.duty().area == area);
    [head]
        .into_iter()
        .chain(rows.map(|row| row_view(visit, row)))
        .collect()
}

fn row_view(visit: &Visit, row: &MatrixRow) -> AnyView {
    let key = row.responsibility.duty;
    let duty = key.duty();
    let locked = lock(visit, duty);
    let class = locked.map(|_| "locked");
    let key_icon = locked.map(|_| icon("lock"));
    let change = match locked {
        Some(why) => view! { <td class="locked" title=why>{icon("lock")}<span class="vh">{why}</span>"Fixed"</td> }.into_any(),
        None if editable(visit, row) => {
            let href = visit.href(&format!("responsibility/{key}"));
            view! {
                <td><LinkButton href=href small=true>"Change"<span class="vh">" "{duty.title}</span></LinkButton></td>
            }
            .into_any()
        }
        None => view! { <td class="no"><span aria-hidden="true">"–"</span><span class="vh">"not by you"</span></td> }.into_any(),
    };
    let owed = (!duty.obligation.is_empty())
        .then(|| view! { <small>"Owed besides: "{duty.obligation}</small> });
    // Agreed already, and nothing can be done under it yet: a reader must not look for the page.
    let standing = duty.standing();
    let planned = (standing == Standing::Planned).then(|| {
        view! { " "{pill(Tone::Idle, standing.title())} }
    });
    view! {
        <tr id=key.as_str()>
            <th scope="row">{duty.title}{planned}<small>{duty.sentence}</small>{owed}</th>
            <td class=class>{key_icon}{party(row.responsibility.accountable)}</td>
            <td>{acting(&row.responsibility)}</td>
            <td>{tag(duty.csf)}</td>
            <td>{permissions(duty)}</td>
            {change}
        </tr>
    }
    .into_any()
}

/// The permissions that a duty covers, behind a click.
fn permissions(duty: &'static Duty) -> AnyView {
    if duty.permissions.is_empty() {
        return view! { <span class="muted text-xs">"None: proven outside"</span> }.into_any();
    }
    let number = counted(duty.permissions.len(), "permission", "permissions");
    let keys: Vec<AnyView> = duty
        .permissions
        .iter()
        .map(|permission| {
            view! { <li class="tag" title=permission.phrase()>{permission.key()}</li> }.into_any()
        })
        .collect();
    view! {
        <details><summary class="btn small">{number}</summary><ul class="tags">{keys}</ul></details>
    }
    .into_any()
}
