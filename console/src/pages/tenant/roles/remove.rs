//! T19: taking a role away, with its consequence told first. The last owner stays (R-ADM-02).

use actix_web::{HttpResponse, http::StatusCode};
use contract::ids::AssignmentId;
use control_plane::{
    Mode, Refusal, Scope,
    assignments::{Assignment, Member},
    operators::Operator,
};
use leptos::prelude::*;

use crate::{fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

const TITLE: &str = "Remove a role";

/// `GET roles/{assignment}/remove`. A trial says beforehand whether it would be refused.
pub(in crate::pages::tenant) async fn confirm(visit: Visit) -> Result<HttpResponse, Fault> {
    let (operator, held) = find(&visit).await?;
    let scope = Scope::Tenant(visit.tenant().id);
    let problem = match visit
        .control_plane()
        .remove_role(visit.caller(), scope, held.id, Mode::DryRun)
        .await
    {
        Ok(()) => None,
        Err(Refusal::Conflict { detail, .. }) => Some(detail),
        Err(other) => return Err(other.into()),
    };
    Ok(visit.page(TITLE, || page(&visit, &operator, &held, problem)))
}

/// `POST roles/{assignment}/remove`.
pub(in crate::pages::tenant) async fn remove(
    visit: Visit,
    _form: Form,
) -> Result<HttpResponse, Fault> {
    let (operator, held) = find(&visit).await?;
    let scope = Scope::Tenant(visit.tenant().id);
    match visit
        .control_plane()
        .remove_role(visit.caller(), scope, held.id, Mode::Commit)
        .await
    {
        Ok(()) => {
            let log = visit.href(&format!("audit?object={}", operator.id));
            let text = format!("{} is no longer {}.", operator.name, held.role.title());
            Ok(visit.done(
                &Flash::done(text).with_link("Audit event", log),
                &visit.href("roles"),
            ))
        }
        Err(Refusal::Conflict { detail, .. }) => {
            Ok(visit.page_with(StatusCode::CONFLICT, TITLE, || {
                page(&visit, &operator, &held, Some(detail))
            }))
        }
        Err(other) => Err(other.into()),
    }
}

async fn find(visit: &Visit) -> Result<(Operator, Assignment), Fault> {
    let id: AssignmentId = visit.param("assignment")?;
    let scope = Scope::Tenant(visit.tenant().id);
    let members = visit
        .control_plane()
        .list_members(visit.caller(), scope)
        .await?;
    let found = members.into_iter().find_map(|Member { operator, roles }| {
        let held = roles.into_iter().find(|held| held.id == id)?;
        Some((operator, held))
    });
    found.ok_or(Fault::NotFound)
}

fn page(visit: &Visit, operator: &Operator, held: &Assignment, problem: Option<String>) -> AnyView {
    let back = visit.href("roles");
    let crumbs = crumbs(vec![("Admin roles".into(), back.clone())], TITLE);
    let title = format!(
        "Remove the role {} from {}?",
        held.role.title(),
        operator.name
    );
    let content = match problem {
        Some(problem) => view! {
            <Notice tone=Tone::Warn title="This role can't be removed now">{problem}</Notice>
            <div class="row"><LinkButton href=back>"Back to admin roles"</LinkButton></div>
        }
        .into_any(),
        None => {
            let mine = operator.id == visit.caller().operator();
            let consequence = if mine {
                "This is you: from your next click on you have this role no more."
            } else {
                "It takes effect with their next click; nothing they did is undone."
            };
            let means = held.role.description();
            let (action, csrf) = (
                visit.command(&format!("roles/{}/remove", held.id)),
                visit.csrf(),
            );
            view! {
                <DangerZone title=held.role.title() consequence=consequence>
                    <p>{means}</p>
                    <PostForm action=action csrf=csrf bare=true>
                        <div class="form-actions">
                            <Button kind=ButtonKind::DangerSolid>"Remove role"</Button>
                            <LinkButton href=back>"Keep it"</LinkButton>
                        </div>
                    </PostForm>
                </DangerZone>
            }
            .into_any()
        }
    };
    view! { <PageHead title=title crumbs=crumbs />{content} }.into_any()
}
