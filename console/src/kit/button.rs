//! Buttons, and links that look like buttons.
//!
//! A link goes somewhere, a button acts: an action is always a POST (`form.rs`), never a link, so that
//! nothing changes because somebody followed an address.

use leptos::prelude::*;

use super::Content;

use super::icon;

/// How much a button stands out; one [`ButtonKind::Primary`] per view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonKind {
    /// Ordinary.
    #[default]
    Plain,
    /// The one next step.
    Primary,
    /// Takes something away.
    Danger,
    /// The last click before something is taken away.
    DangerSolid,
    /// Barely a button.
    Ghost,
}

impl ButtonKind {
    fn class(self, small: bool) -> String {
        let kind = match self {
            Self::Plain => "btn",
            Self::Primary => "btn primary",
            Self::Danger => "btn danger",
            Self::DangerSolid => "btn danger solid",
            Self::Ghost => "btn ghost",
        };
        if small {
            format!("{kind} small")
        } else {
            kind.to_owned()
        }
    }
}

fn maybe_icon(name: &str) -> Option<AnyView> {
    (!name.is_empty()).then(|| icon(name))
}

/// A submit button inside a form.
#[component]
pub fn Button(
    /// How much it stands out.
    #[prop(optional)]
    kind: ButtonKind,
    /// Low height, for table rows.
    #[prop(optional)]
    small: bool,
    /// Icon before the text.
    #[prop(optional, into)]
    icon: String,
    /// Name of the form member that says which button was pressed.
    #[prop(optional, into)]
    name: String,
    /// Its value.
    #[prop(optional, into)]
    value: String,
    /// The text.
    children: Content,
) -> impl IntoView {
    let name = (!name.is_empty()).then_some(name);
    let value = name.is_some().then_some(value);
    view! {
        <button class=kind.class(small) type="submit" name=name value=value>
            {maybe_icon(&icon)}{children.0}
        </button>
    }
}

/// A link that looks like a button.
#[component]
pub fn LinkButton(
    /// Where it goes.
    #[prop(into)]
    href: String,
    /// How much it stands out.
    #[prop(optional)]
    kind: ButtonKind,
    /// Low height, for table rows.
    #[prop(optional)]
    small: bool,
    /// Icon before the text.
    #[prop(optional, into)]
    icon: String,
    /// The text.
    children: Content,
) -> impl IntoView {
    view! { <a class=kind.class(small) href=href>{maybe_icon(&icon)}{children.0}</a> }
}
