//! On whose behalf a page is shown: the application that sent the person here, if one did.
//!
//! The pages to sign in and to create an account stand inside the same attempt, so they name the
//! application alike and allow their forms to end at its address and nowhere else (`form-action`).

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::{
    fault::Fault,
    flow::{Flow, Judged},
    respond,
    visit::Visit,
};

/// The application that asks, if a person came from one.
pub struct Asking<'a>(Option<Judged<'a>>);

impl<'a> Asking<'a> {
    /// Judges the attempt by the rules of this moment.
    ///
    /// # Errors
    /// As [`Flow::judge`].
    pub fn of(visit: &'a Visit, flow: Option<&Flow>) -> Result<Self, Fault> {
        flow.map(|flow| flow.judge(visit)).transpose().map(Self)
    }

    /// Its name.
    pub fn name(&self) -> Option<&str> {
        let judged = self.0.as_ref()?;
        Some(&judged.application.name)
    }

    /// Whom it expects (OpenID Connect Core 1.0 §3.1.2.1, `login_hint`).
    pub fn login_hint(&self) -> Option<&str> {
        let judged = self.0.as_ref()?;
        judged.request.as_ref().ok()?.login_hint.as_deref()
    }

    /// Writes a page whose form may end at the application.
    ///
    /// # Errors
    /// The template cannot be written.
    pub fn show(&self, status: StatusCode, page: &impl Template) -> Result<HttpResponse, Fault> {
        let judged = self.0.as_ref();
        let back = judged.map(|judged| judged.back.redirect_uri.as_str());
        respond::show(status, page, back)
    }
}
