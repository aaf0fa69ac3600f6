//! Searching while one types: the part that the palette and the switcher share.
//!
//! Follows the combobox pattern with a listbox (WAI-ARIA APG): the focus stays in the field, arrows move
//! the selection, Enter goes there. Answers may arrive out of order, so each search has a number and only
//! the newest one is shown. Enter before the answer waits for it: nobody lands on yesterday's first row.

use leptos::{
    ev::KeyboardEvent, leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local,
};
use serde::Deserialize;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// Long enough for a fast typist's next letter.
const PAUSE: Duration = Duration::from_millis(100);

/// One thing that was found, as `/search.json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Found {
    group: String,
    label: String,
    detail: String,
    href: String,
    icon: String,
}

/// A search under way: what was typed, what was found, what is selected.
#[derive(Clone, Copy)]
pub(crate) struct Finder {
    endpoint: StoredValue<String>,
    found: RwSignal<Vec<Found>>,
    fruitless: RwSignal<bool>,
    selected: RwSignal<usize>,
    newest: StoredValue<u32>,
    pause: StoredValue<Option<TimeoutHandle>>,
    waiting: StoredValue<bool>,
    go_on_arrival: StoredValue<bool>,
}

impl Finder {
    /// A finder that asks `endpoint`, an address that ends in `?` or `&`.
    pub(crate) fn new(endpoint: String) -> Self {
        Self {
            endpoint: StoredValue::new(endpoint),
            found: RwSignal::new(Vec::new()),
            fruitless: RwSignal::new(false),
            selected: RwSignal::new(0),
            newest: StoredValue::new(0),
            pause: StoredValue::new(None),
            waiting: StoredValue::new(false),
            go_on_arrival: StoredValue::new(false),
        }
    }

    /// Whether there is something to select.
    pub(crate) fn has_found(self) -> bool {
        !self.found.read().is_empty()
    }

    /// Whether the newest answer is that there is nothing; not while one still waits for the first.
    pub(crate) fn found_nothing(self) -> bool {
        self.fruitless.get()
    }

    /// Forgets everything.
    pub(crate) fn clear(self) {
        self.supersede();
        self.waiting.set_value(false);
        self.fruitless.set(false);
        self.found.set(Vec::new());
    }

    /// Searches for `text` once the typist pauses.
    pub(crate) fn search_soon(self, text: String) {
        self.supersede();
        self.waiting.set_value(true);
        let begin = move || self.search(text);
        self.pause
            .set_value(set_timeout_with_handle(begin, PAUSE).ok());
    }

    /// Makes whatever is under way yesterday's.
    fn supersede(self) {
        if let Some(pause) = self.pause.try_update_value(Option::take).flatten() {
            pause.clear();
        }
        self.newest.update_value(|number| *number += 1);
        self.go_on_arrival.set_value(false);
    }

    /// Searches for `text` now.
    pub(crate) fn search(self, text: String) {
        let number = self.newest.get_value();
        self.waiting.set_value(true);
        spawn_local(async move {
            let found = fetch(&self.endpoint.get_value(), &text)
                .await
                .unwrap_or_default();
            if self.newest.get_value() == number {
                self.arrive(found);
            }
        });
    }

    fn arrive(self, found: Vec<Found>) {
        self.selected.set(0);
        self.fruitless.set(found.is_empty());
        self.found.set(found);
        self.waiting.set_value(false);
        if self.go_on_arrival.get_value() {
            self.go();
        }
    }

    /// Arrows move, Enter goes. With nothing found Enter is left to the form, which leads to the search page.
    pub(crate) fn on_key(self, event: &KeyboardEvent) {
        let last = self.found.read_untracked().len().saturating_sub(1);
        let selected = self.selected.get_untracked();
        let next = match event.key().as_str() {
            "ArrowDown" if selected < last => selected + 1,
            "ArrowDown" => 0,
            "ArrowUp" if selected > 0 => selected - 1,
            "ArrowUp" => last,
            "Enter" if self.waiting.get_value() => {
                event.prevent_default();
                return self.go_on_arrival.set_value(true);
            }
            "Enter" if !self.found.read_untracked().is_empty() => {
                event.prevent_default();
                return self.go();
            }
            _ => return,
        };
        event.prevent_default();
        self.selected.set(next);
    }

    fn go(self) {
        let selected = self.selected.get_untracked();
        let href = self
            .found
            .read_untracked()
            .get(selected)
            .map(|found| found.href.clone());
        if let Some(href) = href {
            // A browser that refuses to navigate tells the person itself.
            let _ = window().location().set_href(&href);
        }
    }

    /// The id of the selected row, for `aria-activedescendant`.
    pub(crate) fn selected_id(self, list: &str) -> Option<String> {
        self.has_found().then(|| row_id(list, self.selected.get()))
    }

    /// The rows of the listbox `list`, under the headings of their groups.
    pub(crate) fn rows(self, list: &'static str, sprite: &str) -> Vec<AnyView> {
        let found = self.found.get();
        let mut rows: Vec<AnyView> = Vec::new();
        let mut group = "";
        for (position, item) in found.iter().enumerate() {
            if item.group != group {
                group = &item.group;
                let heading = group.to_owned();
                rows.push(view! { <p class="group" role="presentation">{heading}</p> }.into_any());
            }
            rows.push(self.row(list, sprite, position, item.clone()));
        }
        rows
    }

    fn row(self, list: &str, sprite: &str, position: usize, item: Found) -> AnyView {
        let picture = format!("{sprite}#i-{}", item.icon);
        let is_selected = move || (self.selected.get() == position).to_string();
        view! {
            // The focus stays in the field, so a row is no stop of its own.
            <a class="result" role="option" tabindex="-1" id=row_id(list, position) href=item.href aria-selected=is_selected>
                <svg class="icon" aria-hidden="true"><use href=picture></use></svg>
                <span class="label">{item.label}<small>{item.detail}</small></span>
            </a>
        }
        .into_any()
    }
}

fn row_id(list: &str, position: usize) -> String {
    format!("{list}-{position}")
}

/// An answer that cannot be had or read is as good as none: the form still leads to the search page.
async fn fetch(endpoint: &str, text: &str) -> Result<Vec<Found>, JsValue> {
    let url = format!(
        "{endpoint}q={}",
        String::from(js_sys::encode_uri_component(text))
    );
    let response: Response = JsFuture::from(window().fetch_with_str(&url))
        .await?
        .dyn_into()?;
    if !response.ok() {
        return Ok(Vec::new());
    }
    let body = JsFuture::from(response.text()?)
        .await?
        .as_string()
        .unwrap_or_default();
    Ok(serde_json::from_str(&body).unwrap_or_default())
}
