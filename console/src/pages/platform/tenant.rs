//! P3: one tenant as vendor staff see it: configuration and health, no person of the tenant.

use actix_web::HttpResponse;
use contract::{
    permission::Permission,
    tenant::{Slug, TenantStatus},
};
use control_plane::{At, Mode, nodes::NodeState, releases::Effectiveness, tenants::Tenant};
use leptos::prelude::*;

use super::tenants::status;
use crate::{
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    shell::environment,
    visit::{Visit, tenant_base},
};

/// What the page shows.
struct Seen {
    tenant: Tenant,
    issuer: String,
    effectiveness: Effectiveness,
    nodes: Vec<NodeState>,
}

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let title = seen.tenant.name.to_string();
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
    if wanted == TenantStatus::Suspended && form.text("confirm") != seen.tenant.slug.as_str() {
        form.refuse("confirm", format!("Type {} to confirm.", seen.tenant.slug));
        let title = seen.tenant.name.to_string();
        return Ok(visit.refused(&title, || page(&visit, &seen, &form)));
    }
    let at = At {
        tenant: seen.tenant.id,
        expected: Some(form.text("version").parse().unwrap_or(0)),
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

async fn look(visit: &Visit) -> Result<Seen, Fault> {
    let (control_plane, caller) = (visit.control_plane(), visit.caller());
    let slug: Slug = visit.param("slug")?;
    let tenant = control_plane.get_tenant_by_slug(caller, &slug).await?;
    let nodes = match visit.may(Permission::NodesView) {
        true => control_plane.list_nodes(caller).await?,
        false => Vec::new(),
    };
    Ok(Seen {
        issuer: control_plane.issuer(&tenant),
        effectiveness: control_plane.effectiveness(caller, tenant.id).await?,
        nodes: nodes
            .into_iter()
            .filter(|state| state.node.region == tenant.region)
            .collect(),
        tenant,
    })
}

fn page(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let tenant = &seen.tenant;
    let crumbs = crumbs(
        vec![("Tenants".to_owned(), visit.href("tenants"))],
        tenant.name.to_string(),
    );
    let open = format!("{}home", tenant_base(tenant));
    let actions =
        view! { <LinkButton href=open icon="arrow-right">"Look into the tenant"</LinkButton> }
            .into_any();
    view! {
        <PageHead title=tenant.name.to_string() crumbs=crumbs state=status(tenant.status) actions=actions />
        <ErrorSummary form=form />
        {visit.query("new").map(|_| next_steps(tenant, &seen.issuer))}
        <Card title="Configuration" padded=true><KeyValue facts=facts(visit, seen) /></Card>
        <Card title="Nodes" sub="Which version each node of the region serves">{nodes(visit, seen)}</Card>
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

fn facts(visit: &Visit, seen: &Seen) -> Vec<(String, AnyView)> {
    let tenant = &seen.tenant;
    let Effectiveness {
        version,
        applied,
        nodes,
        ..
    } = &seen.effectiveness;
    let issuer = seen.issuer.clone();
    let mut facts = vec![
        kv("Tenant", id(tenant.id)),
        kv("Issuer", view! { <code>{issuer}</code> }),
        kv("Environment", environment(tenant.environment)),
        kv("Region", tenant.region.to_string()),
        kv(
            "Release",
            format!("{version}, served by {applied} of {nodes} nodes"),
        ),
        kv("Created", time(tenant.created_at, visit.now())),
    ];
    if let Some(host) = &tenant.host {
        facts.insert(2, kv("Own host", host.to_string()));
    }
    facts
}

fn nodes(visit: &Visit, seen: &Seen) -> AnyView {
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
            let lag = state.behind.iter().find(|lag| lag.tenant == seen.tenant.id);
            let (version, remark) = match lag {
                None => (seen.effectiveness.version, pill(Tone::Ok, "Up to date")),
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
                    <td>{id(state.node.id)}</td>
                    <td class="num">{version}</td>
                    <td>{remark}</td>
                    <td>{time(state.node.last_seen_at, visit.now())}</td>
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
        TenantStatus::Active => view! {
            <DangerZone title="Suspend" consequence="Nobody can sign in and no token is issued until it is resumed. Nothing is deleted.">
                <PostForm action=action csrf=visit.csrf() hidden=hidden("suspended")>
                    {Field::text("confirm", format!("Type {} to confirm", tenant.slug)).mono().view(form)}
                    <div class="form-actions"><Button kind=ButtonKind::Danger>"Suspend tenant"</Button></div>
                </PostForm>
            </DangerZone>
        }
        .into_any(),
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
