//! Why the person may look at something and not change it, told before they try.

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
