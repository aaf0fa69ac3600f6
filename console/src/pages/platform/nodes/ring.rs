//! Moving a node to another ring: which releases it is given at once, and which only once they have proven themselves.

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    Mode,
    nodes::{NodeAt, NodeStanding, Ring},
};
use leptos::prelude::*;

use super::{
    href,
    show::{Seen, look},
};
use crate::{
    fault::Fault, flash::Flash, form::Form, kit::*, pages::list::seen_version, visit::Visit,
};

/// What people call a ring.
pub(super) fn name(ring: Ring) -> &'static str {
    match ring {
        Ring::Canary => "Canary ring",
        Ring::Wide => "Wide ring",
    }
}

fn meaning(ring: Ring) -> &'static str {
    match ring {
        Ring::Canary => {
            "It is given each release at once, and what happens on it decides whether the others are given it."
        }
        Ring::Wide => "It is given a release once that has proven itself in the canary ring.",
    }
}

/// `POST nodes/{node}/ring` with the `ring` it is moved to.
pub(in crate::pages::platform) async fn change(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let ring: Ring = form.read("ring").ok_or(Fault::NotFound)?;
    let at = NodeAt {
        id: visit.param("node")?,
        expected: seen_version(&form),
    };
    visit
        .control_plane()
        .change_node_ring(visit.caller(), at, ring, Mode::Commit)
        .await?;
    let seen = look(&visit).await?;
    let node = seen.node();
    let text = format!("{} is in the {} now.", node.name, name(ring).to_lowercase());
    let log = visit.href(&format!("audit?object={}", node.id));
    let flash = Flash::done(text).with_link("Audit event", log);
    Ok(visit.done(&flash, &href(&visit, node, "")))
}

/// Which ring it is in, and the way to the other one.
pub(super) fn card(visit: &Visit, seen: &Seen) -> Option<AnyView> {
    let node = seen.node();
    if node.standing == NodeStanding::Revoked {
        return None;
    }
    let other = match node.ring {
        Ring::Canary => Ring::Wide,
        Ring::Wide => Ring::Canary,
    };
    let form = visit.may(Permission::NodesManage).then(|| {
        let action = visit.command(&format!("nodes/{}/ring", node.id));
        let hidden = vec![
            ("version", node.version.to_string()),
            ("ring", other.as_str().to_owned()),
        ];
        let (csrf, button) = (
            visit.csrf(),
            format!("Move to the {}", name(other).to_lowercase()),
        );
        view! {
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <Button>{button}</Button>
            </PostForm>
        }
    });
    let (title, text) = (name(node.ring), meaning(node.ring));
    Some(
        view! {
            <Card title=title sub=text padded=true>
                <p class="text-sm">"A node that is moved keeps what it holds; its session ends and begins anew."</p>
                {form}
            </Card>
        }
        .into_any(),
    )
}
