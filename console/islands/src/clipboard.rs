//! Copying: one listener for every `data-copy` button of the page, and the words that say it worked.
//!
//! One island instead of one per button: a table of a hundred ids costs nothing to bring to life.

use leptos::{ev, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;

/// Listens for clicks on buttons with `data-copy` and announces the outcome politely.
#[island]
pub fn Clipboard() -> impl IntoView {
    let said = RwSignal::new(String::new());
    Effect::new(move |_| {
        let listener = window_event_listener(ev::click, move |event| {
            let target = event
                .target()
                .and_then(|target| target.dyn_into::<Element>().ok());
            let button = target.and_then(|target| target.closest("[data-copy]").ok().flatten());
            if let Some(text) = button.and_then(|button| button.get_attribute("data-copy")) {
                spawn_local(copy(text, said));
            }
        });
        on_cleanup(move || listener.remove());
    });
    view! { <output class="vh" aria-live="polite">{said}</output> }
}

async fn copy(text: String, said: RwSignal<String>) {
    let copied = JsFuture::from(window().navigator().clipboard().write_text(&text)).await;
    said.set(match copied {
        Ok(_) => "Copied.".to_owned(),
        Err(_) => "The browser did not allow copying.".to_owned(),
    });
}
