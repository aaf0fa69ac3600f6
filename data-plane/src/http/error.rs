//! Maps what can go wrong to HTTP for programs: RFC 6749 codes. People get a [`super::fault`].
//!
//! Descriptions are constants in printable ASCII and never echo input (R-TOK-06, R-INJ-02). A fault of
//! our own (store or state store not reachable) is logged here, once, with its cause; the caller
//! learns only that it is temporary. Every answer here is `no-store`.

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::{grants, identity::StoreError, keys::TokenError, state::StateError};

/// Error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8707 §2 and OpenID Connect Core §3.1.2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A parameter is missing, malformed or repeated.
    InvalidRequest,
    /// The client is unknown or did not prove itself.
    InvalidClient,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The grant does not exist here.
    UnsupportedGrantType,
    /// The response type does not exist here.
    UnsupportedResponseType,
    /// A scope is unknown or not granted to the client.
    InvalidScope,
    /// The resource is unknown or not granted to the client.
    InvalidTarget,
    /// The person declined.
    AccessDenied,
    /// `prompt=none`, but the person has to sign in.
    LoginRequired,
    /// `prompt=none`, but the person has to agree.
    ConsentRequired,
    /// Request objects are not supported.
    RequestNotSupported,
    /// Request objects by reference are not supported.
    RequestUriNotSupported,
    /// Self-issued registration is not supported.
    RegistrationNotSupported,
    /// The access token is not good.
    InvalidToken,
    /// The access token does not carry the needed scope.
    InsufficientScope,
    /// Try again later.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The registered code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The status at the token and userinfo endpoints.
    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An error with a constant explanation for the developer who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuthError {
    /// The registered code.
    pub code: ErrorCode,
    /// What to change, in words; constant, so it can never echo input.
    pub description: &'static str,
}

impl OAuthError {
    /// Pairs a code with its explanation.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }
}

/// Our own fault: something this node needs did not answer, or answered nonsense.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// The identity store.
    #[error("identity store: {0}")]
    Store(#[from] StoreError),
    /// The short-lived state.
    #[error("state store: {0}")]
    State(#[from] StateError),
    /// Refresh families.
    #[error("refresh tokens: {0}")]
    Refresh(#[from] grants::RefreshError),
    /// A token could not be signed.
    #[error("signing: {0}")]
    Sign(#[from] TokenError),
    /// A page could not be written.
    #[error("page: {0}")]
    Page(#[from] askama::Error),
}

impl Outage {
    /// Seconds after which another try makes sense.
    pub(super) const RETRY_SECONDS: u64 = 5;

    pub(super) fn log(&self) {
        tracing::error!(cause = %self, "a request could not be served");
    }
}

/// An answer to a program: token, userinfo, metadata.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: OAuthError,
    /// The scheme for `WWW-Authenticate` where the status is 401 or 403.
    scheme: Scheme,
    retry_after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer,
    /// A request without any credentials gets the scheme's name and no error (RFC 6750 §3.1).
    BearerOnly,
}

impl ApiError {
    /// An error of the userinfo endpoint (RFC 6750 §3).
    pub fn bearer(code: ErrorCode, description: &'static str) -> Self {
        Self {
            scheme: Scheme::Bearer,
            ..OAuthError::new(code, description).into()
        }
    }

    /// An error of the token endpoint (RFC 6749 §5.2).
    pub fn token(code: ErrorCode, description: &'static str) -> Self {
        OAuthError::new(code, description).into()
    }

    /// The same error with the seconds after which another try makes sense.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// No credentials were sent at all.
    pub fn bearer_missing() -> Self {
        Self {
            scheme: Scheme::BearerOnly,
            ..OAuthError::new(ErrorCode::InvalidToken, "Send an access token.").into()
        }
    }

    /// The same error with another status, for what HTTP itself refuses (413, 415, …).
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn challenge(&self) -> Option<String> {
        let OAuthError { code, description } = self.error;
        let refused = matches!(
            code,
            ErrorCode::InvalidClient | ErrorCode::InvalidToken | ErrorCode::InsufficientScope
        );
        match self.scheme {
            Scheme::Basic if code == ErrorCode::InvalidClient => {
                Some("Basic realm=\"token\", charset=\"UTF-8\"".to_owned())
            }
            Scheme::BearerOnly => Some("Bearer realm=\"userinfo\"".to_owned()),
            Scheme::Bearer if refused || code == ErrorCode::InvalidRequest => Some(format!(
                "Bearer realm=\"userinfo\", error=\"{}\", error_description=\"{description}\"",
                code.as_str()
            )),
            _ => None,
        }
    }
}

impl From<OAuthError> for ApiError {
    fn from(error: OAuthError) -> Self {
        Self {
            status: error.code.status(),
            error,
            scheme: Scheme::Basic,
            retry_after: None,
        }
    }
}

impl<E: Into<Outage>> From<E> for ApiError {
    fn from(cause: E) -> Self {
        cause.into().log();
        Self {
            retry_after: Some(Outage::RETRY_SECONDS),
            ..OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "The service cannot answer at the moment. Try again.",
            )
            .into()
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.error.code.as_str())
    }
}

/// The JSON of every error (RFC 6749 §5.2).
#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) error: &'a str,
    pub(super) error_description: &'a str,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        retry_after(&mut response, self.retry_after);
        response.json(Body {
            error: self.error.code.as_str(),
            error_description: self.error.description,
        })
    }
}

pub(super) fn retry_after(response: &mut HttpResponseBuilder, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_challenges_rfc_6749_5_2_rfc_6750_3() {
        let token = |code| ApiError::from(OAuthError::new(code, "x"));
        for (error, status, challenge) in [
            (token(ErrorCode::InvalidRequest), 400, None),
            (token(ErrorCode::InvalidGrant), 400, None),
            (
                token(ErrorCode::InvalidClient),
                401,
                Some("Basic realm=\"token\", charset=\"UTF-8\""),
            ),
            (
                ApiError::bearer_missing(),
                401,
                Some("Bearer realm=\"userinfo\""),
            ),
            (
                ApiError::bearer(ErrorCode::InsufficientScope, "x"),
                403,
                Some(
                    "Bearer realm=\"userinfo\", error=\"insufficient_scope\", error_description=\"x\"",
                ),
            ),
        ] {
            let response = error.error_response();
            assert_eq!(response.status().as_u16(), status);
            let sent = response.headers().get(header::WWW_AUTHENTICATE);
            assert_eq!(sent.map(|value| value.to_str().unwrap()), challenge);
            assert_eq!(
                response.headers().get(header::CACHE_CONTROL).unwrap(),
                "no-store"
            );
        }
    }
}
