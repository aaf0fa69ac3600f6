//! The command palette (S4): Ctrl+K or Cmd+K opens it over the page, Escape leads back to where one was.
//!
//! There is no single-letter shortcut: those would have to be switchable (WCAG 2.1.4). Without scripts
//! the search box in the page's head leads to the same results on a page.

use leptos::{ev, html, prelude::*};

use crate::finder::Finder;

const LIST: &str = "palette-results";

/// The palette, closed until it is called.
#[island]
pub fn Palette(
    /// Where to search; ends in `?` or `&`.
    endpoint: String,
    /// Address of the icon sprite.
    sprite: String,
) -> impl IntoView {
    let finder = Finder::new(endpoint);
    let dialog = NodeRef::<html::Dialog>::new();
    let field = NodeRef::<html::Input>::new();
    let magnifier = format!("{sprite}#i-search");

    Effect::new(move |_| {
        let listener = window_event_listener(ev::keydown, move |event| {
            let called =
                (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k");
            if called
                && let (Some(dialog), Some(field)) = (dialog.get_untracked(), field.get_untracked())
            {
                event.prevent_default();
                open(&dialog, &field, finder);
            }
        });
        on_cleanup(move || listener.remove());
    });

    view! {
        <dialog class="palette" id="palette" aria-label="Search and commands" node_ref=dialog
            on:close=move |_| finder.clear()>
            <form class="palette-box" role="search" action="/search">
                <svg class="icon" aria-hidden="true"><use href=magnifier></use></svg>
                <input type="search" name="q" node_ref=field autocomplete="off" aria-label="Search pages, tenants and IDs"
                    placeholder="Search pages, tenants, IDs" role="combobox" aria-autocomplete="list" aria-controls=LIST
                    aria-expanded=move || finder.has_found().to_string()
                    aria-activedescendant=move || finder.selected_id(LIST)
                    on:input=move |event| finder.search_soon(event_target_value(&event))
                    on:keydown=move |event| finder.on_key(&event) />
                <kbd>"Esc"</kbd>
            </form>
            <div class="results" role="listbox" id=LIST aria-label="Results">{move || finder.rows(LIST, &sprite)}</div>
            // There from the beginning, so that a screen reader says what is put into it.
            <p class="palette-none" role="status">{move || finder.found_nothing().then_some("Nothing matches")}</p>
            <footer class="palette-foot" aria-hidden="true">
                <span><kbd>"↑"</kbd><kbd>"↓"</kbd>" move"</span>
                <span><kbd>"↵"</kbd>" open"</span>
            </footer>
        </dialog>
    }
}

fn open(dialog: &web_sys::HtmlDialogElement, field: &web_sys::HtmlInputElement, finder: Finder) {
    // Open already, or the browser cannot: the search box is still there.
    if dialog.open() || dialog.show_modal().is_err() {
        return;
    }
    field.set_value("");
    let _ = field.focus();
    finder.search(String::new());
}
