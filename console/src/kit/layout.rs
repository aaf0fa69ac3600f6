//! Where one is: breadcrumb, page heading, tabs.

use leptos::prelude::*;

/// The way down to this page; the last name is the page itself and no link.
pub fn crumbs(way: Vec<(String, String)>, here: impl Into<String>) -> AnyView {
    let here: String = here.into();
    let way = way
        .into_iter()
        .map(|(name, href)| view! { <li><a href=href>{name}</a></li> })
        .collect_view();
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <ol>{way}<li aria-current="page">{here}</li></ol>
        </nav>
    }
    .into_any()
}

/// The page's heading: one `h1`, one line that says what the page is for, and its actions.
#[component]
pub fn PageHead(
    /// The `h1`.
    #[prop(into)]
    title: String,
    /// What the page is for.
    #[prop(optional, into)]
    sub: String,
    /// From [`crumbs`].
    #[prop(optional_no_strip, into)]
    crumbs: Option<AnyView>,
    /// Pills beside the heading.
    #[prop(optional_no_strip, into)]
    state: Option<AnyView>,
    /// Buttons at the right.
    #[prop(optional_no_strip, into)]
    actions: Option<AnyView>,
) -> impl IntoView {
    let heading = match state {
        Some(state) => view! { <div class="row"><h1>{title}</h1>{state}</div> }.into_any(),
        None => view! { <h1>{title}</h1> }.into_any(),
    };
    view! {
        <header class="pagehead">
            <div>
                {crumbs}
                {heading}
                {(!sub.is_empty()).then(|| view! { <p class="sub">{sub}</p> })}
            </div>
            {actions.map(|actions| view! { <div class="actions">{actions}</div> })}
        </header>
    }
}

/// Tabs are links: each has an address, and the current one says so.
/// `tabs` are (name, href, whether it is this page).
pub fn tabs(label: impl Into<String>, tabs: Vec<(String, String, bool)>) -> AnyView {
    let label: String = label.into();
    let tabs = tabs
        .into_iter()
        .map(|(name, href, here)| {
            view! { <a href=href aria-current=here.then_some("page")>{name}</a> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label=label>{tabs}</nav> }.into_any()
}
