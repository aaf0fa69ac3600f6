//! The body of a form post: the right type, not too large, not too slow.
//!
//! Extraction never fails; the handler maps a refusal to its own surface, JSON or page. Only
//! `application/x-www-form-urlencoded` is read: JSON and multipart bodies are ways around rules that were
//! written for forms (R-AUTHZ-08, R-INJ-05).

use std::{future::Future, io, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::StatusCode,
    web::{Bytes, BytesMut},
};
use futures::StreamExt;

use super::{
    error::{ApiError, ErrorCode, OAuthError},
    fault::Fault,
    params::Params,
};

/// Largest form body, in bytes (R-INJ-05).
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// Another media type.
    NotAForm,
    /// More than [`MAX_FORM_BYTES`].
    TooLarge,
    /// It stopped arriving.
    TooSlow,
    /// Not UTF-8, a broken transfer, too many parameters.
    Malformed,
}

/// A form post's parameters.
pub struct Form(pub Result<Params, FormError>);

impl FromRequest for Form {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request
            .content_type()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let payload = payload.take();
        Box::pin(async move {
            if !is_form {
                return Ok(Self(Err(FormError::NotAForm)));
            }
            let params = read(payload).await.and_then(|body| {
                let text = str::from_utf8(&body).map_err(|_| FormError::Malformed)?;
                Params::parse(text).map_err(|_| FormError::Malformed)
            });
            Ok(Self(params))
        })
    }
}

async fn read(mut payload: Payload) -> Result<Bytes, FormError> {
    let mut body = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(broken)?;
        if body.len() + part.len() > MAX_FORM_BYTES {
            return Err(FormError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// Why a body ended before its end. The listener decides how long a pause may be (R-INJ-06).
fn broken(error: PayloadError) -> FormError {
    match error {
        PayloadError::Overflow => FormError::TooLarge,
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => FormError::TooSlow,
        _ => FormError::Malformed,
    }
}

impl FormError {
    fn status(self) -> StatusCode {
        match self {
            Self::NotAForm | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotAForm => "Send the parameters as application/x-www-form-urlencoded.",
            Self::TooLarge => "The form is larger than 64 KiB.",
            Self::TooSlow => "The form took too long to arrive.",
            Self::Malformed => "The form is not well-formed.",
        }
    }
}

impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.text())
    }
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Self {
        Self {
            status: error.status(),
            ..Self::bad_request(error.text())
        }
    }
}

impl Form {
    /// The parameters for an endpoint of programs; each at most once.
    ///
    /// # Errors
    /// `invalid_request` with the status HTTP has for it.
    pub fn for_program(self) -> Result<Params, ApiError> {
        let params = self
            .0
            .map_err(|error| ApiError::from(OAuthError::from(error)).with_status(error.status()))?;
        if params.is_once() {
            return Ok(params);
        }
        Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "A parameter occurs more than once.",
        )
        .into())
    }

    /// The parameters for a page.
    ///
    /// # Errors
    /// A page that says what is wrong.
    pub fn for_page(self) -> Result<Params, Fault> {
        let params = self.0?;
        if params.is_once() {
            return Ok(params);
        }
        Err(Fault::bad_request(
            "A field of the form occurs more than once.",
        ))
    }
}
