//! H1 and H2: sign in with e-mail address and password, on one page.
//!
//! Whatever is wrong, the page says the same (R-ENUM-01); the identifier stays, the password does not.
//! Where to go afterwards comes only from the attempt this browser began, never from the query
//! (R-AUTHZ-10). The session id is new after every sign-in (R-SESS-03).

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use contract::policies::RegistrationMode;

use super::{
    asking::Asking,
    fault::Fault,
    flow::Flow,
    form::Form,
    pages::{Frame, Login, Ties},
    params::Params,
    respond::{self, see_other},
    visit::Visit,
};
use crate::accounts::{SignIn, SignInError};

const REFUSED: &str = "The e-mail address or password is not right.";

/// `GET /login`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let query = visit.query()?;
    let flow = Flow::find(visit, query.get("flow")).await?;
    if flow.is_none() && visit.member().await?.is_some() {
        return Ok(see_other(&visit.tenant.place().path("")));
    }
    show(visit, flow.as_ref(), &Shown::default())
}

/// `POST /login`
pub async fn post(mut visit: Visit, form: Form) -> HttpResponse {
    let result = sign_in(&mut visit, form).await;
    respond::answer(&visit, result)
}

async fn sign_in(visit: &mut Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let flow = Flow::find(visit, params.get("flow")).await?;
    let identifier = params.get("identifier").unwrap_or_default();
    let attempt = SignIn {
        identifier,
        password: params.get("password").unwrap_or_default(),
        device: visit.device(),
        ip: visit.ip(),
    };
    let tenant = &visit.tenant;
    let user = match tenant.node().accounts().sign_in(tenant, attempt).await {
        Ok(user) => user,
        Err(SignInError::Refused) => {
            let shown = Shown {
                error: Some(REFUSED),
                identifier,
                ..Shown::default()
            };
            return show(visit, flow.as_ref(), &shown);
        }
        Err(SignInError::Wait { retry_after }) => {
            return wait(visit, flow.as_ref(), &params, retry_after);
        }
        Err(SignInError::Busy { retry_after }) => return Err(Fault::busy(retry_after)),
        Err(SignInError::Unavailable(cause)) => return Err(cause.into()),
    };
    let member = visit.sign_in(user).await?;
    after(visit, flow, &member).await
}

/// Goes on after a person proved who they are, here or by registering.
///
/// # Errors
/// As [`Flow::advance`].
pub async fn after(
    visit: &Visit,
    flow: Option<Flow>,
    member: &super::visit::Member,
) -> Result<HttpResponse, Fault> {
    match flow {
        Some(mut flow) => {
            flow.signed_in(visit, member.session.id).await?;
            flow.advance(visit, Some(member), false).await
        }
        None => Ok(see_other(&visit.tenant.place().path(""))),
    }
}

/// Too many attempts: the same form, with the time to wait.
fn wait(
    visit: &Visit,
    flow: Option<&Flow>,
    params: &Params,
    retry_after: std::time::Duration,
) -> Result<HttpResponse, Fault> {
    let text = wait_text(retry_after);
    let shown = Shown {
        status: StatusCode::TOO_MANY_REQUESTS,
        error: Some(&text),
        identifier: params.get("identifier").unwrap_or_default(),
    };
    show(visit, flow, &shown).map(|response| told_to_wait(response, retry_after))
}

/// Says how long to wait.
pub fn wait_text(retry_after: std::time::Duration) -> String {
    let time = respond::in_words(retry_after.as_secs());
    format!("Too many attempts. Try again in {time}.")
}

/// The same for programs.
pub fn told_to_wait(mut response: HttpResponse, retry_after: std::time::Duration) -> HttpResponse {
    let seconds = retry_after.as_secs().max(1);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    response
}

struct Shown<'a> {
    status: StatusCode,
    identifier: &'a str,
    error: Option<&'a str>,
}

impl Default for Shown<'_> {
    fn default() -> Self {
        Self {
            status: StatusCode::OK,
            identifier: "",
            error: None,
        }
    }
}

fn show(visit: &Visit, flow: Option<&Flow>, shown: &Shown<'_>) -> Result<HttpResponse, Fault> {
    let tenant = &visit.tenant;
    let asking = Asking::of(visit, flow)?;
    let page = Login {
        frame: Frame::new(Some(tenant)),
        action: tenant.place().path("login"),
        ties: Ties::of(visit, flow),
        application: asking.name(),
        identifier: if shown.error.is_some() {
            shown.identifier
        } else {
            asking.login_hint().unwrap_or_default()
        },
        error: shown.error,
        register: register_link(visit, flow),
    };
    let status = match shown.error {
        Some(_) if shown.status == StatusCode::OK => StatusCode::BAD_REQUEST,
        _ => shown.status,
    };
    asking.show(status, &page)
}

/// Where to create an account, if anyone may.
pub fn register_link(visit: &Visit, flow: Option<&Flow>) -> Option<String> {
    let open = visit.tenant.policies().registration.mode == RegistrationMode::Open;
    open.then(|| visit.page_link("register", flow))
}
