//! The console's islands: small interactive pieces that add to pages which already work.
//!
//! Compiled twice: into the server, which draws them, and to WASM, which brings them to life; so nothing
//! here may know the server. What an island shows before it is alive is what it shows without scripts.
//! Properties travel in the page's source: never put a secret or a person into one. An island reads only
//! `/search.json` and streams of events of its own origin, and changes nothing; changes are forms.

mod clipboard;
mod finder;
mod palette;
mod propagation;
mod switcher;

pub use clipboard::Clipboard;
pub use palette::Palette;
pub use propagation::{END, Line, Meter, Propagation};
pub use switcher::SwitcherSearch;

/// Prepares the browser's side; the loader calls it once, before it hands over the islands.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
