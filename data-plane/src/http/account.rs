//! The tenant's front page: who is signed in here, and the way out.
//!
//! It is where a person lands who signed in without an application asking. Applications of the tenant
//! itself are linked, so that an invited operator finds the console.

use actix_web::{HttpResponse, http::StatusCode};
use contract::application::ApplicationStatus;

use super::{
    fault::Fault,
    login::register_link,
    pages::{Account, Frame, OwnApplication},
    respond,
    visit::Visit,
};

/// Most applications on the page; it is a signpost, not a portal.
const MAX_LINKS: usize = 8;

/// `GET /`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let tenant = &visit.tenant;
    let member = visit.member().await?;
    let user = member.as_ref().map(|member| &member.user);
    let page = Account {
        frame: Frame::new(Some(tenant)),
        email: user.map(|user| user.email.as_str()),
        name: user.and_then(|user| user.name.as_deref()),
        login: tenant.place().path("login"),
        register: register_link(visit, None),
        consents: tenant.place().path(super::consents::PAGE),
        logout: tenant.place().path("logout"),
        csrf: visit.csrf(),
        applications: own_applications(visit),
    };
    respond::show(StatusCode::OK, &page, None)
}

fn own_applications(visit: &Visit) -> Vec<OwnApplication<'_>> {
    let applications = &visit.tenant.release().applications;
    applications
        .iter()
        .filter(|application| {
            application.first_party && application.status == ApplicationStatus::Active
        })
        .filter_map(|application| {
            let href = application
                .redirect_uris
                .iter()
                .find_map(|uri| origin(uri.as_str()))?;
            Some(OwnApplication {
                name: &application.name,
                href,
            })
        })
        .take(MAX_LINKS)
        .collect()
}

/// The origin of a web address; `None` for other schemes.
fn origin(uri: &str) -> Option<&str> {
    let rest = uri
        .strip_prefix("https://")
        .or_else(|| uri.strip_prefix("http://"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Some(&uri[..uri.len() - rest.len() + end])
}
