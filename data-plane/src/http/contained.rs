//! What doors ask before anything else, and once more last: whether somebody is contained, and whether this node may
//! answer at all.
//!
//! A tenant may demand that a node which has heard nothing for a while issues and believes nothing (R-REV-02), and a
//! caller that its question is not answered from a state older than a point it knows (R-REV-03).

use actix_web::{HttpRequest, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::{AS_OF_HEADER, AsOf},
    ids::{ApplicationId, SessionId, UserId},
};

use super::{
    error::{ApiError, ErrorCode},
    fault::Fault,
    tenant::Tenant,
};
use crate::containments::{Contained, Passage, Refused, Who};

/// What userinfo says of a tenant-wide containment, and of nothing else.
pub use crate::containments::TENANT_CONTAINED;

/// Seconds until the next pulse may have brought what is missing.
const PULSE_SECONDS: u64 = 1;

impl Fault {
    /// Whoever or whatever this page is about is contained (page H19). It does not say which.
    pub const CONTAINED: Self = Self::new(
        StatusCode::FORBIDDEN,
        "contained",
        "Sign-in is stopped",
        "Signing in was stopped here for safety. Ask the service that sent you here what to do.",
    );

    /// This node cannot hear what may have been contained, and its tenant wants it to wait then.
    pub const UNHEARD: Self = Self {
        retry_after: Some(super::error::Outage::RETRY_SECONDS),
        ..Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "Sign-in has to wait",
            "A safety check cannot be made at the moment. Wait a little, then try again.",
        )
    };
}

/// Whether a page of the tenant may be shown.
///
/// # Errors
/// The tenant is contained, or this node has not heard anything for longer than the tenant allows.
pub fn check_page(tenant: &Tenant) -> Result<(), Fault> {
    if is_unheard(tenant) {
        return Err(Fault::UNHEARD);
    }
    let anybody = Who::anybody(tenant.node().clock().now());
    ask(tenant, &anybody).map_err(|_| Fault::CONTAINED)
}

/// Whether a program may be answered: the first question at the token and userinfo endpoints.
///
/// # Errors
/// As [`check_page`]; a point in the request that cannot be read, or that this node has not reached.
pub fn check_program(tenant: &Tenant, request: &HttpRequest) -> Result<(), Stopped> {
    if is_unheard(tenant) {
        return Err(Stopped::Unheard);
    }
    check_as_of(tenant, request)?;
    let anybody = Who::anybody(tenant.node().clock().now());
    ask(tenant, &anybody).map_err(|_| Stopped::Tenant)
}

/// Why a program is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The tenant is contained.
    Tenant,
    /// This node has not heard anything for too long.
    Unheard,
    /// It has not heard what the caller knows.
    Older,
    /// The point that the caller names is none.
    Malformed,
}

impl Stopped {
    /// The answer of the token endpoint. A contained tenant is final, and RFC 6749 section 5.2 has no better word for
    /// it than that no client may do this.
    pub fn at_token(self) -> ApiError {
        match self {
            Self::Tenant => ApiError::token(ErrorCode::UnauthorizedClient, TENANT_CONTAINED),
            other => other.answer(ApiError::token),
        }
    }

    /// The answer of the userinfo endpoint.
    pub fn at_userinfo(self) -> ApiError {
        match self {
            Self::Tenant => ApiError::bearer(ErrorCode::InvalidToken, TENANT_CONTAINED),
            other => other.answer(ApiError::bearer),
        }
    }

    fn answer(self, error: fn(ErrorCode, &'static str) -> ApiError) -> ApiError {
        match self {
            Self::Malformed => error(
                ErrorCode::InvalidRequest,
                "The header Bailiwick-As-Of is not a point that a containment returned.",
            ),
            _ => error(
                ErrorCode::TemporarilyUnavailable,
                "This node has not heard what may have been contained. Try again.",
            )
            .retry_after(PULSE_SECONDS),
        }
    }
}

/// Who asks, for a question at a door of the tenant.
pub fn ask(tenant: &Tenant, who: &Who<'_>) -> Result<(), Refused> {
    tenant.node().containments().ask(tenant.id(), who)
}

/// The right to give what is asked for, to be held until the answer is made.
///
/// # Errors
/// They are contained by now.
pub fn pass(tenant: &Tenant, who: &Who<'_>) -> Result<Passage, Refused> {
    tenant.node().containments().pass(tenant.id(), who)
}

/// Whether an application is contained.
///
/// # Errors
/// [`Fault::CONTAINED`].
pub fn check_application(tenant: &Tenant, application: ApplicationId) -> Result<(), Fault> {
    let who = Who {
        application: Some(application),
        ..Who::anybody(tenant.node().clock().now())
    };
    ask(tenant, &who).map_err(|_| Fault::CONTAINED)
}

/// Somebody with a session that began at this time.
pub fn member(
    user: UserId,
    session: Option<SessionId>,
    authorized_at: DateTime<Utc>,
) -> Who<'static> {
    Who {
        user: Some(user),
        session,
        ..Who::anybody(authorized_at)
    }
}

/// Whether it is the application that is contained, and not who uses it.
pub fn is_application(refused: &Refused) -> bool {
    refused.what == Contained::Application
}

fn is_unheard(tenant: &Tenant) -> bool {
    let limit = tenant.policies().token.refuse_unheard_after_seconds;
    limit > 0 && tenant.node().containments().silence() > TimeDelta::seconds(limit.into())
}

fn check_as_of(tenant: &Tenant, request: &HttpRequest) -> Result<(), Stopped> {
    let mut points = request.headers().get_all(AS_OF_HEADER);
    let Some(point) = points.next() else {
        return Ok(());
    };
    let point: Option<AsOf> = point.to_str().ok().and_then(|text| text.parse().ok());
    match (point, points.next()) {
        (Some(point), None) if tenant.node().containments().is_as_of(&point) => Ok(()),
        (Some(_), None) => Err(Stopped::Older),
        _ => Err(Stopped::Malformed),
    }
}
