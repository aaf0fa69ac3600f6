//! H11: may this application have what it asks for?
//!
//! The page names who asks, what for in words, and where the answer goes; both answers look alike
//! (R-CONS-01). Nothing raw from the request is shown: scopes come from the catalogue or the API's own
//! description. The decision is kept with version and time; a client that anyone on the person's device
//! could pretend to be is asked about every time nevertheless (R-CONS-03).

use actix_web::{HttpResponse, http::StatusCode};
use contract::{redirect_uri::is_loopback, scope::Scope};

use super::{
    client::{Client, Target},
    fault::Fault,
    flow::Flow,
    form::Form,
    pages::{Consent, Frame, ScopeLine, Ties, monogram},
    respond::{self, see_other},
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
    let page = Consent {
        frame: Frame::new(&visit.request, Some(&visit.tenant)),
        action: visit.tenant.place().path("consent"),
        ties: Ties::of(visit, Some(&flow)),
        application: &judged.application.name,
        initials: monogram(&judged.application.name),
        account: &member.user.email,
        scopes: in_words(&judged.client, &request.target),
        return_host: &return_host(&judged.back.redirect_uri),
        remembered: !judged.is_impersonable(),
        impersonable: judged.is_impersonable(),
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
    let judged = flow.judge(visit)?;
    if let Ok(request) = &judged.request {
        let (tenant, application) = (&visit.tenant, judged.application.id);
        tenant
            .node()
            .identity()
            .record_consent(
                tenant.id(),
                member.user.id,
                application,
                &request.target.scopes,
            )
            .await?;
    }
    flow.advance(visit, Some(&member), true).await
}

/// What is asked for, one line per scope, the most personal first.
fn in_words(client: &Client<'_>, target: &Target) -> Vec<ScopeLine> {
    let standard = [
        (
            "openid",
            "fingerprint",
            "Know that it is you",
            "A number that stands for you here",
        ),
        (
            "profile",
            "user",
            "See your name",
            "As it is in your account",
        ),
        (
            "email",
            "mail",
            "See your e-mail address",
            "And whether it is confirmed",
        ),
        (
            "offline_access",
            "clock",
            "Keep this access while you are away",
            "With tokens that are renewed without asking you again",
        ),
    ];
    let mut lines: Vec<ScopeLine> = standard
        .into_iter()
        .filter(|(name, ..)| super::claims::has(&target.scopes, name))
        .map(|(_, icon, words, detail)| ScopeLine {
            icon,
            words: words.into(),
            detail: detail.into(),
        })
        .collect();
    let api = target.audience.as_ref().and_then(|audience| {
        client
            .grants
            .iter()
            .map(|(api, _)| api)
            .find(|api| &api.audience == audience)
    });
    if let Some(api) = api {
        let described = |scope: &Scope| api.scope(scope).map(|scope| scope.description.clone());
        lines.extend(
            target
                .scopes
                .iter()
                .filter_map(described)
                .map(|words| ScopeLine {
                    icon: "key",
                    words,
                    detail: format!("In {}", api.name),
                }),
        );
    }
    lines
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
