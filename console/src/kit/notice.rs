//! What the page has to say before its content: notices, the error summary of a form, the save bar.

use leptos::prelude::*;

use super::Content;

use super::{Tone, icon};
use crate::form::Form;

/// A message in the flow of the page.
#[component]
pub fn Notice(
    /// What it means.
    tone: Tone,
    /// The first words.
    #[prop(into)]
    title: String,
    /// The rest.
    children: Content,
) -> impl IntoView {
    let role = matches!(tone, Tone::Bad | Tone::Warn).then_some("alert");
    view! {
        <div class=format!("notice {}", tone.class()) role=role>
            {icon(tone.icon())}
            <div><b>{title}</b><p>{children.0}</p></div>
        </div>
    }
}

/// What is wrong with the form, first on the page and in focus, each line a link to its field. Nothing for a
/// good form.
#[component]
pub fn ErrorSummary<'a>(
    /// The form as it was sent.
    form: &'a Form,
) -> impl IntoView + use<> {
    let problems = form.problems();
    let heading = match problems.len() {
        1 => "1 thing needs your attention".to_owned(),
        number => format!("{number} things need your attention"),
    };
    let lines: Vec<AnyView> = problems
        .iter()
        .map(|problem| {
            let message = problem.message.clone();
            match problem.field.as_str() {
                "" => view! { <li>{message}</li> }.into_any(),
                field => view! { <li><a href=format!("#{field}")>{message}</a></li> }.into_any(),
            }
        })
        .collect();
    (!lines.is_empty()).then(|| {
        view! {
            <div class="error-summary" role="alert" tabindex="-1" autofocus=true aria-labelledby="error-summary">
                <h2 id="error-summary">{heading}</h2>
                <ul>{lines}</ul>
            </div>
        }
    })
}

/// The bar that keeps save and discard in sight on a long form; its children are the buttons.
#[component]
pub fn SaveBar(
    /// What is being edited, and which version it is based on.
    #[prop(into)]
    text: String,
    /// Buttons.
    children: Content,
) -> impl IntoView {
    view! { <div class="save-bar"><p>{text}</p><div class="row">{children.0}</div></div> }
}
