//! T19: admin roles. Who administers the tenant, and as what; what the roles may do is in [`table`].
//!
//! Nobody is offered a role that holds more than their own roles do; the method refuses it all the same.

pub(super) mod remove;
pub(super) mod table;

use actix_web::HttpResponse;
use contract::{
    permission::Permission,
    role::{Party, Role},
};
use control_plane::{
    Denial, HeldRole, Mode, Scope,
    assignments::{Assignment, Member},
    operators::{Invitation, Invitee, Operator},
};
use leptos::prelude::*;

use super::denied::{again, notice, why_not};
use crate::{fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

const TITLE: &str = "Admin roles";

/// Everything the page shows.
struct People {
    members: Vec<Member>,
    denial: Option<Denial>,
}

impl People {
    async fn load(visit: &Visit) -> Result<Self, Fault> {
        let scope = Scope::Tenant(visit.tenant().id);
        Ok(Self {
            members: visit
                .control_plane()
                .list_members(visit.caller(), scope)
                .await?,
            denial: why_not(visit, Permission::RolesManage).await?,
        })
    }
}

/// `GET roles`.
pub(super) async fn people(visit: Visit) -> Result<HttpResponse, Fault> {
    let people = People::load(&visit).await?;
    let form = Form::with([("role", Role::ApplicationDeveloper.as_str())]);
    Ok(visit.page(TITLE, || page(&visit, &people, &form)))
}

/// `POST roles/invite`.
pub(super) async fn invite(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let role = form.read::<Role>("role");
    let invitee = Invitee {
        name: form.text("name").to_owned(),
        email: form.text("email").to_owned(),
    };
    for checked in [
        contract::text::check_name("name", &invitee.name),
        contract::text::check_email("email", &invitee.email),
    ] {
        checked.unwrap_or_else(|invalid| form.refuse_invalid(&invalid));
    }
    if let (Some(role), true) = (role, form.is_valid()) {
        let wanted = HeldRole {
            role,
            scope: Scope::Tenant(visit.tenant().id),
        };
        match visit
            .control_plane()
            .invite_operator(visit.caller(), wanted, invitee, Mode::Commit)
            .await
        {
            Ok(invited) => {
                let text = format!("{} is now {}.", invited.operator.name, role.title());
                return Ok(told(&visit, text, &invited.operator, &invited.invitation));
            }
            Err(refusal) => {
                form.absorb(refusal, &[("role_held", "role"), ("other_party", "email")])?
            }
        }
    }
    let people = People::load(&visit).await?;
    again(&visit, Permission::RolesManage, TITLE, || {
        page(&visit, &people, &form)
    })
    .await
}

/// `POST roles/resend` with `operator`.
pub(super) async fn resend(visit: Visit, form: Form) -> Result<HttpResponse, Fault> {
    let operator = form.text("operator").parse().map_err(|_| Fault::NotFound)?;
    let scope = Scope::Tenant(visit.tenant().id);
    let control_plane = visit.control_plane();
    let invitation = control_plane
        .resend_invitation(visit.caller(), scope, operator)
        .await?;
    let members = control_plane.list_members(visit.caller(), scope).await?;
    let member = members
        .iter()
        .find(|member| member.operator.id == operator)
        .ok_or(Fault::NotFound)?;
    Ok(told(&visit, String::new(), &member.operator, &invitation))
}

/// What became of an invitation; a role without an invitation is not half done, but must be told.
fn told(visit: &Visit, text: String, operator: &Operator, invitation: &Invitation) -> HttpResponse {
    let name = &operator.name;
    let flash = match invitation {
        Invitation::Sent => Flash::done(format!("{text} An invitation is on its way to {name}.")),
        Invitation::NotNeeded => Flash::done(format!("{text} {name} has an account already.")),
        Invitation::Tried => Flash::done(text),
        Invitation::NotSent { reason } => Flash::warn(format!(
            "{text} The invitation to {name} could not be sent: {reason} Send it again from the list."
        )),
    };
    let log = visit.href(&format!("audit?object={}", operator.id));
    visit.done(&flash.with_link("Audit event", log), &visit.href("roles"))
}

/// The two tabs.
fn tabs_of(visit: &Visit, here: usize) -> AnyView {
    let tabs = [
        ("People", "roles"),
        ("Roles and permissions", "roles/table"),
    ];
    let tabs = tabs.into_iter().enumerate();
    let tabs = tabs
        .map(|(at, (name, page))| (name.to_owned(), visit.href(page), at == here))
        .collect();
    crate::kit::tabs(TITLE, tabs)
}

fn page(visit: &Visit, people: &People, form: &Form) -> AnyView {
    let may = visit.may(Permission::RolesManage);
    let members = members(visit, &people.members);
    let invite = may.then(|| invite_card(visit, form));
    view! {
        <PageHead title=TITLE sub="Who administers this tenant, and as what." />
        {tabs_of(visit, 0)}
        <ErrorSummary form=form />
        {notice(visit, people.denial.as_ref())}
        {members}
        {invite}
    }
    .into_any()
}

fn members(visit: &Visit, members: &[Member]) -> AnyView {
    if members.is_empty() {
        return view! {
            <section class="card">
                <Empty icon_name="users" title="Nobody administers this tenant yet"
                    text="Whoever creates a tenant names its first owner; from then on the owners invite everyone else." />
            </section>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = members.iter().map(|member| row(visit, member)).collect();
    let columns = vec![
        Column::text("Person"),
        Column::text("Roles"),
        Column::text("Since"),
        Column::actions(),
    ];
    view! {
        <Card title="People"><Table label="People with a role in this tenant" columns=columns>{rows}</Table></Card>
    }
    .into_any()
}

fn row(visit: &Visit, member: &Member) -> AnyView {
    let operator = &member.operator;
    let roles: Vec<AnyView> = member
        .roles
        .iter()
        .map(|held| held_role(visit, operator, held))
        .collect();
    let since = member
        .roles
        .first()
        .map(|held| time(held.created_at, visit.now()));
    let by = member
        .roles
        .first()
        .map(|held| format!("by {}", held.created_by));
    let resend = visit.may(Permission::RolesManage).then(|| {
        let (action, csrf) = (visit.command("roles/resend"), visit.csrf());
        let hidden = vec![("operator", operator.id.to_string())];
        view! {
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button small=true icon="mail">"Send invitation again"</Button>
            </PostForm>
        }
    });
    view! {
        <tr>
            <td>
                <span class="row">{monogram(&operator.name, true)}<span>{operator.name.clone()}<small>{operator.email.clone()}</small></span></span>
            </td>
            <td><div class="stack tight">{roles}</div></td>
            <td>{since}<small>{by}</small></td>
            <td class="end">{resend}</td>
        </tr>
    }
    .into_any()
}

fn held_role(visit: &Visit, operator: &Operator, held: &Assignment) -> AnyView {
    let remove = visit.may(Permission::RolesManage).then(|| {
        let href = visit.href(&format!("roles/{}/remove", held.id));
        let whom = format!(" {} from {}", held.role.title(), operator.name);
        view! { <LinkButton href=href kind=ButtonKind::Ghost small=true>"Remove"<span class="vh">{whom}</span></LinkButton> }
    });
    view! { <span class="row">{held.role.title()}{remove}</span> }.into_any()
}

/// The roles that this person may give here: tenant roles that hold no more than theirs.
fn givable(visit: &Visit) -> Vec<Role> {
    let own: Vec<Role> = visit.caller().roles_in(visit.tenant().id).collect();
    let held = |permission: Permission| own.iter().any(|role| role.grants(permission));
    let tenant_roles = Role::ALL
        .into_iter()
        .filter(|role| role.party() == Party::Customer);
    tenant_roles
        .filter(|role| role.permissions().all(held))
        .collect()
}

fn invite_card(visit: &Visit, form: &Form) -> AnyView {
    let roles = givable(visit)
        .into_iter()
        .map(|role| Choice::new(role.as_str(), role.title(), role.description()))
        .collect();
    let name = Field::text("name", "Name").view(form);
    let email = Field::email("email", "E-mail address")
        .hint("The invitation goes here. Someone with an account already just gets the role.")
        .view(form);
    let roles = choices(form, "role", "Role", false, roles);
    let (action, csrf) = (visit.command("roles/invite"), visit.csrf());
    view! {
        <Card title="Invite a person" sub="They set their own password; you can give no more than you hold yourself." padded=true>
            <PostForm action=action csrf=csrf>
                {name}{email}{roles}
                <div class="form-actions"><Button kind=ButtonKind::Primary icon="mail">"Send invitation"</Button></div>
            </PostForm>
        </Card>
    }
    .into_any()
}
