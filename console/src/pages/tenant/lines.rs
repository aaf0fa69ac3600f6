//! Lists typed into a text area, one thing per line: each line has a number, and each can be wrong by itself.

use leptos::prelude::*;

use crate::{form::Form, kit::icon};

/// The lines that are not empty, without surrounding space, with the numbers a person counts.
pub(super) fn numbered(form: &Form, name: &str) -> Vec<(usize, String)> {
    let lines = form.raw(name).lines().map(str::trim);
    let numbered = lines.enumerate().filter(|(_, line)| !line.is_empty());
    numbered
        .map(|(position, line)| (position + 1, line.to_owned()))
        .collect()
}

/// The problems of a field after the first, which the field shows itself.
pub(super) fn further(form: &Form, name: &str) -> Vec<AnyView> {
    let problems = form
        .problems()
        .iter()
        .filter(|problem| problem.field == name)
        .skip(1);
    problems
        .map(|problem| {
            let message = problem.message.clone();
            view! { <p class="error">{icon("warn")}{message}</p> }.into_any()
        })
        .collect()
}
