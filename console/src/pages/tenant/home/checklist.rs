//! The setup checklist: computed from what is true, never ticked by hand, gone once everything is done.

use contract::permission::Permission;
use leptos::prelude::*;

use super::State;
use crate::{kit::*, visit::Visit};

/// One step.
struct Step {
    done: bool,
    title: &'static str,
    detail: &'static str,
    /// Where it is done, for whoever may do it.
    page: Option<&'static str>,
}

/// The steps that this person can see the state of.
fn steps(visit: &Visit, state: &State) -> Vec<Step> {
    let may = |permission, page| visit.may(permission).then_some(page);
    let steps = [
        state.applications.map(|(number, _)| Step {
            done: number > 0,
            title: "Register an application",
            detail: "Until there is one, nobody can sign in.",
            page: may(Permission::ApplicationsEdit, "apps/new"),
        }),
        state.policies.as_ref().map(|policies| Step {
            done: policies.iter().any(|state| state.published.version > 1),
            title: "Publish a policy of your own",
            detail: "The tenant began with safe defaults. Look through them and publish what you want to be different.",
            page: Some("policies"),
        }),
        state.members.map(|members| Step {
            done: members > 1,
            title: "Invite a second person",
            detail: "With one person alone, a lost account locks everyone out.",
            page: may(Permission::RolesManage, "roles"),
        }),
        state.matrix.as_ref().map(|matrix| Step {
            done: matrix.iter().any(|row| row.version > 1),
            title: "Adapt the responsibility matrix",
            detail: "It began with the usual split between vendor and customer. Done once a row was agreed anew.",
            page: Some("responsibility"),
        }),
        Some(Step {
            done: state.reach.nodes > 0 && state.reach.applied == state.reach.nodes,
            title: "Be served by every node",
            detail: "The current release is effective once each node of the region confirmed it.",
            page: Some("releases"),
        }),
    ];
    steps.into_iter().flatten().collect()
}

/// The checklist as a card; nothing once it is complete.
pub(super) fn card(visit: &Visit, state: &State) -> Option<AnyView> {
    let steps = steps(visit, state);
    let done = steps.iter().filter(|step| step.done).count();
    if done == steps.len() {
        return None;
    }
    let sub = format!(
        "{done} of {} steps done. They tick themselves.",
        steps.len()
    );
    let items: Vec<AnyView> = steps.into_iter().map(|step| item(visit, step)).collect();
    Some(view! { <Card title="Set up this tenant" sub=sub padded=true><ol class="timeline">{items}</ol></Card> }.into_any())
}

fn item(visit: &Visit, step: Step) -> AnyView {
    let (class, sign, state) = if step.done {
        ("ok", "check", "Done: ")
    } else {
        ("info", "arrow-right", "To do: ")
    };
    let title = match step.page.filter(|_| !step.done) {
        Some(page) => {
            let href = visit.href(page);
            view! { <a href=href>{step.title}</a> }.into_any()
        }
        None => view! { <b>{step.title}</b> }.into_any(),
    };
    view! {
        <li class=class>
            {icon(sign)}
            <div><p><span class="vh">{state}</span>{title}</p><p class="when">{step.detail}</p></div>
        </li>
    }
    .into_any()
}
