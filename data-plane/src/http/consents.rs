//! What the signed-in person allowed which application, and the button that takes it back (R-CONS-02).
//!
//! Taking back is as easy as giving: one press, no question, no script. The application's tokens die with
//! it: refresh tokens at once, access tokens wherever we are asked. Whoever can still renew tokens is listed too,
//! asked about or not, so that the person always finds a button; a press that has nothing to end writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use chrono::{DateTime, Duration, Utc};
use contract::ids::{ApplicationId, UserId};

use super::{
    fault::Fault,
    form::Form,
    pages::{Frame, ScopeLine, monogram},
    respond::{self, see_other},
    scope_words,
    target::Target,
    visit::{Member, Visit},
};
use crate::identity::{Allowance, AuthEvent, AuthEventKind};

/// The page's address below the tenant.
pub const PAGE: &str = "consents";

/// What the applications may do, by application.
type Rights = BTreeMap<ApplicationId, Vec<Right>>;

/// Something an application may do, and since when.
struct Right {
    allowed: Allowance,
    since: DateTime<Utc>,
}

/// Everything one application may do, in words.
struct Allowed {
    application: ApplicationId,
    name: String,
    initials: String,
    since: String,
    scopes: Vec<ScopeLine>,
}

#[derive(Template)]
#[template(path = "consents.html")]
struct Consents<'a> {
    frame: Frame,
    action: String,
    csrf: String,
    account: &'a str,
    allowed: Vec<Allowed>,
    withdrawn: bool,
    back: String,
}

/// `GET /consents`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let withdrawn = visit.query()?.get("withdrawn").is_some();
    let Some(member) = visit.member().await? else {
        return Ok(sign_in(visit));
    };
    let (tenant, place) = (&visit.tenant, visit.tenant.place());
    let rights = rights(visit, member.user.id).await?;
    let page = Consents {
        frame: Frame::new(Some(tenant)),
        action: place.path(PAGE),
        csrf: visit.csrf(),
        account: &member.user.email,
        allowed: latest_first(visit, rights),
        withdrawn,
        back: place.path(""),
    };
    respond::show(StatusCode::OK, &page, None)
}

/// `POST /consents`: the person pressed "Withdraw".
pub async fn post(visit: Visit, form: Form) -> HttpResponse {
    let result = withdraw(&visit, form).await;
    respond::answer(&visit, result)
}

async fn withdraw(visit: &Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let Some(member) = visit.member().await? else {
        return Ok(sign_in(visit));
    };
    let application = params
        .get("application")
        .and_then(|application| application.parse().ok())
        .ok_or(Fault::bad_request("The form does not name an application."))?;
    end(visit, &member, application).await?;
    let page = visit.tenant.place().path(PAGE);
    Ok(see_other(&format!("{page}?withdrawn=1")))
}

/// Ends the grants, forgets the consent, and ends the grants again. The first makes an outage in between
/// harmless: the person still finds the button. The last reaches grants that began on the consent while it went,
/// which no mark written before its deletion can (R-CONS-02).
async fn end(visit: &Visit, member: &Member, application: ApplicationId) -> Result<(), Fault> {
    let (tenant, node, user) = (visit.tenant.id(), visit.tenant.node(), member.user.id);
    if !rights(visit, user).await?.contains_key(&application) {
        return Ok(());
    }
    let (grants, identity) = (node.grants(), node.identity());
    grants.kill_all_at(tenant, user, application).await?;
    identity.withdraw_consent(tenant, user, application).await?;
    grants.kill_all_at(tenant, user, application).await?;
    let event = AuthEvent {
        kind: AuthEventKind::ConsentWithdrawn,
        user: Some(user),
        application: Some(application),
    };
    Ok(identity.record_event(tenant, event).await?)
}

/// What the person allowed, and what an application that needs no consent, or lost it, can still renew.
async fn rights(visit: &Visit, user: UserId) -> Result<Rights, Fault> {
    let (tenant, node) = (&visit.tenant, visit.tenant.node());
    let mut rights = Rights::new();
    for consent in node.identity().consents(tenant.id(), user).await? {
        let of_it = rights.entry(consent.application).or_default();
        widen(of_it, consent.allowed, consent.granted_at);
    }
    let asked: BTreeSet<ApplicationId> = rights.keys().copied().collect();
    let idle = Duration::hours(tenant.policies().token.refresh_idle_hours.into());
    let used_after = node.clock().now() - idle;
    let live = node.identity().live_grants(tenant.id(), user, used_after);
    for live in live.await? {
        if asked.contains(&live.grant.application) {
            continue;
        }
        let of_it = rights.entry(live.grant.application).or_default();
        let target = Target {
            scopes: live.grant.scopes,
            audience: live.grant.resource,
        };
        for allowed in target.allowances() {
            widen(of_it, allowed, live.since);
        }
    }
    Ok(rights)
}

/// Adds to what an application may do; at one audience it is one right.
fn widen(rights: &mut Vec<Right>, allowed: Allowance, since: DateTime<Utc>) {
    let known = rights
        .iter_mut()
        .find(|right| right.allowed.audience == allowed.audience);
    match known {
        Some(right) => {
            right.allowed.scopes.extend(allowed.scopes);
            right.since = right.since.max(since);
        }
        None => rights.push(Right { allowed, since }),
    }
}

fn sign_in(visit: &Visit) -> HttpResponse {
    see_other(&visit.tenant.place().path("login"))
}

/// The rights in words, the most recently changed application first.
fn latest_first(visit: &Visit, rights: Rights) -> Vec<Allowed> {
    let mut groups: Vec<_> = rights
        .into_iter()
        .filter_map(|(application, of_it)| {
            let latest = of_it.iter().map(|right| right.since).max()?;
            Some((latest, application, of_it))
        })
        .collect();
    groups.sort_by_key(|(latest, ..)| std::cmp::Reverse(*latest));
    groups
        .into_iter()
        .map(|(latest, application, of_it)| {
            let name = visit
                .tenant
                .application_by_id(application)
                .map_or("A removed application", |known| known.name.as_str());
            Allowed {
                application,
                name: name.to_owned(),
                initials: monogram(name),
                since: latest.format("%-d %B %Y").to_string(),
                scopes: of_it.iter().flat_map(|one| in_words(visit, one)).collect(),
            }
        })
        .collect()
}

fn in_words(visit: &Visit, right: &Right) -> Vec<ScopeLine> {
    let target = Target {
        scopes: right.allowed.scopes.clone(),
        audience: right.allowed.audience.clone(),
    };
    let audience = target.audience.as_ref();
    let api = audience.and_then(|audience| visit.tenant.api(audience.as_str()));
    scope_words::lines(&target, api)
}
