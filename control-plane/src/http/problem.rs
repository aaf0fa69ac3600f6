//! Problem documents (RFC 9457): the one place where a refusal becomes an HTTP answer.
//!
//! Every error of the admin API leaves through [`as_problems`], also those that actix-web makes itself, so
//! that a caller can rely on the media type, on a stable `code` and on a `request_id` to quote. A problem
//! says what to do about it and never carries a secret, another tenant's data or the text of an inner error.

use actix_web::{
    Error, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
    web,
};
use contract::{Invalid, duty::DutyKey, role::Party};
use host::RequestId;
use serde::Serialize;
use utoipa::ToSchema;

use super::resource_metadata::PublicUrl;
use crate::{Denial, Refusal, Violation};

/// The media type of RFC 9457.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why the request was not carried out. Boxed, because almost every request goes well.
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Document>);

/// Why the request was not carried out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// `urn:bailiwick:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:bailiwick:problem:stale")]
    kind: String,
    /// What sort of problem it is; the same for every problem of this code.
    title: &'static str,
    /// The HTTP status code.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// What happened this time, for people.
    detail: String,
    /// A stable name for programs.
    #[schema(example = "stale")]
    code: &'static str,
    /// Names the request in our logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Which members are refused, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ProblemViolation>,
    /// The version that is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_version: Option<i64>,
    /// The permission that was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    /// The duty that keeps the caller's party out.
    #[serde(skip_serializing_if = "Option::is_none")]
    duty: Option<DutyKey>,
    /// Who answers for that duty.
    #[serde(skip_serializing_if = "Option::is_none")]
    accountable: Option<Party>,
    /// What would be needed for the request to be carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<String>,
    /// The methods that exist here; becomes the `Allow` header.
    #[serde(skip)]
    allow: Option<String>,
    /// The error code of RFC 6750 section 3.1, if the request carried a token; becomes `WWW-Authenticate`.
    #[serde(skip)]
    challenge: Option<Challenge>,
}

/// What `WWW-Authenticate` says (RFC 6750 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    /// No token came: which error it was is not said.
    Missing,
    /// The token is not believed.
    InvalidToken,
    /// The token is for something else of ours.
    InsufficientScope,
}

/// One member that is refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ProblemViolation {
    /// The member, as the wire calls it.
    #[schema(example = "slug")]
    member: &'static str,
    /// Why it is refused: a fragment that follows the member's name.
    reason: String,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with nothing but its name and its sentence.
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Document {
            kind: format!("urn:bailiwick:problem:{code}"),
            title,
            status,
            detail: detail.into(),
            code,
            request_id: None,
            violations: Vec::new(),
            current_version: None,
            permission: None,
            duty: None,
            accountable: None,
            needed: None,
            allow: None,
            challenge: None,
        }))
    }

    fn with(mut self, more: impl FnOnce(&mut Document)) -> Self {
        more(&mut self.0);
        self
    }

    /// 400: the request cannot be read.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "Malformed request",
            detail,
        )
    }

    /// 404: there is nothing at this address.
    pub(super) fn unknown() -> Self {
        not_found("There is nothing at this address.")
    }

    /// 401: no token came.
    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Authentication required",
            "Send an access token of the platform tenant: Authorization: Bearer …",
        )
        .with(|document| document.challenge = Some(Challenge::Missing))
    }

    /// 401: the token is not believed. `reason` is about the token's form, never about its content.
    pub(super) fn invalid_token(reason: &'static str) -> Self {
        let title = "Access token refused";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", title, reason)
            .with(|document| document.challenge = Some(Challenge::InvalidToken))
    }

    /// 403: the token was not given for the admin API.
    pub(super) fn insufficient_scope() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "Access token refused",
            "The token lacks the scope admin.",
        )
        .with(|document| document.challenge = Some(Challenge::InsufficientScope))
    }

    /// 405, with the methods that exist.
    pub(super) fn method_not_allowed(allow: String) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            format!("This address answers {allow}."),
        )
        .with(|document| document.allow = Some(allow))
    }

    fn invalid(violations: Vec<Violation>) -> Self {
        let detail = violations
            .iter()
            .map(|violation| format!("{} {}.", violation.member, violation.reason))
            .collect::<Vec<_>>()
            .join(" ");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid", "Invalid value", detail).with(|document| {
            document.violations = violations
                .into_iter()
                .map(|Violation { member, reason }| ProblemViolation { member, reason })
                .collect();
        })
    }

    fn forbidden(denial: &Denial) -> Self {
        let (code, detail) = (denial.code(), denial.detail());
        Self::new(StatusCode::FORBIDDEN, code, "Not allowed", detail).with(|document| {
            document.permission = Some(denial.permission.key());
            document.duty = denial.duty();
            document.accountable = denial.accountable();
            document.needed = Some(denial.needed());
        })
    }

    fn stale(current_version: i64) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "Changed in the meantime",
            format!(
                "It was changed in the meantime; the current version is {current_version}. Read it again, then repeat."
            ),
        )
        .with(|document| document.current_version = Some(current_version))
    }

    /// What an error that is none of ours becomes: its status keeps its meaning, its text stays inside.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => not_found("What you asked for was not found."),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                status,
                "too_large",
                "Request too large",
                "A request body may have at most 1 MiB.",
            ),
            status if status.is_client_error() => Self::malformed("The request cannot be read.")
                .with(|document| document.status = status),
            _ => internal(),
        }
    }

    fn respond(self, request: &HttpRequest) -> HttpResponse {
        let mut document = self.0;
        document.request_id = RequestId::of(request).map(|id| id.to_string());
        let mut response = HttpResponse::build(document.status);
        response.content_type(PROBLEM_JSON);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(allow) = &document.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Some(challenge) = document.challenge {
            let metadata = request
                .app_data::<web::Data<PublicUrl>>()
                .map(|url| url.metadata_url());
            response.insert_header((header::WWW_AUTHENTICATE, challenge.header(metadata)));
        }
        response.body(serde_json::to_string(&document).expect("a problem has string keys"))
    }
}

impl Challenge {
    fn header(self, resource_metadata: Option<String>) -> String {
        let mut parts = vec![r#"Bearer realm="bailiwick-admin""#.to_owned()];
        match self {
            Self::Missing => {}
            Self::InvalidToken => parts.push(r#"error="invalid_token""#.to_owned()),
            Self::InsufficientScope => {
                parts.push(r#"error="insufficient_scope", scope="admin""#.to_owned());
            }
        }
        // RFC 9728 section 5.1: a client that knows nothing finds the issuer from here.
        parts.extend(resource_metadata.map(|url| format!(r#"resource_metadata="{url}""#)));
        parts.join(", ")
    }
}

fn not_found(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
}

fn internal() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Internal error",
        "Something went wrong on our side. Quote the request_id when you ask about it.",
    )
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { what } => not_found(format!("The {what} was not found.")),
            Refusal::Invalid(violations) => Self::invalid(violations),
            Refusal::Forbidden(denial) => Self::forbidden(&denial),
            Refusal::Conflict { code, detail } => {
                Self::new(StatusCode::CONFLICT, code, "Conflict", detail)
            }
            Refusal::Stale { current_version } => Self::stale(current_version),
            Refusal::Unavailable { detail } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available",
                detail,
            ),
            Refusal::Internal(source) => {
                tracing::error!(error = %chain(source.as_ref()), "a request failed");
                internal()
            }
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Refusal::from(invalid).into()
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.0.status)
    }
}

/// Middleware: gives each error its problem document, whoever made it.
pub(super) async fn as_problems(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?;
    let problem = response.response().error().map(of_error);
    Ok(match problem {
        Some(problem) => {
            let answer = problem.respond(response.request());
            response.into_response(answer)
        }
        None => response.map_into_boxed_body(),
    })
}

fn of_error(error: &Error) -> Problem {
    error
        .as_error::<Problem>()
        .cloned()
        .unwrap_or_else(|| Problem::of_status(error.as_response_error().status_code()))
}
