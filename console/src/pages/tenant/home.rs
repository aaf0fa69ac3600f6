//! T1: home. What is still to do, what is true now, what happened last. Everything is counted when the
//! page is asked for; nothing on it is kept.

mod checklist;

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    PageRequest, Scope,
    assignments::Member,
    audit::{AuditFilter, AuditRecord, Outcome},
    operators::OperatorKind,
    policies::PolicyState,
    releases::Effectiveness,
    responsibilities::MatrixRow,
};
use leptos::prelude::*;

use crate::{
    fault::Fault,
    kit::*,
    pages::{list::counted, reach::words},
    visit::Visit,
};

/// Events shown on this page.
const RECENT: u64 = 6;

/// Everything the page shows; `None` for what this person may not see.
struct State {
    applications: Option<(usize, bool)>,
    policies: Option<Vec<PolicyState>>,
    /// People who came; neither the command line nor who has not followed the invitation yet.
    members: Option<usize>,
    matrix: Option<Vec<MatrixRow>>,
    reach: Effectiveness,
    recent: Option<Vec<AuditRecord>>,
}

impl State {
    async fn load(visit: &Visit) -> Result<Self, Fault> {
        let (control_plane, caller, tenant) =
            (visit.control_plane(), visit.caller(), visit.tenant().id);
        let applications = match visit.may(Permission::ApplicationsView) {
            true => {
                let hundred = PageRequest::parse(Some(100), None)?;
                let page = control_plane
                    .list_applications(caller, tenant, None, &hundred)
                    .await?;
                Some((page.items.len(), page.next.is_some()))
            }
            false => None,
        };
        let policies = match visit.may(Permission::PoliciesView) {
            true => Some(control_plane.list_policies(caller, tenant).await?),
            false => None,
        };
        let members = match visit.may(Permission::RolesView) {
            true => {
                let members = control_plane.list_members(caller, Scope::Tenant(tenant));
                Some(people(&members.await?))
            }
            false => None,
        };
        let matrix = match visit.may(Permission::ResponsibilitiesView) {
            true => Some(control_plane.list_responsibilities(caller, tenant).await?),
            false => None,
        };
        let recent = match visit.may(Permission::AuditView) {
            true => {
                let few = PageRequest::parse(Some(RECENT), None)?;
                let events = control_plane
                    .list_audit_events(caller, tenant, &AuditFilter::default(), &few)
                    .await?;
                Some(events.items)
            }
            false => None,
        };
        let reach = control_plane.effectiveness(caller, tenant).await?;
        Ok(Self {
            applications,
            policies,
            members,
            matrix,
            reach,
            recent,
        })
    }
}

fn people(members: &[Member]) -> usize {
    let operators = members.iter().map(|member| &member.operator);
    operators
        .filter(|operator| operator.kind == OperatorKind::Person && !operator.is_invited())
        .count()
}

/// `GET home`.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let state = State::load(&visit).await?;
    Ok(visit.page("Home", || page(&visit, &state)))
}

fn page(visit: &Visit, state: &State) -> AnyView {
    let tenant = visit.tenant();
    let issuer = visit.control_plane().issuer(tenant);
    let name = tenant.name.to_string();
    let test = format!("{issuer}/");
    let actions =
        view! { <LinkButton href=test icon="external">"Test sign-in"</LinkButton> }.into_any();
    view! {
        <PageHead title=name sub="Today's state, and what is still to do." actions=actions />
        {checklist::card(visit, state)}
        {tiles(visit, state)}
        <div class="two">
            {recent(visit, state)}
            {addresses(visit, &issuer)}
        </div>
    }
    .into_any()
}

fn tiles(visit: &Visit, state: &State) -> AnyView {
    let applications = state.applications.map(|(number, more)| {
        let value = if more {
            format!("{number}+")
        } else {
            number.to_string()
        };
        let href = visit.href("apps");
        view! { <StatTile label="Applications" value=value href=href /> }
    });
    let reach = &state.reach;
    let detail = words(reach);
    let (version, href) = (reach.version.to_string(), visit.href("releases"));
    let policies = state.policies.as_ref().map(|policies| {
        let changed = policies.iter().filter(|state| state.published.version > 1).count();
        let drafts = policies.iter().filter(|state| state.draft.is_some()).count();
        let detail = format!("{changed} changed since the start, {}", counted(drafts, "draft waits", "drafts wait"));
        let href = visit.href("policies");
        view! { <StatTile label="Policies in force" value=policies.len().to_string() href=href detail=detail /> }
    });
    let operators = state.members.map(|members| {
        let href = visit.href("roles");
        view! { <StatTile label="People who administer it" value=members.to_string() href=href /> }
    });
    view! {
        <dl class="tiles">
            {applications}
            <StatTile label="Current release" value=version href=href detail=detail />
            {policies}
            {operators}
        </dl>
    }
    .into_any()
}

fn recent(visit: &Visit, state: &State) -> AnyView {
    let Some(recent) = &state.recent else {
        return view! {
            <section class="card">
                <Empty icon_name="audit" title="You can't see the audit log here"
                    text="A tenant owner, a security admin or an auditor of the tenant can." />
            </section>
        }
        .into_any();
    };
    let now = visit.now();
    let items: Vec<AnyView> = recent
        .iter()
        .map(|record| {
            let event = &record.event;
            let (class, sign) = match event.outcome {
                Outcome::Done => ("ok", "check"),
                Outcome::Refused => ("bad", "x"),
            };
            let (name, sentence) = (event.actor.name.clone(), event.sentence.clone());
            view! {
                <li class=class>
                    {icon(sign)}
                    <div><p><b>{name}</b>": "{sentence}</p><p class="when">{time(event.at, now)}</p></div>
                </li>
            }
            .into_any()
        })
        .collect();
    let all = visit.href("audit");
    let all = view! { <a href=all>"Audit log"</a> }.into_any();
    view! {
        <Card title="What happened last" actions=all padded=true><ol class="timeline">{items}</ol></Card>
    }
    .into_any()
}

fn addresses(visit: &Visit, issuer: &str) -> AnyView {
    let tenant = visit.tenant();
    let discovery = format!("{issuer}/.well-known/openid-configuration");
    let text = discovery.clone();
    let facts = vec![
        kv("Issuer", view! { <code>{issuer.to_owned()}</code> }),
        kv("Discovery", view! { <a href=discovery>{text}</a> }),
        kv("Tenant ID", id(tenant.id)),
        kv("Region", tenant.region.to_string()),
        kv("Environment", crate::shell::environment(tenant.environment)),
        kv("Created", time(tenant.created_at, visit.now())),
    ];
    view! { <Card title="Addresses" padded=true><KeyValue facts=facts stacked=true /></Card> }
        .into_any()
}
