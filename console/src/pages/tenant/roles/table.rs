//! T19, Roles and permissions: every role against every permission in this tenant, as one table.
//!
//! A role gives permissions and the responsibility matrix takes them from the wrong party, so a cell has
//! three answers: yes, no, and "the role has it, but the matrix keeps this party out".

use actix_web::HttpResponse;
use contract::{
    duty::{CATALOGUE, Duty, DutyKey, Standing},
    permission::Permission,
    role::Role,
};
use control_plane::responsibilities::MatrixRow;
use leptos::prelude::*;

use super::{TITLE, tabs_of};
use crate::{fault::Fault, kit::*, pages::tenant::party::party, visit::Visit};

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Yes,
    No,
    KeptOut,
}

/// `GET roles/table`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let matrix = if visit.may(Permission::ResponsibilitiesView) {
        visit
            .control_plane()
            .list_responsibilities(visit.caller(), visit.tenant().id)
            .await?
    } else {
        Vec::new()
    };
    Ok(visit.page("Roles and permissions", || page(&visit, &matrix)))
}

fn cell(role: Role, permission: Permission, matrix: &[MatrixRow]) -> Cell {
    if !role.grants(permission) {
        return Cell::No;
    }
    let duty = DutyKey::covering(permission);
    let row = matrix.iter().find(|row| row.responsibility.duty == duty);
    match row {
        Some(row) if !row.responsibility.actors.contains(&role.party()) => Cell::KeptOut,
        _ => Cell::Yes,
    }
}

fn page(visit: &Visit, matrix: &[MatrixRow]) -> AnyView {
    let heads: Vec<AnyView> = Role::ALL
        .into_iter()
        .map(|role| {
            view! { <th scope="col" title=role.description()>{role.title()}<br />{party(role.party())}</th> }.into_any()
        })
        .collect();
    let rows: Vec<AnyView> = duties().flat_map(|duty| group(duty, matrix)).collect();
    let href = visit.href("responsibility");
    view! {
        <PageHead title=TITLE sub="What each built-in role may do in this tenant." />
        {tabs_of(visit, 1)}
        <section class="card" aria-labelledby="roles-table">
            <header>
                <div>
                    <h2 id="roles-table">"Roles and permissions"</h2>
                    <p class="legend">
                        <span class="row">{icon("check")}"may"</span>
                        <span>"– may not"</span>
                        <span class="row">{icon("lock")}"the role has it, but the matrix keeps this party out"</span>
                        <a href=href>"Responsibility matrix"</a>
                    </p>
                </div>
            </header>
            <div class="table-box" tabindex="0" role="region" aria-label="Roles and permissions">
                <table class="matrix">
                    <thead><tr><th scope="col">"Permission"</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// The duties with powers in a tenant; those over the platform are on the platform's own page.
fn duties() -> impl Iterator<Item = &'static Duty> {
    CATALOGUE
        .iter()
        .filter(|duty| of_tenant(duty).next().is_some())
}

fn of_tenant(duty: &'static Duty) -> impl Iterator<Item = Permission> {
    duty.permissions
        .iter()
        .copied()
        .filter(|permission| !permission.is_platform())
}

fn group(duty: &'static Duty, matrix: &[MatrixRow]) -> Vec<AnyView> {
    let columns = Role::ALL.len() + 1;
    let planned = match duty.standing() {
        Standing::Planned => " (planned: nothing can be done under it yet)",
        Standing::Enforced | Standing::Obligation => "",
    };
    let head = format!("{}: {}{planned}", duty.area.title(), duty.title);
    let mut rows = vec![
        view! { <tr class="group"><th colspan=columns scope="colgroup">{head}</th></tr> }
            .into_any(),
    ];
    rows.extend(of_tenant(duty).map(|permission| row(permission, matrix)));
    rows
}

fn row(permission: Permission, matrix: &[MatrixRow]) -> AnyView {
    let cells: Vec<AnyView> = Role::ALL
        .into_iter()
        .map(|role| match cell(role, permission, matrix) {
            Cell::Yes => view! { <td class="yes">{icon("check")}<span class="vh">"yes"</span></td> }.into_any(),
            Cell::No => view! { <td class="no"><span aria-hidden="true">"–"</span><span class="vh">"no"</span></td> }.into_any(),
            Cell::KeptOut => {
                let text = format!("no: the matrix keeps the {} out", role.party());
                view! { <td class="locked">{icon("lock")}<span class="vh">{text}</span></td> }.into_any()
            }
        })
        .collect();
    let phrase = permission.phrase();
    view! { <tr><th scope="row">{capital(&phrase)}<small>{permission.key()}</small></th>{cells}</tr> }.into_any()
}

fn capital(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contract::{policies::PolicyKind, responsibility::Responsibility};

    use super::*;

    #[test]
    fn the_matrix_takes_what_a_role_gives() {
        let publish = Permission::PolicyPublish(PolicyKind::Password);
        let matrix: Vec<MatrixRow> = DutyKey::all()
            .map(|duty| MatrixRow {
                responsibility: Responsibility::default_for(duty),
                version: 1,
                updated_at: DateTime::UNIX_EPOCH,
                updated_by: String::new(),
            })
            .collect();
        assert_eq!(cell(Role::TenantOwner, publish, &matrix), Cell::Yes);
        assert_eq!(cell(Role::UserSupport, publish, &matrix), Cell::No);
        assert_eq!(cell(Role::PlatformOwner, publish, &matrix), Cell::KeptOut);
        assert_eq!(
            cell(Role::PlatformOwner, Permission::AuditView, &matrix),
            Cell::Yes
        );
    }

    #[test]
    fn every_power_in_a_tenant_has_its_row() {
        let shown: Vec<Permission> = duties().flat_map(of_tenant).collect();
        let all = Permission::all()
            .iter()
            .filter(|permission| !permission.is_platform());
        assert!(all.clone().all(|permission| shown.contains(permission)));
        assert_eq!(all.count(), shown.len());
    }
}
