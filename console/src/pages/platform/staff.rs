//! P17, thin: who works on the platform for the vendor and as what; inviting one more.

use actix_web::HttpResponse;
use contract::{
    permission::Permission,
    role::{Party, Role},
};
use control_plane::{Scope, assignments::Member};
use leptos::prelude::*;

use crate::{denial::again, fault::Fault, form::Form, kit::*, pages::people, visit::Visit};

const TITLE: &str = "Staff and roles";

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let members = members(&visit).await?;
    let form = Form::with([("role", Role::SupportEngineer.as_str())]);
    Ok(visit.page(TITLE, || page(&visit, &members, &form)))
}

/// Invites a person, or shows the form again.
pub(super) async fn invite(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    if let Some(invited) = people::invite(&visit, &mut form, Scope::Platform).await? {
        return Ok(people::invited(&visit, &invited, "staff"));
    }
    let members = members(&visit).await?;
    again(&visit, Permission::StaffManage, TITLE, || {
        page(&visit, &members, &form)
    })
    .await
}

/// Sends an invitation again.
pub(super) async fn resend(visit: Visit, form: Form) -> Result<HttpResponse, Fault> {
    people::send_again(&visit, &form, Scope::Platform, "staff").await
}

async fn members(visit: &Visit) -> Result<Vec<Member>, Fault> {
    Ok(visit
        .control_plane()
        .list_members(visit.caller(), Scope::Platform)
        .await?)
}

fn page(visit: &Visit, members: &[Member], form: &Form) -> AnyView {
    let may_invite = visit.may(Permission::StaffManage);
    let rows: Vec<AnyView> = members
        .iter()
        .map(|member| row(visit, member, may_invite))
        .collect();
    view! {
        <PageHead title=TITLE sub="Who at the vendor may do what. A tenant's matrix still decides what they may do in it." />
        <ErrorSummary form=form />
        <Card title="People"><Table label="Vendor staff" columns=people::columns()>{rows}</Table></Card>
        {may_invite.then(|| invitation_form(visit, form))}
    }
    .into_any()
}

fn row(visit: &Visit, member: &Member, may_invite: bool) -> AnyView {
    let operator = &member.operator;
    let roles: Vec<&str> = member.roles.iter().map(|held| held.role.title()).collect();
    let resend = may_invite.then(|| people::send_again_button(visit, "staff/resend", operator));
    view! {
        <tr>
            <td>{people::person(operator)}</td>
            <td>{people::state(operator)}</td>
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
        <Card title="Invite staff" sub="They get a mail with a link that works once, unless they can sign in already." padded=true>
            <PostForm action=visit.command("staff/invite") csrf=visit.csrf()>
                <div class="fields-2">
                    {Field::text("name", "Name").view(form)}
                    {Field::email("email", "E-mail address").view(form)}
                </div>
                {choices(form, "role", "Role", false, roles)}
                <div class="form-actions"><Button kind=ButtonKind::Primary icon="mail">"Send invitation"</Button></div>
            </PostForm>
        </Card>
    }
    .into_any()
}
