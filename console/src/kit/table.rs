//! Tables: a real table in a box of its own that scrolls, the first cell is the link of the row.
//!
//! Lists are paged by key (never by offset), so a pager knows "first" and "next" and no totals.

use control_plane::console_sessions::Density;
use leptos::prelude::*;

use super::Content;

use super::icon;

/// A column's head.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    numeric: bool,
    hidden_title: bool,
    sort: Option<(String, &'static str)>,
}

impl Column {
    /// A column of text.
    pub fn text(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            numeric: false,
            hidden_title: false,
            sort: None,
        }
    }

    /// A column of numbers, right-aligned.
    pub fn number(title: impl Into<String>) -> Self {
        Self {
            numeric: true,
            ..Self::text(title)
        }
    }

    /// A column of buttons, whose title only assistive technology needs.
    pub fn actions() -> Self {
        Self {
            hidden_title: true,
            ..Self::text("Actions")
        }
    }

    /// Makes the head a link that sorts; `state` is `ascending`, `descending` or `none`.
    pub fn sorted(mut self, href: impl Into<String>, state: &'static str) -> Self {
        self.sort = Some((href.into(), state));
        self
    }

    fn view(self) -> AnyView {
        let title = if self.hidden_title {
            view! { <span class="vh">{self.title}</span> }.into_any()
        } else if let Some((href, _)) = &self.sort {
            view! { <a class="sort" href=href.clone()>{self.title}</a> }.into_any()
        } else {
            self.title.into_any()
        };
        let sort = self.sort.map(|(_, state)| state);
        view! { <th scope="col" class=self.numeric.then_some("num") aria-sort=sort>{title}</th> }
            .into_any()
    }
}

/// A table; its children are the rows: `<tr class="linked"><td>{row_link(…)}</td>…</tr>`.
#[component]
pub fn Table(
    /// What the table lists, for people who do not see it.
    #[prop(into)]
    label: String,
    /// The heads.
    columns: Vec<Column>,
    /// The rows.
    children: Content,
) -> impl IntoView {
    let heads = columns.into_iter().map(Column::view).collect_view();
    let compact = use_context::<Density>() == Some(Density::Compact);
    let class = if compact { "table compact" } else { "table" };
    view! {
        // Focusable, so that a keyboard can scroll it (WCAG 2.1.1).
        <div class="table-box" tabindex="0" role="region" aria-label=label>
            <table class=class>
                <thead><tr>{heads}</tr></thead>
                <tbody>{children.0}</tbody>
            </table>
        </div>
    }
}

/// The link of a row: its hit area is the whole row (`<tr class="linked">`). `small` stands below it.
pub fn row_link(
    href: impl Into<String>,
    text: impl Into<String>,
    small: impl Into<String>,
) -> AnyView {
    let (href, text, small): (String, String, String) = (href.into(), text.into(), small.into());
    view! {
        <a class="row-link" href=href>{text}</a>
        {(!small.is_empty()).then(|| view! { <small>{small}</small> })}
    }
    .into_any()
}

/// A choice above a list, as a link: `chip("Active", href, is_current)`.
pub fn chip(text: impl Into<String>, href: impl Into<String>, here: bool) -> AnyView {
    let (text, href): (String, String) = (text.into(), href.into());
    view! { <a class="chip" href=href aria-current=here.then_some("true")>{text}</a> }.into_any()
}

/// First and next page of a list paged by key.
#[component]
pub fn Pager(
    /// How many rows are shown, in words: "20 tenants".
    #[prop(into)]
    shown: String,
    /// The first page, unless this is it.
    #[prop(optional_no_strip, into)]
    first: Option<String>,
    /// The next page, if there is one.
    #[prop(optional_no_strip, into)]
    next: Option<String>,
) -> impl IntoView {
    let first = match first {
        Some(href) => {
            view! { <a class="btn small" href=href rel="first">{icon("chevron-left")}"First"</a> }
                .into_any()
        }
        None => {
            view! { <a class="btn small" aria-disabled="true">{icon("chevron-left")}"First"</a> }
                .into_any()
        }
    };
    let next = match next {
        Some(href) => {
            view! { <a class="btn small" href=href rel="next">"Next"{icon("chevron-right")}</a> }
                .into_any()
        }
        None => {
            view! { <a class="btn small" aria-disabled="true">"Next"{icon("chevron-right")}</a> }
                .into_any()
        }
    };
    view! {
        <nav class="pager" aria-label="Pages">
            <span>{shown}</span>
            <span class="row">{first}{next}</span>
        </nav>
    }
}
