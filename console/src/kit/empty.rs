//! Nothing to show: what this is, why it is empty, and the next step. Never a bare "no data".

use leptos::prelude::*;

use super::Content;

use super::icon;

/// An empty state. The children are the next step: one button, perhaps one link.
#[component]
pub fn Empty(
    /// Icon of the thing that is missing.
    #[prop(into)]
    icon_name: String,
    /// Why it is empty: none yet, nothing matches, or not permitted.
    #[prop(into)]
    title: String,
    /// What this is, in a sentence.
    #[prop(into)]
    text: String,
    /// The next step.
    #[prop(optional)]
    children: Option<Content>,
) -> impl IntoView {
    view! {
        <div class="empty">
            {icon(&icon_name)}
            <h2>{title}</h2>
            <p>{text}</p>
            {children.map(|Content(inner)| view! { <div class="row">{inner}</div> })}
        </div>
    }
}
