//! What must be seen on every page: that one is a guest in a customer's tenant, what is contained in it, and whether
//! all is well.

use contract::containment::Subject;
use leptos::prelude::*;

use crate::{
    kit::{Tone, icon, pill},
    pages::tenant::containments::words::{minute, subject},
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

/// What is in force in the tenant: the newest one in words, and how many others there are.
pub(super) fn contained(visit: &Visit) -> Option<AnyView> {
    let open = visit.contained();
    let whole = |subject: &Subject| matches!(subject, Subject::Tenant {});
    let gravest = open
        .iter()
        .find(|state| whole(&state.containment.subject))
        .or(open.first())?;
    let what = subject(gravest);
    let until = minute(gravest.containment.ends_at());
    let class = match whole(&gravest.containment.subject) {
        true => "contained-bar whole",
        false => "contained-bar",
    };
    let (link, text) = match open.len() {
        1 => (
            visit.href(&format!("containments/{}", gravest.containment.id)),
            "See the containment",
        ),
        _ => (visit.href("containments"), "See all"),
    };
    let others = (open.len() > 1).then(|| format!(" And {} more.", open.len() - 1));
    Some(
        view! {
            <div class=class role="note" aria-label="Contained">
                {icon("lock")}
                <p>
                    "Contained: "<b>{what.a_kind}" "{what.short}</b>", until "{until}", by "{gravest.actor_name.clone()}
                    ". "{gravest.reason.clone()}{others}
                </p>
                <a class="btn small" href=link>{text}</a>
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
