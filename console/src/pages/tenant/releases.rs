//! Releases: the versions of what the tenant published, when, by which change, and who runs the current one.
//!
//! A release does not name its change; the audit log does. Both are written under the lock of the tenant,
//! so the first change recorded at or after a release's time is the one that made it.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use contract::permission::Permission;
use control_plane::{
    Page, PageRequest,
    audit::{AuditFilter, AuditRecord, Outcome},
    releases::{Effectiveness, ReleaseSummary},
    rollouts::{RolloutPhase, RolloutState},
};
use leptos::prelude::*;

use crate::{
    fault::Fault,
    kit::*,
    pages::{list::pager, platform::rollouts::clock, reach::mark},
    visit::Visit,
};

/// `GET releases`.
pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let (control_plane, caller, tenant) =
        (visit.control_plane(), visit.caller(), visit.tenant().id);
    let releases = control_plane
        .list_releases(caller, tenant, &visit.page_request()?)
        .await?;
    let reach = control_plane.effectiveness(caller, tenant).await?;
    let causes = causes(&visit, &releases).await?;
    let newest = PageRequest::parse(Some(1), None)?;
    let rollouts = control_plane
        .list_rollouts_of(caller, tenant, &newest)
        .await?;
    let open = rollouts
        .items
        .into_iter()
        .find(|state| state.rollout.phase.is_open());
    Ok(visit.page("Releases", || {
        let under_way = open.as_ref().map(under_way);
        view! { {page(&visit, &releases, &reach, (&causes, under_way))} }
    }))
}

/// That the newest version is not everywhere yet, and until when that is decided.
fn under_way(state: &RolloutState) -> AnyView {
    let version = state.rollout.version;
    let title = match (state.rollout.phase, state.bakes_until) {
        (RolloutPhase::Held, _) => format!("Version {version} is held on the canary nodes"),
        (_, Some(until)) => format!(
            "Version {version} is on the canary nodes, decided by {}",
            clock(until)
        ),
        (_, None) => format!("Version {version} goes to the canary nodes first"),
    };
    let why = match state.rollout.phase {
        RolloutPhase::Held => state.rollout.reason.clone(),
        _ => state.waits.clone(),
    };
    let base = state.rollout.base_version;
    view! {
        <Notice tone=Tone::Info title=title>
            {why.unwrap_or_default()}" All other nodes serve version "{base}" until then."
        </Notice>
    }
    .into_any()
}

/// The change behind each release on the page, as far as this person may read the log.
async fn causes(
    visit: &Visit,
    releases: &Page<ReleaseSummary>,
) -> Result<BTreeMap<u64, AuditRecord>, Fault> {
    let Some(oldest) = releases
        .items
        .last()
        .filter(|_| visit.may(Permission::AuditView))
    else {
        return Ok(BTreeMap::new());
    };
    let filter = AuditFilter {
        outcome: Some(Outcome::Done),
        since: Some(oldest.issued_at),
        ..AuditFilter::default()
    };
    let all = PageRequest::parse(Some(100), None)?;
    let (control_plane, tenant) = (visit.control_plane(), visit.tenant().id);
    let events = control_plane
        .list_audit_events(visit.caller(), tenant, &filter, &all)
        .await?;
    let complete = events.next.is_none();
    let mut found = BTreeMap::new();
    for release in &releases.items {
        // Newest first: the last that is not before the release is the first at or after it.
        let after = |record: &&AuditRecord| record.event.at >= release.issued_at;
        let position = events.items.iter().rposition(|record| after(&record));
        // At the end of an incomplete list the true first one may not have been read.
        let known = position.filter(|at| complete || *at + 1 < events.items.len());
        found.extend(known.map(|at| (release.version, events.items[at].clone())));
    }
    Ok(found)
}

fn page(
    visit: &Visit,
    releases: &Page<ReleaseSummary>,
    reach: &Effectiveness,
    (causes, under_way): (&BTreeMap<u64, AuditRecord>, Option<AnyView>),
) -> AnyView {
    let rows: Vec<AnyView> = releases
        .items
        .iter()
        .map(|release| row(visit, release, reach, causes.get(&release.version)))
        .collect();
    let columns = ["Version", "Signed", "By which change", "Nodes", "Manifest"]
        .map(Column::text)
        .into();
    let pager = pager(visit, releases, "release", "releases");
    let refused: Vec<AnyView> = reach
        .rejected
        .iter()
        .map(|(node, reason)| {
            let title = format!("A node refused version {}", reach.version);
            let (node, reason) = (id(node), reason.clone());
            view! { <Notice tone=Tone::Bad title=title>{node}" "{reason}" It still serves the last good version."</Notice> }.into_any()
        })
        .collect();
    view! {
        <PageHead title="Releases" sub="Every published state of this tenant, signed and numbered. Nodes serve nothing else." />
        {under_way}
        {refused}
        <section class="card table-card" aria-label="Releases">
            <Table label="Releases, newest first" columns=columns>{rows}</Table>
            {pager}
        </section>
    }
    .into_any()
}

/// What became of a version that all nodes never got, or that took such a one's place.
fn rolled(release: &ReleaseSummary) -> Option<AnyView> {
    let rollout = release.rollout.as_ref()?;
    match (rollout.phase, rollout.reverts) {
        (RolloutPhase::Baking, _) => Some(pill(Tone::Info, "On the canary nodes")),
        (RolloutPhase::Held, _) => Some(pill(Tone::Warn, "Held on the canary nodes")),
        (RolloutPhase::RolledBack, false) => Some(pill(Tone::Bad, "Rolled back")),
        (RolloutPhase::Promoted | RolloutPhase::RolledBack | RolloutPhase::Superseded, _) => None,
    }
}

fn row(
    visit: &Visit,
    release: &ReleaseSummary,
    reach: &Effectiveness,
    cause: Option<&AuditRecord>,
) -> AnyView {
    let current = release.version == reach.version;
    let nodes = if let Some(rollout) = rolled(release) {
        rollout
    } else if current {
        mark(reach)
    } else {
        view! { <span class="muted">"Superseded"</span> }.into_any()
    };
    let cause = match cause {
        Some(record) => {
            let href = visit.href(&format!(
                "audit?object={}",
                record.event.object.as_ref().map_or("", |object| &object.id)
            ));
            let by = format!("by {}", record.event.actor.name);
            view! { <a href=href>{record.event.sentence.clone()}</a><small>{by}</small> }.into_any()
        }
        None => view! { <span class="muted">"See the audit log"</span> }.into_any(),
    };
    view! {
        <tr>
            <td>{format!("Version {}", release.version)}</td>
            <td>{time(release.issued_at, visit.now())}</td>
            <td>{cause}</td>
            <td>{nodes}</td>
            <td>{id(&release.manifest_hash)}</td>
        </tr>
    }
    .into_any()
}
