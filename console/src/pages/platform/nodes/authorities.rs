//! The authorities that sign certificates between the planes, and changing them without an interruption.
//!
//! A change has two steps, because a node that has not heard of an authority refuses what it signed: first
//! the next one is made and told to everybody, later it begins to sign. The form says which step was meant,
//! so that nobody takes the second one by pressing a button that read like the first.

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use contract::permission::Permission;
use control_plane::{
    Mode, Refusal,
    authorities::{AuthorityStanding, AuthorityState},
};
use leptos::prelude::*;

use super::tabs;
use crate::{
    denial::{notice, why_not},
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    visit::Visit,
};

const TITLE: &str = "Node authorities";
const PATH: &str = "nodes/authorities";

/// What rotating would do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Make the next authority and tell everybody.
    Make,
    /// Nothing yet: nodes are being told.
    Wait(DateTime<Utc>),
    /// Let the next authority sign.
    Sign,
}

impl Step {
    fn of(authorities: &[AuthorityState], now: DateTime<Utc>) -> Self {
        let next = authorities
            .iter()
            .find(|authority| authority.standing == AuthorityStanding::Next);
        match next.map(|next| next.created_at + AuthorityState::NEXT_WAITS) {
            None => Self::Make,
            Some(ready) if now < ready => Self::Wait(ready),
            Some(_) => Self::Sign,
        }
    }

    /// How a form names it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Wait(_) | Self::Sign => "sign",
        }
    }
}

/// `GET nodes/authorities`.
pub(in crate::pages::platform) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let authorities = load(&visit).await?;
    let denial = why_not(&visit, Permission::NodesManage).await?;
    Ok(visit.page(TITLE, || {
        let denial = notice(&visit, denial.as_ref());
        page(&visit, &authorities, denial)
    }))
}

/// `POST nodes/authorities/rotate` with the `step` that was meant.
pub(in crate::pages::platform) async fn rotate(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let step = Step::of(&load(&visit).await?, visit.now());
    let list = visit.href(PATH);
    if visit.may(Permission::NodesManage) && form.text("step") != step.as_str() {
        let text = "Nothing was changed: somebody else rotated after you opened the page. Read what is next.";
        return Ok(visit.done(&Flash::refused(text), &list));
    }
    let control_plane = visit.control_plane();
    match control_plane
        .rotate_authority(visit.caller(), Mode::Commit)
        .await
    {
        Ok(_) => {
            let text = match step {
                Step::Make => {
                    "Made the next authority. Everybody is told to trust it; it signs nothing yet."
                }
                Step::Wait(_) | Step::Sign => {
                    "The next authority signs now. The older one is trusted until the certificates it signed have ended."
                }
            };
            let flash = Flash::done(text);
            let flash = match visit.may(Permission::PlatformAuditView) {
                true => flash.with_link("Audit log", visit.href("audit?action=authorities.")),
                false => flash,
            };
            Ok(visit.done(&flash, &list))
        }
        Err(Refusal::Conflict { detail, .. }) => Ok(visit.done(&Flash::refused(detail), &list)),
        Err(other) => Err(other.into()),
    }
}

async fn load(visit: &Visit) -> Result<Vec<AuthorityState>, Fault> {
    let control_plane = visit.control_plane();
    Ok(control_plane.list_authorities(visit.caller()).await?)
}

fn page(visit: &Visit, authorities: &[AuthorityState], denial: Option<AnyView>) -> AnyView {
    let rows: Vec<AnyView> = authorities
        .iter()
        .map(|authority| row(visit, authority))
        .collect();
    let columns = [
        "Authority", "State", "What it signs", "Made", "Trusted until",
    ]
    .map(Column::text)
    .into();
    let step = Step::of(authorities, visit.now());
    view! {
        <PageHead title=TITLE sub="They sign the certificates by which nodes and control plane know each other" />
        {tabs(visit, PATH)}
        {denial}
        <div class="card table-card"><Table label="Authorities" columns=columns>{rows}</Table></div>
        {rotation(visit, step)}
    }
    .into_any()
}

fn row(visit: &Visit, authority: &AuthorityState) -> AnyView {
    let now = visit.now();
    let since = |at: Option<DateTime<Utc>>| {
        let day = at?.format("since %-d %b %Y").to_string();
        Some(view! { <small class="nowrap">{day}</small> })
    };
    let (mark, at, signs) = match authority.standing {
        AuthorityStanding::Next => (
            pill(Tone::Info, "Next"),
            None,
            "Nothing yet. Everybody is told to trust it first.",
        ),
        AuthorityStanding::Signing => (
            pill(Tone::Ok, "Signing"),
            authority.signing_since,
            "Every new certificate: of nodes that join or renew, and of the control plane.",
        ),
        AuthorityStanding::Retiring => (
            pill(Tone::Warn, "Retiring"),
            authority.retiring_since,
            "Nothing any more. Trusted until the last certificate it signed has ended.",
        ),
    };
    let until = authority.trusted_until;
    // Far moments are told as dates already.
    let exact =
        (until - now < TimeDelta::days(7)).then(|| view! { <small>{absolute(until)}</small> });
    view! {
        <tr>
            <td>{id(&authority.fingerprint)}<small>"SHA-256 of its certificate"</small></td>
            <td>{mark}{since(at)}</td>
            <td class="what">{signs}</td>
            <td class="nowrap">{time(authority.created_at, now)}</td>
            <td class="nowrap">{time(until, now)}{exact}</td>
        </tr>
    }
    .into_any()
}

/// The two steps, which of them is next, and its button for whoever may press it.
fn rotation(visit: &Visit, step: Step) -> AnyView {
    let mark = |done: bool| {
        if done {
            ("ok", "check")
        } else {
            ("info", "arrow-right")
        }
    };
    let (first, second) = (mark(step != Step::Make), mark(false));
    let button = visit
        .may(Permission::NodesManage)
        .then(|| button(visit, step));
    view! {
        <Card title="Rotate" sub="At least yearly: an authority lasts two years. Nothing is interrupted by it." padded=true>
            <div class="stack">
                <ol class="timeline">
                    <li class=first.0>{icon(first.1)}<div>
                        <p><b>"1. Make the next authority."</b>" It signs nothing. Nodes that are connected trust it within seconds, others as soon as they come back."</p>
                    </div></li>
                    <li class=second.0>{icon(second.1)}<div>
                        <p><b>"2. Let it sign."</b>" New certificates come from it. The older authority stays trusted for another day, until all it signed has ended, and then disappears."</p>
                    </div></li>
                </ol>
                {button}
            </div>
        </Card>
    }
    .into_any()
}

fn button(visit: &Visit, step: Step) -> AnyView {
    let text = match step {
        Step::Make => "Make the next authority",
        Step::Sign => "Let the next authority sign",
        Step::Wait(ready) => {
            let text = format!(
                "Nodes are being told. The second step is possible from {}.",
                absolute(ready)
            );
            return view! { <Notice tone=Tone::Info title="Wait a moment, then reload">{text}</Notice> }
                .into_any();
        }
    };
    let (action, csrf) = (visit.command("nodes/authorities/rotate"), visit.csrf());
    let hidden = vec![("step", step.as_str().to_owned())];
    let before = (step == Step::Sign).then(|| {
        view! {
            <p class="text-sm">
                "First see on the list of nodes that all are connected: one that has not heard of it refuses the control \
                 plane until it joins again."
            </p>
        }
    });
    view! {
        {before}
        <PostForm action=action csrf=csrf hidden=hidden bare=true>
            <Button kind=ButtonKind::Primary icon="refresh">{text}</Button>
        </PostForm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(standing: AuthorityStanding, created_at: DateTime<Utc>) -> AuthorityState {
        AuthorityState {
            fingerprint: String::new(),
            standing,
            created_at,
            signing_since: None,
            retiring_since: None,
            ends_at: created_at,
            trusted_until: created_at,
        }
    }

    #[test]
    fn the_next_one_signs_only_after_everybody_could_hear_of_it() {
        let made = DateTime::UNIX_EPOCH;
        let signing = authority(AuthorityStanding::Signing, made);
        let next = authority(AuthorityStanding::Next, made);
        let of = |all: &[AuthorityState], now| Step::of(all, now);
        assert_eq!(of(std::slice::from_ref(&signing), made), Step::Make);
        let both = [next, signing];
        let ready = made + AuthorityState::NEXT_WAITS;
        assert_eq!(of(&both, ready - TimeDelta::seconds(1)), Step::Wait(ready));
        assert_eq!(of(&both, ready), Step::Sign);
    }
}
