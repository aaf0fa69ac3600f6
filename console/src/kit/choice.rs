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
    let items = choices
        .into_iter()
        .map(|choice| {
            let checked = form.has(name, &choice.value);
            view! {
                <label class="check">
                    <input type=kind name=name.to_owned() value=choice.value checked=checked />
                    <span>{choice.text}{small(&choice.detail)}</span>
                </label>
            }
        })
        .collect_view();
    group(
        form,
        name,
        legend,
        view! { <div class="choices">{items}</div> }.into_any(),
    )
}

/// One of a few, each a card with an icon.
pub fn choice_cards(form: &Form, name: &str, legend: &str, choices: Vec<Choice>) -> AnyView {
    let items = choices
        .into_iter()
        .map(|choice| {
            let checked = form.has(name, &choice.value);
            let picture = (!choice.icon.is_empty()).then(|| icon(choice.icon));
            view! {
                <label class="choice-card">
                    <input type="radio" name=name.to_owned() value=choice.value checked=checked />
                    {picture}
                    <span><b>{choice.text}</b>{small(&choice.detail)}</span>
                </label>
            }
        })
        .collect_view();
    group(
        form,
        name,
        legend,
        view! { <div class="choice-cards">{items}</div> }.into_any(),
    )
}

fn group(form: &Form, name: &str, legend: &str, items: AnyView) -> AnyView {
    view! {
        <fieldset class="fieldset" id=name.to_owned() aria-describedby=error_id(form, name)>
            <legend>{legend.to_owned()}</legend>
            {items}
            {error(form, name)}
        </fieldset>
    }
    .into_any()
}

/// One of two or three short words side by side; the legend is only read out.
pub fn segments(form: &Form, name: &str, legend: &str, choices: Vec<Choice>) -> AnyView {
    let items = choices
        .into_iter()
        .map(|choice| {
            let checked = form.has(name, &choice.value);
            view! {
                <label>
                    <input type="radio" name=name.to_owned() value=choice.value checked=checked />
                    <span>{choice.text}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="segments" id=name.to_owned()>
            <legend class="vh">{legend.to_owned()}</legend>
            {items}
        </fieldset>
    }
    .into_any()
}
