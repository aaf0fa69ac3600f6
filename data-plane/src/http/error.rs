//! Maps what can go wrong to HTTP: RFC 6749 codes for programs, one plain page for people.
//!
//! Descriptions are constants in printable ASCII and never echo input (R-TOK-06, R-INJ-02). A fault of
//! our own (store or state store not reachable) is logged here, once, with its cause; the caller
//! learns only that it is temporary. Every answer here is `no-store`.

use std::{fmt, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use super::pages;
use crate::{
    grants,
    identity::StoreError,
    keys::TokenError,
    state::StateError,
};

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
    const RETRY_SECONDS: u64 = 5;

    fn log(&self) {
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

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
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

/// An answer to a person: what happened and what they can do, in constant words (page H19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: StatusCode,
    /// The same in one machine-readable word, for callers that prefer JSON.
    pub code: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What happened and what helps.
    pub detail: &'static str,
    /// Seconds to wait, if waiting helps.
    pub retry_after: Option<u64>,
}

impl Fault {
    /// A fault of the request.
    pub const fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail,
            retry_after: None,
        }
    }

    /// The link or form is not what it should be.
    pub const fn bad_request(detail: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "This request can't be used",
            detail,
        )
    }

    /// Nothing is there.
    pub const NOT_FOUND: Self = Self::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "There is nothing here",
        "The address may be mistyped, or what it named is gone.",
    );

    /// The tenant is suspended.
    pub const SUSPENDED: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "Sign-in is not available",
        "Signing in here is switched off at the moment. Your account and your data are untouched.",
    );

    /// A form was posted by another page, another browser or an earlier sign-in.
    pub const FORGED: Self = Self::new(
        StatusCode::FORBIDDEN,
        "stale_form",
        "This form is out of date",
        "It was opened before you signed in or out, or in another browser. Go back, reload the page and try again.",
    );

    /// The sign-in attempt is over, or another browser began it (R-AUTHZ-11).
    pub const FLOW_GONE: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "expired",
        "This sign-in attempt is over",
        "It took too long, was finished already, or began in another browser. Go back to the application and start again.",
    );

    /// Something of ours does not answer.
    pub const UNAVAILABLE: Self = Self {
        retry_after: Some(Outage::RETRY_SECONDS),
        ..Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "Something is not answering",
            "This is our fault, not yours. Wait a moment and try again; nothing was lost.",
        )
    };

    /// Too many attempts; `wait` says for how long.
    pub fn too_many(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait.as_secs().max(1)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "slow_down",
                "Too many attempts",
                "To protect accounts, attempts are slowed down. Wait a little, then try again.",
            )
        }
    }

    /// The password hashing pool is full.
    pub fn busy(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait.as_secs().max(1)),
            ..Self::UNAVAILABLE
        }
    }

    /// The fault as JSON, for callers that did not ask for a page.
    pub fn json(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        retry_after(&mut response, self.retry_after);
        response.json(Body {
            error: self.code,
            error_description: self.detail,
        })
    }

    /// A page for people who asked for one, JSON for everyone else.
    pub fn negotiate(&self, request: &HttpRequest, tenant: Option<&super::tenant::Tenant>) -> HttpResponse {
        if wants_page(request) {
            pages::fault(self, request, tenant)
        } else {
            self.json()
        }
    }
}

impl<E: Into<Outage>> From<E> for Fault {
    fn from(cause: E) -> Self {
        cause.into().log();
        Self::UNAVAILABLE
    }
}

/// Whether the caller is a browser that navigates.
pub fn wants_page(request: &HttpRequest) -> bool {
    request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn retry_after(response: &mut HttpResponseBuilder, seconds: Option<u64>) {
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
            (token(ErrorCode::InvalidClient), 401, Some("Basic realm=\"token\", charset=\"UTF-8\"")),
            (ApiError::bearer_missing(), 401, Some("Bearer realm=\"userinfo\"")),
            (
                ApiError::bearer(ErrorCode::InsufficientScope, "x"),
                403,
                Some("Bearer realm=\"userinfo\", error=\"insufficient_scope\", error_description=\"x\""),
            ),
        ] {
            let response = error.error_response();
            assert_eq!(response.status().as_u16(), status);
            let sent = response.headers().get(header::WWW_AUTHENTICATE);
            assert_eq!(sent.map(|value| value.to_str().unwrap()), challenge);
            assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
        }
    }
}
