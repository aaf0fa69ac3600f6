//! What went wrong, as a page: S7 of the page specification, in one place.
//!
//! Each page says what happened, why, and what to do next, with the request's id. A refusal of the control
//! plane keeps its precision: the missing permission and who can give it, or the duty, who is accountable
//! and what would be needed. What is our fault is logged here, once, and never shown.

use std::error::Error;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use control_plane::{
    Denial, Refusal,
    refusal::{Violation, Why},
};
use host::RequestId;
use leptos::prelude::*;

use crate::{
    Console,
    denial::named_duty,
    form::Form,
    kit::*,
    return_path, shell,
    visit::{Visit, see_other},
};

/// Why a request did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No session, or one that ended.
    #[error("nobody is signed in")]
    SignIn,
    /// A signed-in account that administers nothing.
    #[error("the account belongs to no operator")]
    NotAnOperator,
    /// Not permitted, and why.
    #[error("{}", .0.detail())]
    Forbidden(Box<Denial>),
    /// The form was not sent by a page of ours, or by a page of an earlier session.
    #[error("the form was not sent by a page of this session")]
    ForeignForm,
    /// Nothing is at this address for this person.
    #[error("not found")]
    NotFound,
    /// The query string holds something that we did not put there.
    #[error("the address is not valid")]
    BadAddress(Vec<Violation>),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// Somebody else changed it after this person read it.
    #[error("changed in the meantime")]
    Stale {
        /// The version that is there now.
        current_version: i64,
    },
    /// The form is larger than any of ours.
    #[error("the form is too large")]
    TooLarge,
    /// The form stopped arriving.
    #[error("the form took too long to arrive")]
    TooSlow,
    /// The form did not arrive whole.
    #[error("the form did not arrive whole")]
    Broken,
    /// Not a form.
    #[error("not a form")]
    NotAForm,
    /// Something is missing at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// Our fault.
    #[error("something went wrong on our side")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { .. } => Self::NotFound,
            Refusal::Invalid(violations) => Self::BadAddress(violations),
            Refusal::Forbidden(denial) => Self::Forbidden(denial),
            Refusal::Conflict { detail, .. } => Self::Conflict(detail),
            Refusal::Stale { current_version } => Self::Stale { current_version },
            Refusal::Unavailable { detail } => Self::Unavailable(detail),
            Refusal::Internal(source) => Self::Internal(source),
        }
    }
}

impl Fault {
    /// An account that is no operator is not "not found": the person is told whom to ask.
    pub(crate) fn from_operator_lookup(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { .. } => Self::NotAnOperator,
            other => other.into(),
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::NotAnOperator | Self::Forbidden(_) | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadAddress(_) | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Conflict(_) | Self::Stale { .. } => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer for someone whose visit began: the error inside the shell.
    pub(crate) fn inside(self, visit: &Visit, sent: Option<&Form>) -> HttpResponse {
        self.log();
        if matches!(self, Self::SignIn) {
            return see_other(&return_path::login_for(visit.path())).finish();
        }
        let (title, request_id) = (self.title(), visit.request_id().to_owned());
        visit.page_with(self.status(), title, || self.view(&request_id, sent))
    }

    /// The answer where no visit could begin. A page that needs a session leads to the sign-in; a form
    /// says that the session ended, since repeating a POST by itself is nobody's wish.
    pub(crate) fn outside(self, console: &Console, request: &HttpRequest) -> HttpResponse {
        self.log();
        if matches!(self, Self::SignIn) && request.method().is_safe() {
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str());
            return see_other(&return_path::login_for(path)).finish();
        }
        let request_id = RequestId::of(request)
            .map(|id| id.to_string())
            .unwrap_or_default();
        let title = self.title();
        let status = self.status();
        shell::signed_out(console, status, title, || self.view(&request_id, None))
    }

    fn log(&self) {
        if let Self::Internal(source) = self {
            tracing::error!(error = %chain(source.as_ref()), "a page could not be made");
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::SignIn => "Your session ended",
            Self::NotAnOperator => "You are not an operator",
            Self::Forbidden(_) => "You can't do this here",
            Self::ForeignForm => "This form can't be accepted",
            Self::NotFound => "Nothing is here",
            Self::BadAddress(_) => "This address is not valid",
            Self::Conflict(_) => "This contradicts what is there",
            Self::Stale { .. } => "Someone else changed this",
            Self::TooLarge => "This form is too large",
            Self::TooSlow | Self::Broken => "This form did not arrive",
            Self::NotAForm => "This is not a form",
            Self::Unavailable(_) => "Not possible at the moment",
            Self::Internal(_) => "Something went wrong on our side",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::SignIn => "Sign in again. What you sent was not carried out.".into(),
            Self::NotAnOperator => {
                "Your account is real, but it administers nothing here. Ask an owner of your tenant, or the \
                 platform owner at the vendor, to invite you as an operator."
                    .into()
            }
            Self::Forbidden(denial) => denial.detail(),
            Self::ForeignForm => {
                "It was not sent by a page of your current session. Go back, reload the page and send it again. \
                 Nothing was changed."
                    .into()
            }
            Self::NotFound => {
                "There is no such page, or nothing you may know of. Check the address, or search for it.".into()
            }
            Self::BadAddress(violations) => violations.first().map_or_else(
                || "Part of it could not be read.".into(),
                |violation| format!("Its part {} {}.", violation.member, violation.reason),
            ),
            Self::Conflict(detail) | Self::Unavailable(detail) => detail.clone(),
            Self::Stale { current_version } => format!(
                "The current version is {current_version}, which is newer than the one you edited. Nothing of yours was \
                 saved over it."
            ),
            Self::TooLarge => "It holds more than any form of the console. Nothing was changed.".into(),
            Self::TooSlow => "It took too long. Nothing was changed; send it again.".into(),
            Self::Broken => "The connection ended before the form did. Nothing was changed; send it again.".into(),
            Self::NotAForm => "Commands take the forms of the console's own pages. Programs use the admin API.".into(),
            Self::Internal(_) => "It was logged and nothing half-done was kept. Try again; if it stays, tell us the request.".into(),
        }
    }

    fn facts(&self, request_id: &str) -> Vec<(String, AnyView)> {
        let mut facts = Vec::new();
        if let Self::Forbidden(denial) = self {
            let permission = denial.permission.key();
            facts.push(kv("Permission", view! { <code>{permission}</code> }));
            let duty = named_duty(denial);
            facts.push(kv("Duty", format!("{} ({duty})", duty.duty().title)));
            if let Some(party) = denial.accountable() {
                facts.push(kv("Accountable", party.title()));
            }
            facts.push(kv("What would be needed", denial.needed()));
            if let Why::MissingPermission { given_by, .. } = &denial.why {
                let givers: Vec<&str> = given_by.iter().map(|role| role.title()).collect();
                facts.push(kv("Who can grant it", givers.join(", ")));
            }
        }
        if !request_id.is_empty() {
            facts.push(kv("Request", id(request_id)));
        }
        facts
    }

    fn view(&self, request_id: &str, sent: Option<&Form>) -> AnyView {
        let search = matches!(self, Self::NotFound).then(|| {
            view! {
                <form class="search" role="search" action="/search">
                    {icon("search")}
                    <input type="search" name="q" aria-label="Search" placeholder="Search" />
                </form>
            }
        });
        let next = match self {
            Self::SignIn => ("/login", "Sign in"),
            Self::NotAnOperator => ("/login?again=1", "Sign in as someone else"),
            _ => ("/", "Go to the start page"),
        };
        view! {
            <div class="fault">
                <p class="fault-code">{self.status().as_u16()}</p>
                <h1>{self.title()}</h1>
                <p>{self.text()}</p>
                {search}
                <KeyValue facts=self.facts(request_id) />
                {sent.and_then(|form| self.what_was_sent(form))}
                <div class="row"><LinkButton href=next.0 kind=ButtonKind::Primary>{next.1}</LinkButton></div>
            </div>
        }
        .into_any()
    }

    /// What the person typed stays readable when somebody else was faster, or when it cannot be done now.
    fn what_was_sent(&self, form: &Form) -> Option<AnyView> {
        if !matches!(
            self,
            Self::Stale { .. } | Self::Conflict(_) | Self::Unavailable(_)
        ) {
            return None;
        }
        let facts = form
            .shown()
            .map(|(name, value)| kv(name.replace('_', " "), value.to_owned()))
            .collect();
        Some(
            view! { <Card title="What you sent" padded=true><KeyValue facts=facts /></Card> }
                .into_any(),
        )
    }
}

/// An error and everything behind it, for one log line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
