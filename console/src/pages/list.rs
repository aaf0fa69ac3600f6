//! What every list has: a search box and a pager that keep the rest of the address.

use control_plane::Page;
use leptos::prelude::*;

use crate::{kit::*, visit::Visit};

/// The search box above a list; a plain GET form.
pub(crate) fn search(visit: &Visit, label: &'static str) -> AnyView {
    let text = visit.query("q");
    let clear = text.as_ref().map(|_| {
        let href = visit.path().to_owned();
        view! { <a class="clear" href=href>"Clear"</a> }
    });
    view! {
        <form class="filters" method="get" role="search">
            <div class="search">
                {icon("search")}
                <input type="search" name="q" value=text.unwrap_or_default() aria-label=label placeholder=label
                    autocomplete="off" />
            </div>
            <Button small=true>"Search"</Button>
            {clear}
        </form>
    }
    .into_any()
}

/// First and next page, and how many things are on this one; `one` and `many` name them.
pub(crate) fn pager<T>(visit: &Visit, page: &Page<T>, one: &str, many: &str) -> AnyView {
    let shown = counted(page.items.len(), one, many);
    let first = visit
        .query("after")
        .map(|_| visit.with_query(&[("after", None)]));
    let next = page
        .next
        .as_ref()
        .map(|cursor| visit.with_query(&[("after", Some(&cursor.encode()))]));
    view! { <Pager shown=shown first=first next=next /> }.into_any()
}

/// `1 application`, `3 applications`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The version that a form was shown with. A form without a readable one has seen none, so it may
/// overwrite none: stored things count from 1, and 0 says that there was nothing yet.
pub(crate) fn seen_version(form: &crate::form::Form) -> Option<i64> {
    Some(form.text("version").parse().unwrap_or(0))
}
