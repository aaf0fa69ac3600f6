//! Why the person may look at something and not change it: told before they try, and if they try.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::Denial;
use leptos::prelude::*;

use crate::{denial, fault::Fault, kit::*, visit::Visit};

/// Why the person may not use `permission` here; `None` if they may.
pub(super) async fn why_not(
    visit: &Visit,
    permission: Permission,
) -> Result<Option<Denial>, Fault> {
    if visit.may(permission) {
        return Ok(None);
    }
    denial::explain(visit, permission).await.map(Some)
}

/// The page again with a form that has problems, for whoever may send it. Anyone else learns first that
/// they may not: their values would have been refused by the method, had they been right.
pub(super) async fn again<V: IntoView>(
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
pub(super) fn notice(visit: &Visit, denial: Option<&Denial>) -> Option<AnyView> {
    let denial = denial?;
    let (detail, needed) = (denial.detail(), denial.needed());
    let row = denial.duty().map(|duty| {
        let href = visit.href(&format!("responsibility#{duty}"));
        view! { " "<a href=href>"See the duty in the matrix"</a>"." }
    });
    Some(
        view! {
            <Notice tone=Tone::Info title="You can look at this, but not change it">
                {detail}" "{needed}{row}
            </Notice>
        }
        .into_any(),
    )
}
