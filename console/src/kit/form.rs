//! Forms that change something: a button in a row, an editor with its save bar, a question before a danger.
//!
//! Each is a POST with the session's form token. The browser's own checks stay off everywhere: they would
//! hide ours, which say more and look the same in every browser.

use leptos::prelude::*;

use super::{Button, ButtonKind, Content, DangerZone, Field, LinkButton, SaveBar};
use crate::form::Form;

/// A POST form with the session's form token; every change in the console goes through one of these.
#[component]
pub fn PostForm(
    /// The command's address (`Visit::command`).
    #[prop(into)]
    action: String,
    /// The session's form token (`Visit::csrf`).
    #[prop(into)]
    csrf: String,
    /// Members the person does not see, such as the version that was read.
    #[prop(optional)]
    hidden: Vec<(&'static str, String)>,
    /// Whether it is only a button without fields, standing in a row.
    #[prop(optional)]
    bare: bool,
    /// Fields and buttons.
    children: Content,
) -> impl IntoView {
    let members = hidden
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view();
    view! {
        <form class=(!bare).then_some("form") method="post" action=action novalidate>
            <input type="hidden" name=crate::csrf::FIELD value=csrf />
            {members}
            {children.0}
        </form>
    }
}

/// A long form that edits something: its fields, and a bar that keeps save and leave in sight.
#[component]
pub fn EditForm(
    /// The command's address (`Visit::command`).
    #[prop(into)]
    action: String,
    /// The session's form token (`Visit::csrf`).
    #[prop(into)]
    csrf: String,
    /// Members the person does not see, such as the version that was read.
    hidden: Vec<(&'static str, String)>,
    /// What is being edited, and which version it is based on.
    #[prop(into)]
    based: String,
    /// Where leaving without saving goes.
    #[prop(into)]
    back: String,
    /// What leaving is called.
    #[prop(default = "Discard")]
    leave: &'static str,
    /// What saving is called.
    #[prop(default = "Save")]
    save: &'static str,
    /// The fields.
    children: Content,
) -> impl IntoView {
    view! {
        <PostForm action=action csrf=csrf hidden=hidden>
            {children.0}
            <SaveBar text=based>
                <LinkButton href=back>{leave}</LinkButton>
                <Button kind=ButtonKind::Primary>{save}</Button>
            </SaveBar>
        </PostForm>
    }
}

/// What a dangerous command needs, and the name that is typed before it runs.
#[derive(Debug)]
pub struct Confirmation {
    /// The command's address.
    pub action: String,
    /// The session's form token.
    pub csrf: String,
    /// Members the person does not see.
    pub hidden: Vec<(&'static str, String)>,
    /// What has to be typed (`Form::confirms`).
    pub name: String,
    /// The button's text.
    pub button: &'static str,
}

/// A danger zone whose button works only after the name of the thing was typed.
#[component]
pub fn ConfirmedDanger<'a>(
    /// Heading.
    #[prop(into)]
    title: String,
    /// What happens, in one sentence, with numbers where there are any.
    #[prop(into)]
    consequence: String,
    /// What is posted.
    confirmation: Confirmation,
    /// The form as it was sent.
    form: &'a Form,
) -> impl IntoView + use<> {
    let Confirmation {
        action,
        csrf,
        hidden,
        name,
        button,
    } = confirmation;
    let confirm = Field::text("confirm", format!("Type {name} to confirm"))
        .mono()
        .view(form);
    view! {
        <DangerZone title=title consequence=consequence>
            <PostForm action=action csrf=csrf hidden=hidden>
                {confirm}
                <div class="form-actions"><Button kind=ButtonKind::DangerSolid>{button}</Button></div>
            </PostForm>
        </DangerZone>
    }
}
