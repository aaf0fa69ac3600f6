//! H9: create an account.
//!
//! Where the policy asks for proof, the answer is the same page whether the address was known or not;
//! the mail tells the truth (R-ENUM-01), and its link leads to [`super::verify`].

use actix_web::{HttpResponse, http::StatusCode};
use chrono::Duration;
use contract::policies::RegistrationMode;

use super::{
    asking::Asking,
    fault::Fault,
    flow::Flow,
    form::Form,
    login,
    pages::{FieldErrors, Frame, Message, Register, Ties},
    params::Params,
    respond::{self, see_other},
    visit::Visit,
};
use crate::{
    accounts::{AccountError, Registered, Registration},
    throttle::{self, Limit, Verdict},
};

/// Accounts one address may create; a household or an office, not a robot.
const PER_ADDRESS: Limit = Limit {
    count: 60,
    window: Duration::minutes(10),
};

const CLOSED: Fault = Fault::new(
    StatusCode::FORBIDDEN,
    "registration_closed",
    "Accounts are by invitation",
    "You can't create an account here yourself. Ask the people who run it to invite you.",
);

/// The page of a link that is used up.
pub const LINK_USED: Fault = Fault::new(
    StatusCode::BAD_REQUEST,
    "link_invalid",
    "This link can't be used any more",
    "It was used already, is too old, or was replaced by a newer one. Ask for a new one, or sign in.",
);

/// `GET /register`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    check_open(visit)?;
    let query = visit.query()?;
    let flow = Flow::find(visit, query.get("flow")).await?;
    show(
        visit,
        flow.as_ref(),
        &Params::default(),
        FieldErrors::default(),
    )
}

/// `POST /register`
pub async fn post(mut visit: Visit, form: Form) -> HttpResponse {
    let result = register(&mut visit, form).await;
    respond::answer(&visit, result)
}

async fn register(visit: &mut Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    check_open(visit)?;
    slow_down(visit).await?;
    let flow = Flow::find(visit, params.get("flow")).await?;
    let tenant = &visit.tenant;
    let ask_name = tenant.policies().registration.ask_name;
    let name = params.get("name").filter(|_| ask_name);
    if ask_name && name.is_none() {
        let errors = FieldErrors {
            name: vec!["Enter your name.".into()],
            ..Default::default()
        };
        return show(visit, flow.as_ref(), &params, errors);
    }
    let registration = Registration {
        email: params.get("identifier").unwrap_or_default(),
        name,
        password: params.get("password").unwrap_or_default(),
        resume: flow.as_ref().and_then(Flow::id),
    };
    match tenant
        .node()
        .accounts()
        .register(tenant, registration)
        .await
    {
        Ok(Registered::Done(user)) => {
            let member = visit.sign_in(user).await?;
            login::after(visit, flow, &member).await
        }
        Ok(Registered::CheckMail) => Ok(see_other(&tenant.place().path("register/sent"))),
        Err(error) => {
            let errors = field_errors(error)?;
            show(visit, flow.as_ref(), &params, errors)
        }
    }
}

fn check_open(visit: &Visit) -> Result<(), Fault> {
    match visit.tenant.policies().registration.mode {
        RegistrationMode::Open => Ok(()),
        RegistrationMode::InviteOnly => Err(CLOSED),
    }
}

async fn slow_down(visit: &Visit) -> Result<(), Fault> {
    let Some(ip) = visit.ip() else { return Ok(()) };
    let tenant = &visit.tenant;
    let key = throttle::ip_key(ip);
    match tenant
        .node()
        .throttle()
        .limit(tenant.id(), "register", &key, PER_ADDRESS)
        .await?
    {
        Verdict::Allowed => Ok(()),
        Verdict::Wait { retry_after } => Err(Fault::too_many(retry_after)),
    }
}

/// What the person can correct; everything else is a page of its own.
pub fn field_errors(error: AccountError) -> Result<FieldErrors, Fault> {
    let identifier = |text: String| FieldErrors {
        identifier: vec![text],
        ..Default::default()
    };
    match error {
        AccountError::Password(faults) => Ok(FieldErrors {
            password: faults.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        AccountError::Email(_) => Ok(identifier(
            "Enter an e-mail address such as name@example.com.".into(),
        )),
        AccountError::Name(invalid) => Ok(FieldErrors {
            name: vec![format!("The name {}.", invalid.reason)],
            ..Default::default()
        }),
        AccountError::EmailTaken => Ok(identifier(
            "There is an account with this address already. Sign in instead.".into(),
        )),
        AccountError::DomainNotAllowed => Ok(identifier(
            "Accounts here are for addresses of certain organisations only.".into(),
        )),
        AccountError::RegistrationClosed => Err(CLOSED),
        AccountError::LinkInvalid => Err(LINK_USED),
        AccountError::TooManyMails { retry_after } => Err(Fault::too_many(retry_after)),
        AccountError::Mail(cause) => {
            tracing::error!(%cause, "a mail could not be handed over");
            Err(Fault::UNAVAILABLE)
        }
        AccountError::Busy { retry_after } => Err(Fault::busy(retry_after)),
        AccountError::Unavailable(cause) => Err(cause.into()),
    }
}

fn show(
    visit: &Visit,
    flow: Option<&Flow>,
    params: &Params,
    errors: FieldErrors,
) -> Result<HttpResponse, Fault> {
    let tenant = &visit.tenant;
    let asking = Asking::of(visit, flow)?;
    let status = if errors.any() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = Register {
        frame: Frame::new(Some(tenant)),
        action: tenant.place().path("register"),
        ties: Ties::of(visit, flow),
        application: asking.name(),
        identifier: params.get("identifier").unwrap_or_default(),
        name: params.get("name").unwrap_or_default(),
        ask_name: tenant.policies().registration.ask_name,
        min_length: tenant.policies().password.min_length,
        errors,
        login: visit.page_link("login", flow),
    };
    asking.show(status, &page)
}

/// `GET /register/sent`
pub async fn sent(visit: Visit) -> HttpResponse {
    let page = Message {
        frame: Frame::new(Some(&visit.tenant)),
        tone: "info",
        icon: "mail",
        title: "Check your mail",
        detail: "We sent a message to the address you entered. Open the link in it to go on. \
                 If nothing arrives, look in the spam folder, or register again.",
        link: None,
    };
    let result = respond::show(StatusCode::OK, &page, None);
    respond::answer(&visit, result)
}
