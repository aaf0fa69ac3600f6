//! Choices: check boxes, switches, radio lists, cards and segments.

use leptos::prelude::*;

use super::icon;
use crate::form::Form;

/// One of several possible values.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The form value.
    pub value: String,
    /// What people read.
    pub text: String,
    /// What it means.
    pub detail: String,
    /// Icon on a card; empty for none.
    pub icon: &'static str,
}

impl Choice {
    /// A choice with its meaning.
    pub fn new(
        value: impl Into<String>,
        text: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            value: value.into(),
            text: text.into(),
            detail: detail.into(),
            icon: "",
        }
    }

    /// With an icon.
    pub fn with_icon(mut self, icon: &'static str) -> Self {
        self.icon = icon;
        self
    }
}

fn small(detail: &str) -> Option<AnyView> {
    let detail = detail.to_owned();
    (!detail.is_empty()).then(|| view! { <small>{detail}</small> }.into_any())
}

fn error(form: &Form, name: &str) -> Option<AnyView> {
    let problem = form.problem(name)?.to_owned();
    let id = format!("{name}-error");
    Some(view! { <p class="error" id=id>{icon("warn")}{problem}</p> }.into_any())
}

fn error_id(form: &Form, name: &str) -> Option<String> {
    form.problem(name).map(|_| format!("{name}-error"))
}

/// A check box that sends `name=value` when ticked; ticked when the form says so.
pub fn check(form: &Form, name: &str, value: &str, text: &str, detail: &str) -> AnyView {
    ticked(form, name, value, text, detail, false)
}

/// The same as a switch with the value `on`.
pub fn toggle(form: &Form, name: &str, text: &str, detail: &str) -> AnyView {
    ticked(form, name, "on", text, detail, true)
}

#[expect(
    clippy::too_many_arguments,
    reason = "a private renderer; its two callers name every argument"
)]
fn ticked(form: &Form, name: &str, value: &str, text: &str, detail: &str, switch: bool) -> AnyView {
    let class = if switch { "check toggle" } else { "check" };
    let id = format!("{name}-{value}");
    view! {
        <label class=class>
            <input type="checkbox" id=id name=name.to_owned() value=value.to_owned() checked=form.has(name, value)
                role=switch.then_some("switch") aria-describedby=error_id(form, name) />
            <span>{text.to_owned()}{small(detail)}</span>
        </label>
    }
    .into_any()
}

/// A list of check boxes (`many`) or radio buttons under one legend.
pub fn choices(form: &Form, name: &str, legend: &str, many: bool, choices: Vec<Choice>) -> AnyView {
    let kind = if many { "checkbox" } else { "radio" };
    let items = inputs(form, name, kind, &choices)
        .zip(&choices)
        .map(|(input, choice)| {
            let text = choice.text.clone();
            view! { <label class="check">{input}<span>{text}{small(&choice.detail)}</span></label> }
        })
        .collect_view();
    let items = view! { <div class="choices">{items}</div> };
    group(form, name, legend, items.into_any())
}

/// One of a few, each a card with an icon.
pub fn choice_cards(form: &Form, name: &str, legend: &str, choices: Vec<Choice>) -> AnyView {
    let items = inputs(form, name, "radio", &choices)
        .zip(&choices)
        .map(|(input, choice)| {
            let picture = (!choice.icon.is_empty()).then(|| icon(choice.icon));
            let text = choice.text.clone();
            view! {
                <label class="choice-card">
                    {input}{picture}<span><b>{text}</b>{small(&choice.detail)}</span>
                </label>
            }
        })
        .collect_view();
    let items = view! { <div class="choice-cards">{items}</div> };
    group(form, name, legend, items.into_any())
}

/// The inputs of a group. The first carries the group's name as its id, because that is where the error
/// summary leads: to something a person can use at once, not to a frame around it.
fn inputs(
    form: &Form,
    name: &str,
    kind: &'static str,
    choices: &[Choice],
) -> impl Iterator<Item = AnyView> {
    choices.iter().enumerate().map(move |(position, choice)| {
        let checked = form.has(name, &choice.value);
        let id = (position == 0).then(|| name.to_owned());
        let (name, value) = (name.to_owned(), choice.value.clone());
        view! { <input type=kind id=id name=name value=value checked=checked /> }.into_any()
    })
}

fn group(form: &Form, name: &str, legend: &str, items: AnyView) -> AnyView {
    view! {
        <fieldset class="fieldset" aria-describedby=error_id(form, name)>
            <legend>{legend.to_owned()}</legend>
            {items}
            {error(form, name)}
        </fieldset>
    }
    .into_any()
}

/// One of two or three short words side by side; the legend is only read out.
pub fn segments(form: &Form, name: &str, legend: &str, choices: Vec<Choice>) -> AnyView {
    let items = inputs(form, name, "radio", &choices)
        .zip(&choices)
        .map(|(input, choice)| {
            let text = choice.text.clone();
            view! { <label>{input}<span>{text}</span></label> }
        })
        .collect_view();
    view! {
        <fieldset class="segments">
            <legend class="vh">{legend.to_owned()}</legend>
            {items}
        </fieldset>
    }
    .into_any()
}
