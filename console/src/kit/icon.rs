//! Icons from the shared sprite. Always decorative: the text beside an icon carries the meaning.

use leptos::prelude::*;

/// The icon `name` of `ui_assets::ICONS`, hidden from assistive technology.
pub fn icon(name: &str) -> AnyView {
    view! { <svg class="icon" aria-hidden="true"><use href=ui_assets::icon_href(name)></use></svg> }
        .into_any()
}
