//! P17, thin: who works on the platform for the vendor and as what; inviting one more.

use actix_web::HttpResponse;
use contract::{
    permission::Permission,
    role::{Party, Role},
};
use control_plane::{
    HeldRole, Mode, Scope,
    assignments::Member,
    operators::{Invitation, Invitee, OperatorKind},
};
use leptos::prelude::*;

use crate::{fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

const TITLE: &str = "Staff and roles";

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let members = members(&visit).await?;
    let form = Form::with([("role", Role::SupportEngineer.as_str())]);
    Ok(visit.page(TITLE, || page(&visit, &members, &form)))
}

/// Invites a person, or shows the form again.
pub(super) async fn invite(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let role: Option<Role> = form.read("role");
    let invitee = Invitee {
        name: form.text("name").to_owned(),
        email: form.text("email").to_owned(),
    };
    if let Some(role) = role {
        let wanted = HeldRole {
            role,
            scope: Scope::Platform,
        };
        let asked = visit
            .control_plane()
            .invite_operator(visit.caller(), wanted, invitee, Mode::Commit)
            .await;
        match asked {
            Ok(invited) => {
                let flash = told(&invited.operator.name, &invited.invitation);
                return Ok(visit.done(&flash, &visit.href("staff")));
            }
            Err(refusal) => {
                let fields = [
                    ("role_held", "role"),
                    ("other_party", "email"),
                    ("email_taken", "email"),
                ];
                form.absorb(refusal, &fields)?;
            }
        }
    }
    let members = members(&visit).await?;
    Ok(visit.refused(TITLE, || page(&visit, &members, &form)))
}

/// Sends an invitation again.
pub(super) async fn resend(visit: Visit, form: Form) -> Result<HttpResponse, Fault> {
    let operator = form.text("operator").parse().map_err(|_| Fault::NotFound)?;
    let invitation = visit
        .control_plane()
        .resend_invitation(visit.caller(), Scope::Platform, operator)
        .await?;
    Ok(visit.done(&told("The person", &invitation), &visit.href("staff")))
}

async fn members(visit: &Visit) -> Result<Vec<Member>, Fault> {
    Ok(visit
        .control_plane()
        .list_members(visit.caller(), Scope::Platform)
        .await?)
}

fn told(name: &str, invitation: &Invitation) -> Flash {
    match invitation {
        Invitation::Sent | Invitation::Tried => {
            Flash::done(format!("{name}: the invitation is on its way."))
        }
        Invitation::NotNeeded => Flash::done(format!("{name} has an account and can sign in.")),
        Invitation::NotSent { reason } => {
            Flash::warn(format!("{name}: the invitation did not go out: {reason}."))
        }
    }
}

fn page(visit: &Visit, members: &[Member], form: &Form) -> AnyView {
    let may_invite = visit.may(Permission::StaffManage);
    let rows: Vec<AnyView> = members
        .iter()
        .map(|member| row(visit, member, may_invite))
        .collect();
    let columns = vec![
        Column::text("Person"),
        Column::text("Roles"),
        Column::text("Since"),
        Column::actions(),
    ];
    view! {
        <PageHead title=TITLE sub="Who at the vendor may do what. A tenant's matrix still decides what they may do in it." />
        <ErrorSummary form=form />
        <Card title="People"><Table label="Vendor staff" columns=columns>{rows}</Table></Card>
        {may_invite.then(|| invitation_form(visit, form))}
    }
    .into_any()
}

fn row(visit: &Visit, member: &Member, may_invite: bool) -> AnyView {
    let operator = &member.operator;
    let roles: Vec<&str> = member.roles.iter().map(|held| held.role.title()).collect();
    let resend = (may_invite && operator.kind == OperatorKind::Person).then(|| {
        let hidden = vec![("operator", operator.id.to_string())];
        view! {
            <PostForm action=visit.command("staff/resend") csrf=visit.csrf() hidden=hidden bare=true>
                <Button small=true icon="mail">"Send invitation again"</Button>
            </PostForm>
        }
    });
    view! {
        <tr>
            <td><b>{operator.name.clone()}</b><small>{operator.email.clone()}</small></td>
            <td class="nowrap">{roles.join(", ")}</td>
            <td>{time(operator.created_at, visit.now())}</td>
            <td class="end">{resend}</td>
        </tr>
    }
    .into_any()
}

fn invitation_form(visit: &Visit, form: &Form) -> AnyView {
    let roles = Role::ALL
        .into_iter()
        .filter(|role| role.party() == Party::Vendor)
        .map(|role| Choice::new(role.as_str(), role.title(), role.description()))
        .collect();
    view! {
        <Card title="Invite staff" sub="They get a link that works once and choose a password" padded=true>
            <PostForm action=visit.command("staff/invite") csrf=visit.csrf()>
                <div class="fields-2">
                    {Field::text("name", "Name").view(form)}
                    {Field::email("email", "E-mail address").view(form)}
                </div>
                {choices(form, "role", "Role", false, roles)}
                <div class="form-actions"><Button kind=ButtonKind::Primary icon="mail">"Invite"</Button></div>
            </PostForm>
        </Card>
    }
    .into_any()
}
