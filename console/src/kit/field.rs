//! Fields: label, hint, control and error always together and always connected.
//!
//! A field is described once and rendered with the form it belongs to, so that after a refusal the page
//! shows what the person typed and says beside each field what is wrong with it (WCAG 3.3.1, 3.3.3).

use leptos::prelude::*;

use super::Content;

use super::icon;
use crate::form::Form;

#[derive(Debug, Clone)]
enum Control {
    Input(&'static str),
    Area(u8),
    Select(Vec<(String, String)>),
}

/// A labelled control. `name` is the form member and the element's id.
#[derive(Debug, Clone)]
pub struct Field {
    name: String,
    label: String,
    hint: String,
    affix: String,
    autocomplete: &'static str,
    control: Control,
    width: &'static str,
    optional: bool,
    mono: bool,
    min: Option<i64>,
    max: Option<i64>,
}

impl Field {
    fn new(name: impl Into<String>, label: impl Into<String>, control: Control) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            hint: String::new(),
            affix: String::new(),
            autocomplete: "off",
            control,
            width: "field",
            optional: false,
            mono: false,
            min: None,
            max: None,
        }
    }

    /// One line of text.
    pub fn text(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Input("text"))
    }

    /// An e-mail address.
    pub fn email(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Input("email"))
    }

    /// A web address.
    pub fn url(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Input("url"))
    }

    /// A whole number between `min` and `max`, both included.
    pub fn number(name: impl Into<String>, label: impl Into<String>, min: i64, max: i64) -> Self {
        Self {
            min: Some(min),
            max: Some(max),
            width: "field short",
            ..Self::new(name, label, Control::Input("number"))
        }
    }

    /// Several lines of text.
    pub fn area(name: impl Into<String>, label: impl Into<String>, rows: u8) -> Self {
        Self::new(name, label, Control::Area(rows))
    }

    /// One of a list; `options` are (value, what people read).
    pub fn select(
        name: impl Into<String>,
        label: impl Into<String>,
        options: Vec<(String, String)>,
    ) -> Self {
        Self::new(name, label, Control::Select(options))
    }

    /// What the value is for, below the label.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// A unit behind the control.
    pub fn affix(mut self, affix: impl Into<String>) -> Self {
        self.affix = affix.into();
        self
    }

    /// May stay empty. Required is the rule and is not marked.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The `autocomplete` token, where the value is about the person at the keyboard (WCAG 1.3.5).
    pub fn autocomplete(mut self, token: &'static str) -> Self {
        self.autocomplete = token;
        self
    }

    /// Narrow control.
    pub fn short(mut self) -> Self {
        self.width = "field short";
        self
    }

    /// Control over the whole width.
    pub fn wide(mut self) -> Self {
        self.width = "field wide";
        self
    }

    /// Fixed-width letters, for addresses and codes.
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// The field with the value and the problem that `form` holds for it.
    pub fn view(self, form: &Form) -> AnyView {
        let problem = form.problem(&self.name).map(str::to_owned);
        let (hint_id, error_id) = (
            format!("{}-hint", self.name),
            format!("{}-error", self.name),
        );
        let mut described = Vec::new();
        if !self.hint.is_empty() {
            described.push(hint_id.clone());
        }
        if problem.is_some() {
            described.push(error_id.clone());
        }
        let described = (!described.is_empty()).then(|| described.join(" "));
        let control = self.control(form, described, problem.is_some());
        let control = if self.affix.is_empty() {
            control
        } else {
            view! { <div class="input-group">{control}<span class="affix">{self.affix}</span></div> }
                .into_any()
        };
        let optional = self
            .optional
            .then(|| view! { " "<span class="opt">"optional"</span> });
        let hint =
            (!self.hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{self.hint}</p> });
        let error = problem
            .map(|problem| view! { <p class="error" id=error_id>{icon("warn")}{problem}</p> });
        view! {
            <div class=self.width>
                <label for=self.name>{self.label}{optional}</label>
                {hint}{control}{error}
            </div>
        }
        .into_any()
    }

    fn control(&self, form: &Form, described: Option<String>, invalid: bool) -> AnyView {
        let name = self.name.clone();
        let value = form.raw(&name).to_owned();
        let invalid = invalid.then_some("true");
        let required = (!self.optional).then_some("true");
        let class = if self.mono { "input mono" } else { "input" };
        match &self.control {
            Control::Input(kind) => view! {
                <input class=class type=*kind id=name.clone() name=name value=value autocomplete=self.autocomplete
                    min=self.min max=self.max aria-describedby=described aria-invalid=invalid aria-required=required />
            }
            .into_any(),
            Control::Area(rows) => view! {
                <textarea class=class id=name.clone() name=name rows=rows.to_string() autocomplete=self.autocomplete
                    aria-describedby=described aria-invalid=invalid aria-required=required>{value}</textarea>
            }
            .into_any(),
            Control::Select(options) => {
                let options = options
                    .iter()
                    .cloned()
                    .map(|(key, text)| {
                        let selected = key == value;
                        view! { <option value=key selected=selected>{text}</option> }
                    })
                    .collect_view();
                view! {
                    <select class=class id=name.clone() name=name aria-describedby=described aria-invalid=invalid>
                        {options}
                    </select>
                }
                .into_any()
            }
        }
    }
}

/// Fields that belong together.
#[component]
pub fn Fieldset(
    /// What they are about.
    #[prop(into)]
    legend: String,
    /// A sentence for all of them.
    #[prop(optional, into)]
    hint: String,
    /// The fields.
    children: Content,
) -> impl IntoView {
    view! {
        <fieldset class="fieldset">
            <legend>{legend}</legend>
            {(!hint.is_empty()).then(|| view! { <p class="hint">{hint}</p> })}
            {children.0}
        </fieldset>
    }
}
