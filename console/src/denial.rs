//! Why something is not for this person, in the words the control plane would use: told before they try,
//! and again if they try.
//!
//! Only pages may know it from here. The route table knows what a page needs before any method of the
//! control plane was called, and a form that can be read but not sent says so at its top. This names
//! the same reason as the methods do: the duty, where the matrix keeps the person's party out, otherwise the
//! missing permission. It explains and never allows: whoever passes here is still authorized by the methods.

use actix_web::HttpResponse;
use contract::{
    duty::DutyKey,
    permission::Permission,
    role::{Party, Role},
};
use control_plane::{Denial, refusal::Why};
use leptos::prelude::*;

use crate::{fault::Fault, kit::*, visit::Visit};

/// Why the person may not use `permission` here; `None` if they may.
pub(crate) async fn why_not(
    visit: &Visit,
    permission: Permission,
) -> Result<Option<Denial>, Fault> {
    if visit.may(permission) {
        return Ok(None);
    }
    explain(visit, permission).await.map(Some)
}

/// The page again with a form that has problems, for whoever may send it. Anyone else learns first that
/// they may not: their values would have been refused by the method, had they been right.
pub(crate) async fn again<V: IntoView>(
    visit: &Visit,
    permission: Permission,
    title: &str,
    view: impl FnOnce() -> V,
) -> Result<HttpResponse, Fault> {
    visit.require(Some(permission)).await?;
    Ok(visit.refused(title, view))
}

/// The notice at the top of a page that can only be read: the duty, who is accountable and what would be
/// needed. Nothing for whoever may act.
pub(crate) fn notice(visit: &Visit, denial: Option<&Denial>) -> Option<AnyView> {
    let denial = denial?;
    let (detail, needed) = (denial.detail(), denial.needed());
    let duty = named_duty(denial);
    let row = match denial.duty() {
        Some(_) => {
            let href = visit.href(&format!("responsibility#{duty}"));
            view! { " "<a href=href>"See the duty in the matrix"</a>"." }.into_any()
        }
        None => {
            let title = duty.duty().title;
            view! { " This belongs to the duty “"{title}"” ("<code>{duty.as_str()}</code>")." }
                .into_any()
        }
    };
    Some(
        view! {
            <Notice tone=Tone::Info title="You can look at this, but not change it">
                {detail}" "{needed}{row}
            </Notice>
        }
        .into_any(),
    )
}

/// The duty that what was refused belongs to, whether or not the matrix was what refused it.
pub(crate) fn named_duty(denial: &Denial) -> DutyKey {
    let covering = || DutyKey::covering(denial.permission);
    denial.duty().unwrap_or_else(covering)
}

/// Why the person may not use `permission` in the visit's scope.
pub(crate) async fn explain(visit: &Visit, permission: Permission) -> Result<Denial, Fault> {
    let why = match visit.tenant_if_any() {
        // Asking without the permission to see the matrix would be recorded as a refused attempt.
        Some(tenant) if visit.may(Permission::ResponsibilitiesView) => {
            let duty = DutyKey::covering(permission);
            let control_plane = visit.control_plane();
            let row = control_plane
                .get_responsibility(visit.caller(), tenant.id, duty)
                .await?;
            let row = row.responsibility;
            if row.actors.contains(&visit.caller().party()) {
                missing(permission)
            } else {
                Why::Duty {
                    duty,
                    accountable: row.accountable,
                    actors: row.actors.into_iter().collect(),
                }
            }
        }
        _ => missing(permission),
    };
    Ok(Denial { permission, why })
}

fn missing(permission: Permission) -> Why {
    let (party, managing) = if permission.is_platform() {
        (Party::Vendor, Permission::StaffManage)
    } else {
        (Party::Customer, Permission::RolesManage)
    };
    let with = |wanted: Permission| {
        let roles = Role::ALL.into_iter().filter(|role| role.party() == party);
        roles.filter(|role| role.grants(wanted)).collect()
    };
    Why::MissingPermission {
        held_by: with(permission),
        given_by: with(managing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_permission_names_who_has_it_and_who_gives_it() {
        let Why::MissingPermission { held_by, given_by } = missing(Permission::NodesView) else {
            panic!("a missing permission");
        };
        assert!(held_by.contains(&Role::SupportEngineer) && !held_by.contains(&Role::TenantOwner));
        assert_eq!(given_by, [Role::PlatformOwner]);
    }
}
