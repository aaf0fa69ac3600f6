//! What the signed-in person allowed which application, and the button that takes it back (R-CONS-02).
//!
//! Taking back is as easy as giving: one press, no question, no script. The application's tokens die with
//! it: refresh tokens at once, access tokens wherever we are asked. Tokens first, the record last, so that
//! after an outage between the two the person still finds the button.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use contract::ids::ApplicationId;

use super::{
    fault::Fault,
    form::Form,
    pages::{Frame, ScopeLine, monogram},
    respond::{self, see_other},
    scope_words,
    target::Target,
    visit::{Member, Visit},
};
use crate::identity::{AuthEvent, AuthEventKind, Consent};

/// The page's address below the tenant.
pub const PAGE: &str = "consents";

/// Everything one application may do.
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
    let consents = tenant
        .node()
        .identity()
        .consents(tenant.id(), member.user.id)
        .await?;
    let page = Consents {
        frame: Frame::new(Some(tenant)),
        action: place.path(PAGE),
        csrf: visit.csrf(),
        account: &member.user.email,
        allowed: by_application(visit, consents),
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

async fn end(visit: &Visit, member: &Member, application: ApplicationId) -> Result<(), Fault> {
    let (tenant, node, user) = (visit.tenant.id(), visit.tenant.node(), member.user.id);
    node.grants().kill_all_at(tenant, user, application).await?;
    let identity = node.identity();
    if !identity.withdraw_consent(tenant, user, application).await? {
        return Ok(());
    }
    let event = AuthEvent {
        kind: AuthEventKind::ConsentWithdrawn,
        user: Some(user),
        application: Some(application),
    };
    Ok(identity.record_event(tenant, event).await?)
}

fn sign_in(visit: &Visit) -> HttpResponse {
    see_other(&visit.tenant.place().path("login"))
}

/// Consents of one application come together; the most recently changed application first.
fn by_application(visit: &Visit, consents: Vec<Consent>) -> Vec<Allowed> {
    let mut grouped: BTreeMap<ApplicationId, Vec<Consent>> = BTreeMap::new();
    for consent in consents {
        grouped
            .entry(consent.application)
            .or_default()
            .push(consent);
    }
    let mut groups: Vec<_> = grouped
        .into_iter()
        .filter_map(|(application, of_it)| {
            let latest = of_it.iter().map(|consent| consent.granted_at).max()?;
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

fn in_words(visit: &Visit, consent: &Consent) -> Vec<ScopeLine> {
    let target = Target {
        scopes: consent.allowed.scopes.clone(),
        audience: consent.allowed.audience.clone(),
    };
    let audience = target.audience.as_ref();
    let api = audience.and_then(|audience| visit.tenant.api(audience.as_str()));
    scope_words::lines(&target, api)
}
