//! Signing out: asked by an application (OpenID Connect RP-Initiated Logout 1.0) or by the person.
//!
//! Without a question it happens only for an application that shows an ID token of exactly this session:
//! anyone else could end people's sessions with an image tag. The browser goes back only to an address
//! that the named client registered, compared as sign-in addresses are: letter by letter, but for the port of
//! a loopback address; otherwise it stays here (R-LOGOUT-01).

use actix_web::{HttpResponse, http::StatusCode};
use contract::{
    application::{Application, ApplicationStatus},
    ids::ApplicationId,
    redirect_uri::RedirectUri,
};
use url::form_urlencoded::Serializer;

use super::{
    claims::HintClaims,
    fault::Fault,
    flow::read_hint,
    form::Form,
    pages::{Frame, Logout, LogoutReturn, Message},
    params::Params,
    redirect::with_query,
    respond::{self, see_other},
    visit::{Member, Visit},
};
use crate::identity::{AuthEvent, AuthEventKind};

/// What an application asked for.
struct Asked {
    hint: Option<HintClaims>,
    application: Option<ApplicationId>,
    back: Option<LogoutReturn>,
}

/// `GET /oauth2/logout`
pub async fn get(mut visit: Visit) -> HttpResponse {
    let result = start(&mut visit).await;
    respond::answer(&visit, result)
}

async fn start(visit: &mut Visit) -> Result<HttpResponse, Fault> {
    let asked = read(visit, &visit.query()?)?;
    let Some(member) = visit.member().await? else {
        return Ok(leave(visit, asked.back.as_ref()));
    };
    if !names_this_session(asked.hint.as_ref(), &member) {
        return ask(visit, &asked, &member);
    }
    sign_out(visit, Some(&member), &asked).await?;
    Ok(leave(visit, asked.back.as_ref()))
}

/// Ends the session of this browser, and tells the person of it among their events.
async fn sign_out(visit: &mut Visit, member: Option<&Member>, asked: &Asked) -> Result<(), Fault> {
    visit.end_session().await?;
    let Some(member) = member else { return Ok(()) };
    let event = AuthEvent {
        kind: AuthEventKind::SignedOut,
        user: Some(member.user.id),
        application: asked.application,
    };
    let (tenant, identity) = (visit.tenant.id(), visit.tenant.node().identity());
    // The person is signed out; that it cannot be written down changes nothing about it.
    if let Err(error) = identity.record_event(tenant, event).await {
        tracing::error!(%tenant, %error, "a sign-out was not recorded");
    }
    Ok(())
}

/// `POST /oauth2/logout`: becomes our own GET, so that `SameSite=Lax` cookies count.
pub async fn post(visit: Visit, form: Form) -> HttpResponse {
    let result = form.for_page().map(|params| {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(params.pairs());
        let path = visit.tenant.place().path("oauth2/logout");
        see_other(&format!("{path}?{}", query.finish()))
    });
    respond::answer(&visit, result)
}

/// `POST /logout`: the person pressed one of the buttons; `everywhere` ends their sessions in other browsers
/// too (R-LOGOUT-05).
pub async fn confirm(mut visit: Visit, form: Form) -> HttpResponse {
    let result = confirmed(&mut visit, form).await;
    respond::answer(&visit, result)
}

async fn confirmed(visit: &mut Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let asked = read(visit, &params)?;
    let member = visit.member().await?;
    if let (Some(_), Some(member)) = (params.get("everywhere"), &member) {
        let (tenant, sessions) = (visit.tenant.id(), visit.tenant.node().sessions());
        sessions.end_all(tenant, member.user.id).await?;
    }
    sign_out(visit, member.as_ref(), &asked).await?;
    Ok(leave(visit, asked.back.as_ref()))
}

/// `GET /signed-out`
pub async fn done(visit: Visit) -> HttpResponse {
    let page = Message {
        frame: Frame::new(Some(&visit.tenant)),
        tone: "ok",
        icon: "check",
        title: "You are signed out",
        detail: "This browser is no longer signed in here. Applications you opened may stay signed in until you sign out there.",
        link: Some((visit.tenant.place().path("login"), "Sign in again")),
    };
    let result = respond::show(StatusCode::OK, &page, None);
    respond::answer(&visit, result)
}

/// Reads the request. A hint that is not ours counts as none; a hint and a `client_id` that contradict
/// each other are an error (§2).
fn read(visit: &Visit, params: &Params) -> Result<Asked, Fault> {
    let hint = params
        .get("id_token_hint")
        .and_then(|hint| read_hint(visit, hint));
    let client_id = match (
        hint.as_ref().map(|hint| hint.aud.as_str()),
        params.get("client_id"),
    ) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            return Err(Fault::bad_request(
                "The sign-out link names two different applications.",
            ));
        }
        (Some(one), _) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    };
    let application = client_id
        .as_deref()
        .and_then(|client_id| visit.tenant.application(client_id))
        .filter(|application| application.status == ApplicationStatus::Active);
    Ok(Asked {
        back: application.and_then(|application| return_to(application, params)),
        application: application.map(|application| application.id),
        hint,
    })
}

fn return_to(application: &Application, params: &Params) -> Option<LogoutReturn> {
    let uri = params.get("post_logout_redirect_uri")?;
    let registered = &application.post_logout_redirect_uris;
    registered
        .iter()
        .any(|known| known.matches(uri))
        .then(|| LogoutReturn {
            client_id: application.id.to_string(),
            uri: uri.to_owned(),
            state: params.get("state").map(str::to_owned),
        })
}

fn names_this_session(hint: Option<&HintClaims>, member: &Member) -> bool {
    hint.is_some_and(|hint| hint.sub == member.user.id && hint.sid == Some(member.session.id))
}

fn ask(visit: &Visit, asked: &Asked, member: &Member) -> Result<HttpResponse, Fault> {
    let place = visit.tenant.place();
    let page = Logout {
        frame: Frame::new(Some(&visit.tenant)),
        action: place.path("logout"),
        csrf: visit.csrf(),
        account: &member.user.email,
        application: asked
            .application
            .and_then(|id| visit.tenant.application_by_id(id))
            .map(|application| application.name.as_str()),
        back: asked.back.as_ref(),
        stay: place.path(""),
    };
    respond::show(
        StatusCode::OK,
        &page,
        asked.back.as_ref().map(|back| back.uri.as_str()),
    )
}

/// Goes back to the application, or to the page that says it is done.
fn leave(visit: &Visit, back: Option<&LogoutReturn>) -> HttpResponse {
    let after_post = visit.request.method() == actix_web::http::Method::POST;
    // A form post cannot end at a private-use scheme under our policy (console.md 5.1).
    let Some(back) = back.filter(|back| !(after_post && RedirectUri::is_private_use(&back.uri)))
    else {
        return see_other(&visit.tenant.place().path("signed-out"));
    };
    match &back.state {
        Some(state) => {
            let query = Serializer::new(String::new())
                .append_pair("state", state)
                .finish();
            see_other(&with_query(&back.uri, &query))
        }
        None => see_other(&back.uri),
    }
}
