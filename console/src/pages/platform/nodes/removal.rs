//! Revoking a node, which is for good, and deleting one that serves nobody.
//!
//! Both ask for the node's name. To revoke asks for a reason as well: whoever finds the node refused a year
//! later must be able to read why.

use actix_web::HttpResponse;
use contract::{ids::NodeId, permission::Permission};
use control_plane::{
    Mode,
    nodes::{NodeAt, NodeStanding},
};
use leptos::prelude::*;

use super::{
    href, is_embedded,
    show::{Seen, look, page},
};
use crate::{
    denial::again,
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::list::{counted, seen_version},
    visit::Visit,
};

/// `POST nodes/{node}/revoke` with `reason`, and the name in `confirm`.
pub(in crate::pages::platform) async fn revoke(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let node = seen.node();
    let reason = form.text("reason").to_owned();
    if reason.is_empty() {
        form.refuse("reason", "Say why it is revoked.");
    }
    form.confirms(node.name.as_str());
    if form.is_valid() {
        let at = seen_at(node.id, &form);
        let control_plane = visit.control_plane();
        let revoked = control_plane
            .revoke_node(visit.caller(), at, reason, Mode::Commit)
            .await;
        match revoked {
            Ok(state) => {
                let text = format!(
                    "Revoked {}. Its certificates are refused from now on.",
                    state.node.name
                );
                return Ok(visit.done(&logged(&visit, &seen, text), &href(&visit, node, "")));
            }
            Err(refusal) => form.absorb(refusal, &[])?,
        }
    }
    refused(&visit, &seen, &form).await
}

/// `POST nodes/{node}/delete` with the name in `confirm`.
pub(in crate::pages::platform) async fn delete(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let seen = look(&visit).await?;
    let node = seen.node();
    if !form.confirms(node.name.as_str()) {
        return refused(&visit, &seen, &form).await;
    }
    let at = seen_at(node.id, &form);
    let control_plane = visit.control_plane();
    control_plane
        .delete_node(visit.caller(), at, Mode::Commit)
        .await?;
    let text = format!("Deleted {}.", node.name);
    Ok(visit.done(&logged(&visit, &seen, text), &visit.href("nodes")))
}

fn seen_at(id: NodeId, form: &Form) -> NodeAt {
    NodeAt {
        id,
        expected: seen_version(form),
    }
}

fn logged(visit: &Visit, seen: &Seen, text: String) -> Flash {
    let log = visit.href(&format!("audit?object={}", seen.node().id));
    Flash::done(text).with_link("Audit event", log)
}

async fn refused(visit: &Visit, seen: &Seen, form: &Form) -> Result<HttpResponse, Fault> {
    let title = seen.node().name.to_string();
    again(visit, Permission::NodesManage, &title, || {
        page(visit, seen, form)
    })
    .await
}

/// The one of the two that fits the node, for whoever may do it. Neither fits a node of a control plane's own
/// process while that runs: it ends with it.
pub(super) fn zone(visit: &Visit, seen: &Seen, form: &Form) -> Option<AnyView> {
    let node = seen.node();
    if !visit.may(Permission::NodesManage) || (is_embedded(node) && seen.state.connected) {
        return None;
    }
    Some(match node.standing {
        NodeStanding::Enrolled => revoke_zone(visit, seen, form),
        NodeStanding::Awaiting => delete_zone(
            visit,
            seen,
            form,
            "Nothing has joined as it, so nothing stops. A join token that is out becomes void, and its name is free again.",
        ),
        NodeStanding::Revoked => delete_zone(
            visit,
            seen,
            form,
            "Takes it off the list and frees its name. Its certificates stay refused, and the audit log keeps what happened.",
        ),
    })
}

fn revoke_zone(visit: &Visit, seen: &Seen, form: &Form) -> AnyView {
    let node = seen.node();
    let action = visit.command(&format!("nodes/{}/revoke", node.id));
    let hidden = vec![("version", node.version.to_string())];
    let csrf = visit.csrf();
    let reason = Field::text("reason", "Reason")
        .hint("Stays on the node and in the audit log, such as: the machine was stolen.")
        .view(form);
    let confirm = Field::text("confirm", format!("Type {} to confirm", node.name))
        .mono()
        .view(form);
    view! {
        <DangerZone title="Revoke" consequence="Its certificates and join tokens are refused at once and for good. The machine comes back only as a new node.">
            <PostForm action=action csrf=csrf hidden=hidden>
                <p>
                    "Revoking does not stop the process: it keeps serving what it holds, but hears nothing more, so people it \
                     answers miss every later release and revocation. Take it off the network as well. "
                    <b>{left(seen)}</b>
                </p>
                {reason}
                {confirm}
                <div class="form-actions"><Button kind=ButtonKind::DangerSolid>"Revoke node"</Button></div>
            </PostForm>
        </DangerZone>
    }
    .into_any()
}

/// Who goes on serving, in numbers.
fn left(seen: &Seen) -> String {
    let region = &seen.node().region;
    let tenants = counted(seen.state.tenants, "tenant", "tenants");
    match (seen.state.tenants, seen.peers) {
        (0, _) => format!("The region {region} has no tenant yet."),
        (_, 0) => format!(
            "No other node of the region {region} is connected: nothing else serves its {tenants}."
        ),
        (_, 1) => format!("1 other node of the region {region} is connected for its {tenants}."),
        (_, peers) => {
            format!("{peers} other nodes of the region {region} are connected for its {tenants}.")
        }
    }
}

fn delete_zone(visit: &Visit, seen: &Seen, form: &Form, consequence: &'static str) -> AnyView {
    let node = seen.node();
    let confirmation = Confirmation {
        action: visit.command(&format!("nodes/{}/delete", node.id)),
        csrf: visit.csrf(),
        hidden: vec![("version", node.version.to_string())],
        name: node.name.to_string(),
        button: "Delete node",
    };
    view! { <ConfirmedDanger title="Delete" consequence=consequence confirmation=confirmation form=form /> }
        .into_any()
}
