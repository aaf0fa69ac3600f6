//! How a process becomes a node: a join token, and what to do with it on the machine.
//!
//! The token is shown in the answer to the form that made it, once, and is nowhere else: not in a flash, an
//! address or a log. It is good for one join within minutes, so it is made when somebody is ready to carry
//! it, not together with the node.

use actix_web::{HttpResponse, http::StatusCode};
use control_plane::{
    Mode, Refusal,
    nodes::{MadeJoinToken, Node, NodeStanding, NodeState},
};
use leptos::prelude::*;

use super::{href, is_embedded};
use crate::{fault::Fault, form::Form, kit::*, visit::Visit};

/// The way to a further node.
pub(super) const STEPS: [&str; 3] = ["Name and region", "Join token", "Start it"];

/// The file in the commands that people copy.
const FILE: &str = "join-token";

/// `GET nodes/{node}/join`.
pub(in crate::pages::platform) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let state = load(&visit).await?;
    Ok(visit.page(&title(&state.node), || page(&visit, &state, None)))
}

/// `POST nodes/{node}/join-token`.
pub(in crate::pages::platform) async fn make(
    visit: Visit,
    _form: Form,
) -> Result<HttpResponse, Fault> {
    let state = load(&visit).await?;
    let made = visit
        .control_plane()
        .make_join_token(visit.caller(), state.node.id, Mode::Commit)
        .await;
    match made {
        Ok(made) => Ok(visit.page(&title(&state.node), || answer(&visit, &state.node, &made))),
        Err(Refusal::Conflict { detail, .. }) => {
            let title = title(&state.node);
            Ok(visit.page_with(StatusCode::CONFLICT, &title, || {
                page(&visit, &state, Some(detail))
            }))
        }
        Err(other) => Err(other.into()),
    }
}

async fn load(visit: &Visit) -> Result<NodeState, Fault> {
    let node = visit.param("node")?;
    let control_plane = visit.control_plane();
    Ok(control_plane.get_node(visit.caller(), node).await?)
}

fn title(node: &Node) -> String {
    format!("Join {}", node.name)
}

fn head(visit: &Visit, node: &Node, step: usize) -> AnyView {
    let way = vec![
        ("Nodes".to_owned(), visit.href("nodes")),
        (node.name.to_string(), href(visit, node, "")),
    ];
    let sub = format!(
        "A process becomes the node {} of the region {}",
        node.name, node.region
    );
    // Who joins again makes nothing new.
    let steps = (node.standing == NodeStanding::Awaiting).then(|| stepper(&STEPS, step));
    view! {
        <PageHead title=title(node) sub=sub crumbs=crumbs(way, "Join") />
        {steps}
    }
    .into_any()
}

/// What the token is for, and the button that makes it; `problem` says why none was made.
fn page(visit: &Visit, state: &NodeState, problem: Option<String>) -> AnyView {
    let node = &state.node;
    let refused = problem.map(|problem| {
        view! { <Notice tone=Tone::Bad title="No join token was made">{problem}</Notice> }
    });
    let content = if is_embedded(node) {
        unavailable(
            "It runs in the control plane's own process, which starts and ends it. Nothing else can join as it.",
        )
    } else {
        match node.standing {
            NodeStanding::Revoked => unavailable(
                "It was revoked, which is for good. Create another node for this machine.",
            ),
            NodeStanding::Awaiting => offer(visit, state, None),
            NodeStanding::Enrolled => offer(visit, state, Some(again_notice(state))),
        }
    };
    view! { {head(visit, node, 1)}{refused}{content} }.into_any()
}

fn unavailable(why: &'static str) -> AnyView {
    view! { <Notice tone=Tone::Info title="Nothing can join as this node">{why}</Notice> }
        .into_any()
}

fn again_notice(state: &NodeState) -> AnyView {
    let name = state.node.name.to_string();
    let (tone, title) = match state.connected {
        true => (Tone::Warn, format!("{name} is connected now")),
        false => (Tone::Info, format!("{name} has joined before")),
    };
    view! {
        <Notice tone=tone title=title>
            "Make another token only if its machine lost its disk, was locked out, or is replaced. What joins with it \
             keeps the node's ID and takes its place: its earlier certificates are refused from then on."
        </Notice>
    }
    .into_any()
}

fn offer(visit: &Visit, state: &NodeState, notice: Option<AnyView>) -> AnyView {
    let node = &state.node;
    let action = visit.command(&format!("nodes/{}/join-token", node.id));
    let (csrf, later) = (visit.csrf(), href(visit, node, ""));
    let region = node.region.to_string();
    view! {
        {notice}
        <Card title="Join token" sub="Says where the control plane is and whom to believe there, and is good for one join" padded=true>
            <ol class="timeline">
                <li class="info">{icon("settings")}<div><p>"Prepare the machine: bailiwick-node, its settings, and the key file "<code>"kek"</code>" that all nodes of the region "{region}" share, because they open the same stores."</p></div></li>
                <li class="info">{icon("key")}<div><p>"Then make the token and carry it there: it ends after 15 minutes."</p></div></li>
                <li class="info">{icon("node")}<div><p>"The process makes a key that never leaves its machine, and gets a certificate of one day for it."</p></div></li>
                <li class="info">{icon("refresh")}<div><p>"From then on it renews its certificate by itself. A token that was not used is void once you make another."</p></div></li>
            </ol>
            <PostForm action=action csrf=csrf>
                <div class="form-actions">
                    <Button kind=ButtonKind::Primary icon="key">"Make join token"</Button>
                    <LinkButton href=later>"Later"</LinkButton>
                </div>
            </PostForm>
        </Card>
    }
    .into_any()
}

/// The token, this once, and the commands for the machine.
fn answer(visit: &Visit, node: &Node, made: &MadeJoinToken) -> AnyView {
    let (name, now) = (node.name.to_string(), visit.now());
    let explanation = format!(
        "It is shown only this once; we keep nothing but its hash. It lets one process join as {name}, until {} ({}).",
        absolute(made.expires_at),
        relative(made.expires_at, now)
    );
    let secret = made.text.expose().to_owned();
    let write = format!("(umask 077 && cat > {FILE})");
    let start = format!("bailiwick-node --join-token-file {FILE}");
    let tidy = format!("rm {FILE}");
    let page = href(visit, node, "");
    view! {
        {head(visit, node, 2)}
        <Secret title="Copy the join token now" explanation=explanation secret=secret />
        <Card title="On the machine" sub="In the directory of the node, as the user it runs as" padded=true>
            <div class="stack">
                <Code caption="1. Put the token into a file that only this user can read: paste it, press Enter and Ctrl+D" text=write />
                <Code caption="2. Start the node with it" text=start />
                <Code caption="3. Once it is connected, remove the file; from now on the node starts without it" text=tidy />
            </div>
        </Card>
        <div class="row">
            <LinkButton href=page kind=ButtonKind::Primary>"See whether it is connected"</LinkButton>
        </div>
    }
    .into_any()
}
