//! People who hold roles, on the platform or in a tenant: their state, inviting one more, sending the
//! invitation again, and what became of it. One place, so that both pages say it in the same words.
//!
//! It must never tell more about a person than the method told: whether somebody who was invited had an
//! account already is not for those who invite.

use actix_web::HttpResponse;
use contract::role::Role;
use control_plane::{
    HeldRole, Mode, Refusal, Scope,
    operators::{Invitation, Invited, Operator, OperatorKind},
};
use leptos::prelude::*;

use crate::{fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

/// The columns of a list of people.
pub(crate) fn columns() -> Vec<Column> {
    vec![
        Column::text("Person"),
        Column::text("State"),
        Column::text("Roles"),
        Column::text("Since"),
        Column::actions(),
    ]
}

/// Who it is.
pub(crate) fn person(operator: &Operator) -> AnyView {
    let (name, email) = (operator.name.clone(), operator.email.clone());
    view! {
        <span class="row nowrap">{monogram(&operator.name, true)}<span>{name}<small>{email}</small></span></span>
    }
    .into_any()
}

/// Whether they have come yet.
pub(crate) fn state(operator: &Operator) -> AnyView {
    match operator.kind {
        OperatorKind::DataDir => pill(Tone::Idle, "Command line"),
        OperatorKind::Person if operator.is_invited() => pill(Tone::Info, "Invited"),
        OperatorKind::Person => pill(Tone::Ok, "Active"),
    }
}

/// The button that sends an invitation again, for people who have not come; `command` is posted to.
pub(crate) fn send_again_button(
    visit: &Visit,
    command: &str,
    operator: &Operator,
) -> Option<AnyView> {
    let (action, csrf) = (visit.command(command), visit.csrf());
    let hidden = vec![("operator", operator.id.to_string())];
    let whom = format!(" to {}", operator.name);
    operator.is_invited().then(|| {
        view! {
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button small=true icon="mail">"Send invitation again"<span class="vh">{whom}</span></Button>
            </PostForm>
        }
        .into_any()
    })
}

/// Reads `name`, `email` and `role` and invites; `None` leaves every problem in the form.
pub(crate) async fn invite(
    visit: &Visit,
    form: &mut Form,
    scope: Scope,
) -> Result<Option<Invited>, Fault> {
    let invitee = form.invitee("name", "email");
    let role = form.read::<Role>("role");
    let (Some(role), true) = (role, form.is_valid()) else {
        return Ok(None);
    };
    let asked = visit
        .control_plane()
        .invite_operator(
            visit.caller(),
            HeldRole { role, scope },
            invitee,
            Mode::Commit,
        )
        .await;
    match asked {
        Ok(invited) => Ok(Some(invited)),
        Err(refusal) => {
            let fields = [
                ("role_held", "role"),
                ("address_unusable", "email"),
                ("email_taken", "email"),
            ];
            form.absorb(refusal, &fields)?;
            Ok(None)
        }
    }
}

/// After an invitation: back to the list, which says what was given and what became of the letter.
pub(crate) fn invited(visit: &Visit, invited: &Invited, list: &str) -> HttpResponse {
    let name = &invited.operator.name;
    let given = format!("{name} is now {}.", invited.assignment.role.title());
    let flash = match &invited.invitation {
        Invitation::NotSent { reason } => Flash::warn(format!(
            "{given} {} Send it again from the list.",
            not_sent(name, reason)
        )),
        other => Flash::done(format!("{given} {}", outcome(name, other))),
    };
    back(visit, flash, &invited.operator, list)
}

/// Sends the invitation of the `operator` that the form names again, and says what became of it.
pub(crate) async fn send_again(
    visit: &Visit,
    form: &Form,
    scope: Scope,
    list: &str,
) -> Result<HttpResponse, Fault> {
    let id = form.text("operator").parse().map_err(|_| Fault::NotFound)?;
    let control_plane = visit.control_plane();
    let sent = control_plane
        .resend_invitation(visit.caller(), scope, id, Mode::Commit)
        .await;
    let sent = match sent {
        Ok(sent) => sent,
        // The person came in the meantime, or no node can send at the moment: the list says so.
        Err(Refusal::Conflict { detail, .. } | Refusal::Unavailable { detail }) => {
            return Ok(visit.done(&Flash::refused(detail), &visit.href(list)));
        }
        Err(other) => return Err(other.into()),
    };
    let members = control_plane.list_members(visit.caller(), scope).await?;
    let operator = members.into_iter().map(|member| member.operator);
    let operator = operator
        .into_iter()
        .find(|operator| operator.id == id)
        .ok_or(Fault::NotFound)?;
    let flash = match &sent {
        Invitation::NotSent { reason } => Flash::warn(not_sent(&operator.name, reason)),
        _ => Flash::done(sent_again(&operator.name)),
    };
    Ok(back(visit, flash, &operator, list))
}

fn back(visit: &Visit, flash: Flash, operator: &Operator, list: &str) -> HttpResponse {
    let log = visit.href(&format!("audit?object={}", operator.id));
    visit.done(&flash.with_link("Audit event", log), &visit.href(list))
}

/// What became of a first invitation, as a sentence.
pub(crate) fn outcome(name: &str, invitation: &Invitation) -> String {
    match invitation {
        Invitation::Sent => {
            format!("{name} gets a mail with a link, unless they can sign in already.")
        }
        Invitation::NotNeeded => format!("{name} is a member here already and can sign in."),
        Invitation::Tried => "Nothing was sent, because it was only tried.".to_owned(),
        Invitation::NotSent { reason } => not_sent(name, reason),
    }
}

/// That an invitation went out again.
pub(crate) fn sent_again(name: &str) -> String {
    format!("The invitation to {name} is on its way again. Earlier links no longer work.")
}

/// That it did not, and why. Reasons come as sentences and as parts of sentences; one full stop is enough.
pub(crate) fn not_sent(name: &str, reason: &str) -> String {
    let reason = reason.trim_end_matches('.');
    format!("The invitation to {name} did not go out: {reason}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_one_sentence_with_one_full_stop() {
        for reason in ["no mail server", "No node is connected."] {
            let told = not_sent("Ada", reason);
            assert!(told.ends_with('.') && !told.ends_with(".."), "{told}");
        }
        for invitation in [
            Invitation::Sent,
            Invitation::NotNeeded,
            Invitation::Tried,
            Invitation::NotSent {
                reason: "x.".into(),
            },
        ] {
            let told = outcome("Ada", &invitation);
            assert!(told.ends_with('.') && !told.contains(".."), "{told}");
        }
    }
}
