//! What must be seen on every page: that one is a guest in a customer's tenant, and whether all is well.

use leptos::prelude::*;

use crate::{
    kit::{Tone, icon, pill},
    visit::Visit,
};

/// Vendor staff in a customer's tenant are told so on every page.
pub(super) fn guest(visit: &Visit) -> Option<AnyView> {
    let tenant = visit.tenant_if_any().filter(|_| visit.is_guest())?;
    let name = tenant.name.to_string();
    let matrix = visit.href("responsibility");
    Some(
        view! {
            <div class="grant-bar" role="note">
                {icon("warn")}
                <p>
                    "You are vendor staff in a customer's tenant, "<b>{name}</b>
                    ". Its responsibility matrix decides what you may do."
                </p>
                <a class="btn small" href=matrix>"See the matrix"</a>
            </div>
        }
        .into_any(),
    )
}

/// Whether the tenant one looks at is served.
pub(super) fn health(visit: &Visit) -> Option<AnyView> {
    use contract::tenant::TenantStatus;
    let tenant = visit.tenant_if_any()?;
    Some(match tenant.status {
        TenantStatus::Active => pill(Tone::Ok, "Active"),
        TenantStatus::Suspended => pill(Tone::Bad, "Suspended"),
    })
}
