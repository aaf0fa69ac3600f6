//! P3: one tenant as vendor staff see it: how it runs, no person of the tenant.
//!
//! Everything here comes with the platform's own permissions, so no row of the customer's matrix can take
//! it away: to suspend, to resume and to bring the first owner in are duties of the vendor. It must never
//! show who that owner is.

use actix_web::HttpResponse;
use contract::{
    permission::Permission,
    tenant::{Slug, TenantStatus},
};
use control_plane::{
    At, Mode, Refusal,
    nodes::NodeState,
    operators::Invitation,
    tenants::{FirstOwner, Tenant, TenantOversight},
};
use leptos::prelude::*;

use super::{
    nodes::{self, serves},
    tenants::status,
};
use crate::{
    denial::again,
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::{list::seen_version, people, reach},
    shell::environment,
    visit::{Visit, tenant_base},
};

/// What the page shows.
struct Seen {
    oversight: TenantOversight,
    issuer: String,
    nodes: Vec<NodeState>,
    /// Whether the customer lets this person look at the configuration.
    open: bool,
}

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let title = seen.tenant().name.to_string();
    Ok(visit.page(&title, || page(&visit, &seen, &Form::default())))
}

/// Suspends or resumes. To suspend, the person types the tenant's short name.
pub(super) async fn set_status(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let wanted = match form.text("status") {
        "suspended" => TenantStatus::Suspended,
        "active" => TenantStatus::Active,
        _ => return Err(Fault::NotFound),
    };
    let tenant = seen.tenant();
    if wanted == TenantStatus::Suspended && !form.confirms(tenant.slug.as_str()) {
        let title = tenant.name.to_string();
        return again(&visit, Permission::TenantsUpdate, &title, || {
            page(&visit, &seen, &form)
        })
        .await;
    }
    let at = At {
        tenant: tenant.id,
        expected: seen_version(&form),
    };
    let changed = visit
        .control_plane()
        .set_tenant_status(visit.caller(), at, wanted, Mode::Commit)
        .await?;
    let flash = match wanted {
        TenantStatus::Suspended => format!(
            "Suspended {}. Nodes refuse it from the next release on.",
            changed.name
        ),
        TenantStatus::Active => format!("Resumed {}.", changed.name),
    };
    Ok(visit.done(
        &Flash::done(flash),
        &visit.href(&format!("tenants/{}", changed.slug)),
    ))
}

/// Sends the invitation of the first owner again, to a corrected address if one was typed.
pub(super) async fn invite_owner(visit: Visit, mut form: Form) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let tenant = seen.tenant();
    let email = Some(form.text("email").to_owned()).filter(|email| !email.is_empty());
    let page_of = visit.href(&format!("tenants/{}", tenant.slug));
    let sent = visit
        .control_plane()
        .resend_first_invitation(visit.caller(), tenant.id, email.as_deref(), Mode::Commit)
        .await;
    match sent {
        Ok(Invitation::NotSent { reason }) => {
            let text = people::not_sent(WHOM, &reason);
            Ok(visit.done(&Flash::warn(text), &page_of))
        }
        Ok(_) => {
            let flash = Flash::done(people::sent_again(WHOM));
            let flash = match visit.console().mailbox() {
                Some(mailbox) => flash.with_link("Open the mailbox", mailbox),
                None => flash,
            };
            Ok(visit.done(&flash, &page_of))
        }
        Err(Refusal::Conflict {
            code: "owner_accepted",
            detail,
        }) => Ok(visit.done(&Flash::refused(detail), &page_of)),
        Err(refusal) => {
            form.absorb(
                refusal,
                &[
                    ("address_unusable", "email"),
                    ("invited_elsewhere", "email"),
                ],
            )?;
            let title = tenant.name.to_string();
            again(&visit, Permission::TenantsCreate, &title, || {
                page(&visit, &seen, &form)
            })
            .await
        }
    }
}

/// The first owner, who has no name here.
const WHOM: &str = "the first owner";

impl Seen {
    fn tenant(&self) -> &Tenant {
        &self.oversight.tenant
    }
}

async fn look(visit: &Visit) -> Result<Seen, Fault> {
    let (control_plane, caller) = (visit.control_plane(), visit.caller());
    let slug: Slug = visit.param("slug")?;
    let oversight = control_plane.oversee_tenant(caller, &slug).await?;
    let tenant = &oversight.tenant;
    let open = control_plane
        .allowed(caller, tenant.id, &[Permission::SettingsView])
        .await?;
    let nodes = match visit.may(Permission::NodesView) {
        true => control_plane.list_nodes(caller).await?,
        false => Vec::new(),
    };
    Ok(Seen {
        issuer: control_plane.issuer(tenant),
        nodes: nodes
            .into_iter()
            .filter(|state| serves(state) && state.node.region == tenant.region)
            .collect(),
        open: !open.is_empty(),
        oversight,
    })
}

fn page(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let tenant = seen.tenant();
    let crumbs = crumbs(
        vec![("Tenants".to_owned(), visit.href("tenants"))],
        tenant.name.to_string(),
    );
    let open = format!("{}home", tenant_base(tenant));
    let actions = seen.open.then(|| {
        view! { <LinkButton href=open icon="arrow-right">"Look into the tenant"</LinkButton> }
            .into_any()
    });
    view! {
        <PageHead title=tenant.name.to_string() crumbs=crumbs state=status(tenant.status) actions=actions />
        <ErrorSummary form=form />
        {visit.query("new").map(|_| next_steps(tenant, &seen.issuer))}
        {owner(visit, seen, form)}
        <Card title="Configuration" padded=true><KeyValue facts=facts(visit, seen) /></Card>
        <Card title="Nodes" sub="Which version each node of the region serves">{served_by(visit, seen)}</Card>
        {visit.may(Permission::TenantsUpdate).then(|| danger(visit, tenant, form))}
    }
    .into_any()
}

fn next_steps(tenant: &Tenant, issuer: &str) -> AnyView {
    let base = tenant_base(tenant);
    let discovery = format!("{issuer}/.well-known/openid-configuration");
    view! {
        <Card title="Next steps" padded=true>
            <ol class="timeline">
                <li class="ok">{icon("check")}<div><p>"The tenant is released to its region."</p></div></li>
                <li class="info">{icon("mail")}<div><p>"Its administrator opens the invitation and chooses a password."</p></div></li>
                <li class="info">{icon("app")}<div><p>"They register an application and point it at the issuer below."</p></div></li>
                <li class="info">{icon("matrix")}<div><p>"Both sides read the "<a href=format!("{base}responsibility")>"responsibility matrix"</a>"."</p></div></li>
            </ol>
            <Code caption="Discovery document" text=discovery />
        </Card>
    }
    .into_any()
}

/// The first owner's invitation, for as long as nobody came.
fn owner(visit: &Visit, seen: &Seen, form: &Form) -> Option<AnyView> {
    let FirstOwner::Invited { since } = seen.oversight.first_owner else {
        return None;
    };
    let sub = format!(
        "Invited {}, and has not come yet. Until then nobody of the customer governs the tenant.",
        relative(since, visit.now())
    );
    let action = visit.command(&format!("tenants/{}/owner-invitation", seen.tenant().slug));
    let send = visit.may(Permission::TenantsCreate).then(|| {
        view! {
            <PostForm action=action csrf=visit.csrf()>
                {Field::email("email", "Corrected address").optional()
                    .hint("Empty sends it to the address that was given. An earlier link stops working.").view(form)}
                <div class="form-actions"><Button icon="mail">"Send the owner's invitation again"</Button></div>
            </PostForm>
        }
    });
    Some(view! { <Card title="First owner" sub=sub padded=true>{send}</Card> }.into_any())
}

fn owned(first_owner: FirstOwner) -> AnyView {
    match first_owner {
        FirstOwner::Accepted => pill(Tone::Ok, "By the customer's owner"),
        FirstOwner::Invited { .. } => pill(Tone::Info, "Owner invited"),
        FirstOwner::Nobody => pill(Tone::Idle, "By nobody yet"),
    }
}

fn facts(visit: &Visit, seen: &Seen) -> Vec<(String, AnyView)> {
    let tenant = seen.tenant();
    let effectiveness = &seen.oversight.effectiveness;
    let issuer = seen.issuer.clone();
    let mut facts = vec![
        kv("Tenant", id(tenant.id)),
        kv("Issuer", view! { <code>{issuer}</code> }),
        kv("Environment", environment(tenant.environment)),
        kv("Region", tenant.region.to_string()),
        kv(
            "Release",
            view! { "Version "{effectiveness.version}" "{reach::mark(effectiveness)} },
        ),
        kv("Governed", owned(seen.oversight.first_owner)),
        kv("Created", time(tenant.created_at, visit.now())),
    ];
    if let Some(host) = &tenant.host {
        facts.insert(2, kv("Own host", host.to_string()));
    }
    facts
}

fn served_by(visit: &Visit, seen: &Seen) -> AnyView {
    if seen.nodes.is_empty() {
        return view! {
            <Empty icon_name="node" title="No node to show"
                text="No node of this region has reported yet, or your roles do not show nodes." />
        }
        .into_any();
    }
    let rows: Vec<AnyView> = seen
        .nodes
        .iter()
        .map(|state| {
            let lag = state
                .behind
                .iter()
                .find(|lag| lag.tenant == seen.tenant().id);
            let (version, remark) = match lag {
                None => (
                    seen.oversight.effectiveness.version,
                    pill(Tone::Ok, "Up to date"),
                ),
                Some(lag) => match &lag.rejected {
                    Some(reason) => (lag.applied, pill(Tone::Bad, format!("Rejected: {reason}"))),
                    None => (
                        lag.applied,
                        pill(Tone::Warn, format!("Behind {}", lag.released)),
                    ),
                },
            };
            view! {
                <tr>
                    <td><a href=nodes::href(visit, &state.node, "")>{state.node.name.to_string()}</a></td>
                    <td class="num">{version}</td>
                    <td>{remark}</td>
                    <td>{nodes::last_seen(visit, &state.node)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let columns = vec![
        Column::text("Node"),
        Column::number("Version"),
        Column::text("State"),
        Column::text("Last seen"),
    ];
    view! { <Table label="Nodes that serve this tenant" columns=columns>{rows}</Table> }.into_any()
}

fn danger(visit: &Visit, tenant: &Tenant, form: &Form) -> Option<AnyView> {
    if tenant.is_platform() {
        return None;
    }
    let action = visit.command(&format!("tenants/{}/status", tenant.slug));
    let hidden = |status: &str| {
        vec![
            ("version", tenant.version.to_string()),
            ("status", status.to_owned()),
        ]
    };
    Some(match tenant.status {
        TenantStatus::Active => {
            let confirmation = Confirmation {
                action,
                csrf: visit.csrf(),
                hidden: hidden("suspended"),
                name: tenant.slug.to_string(),
                button: "Suspend tenant",
            };
            let consequence = "Nobody can sign in and no token is issued until it is resumed. Nothing is deleted.";
            view! { <ConfirmedDanger title="Suspend" consequence=consequence confirmation=confirmation form=form /> }
                .into_any()
        }
        TenantStatus::Suspended => view! {
            <Card title="Resume" sub="Nodes serve the tenant again from the next release on" padded=true>
                <PostForm action=action csrf=visit.csrf() hidden=hidden("active")>
                    <div class="form-actions"><Button kind=ButtonKind::Primary>"Resume tenant"</Button></div>
                </PostForm>
            </Card>
        }
        .into_any(),
    })
}
