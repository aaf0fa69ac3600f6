//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core 1.0 §3.1.2).
//!
//! It shows nothing itself: it answers the client at once, or sends the browser to a hosted page with
//! the request put aside. A POST becomes a GET of ours first: cookies are `SameSite=Lax`, so on a
//! cross-site post the person would look signed out and be asked again (R-AUTHZ-08).

use actix_web::HttpResponse;
use url::form_urlencoded::Serializer;

use super::{fault::Fault, flow::Flow, form::Form, respond, visit::Visit};

/// `GET /oauth2/authorize`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = start(&visit).await;
    respond::answer(&visit, result)
}

async fn start(visit: &Visit) -> Result<HttpResponse, Fault> {
    let flow = Flow::begin(visit, visit.request.query_string());
    // The client first: for a bad one, nothing about the visitor may matter (R-AUTHZ-02).
    flow.judge(visit)?;
    let member = visit.member().await?;
    flow.advance(visit, member.as_ref(), false).await
}

/// `POST /oauth2/authorize`
pub async fn post(visit: Visit, form: Form) -> HttpResponse {
    let result = form.0.map_err(Fault::from).map(|params| {
        let mut query = Serializer::new(String::new());
        for (name, value) in params.pairs() {
            query.append_pair(name, value);
        }
        let path = visit.tenant.place().path("oauth2/authorize");
        respond::see_other(&format!("{path}?{}", query.finish()))
    });
    respond::answer(&visit, result)
}
