//! What differs: fields in words, raw text line by line, and how far along one is.

use leptos::prelude::*;
use similar::{ChangeTag, TextDiff};

use super::icon;

/// One field that differs between what is live and what is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field's name as people read it.
    pub name: String,
    /// Its value before; `None` if it was not there.
    pub before: Option<String>,
    /// Its value after; `None` if it goes away.
    pub after: Option<String>,
}

/// Changes field by field, in words.
pub fn changes(changes: Vec<FieldChange>) -> AnyView {
    let lines = changes
        .into_iter()
        .map(|change| {
            let class = match (&change.before, &change.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            let between = (change.before.is_some() && change.after.is_some())
                .then(|| view! { <span class="vh">"becomes"</span>{icon("arrow-right")} });
            view! {
                <li class=class>
                    <span class="name">{change.name}</span>
                    <span class="values">
                        {change.before.map(|before| view! { <del>{before}</del> })}
                        {between}
                        {change.after.map(|after| view! { <ins>{after}</ins> })}
                    </span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="changes">{lines}</ul> }.into_any()
}

/// Two texts line by line, three lines of context.
#[component]
pub fn Diff(
    /// What is compared with what.
    #[prop(into)]
    title: String,
    /// The text before.
    #[prop(into)]
    before: String,
    /// The text after.
    #[prop(into)]
    after: String,
) -> impl IntoView {
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines: Vec<AnyView> = Vec::new();
    for group in diff.grouped_ops(3) {
        for op in group {
            for change in diff.iter_changes(&op) {
                let (class, sign) = match change.tag() {
                    ChangeTag::Equal => ("c", ' '),
                    ChangeTag::Delete => ("r", '-'),
                    ChangeTag::Insert => ("a", '+'),
                };
                let text = format!("{sign} {}", change.value().trim_end_matches('\n'));
                lines.push(view! { <div class=class>{text}</div> }.into_any());
            }
        }
    }
    view! { <div class="diff" tabindex="0"><div class="h">{title}</div>{lines}</div> }
}

/// Steps of a longer task; `here` counts from zero.
pub fn stepper(steps: &[&'static str], here: usize) -> AnyView {
    let steps = steps
        .iter()
        .enumerate()
        .map(|(position, name)| {
            let done = (position < here).then_some("done");
            let current = (position == here).then_some("step");
            view! { <li class=done aria-current=current>{*name}</li> }
        })
        .collect_view();
    view! { <ol class="stepper">{steps}</ol> }.into_any()
}
