//! Cards and tiles: the surfaces that content stands on.

use leptos::prelude::*;

use super::Content;

/// A titled surface. Put padding around loose content with `<div class="pad">`; tables stand directly inside.
#[component]
pub fn Card(
    /// Heading; must be unique on the page, since the card is named after it.
    #[prop(into)]
    title: String,
    /// One line below the heading.
    #[prop(optional, into)]
    sub: String,
    /// What stands at the right of the heading: links or a button.
    #[prop(optional_no_strip, into)]
    actions: Option<AnyView>,
    /// Whether the content is padded.
    #[prop(optional)]
    padded: bool,
    /// The content.
    children: Content,
) -> impl IntoView {
    let id = heading_id(&title);
    let named_by = id.clone();
    let content = if padded {
        view! { <div class="pad">{children.0}</div> }.into_any()
    } else {
        children.0
    };
    view! {
        <section class="card" aria-labelledby=named_by>
            <header>
                <div>
                    <h2 id=id>{title}</h2>
                    {(!sub.is_empty()).then(|| view! { <p class="sub">{sub}</p> })}
                </div>
                {actions}
            </header>
            {content}
        </section>
    }
}

/// A card for what takes something away.
#[component]
pub fn DangerZone(
    /// Heading.
    #[prop(into)]
    title: String,
    /// What happens, in one sentence, with numbers where there are any.
    #[prop(into)]
    consequence: String,
    /// The form.
    children: Content,
) -> impl IntoView {
    let id = heading_id(&title);
    let named_by = id.clone();
    view! {
        <section class="card danger-zone" aria-labelledby=named_by>
            <header><div><h2 id=id>{title}</h2><p class="sub">{consequence}</p></div></header>
            <div class="pad">{children.0}</div>
        </section>
    }
}

/// One number with its name; stands in `<dl class="tiles">`.
#[component]
pub fn StatTile(
    /// What is counted.
    #[prop(into)]
    label: String,
    /// The number, as people read it.
    #[prop(into)]
    value: String,
    /// Where the number is explained.
    #[prop(optional, into)]
    href: String,
    /// A comparison or an explanation.
    #[prop(optional, into)]
    detail: String,
) -> impl IntoView {
    let value = if href.is_empty() {
        value.into_any()
    } else {
        view! { <a href=href>{value}</a> }.into_any()
    };
    view! {
        <div class="card tile">
            <dt>{label}</dt>
            <dd>{value}</dd>
            {(!detail.is_empty()).then(|| view! { <dd class="d">{detail}</dd> })}
        </div>
    }
}

/// `Danger zone` → `card-danger-zone`.
fn heading_id(title: &str) -> String {
    let words = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase);
    words.fold("card".to_owned(), |id, word| format!("{id}-{word}"))
}
