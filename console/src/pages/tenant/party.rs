//! The two parties in words and marks. "Shared" is never a third party: it says that people of both may act.

use contract::{responsibility::Responsibility, role::Party};
use leptos::prelude::*;

/// The party's mark: a shape, a colour and always the word.
pub(super) fn party(party: Party) -> AnyView {
    view! { <span class=format!("party {}", party.as_str())>{party.title()}</span> }.into_any()
}

/// Whose people may act, as one mark.
pub(super) fn acting(row: &Responsibility) -> AnyView {
    if row.is_shared() {
        return view! { <span class="party shared">"Shared"</span> }.into_any();
    }
    party(row.accountable)
}
