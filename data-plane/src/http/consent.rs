//! H11: may this application have what it asks for?
//!
//! The page names who asks, what for in words, and where the answer goes; both answers look alike
//! (R-CONS-01). The decision is kept with version and time, by the answer that follows from it and not
//! before; some clients are asked about every time nevertheless (see [`super::trust`]). What was allowed is
//! listed, and taken back, at [`super::consents`].

use actix_web::{HttpResponse, http::StatusCode};
use contract::redirect_uri::is_loopback;

use super::{
    fault::Fault,
    flow::{Flow, Judged},
    form::Form,
    pages::{Consent, Frame, Ties, monogram},
    respond::{self, see_other},
    scope_words,
    visit::Visit,
};

/// `GET /consent`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let query = visit.query()?;
    let flow = Flow::find(visit, query.get("flow"))
        .await?
        .ok_or(Fault::FLOW_GONE)?;
    let Some(member) = visit.member().await? else {
        return Ok(see_other(&visit.page_link("login", Some(&flow))));
    };
    let judged = flow.judge(visit)?;
    let Ok(request) = &judged.request else {
        return flow.advance(visit, Some(&member), false).await;
    };
    let audience = request.target.audience.as_ref();
    let api = audience.and_then(|audience| visit.tenant.api(audience.as_str()));
    let page = Consent {
        frame: Frame::new(Some(&visit.tenant)),
        action: visit.tenant.place().path("consent"),
        ties: Ties::of(visit, Some(&flow)),
        application: &judged.application.name,
        initials: monogram(&judged.application.name),
        account: &member.user.email,
        scopes: scope_words::lines(&request.target, api),
        return_host: &return_host(&judged.back.redirect_uri),
        remembered: !judged.asks_always(),
        warning: warning(&judged),
    };
    respond::show(StatusCode::OK, &page, Some(&judged.back.redirect_uri))
}

/// `POST /consent`
pub async fn post(visit: Visit, form: Form) -> HttpResponse {
    let result = decide(&visit, form).await;
    respond::answer(&visit, result)
}

async fn decide(visit: &Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let flow = Flow::find(visit, params.get("flow"))
        .await?
        .ok_or(Fault::FLOW_GONE)?;
    let Some(member) = visit.member().await? else {
        return Ok(see_other(&visit.page_link("login", Some(&flow))));
    };
    match params.get("decision") {
        Some("allow") => {}
        Some("deny") => return flow.deny(visit).await,
        _ => return Err(Fault::bad_request("Choose Allow or Deny.")),
    }
    flow.advance(visit, Some(&member), true).await
}

/// What the person should know before they trust this client.
fn warning(judged: &Judged<'_>) -> Option<&'static str> {
    if judged.wants_admin {
        Some(
            "This application asks to administer Bailiwick with your roles. Allow it only if you set it up yourself.",
        )
    } else if judged.is_impersonable {
        Some(
            "This application runs on your own device, so we cannot check that it is what it says. Allow it only if you just started it.",
        )
    } else {
        None
    }
}

/// Where the answer goes, as people recognise it.
fn return_host(redirect_uri: &str) -> String {
    match url::Url::parse(redirect_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && is_loopback(&url) => {
            "this device".to_owned()
        }
        Ok(url) if url.scheme() == "https" => url.host_str().unwrap_or_default().to_owned(),
        _ => "the application on this device".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_where_the_answer_goes_r_cons_01() {
        for (uri, expected) in [
            ("https://shop.example/cb", "shop.example"),
            ("http://127.0.0.1:5000/cb", "this device"),
            ("http://localhost/cb", "this device"),
            ("com.example.app:/cb", "the application on this device"),
        ] {
            assert_eq!(return_host(uri), expected);
        }
    }
}
