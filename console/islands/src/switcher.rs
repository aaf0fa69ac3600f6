//! Typing ahead in the tenant switcher (S3). The list below it is the server's and works without scripts;
//! while something is typed, matches stand above it.

use leptos::prelude::*;

use crate::finder::Finder;

const LIST: &str = "switcher-results";

/// The switcher's search field with its matches.
#[island]
pub fn SwitcherSearch(
    /// Where to search; ends in `?` or `&`.
    endpoint: String,
    /// Address of the icon sprite.
    sprite: String,
) -> impl IntoView {
    let finder = Finder::new(endpoint);
    let magnifier = format!("{sprite}#i-search");
    let on_input = move |text: String| match text.trim() {
        "" => finder.clear(),
        _ => finder.search_soon(text),
    };
    view! {
        <form class="search" role="search" action="/search">
            <svg class="icon" aria-hidden="true"><use href=magnifier></use></svg>
            <input type="hidden" name="kind" value="tenants" />
            <input type="search" name="q" autocomplete="off" aria-label="Find a tenant" placeholder="Find a tenant"
                role="combobox" aria-autocomplete="list" aria-controls=LIST
                aria-expanded=move || finder.has_found().to_string()
                aria-activedescendant=move || finder.selected_id(LIST)
                on:input=move |event| on_input(event_target_value(&event))
                on:keydown=move |event| finder.on_key(&event) />
        </form>
        <div class="results" role="listbox" id=LIST aria-label="Matching tenants" hidden=move || !finder.has_found()>
            {move || finder.rows(LIST, &sprite)}
        </div>
    }
}
