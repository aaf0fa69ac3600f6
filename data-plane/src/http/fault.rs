//! What goes wrong, told to a person: page H19, in constant words.
//!
//! A fault says what happened and what helps, never what was typed. Callers that did not ask for a page
//! get the same as JSON.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};

use super::{
    error::{Body, Outage, retry_after},
    respond,
    tenant::Tenant,
};

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

    /// This node may serve nobody: another one can.
    pub const OUT_OF_SERVICE: Self = Self {
        retry_after: Some(Outage::RETRY_SECONDS),
        ..Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "This server is out of service",
            "This is our fault, not yours. Wait a moment and try again; another server will answer.",
        )
    };

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
    pub fn negotiate(&self, request: &HttpRequest, tenant: Option<&Tenant>) -> HttpResponse {
        if wants_page(request) {
            respond::fault(self, request, tenant)
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
