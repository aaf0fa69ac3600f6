//! The route table: every page and every command of the console, once.
//!
//! Navigation, command palette, access checks and the tests that walk all routes are computed from these
//! rows, so none of them can forget a page. A row says where the page lives, which permission showing it
//! needs (the control plane authorizes again), and where it stands in the navigation.
//!
//! Rows live beside their pages: [`crate::pages::platform`], [`crate::pages::tenant`], [`crate::pages::common`].

use std::io;

use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header},
    web::{self, Data},
};
use contract::permission::Permission;
use futures::future::LocalBoxFuture;

use crate::{
    Console, assets, authn, csrf,
    fault::Fault,
    flash::{self, Flash},
    form::Form,
    pages,
    visit::Visit,
};

/// What a handler gives back.
pub type Answer = LocalBoxFuture<'static, Result<HttpResponse, Fault>>;

/// The scope an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/p/…`: the platform.
    Platform,
    /// `/t/{tenant}/{env}/…`: one tenant.
    Tenant,
    /// Everyone's own: profile, search.
    Anywhere,
}

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Nav {
    /// The group's heading.
    pub group: &'static str,
    /// The link's text.
    pub label: &'static str,
    /// Its icon.
    pub icon: &'static str,
}

/// A page.
#[derive(Clone, Copy)]
pub struct Screen {
    /// Below the place's base: `apps/{id}` is `/t/{tenant}/{env}/apps/{id}` in a tenant.
    pub path: &'static str,
    /// Which scope it belongs to.
    pub place: Place,
    /// What showing it needs.
    pub permission: Option<Permission>,
    /// Its place in the navigation, if it has one.
    pub nav: Option<Nav>,
    /// Makes it: `|visit| Box::pin(apps::show(visit))`.
    pub show: fn(Visit) -> Answer,
}

/// A command: what a form is posted to. It changes something and answers with [`Visit::done`], or with its
/// page again and [`Visit::refused`].
#[derive(Clone, Copy)]
pub struct Command {
    /// Below the place's base, after `/cmd`: `apps/create` is `/cmd/t/{tenant}/{env}/apps/create`.
    pub path: &'static str,
    /// Which scope it belongs to.
    pub place: Place,
    /// What it needs, as the method it calls will ask: for reviewers and for the tests that walk the table.
    pub permission: Option<Permission>,
    /// Carries it out.
    pub run: fn(Visit, Form) -> Answer,
}

/// What a page offers beside itself: a file to keep, or a stream of events. It changes nothing and is no document.
#[derive(Clone, Copy)]
pub struct Resource {
    /// Below the place's base.
    pub path: &'static str,
    /// Which scope it belongs to.
    pub place: Place,
    /// What having it needs.
    pub permission: Option<Permission>,
    /// Makes it.
    pub give: fn(Visit) -> Answer,
}

/// Larger than any form of ours, smaller than a nuisance.
const FORM_LIMIT: usize = 64 * 1024;

impl Place {
    fn base(self) -> &'static str {
        match self {
            Self::Platform => "/p/",
            Self::Tenant => "/t/{tenant}/{env}/",
            Self::Anywhere => "/",
        }
    }
}

impl Screen {
    /// The whole path, as a pattern.
    pub fn pattern(&self) -> String {
        format!("{}{}", self.place.base(), self.path)
    }
}

impl Resource {
    /// The whole path, as a pattern.
    pub fn pattern(&self) -> String {
        format!("{}{}", self.place.base(), self.path)
    }
}

impl Command {
    /// The whole path, as a pattern.
    pub fn pattern(&self) -> String {
        format!("/cmd{}{}", self.place.base(), self.path)
    }
}

/// Every page, in the order of the navigation.
pub fn screens() -> impl Iterator<Item = &'static Screen> {
    let tables = [
        pages::platform::SCREENS,
        pages::tenant::SCREENS,
        pages::common::SCREENS,
    ];
    tables.into_iter().flatten()
}

/// Every command.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    let tables = [
        pages::platform::COMMANDS,
        pages::tenant::COMMANDS,
        pages::common::COMMANDS,
    ];
    tables.into_iter().flatten()
}

/// Everything that pages offer beside themselves.
pub fn resources() -> impl Iterator<Item = &'static Resource> {
    pages::tenant::RESOURCES.iter()
}

/// Mounts the console on an application.
pub fn configure(console: Console) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.app_data(Data::new(console));
        config.app_data(web::PayloadConfig::new(FORM_LIMIT));
        config.route(
            &format!("{}{{name:.*}}", ui_assets::BASE),
            web::get().to(assets::get),
        );
        authn::configure(config);
        for screen in screens() {
            let handler = move |console, request| show(screen, console, request);
            config.route(&screen.pattern(), web::get().to(handler));
        }
        for resource in resources() {
            let handler = move |console, request| give(resource, console, request);
            config.route(&resource.pattern(), web::get().to(handler));
        }
        for command in commands() {
            let handler = move |console, request, body| run(command, console, request, body);
            config.route(&command.pattern(), web::post().to(handler));
        }
        config.default_service(web::to(nothing_here));
    }
}

async fn show(
    screen: &'static Screen,
    console: Data<Console>,
    request: HttpRequest,
) -> HttpResponse {
    let visit = match Visit::begin(&console, &request, screen.place).await {
        Ok(visit) => visit,
        Err(fault) => return fault.outside(&console, &request),
    };
    let shown = match visit.require(screen.permission).await {
        Ok(()) => (screen.show)(visit.clone()).await,
        Err(fault) => Err(fault),
    };
    shown.unwrap_or_else(|fault| fault.inside(&visit, None))
}

async fn give(
    resource: &'static Resource,
    console: Data<Console>,
    request: HttpRequest,
) -> HttpResponse {
    let visit = match Visit::begin_beside(&console, &request, resource.place).await {
        Ok(visit) => visit,
        Err(fault) => return fault.outside(&console, &request),
    };
    let given = match visit.require(resource.permission).await {
        Ok(()) => (resource.give)(visit.clone()).await,
        Err(fault) => Err(fault),
    };
    given.unwrap_or_else(|fault| fault.inside(&visit, None))
}

/// The order is the command contract of console.md 6.0a: whose form, whose session, which permission, and
/// only then the command itself (version, rules, action, audit, flash, 303).
async fn run(
    command: &'static Command,
    console: Data<Console>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let form = match own_form(&console, &request, body).await {
        Ok(form) => form,
        Err(fault) => return fault.outside(&console, &request),
    };
    let visit = match Visit::begin(&console, &request, command.place).await {
        Ok(visit) => visit,
        Err(fault) => return fault.outside(&console, &request),
    };
    if !csrf::matches(visit.form_token(), form.raw(csrf::FIELD)) {
        return Fault::ForeignForm.inside(&visit, None);
    }
    // Not refused here although the permission is known: the method refuses, and writes the attempt down.
    let answered = (command.run)(visit.clone(), form.clone()).await;
    match answered {
        // What is wrong with a form is only told to those who may send it.
        Ok(answer) if answer.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            match visit.require(command.permission).await {
                Ok(()) => answer,
                Err(fault) => fault.inside(&visit, None),
            }
        }
        Ok(answer) => keep_flash(&visit, answer).await,
        Err(fault) => fault.inside(&visit, Some(&form)),
    }
}

/// Keeps the message of [`Visit::done`] for the page that the answer leads to. A message that cannot be
/// kept must not undo what was done, nor hide it: the person is led on without it.
async fn keep_flash(visit: &Visit, mut answer: HttpResponse) -> HttpResponse {
    let flash = answer.extensions_mut().remove::<Flash>();
    if let Some(flash) = flash {
        let token = visit.secret().expose();
        if let Err(refusal) = visit
            .control_plane()
            .stash(token, flash::SLOT, &flash)
            .await
        {
            tracing::warn!(error = %refusal, "a flash could not be kept");
        }
    }
    answer
}

/// Reads a form of a page of ours, within [`FORM_LIMIT`].
///
/// # Errors
/// [`Fault::ForeignForm`] if the browser says that another site sent it; [`Fault::NotAForm`] and
/// [`Fault::TooLarge`] for what no page of ours sends; [`Fault::Broken`] and [`Fault::TooSlow`] if it did not arrive.
pub(crate) async fn own_form(
    console: &Console,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<Form, Fault> {
    if !csrf::is_same_origin(request, console.origin()) {
        return Err(Fault::ForeignForm);
    }
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Fault::NotAForm);
    }
    let mut payload: Payload = body.into_inner();
    let bytes = web::Bytes::from_request(request, &mut payload)
        .await
        .map_err(|error| refused_body(&error))?;
    Ok(Form::parse(&bytes))
}

/// Why a body was not read to its end. The listener decides how long a pause may be (R-INJ-06).
fn refused_body(error: &Error) -> Fault {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Fault::TooLarge,
        Some(PayloadError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => Fault::TooSlow,
        _ => Fault::Broken,
    }
}

/// An address that leads nowhere: inside the shell for whoever is signed in.
async fn nothing_here(console: Data<Console>, request: HttpRequest) -> HttpResponse {
    match Visit::begin(&console, &request, Place::Anywhere).await {
        Ok(visit) => Fault::NotFound.inside(&visit, None),
        Err(_) => Fault::NotFound.outside(&console, &request),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures::stream;

    use super::*;

    #[actix_web::test]
    async fn a_body_that_does_not_arrive_says_why_r_inj_06() {
        let late = PayloadError::Io(io::ErrorKind::TimedOut.into());
        for (end, status) in [
            (late, StatusCode::REQUEST_TIMEOUT),
            (PayloadError::Incomplete(None), StatusCode::BAD_REQUEST),
            (PayloadError::Overflow, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let parts = [Ok(web::Bytes::from_static(b"name=")), Err(end)];
            let mut payload: Payload = Payload::Stream {
                payload: Box::pin(stream::iter(parts)),
            };
            let request = TestRequest::post().to_http_request();
            let read = web::Bytes::from_request(&request, &mut payload).await;
            assert_eq!(refused_body(&read.unwrap_err()).status(), status);
        }
    }
}
