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
    Denial, Scope,
    assignments::{Assignment, Member},
    operators::Operator,
};
use leptos::prelude::*;

use crate::{
    denial::{again, notice, why_not},
    fault::Fault,
    form::Form,
    kit::*,
    pages::people,
    visit::Visit,
};

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
    let scope = Scope::Tenant(visit.tenant().id);
    if let Some(invited) = people::invite(&visit, &mut form, scope).await? {
        return Ok(people::invited(&visit, &invited, "roles"));
    }
    let people = People::load(&visit).await?;
    again(&visit, Permission::RolesManage, TITLE, || {
        page(&visit, &people, &form)
    })
    .await
}

/// `POST roles/resend` with `operator`.
pub(super) async fn resend(visit: Visit, form: Form) -> Result<HttpResponse, Fault> {
    let scope = Scope::Tenant(visit.tenant().id);
    people::send_again(&visit, &form, scope, "roles").await
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
    view! {
        <Card title="People"><Table label="People with a role in this tenant" columns=people::columns()>{rows}</Table></Card>
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
    let resend = visit
        .may(Permission::RolesManage)
        .then(|| people::send_again_button(visit, "roles/resend", operator));
    view! {
        <tr>
            <td>{people::person(operator)}</td>
            <td>{people::state(operator)}</td>
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
        .hint("They get a mail with a link that works once, unless they can sign in already.")
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
