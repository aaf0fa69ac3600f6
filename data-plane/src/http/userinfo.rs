//! The userinfo endpoint (OpenID Connect Core 1.0 §5.3): what the scopes of an access token allow to know.
//!
//! Only access tokens of this tenant, for this tenant, are accepted: the type keeps ID tokens and other
//! JWTs out (R-JWT-01), the audience keeps out tokens that were meant for an API alone (R-RES-03). A
//! token in the query is refused, because queries are logged everywhere (R-RES-08). One state look-up
//! asks whether the grant was killed, one database read fetches the person.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
};
use chrono::DateTime;
use contract::application::ApplicationStatus;

use super::{
    claims::{ACCESS_TOKEN_TYPE, PersonClaims, PresentedAccess},
    contained::{self, Stopped},
    error::{ApiError, ErrorCode},
    form::{Form, FormError},
    params::Params,
    target::requested,
    tenant::Tenant,
};
use crate::{containments::Who, grants::GrantOwner, identity::UserStatus, keys::Expected};

/// `GET` and `POST /oauth2/userinfo`
pub async fn show(
    tenant: Tenant,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let token = token_of(&request, form)?;
    contained::check_program(&tenant, &request).map_err(Stopped::at_userinfo)?;
    let access = verify(&tenant, &token).await?;
    let who = who(&access);
    contained::ask(&tenant, &who).map_err(|_| refused())?;
    let scopes = requested(Some(&access.scope)).map_err(|_| refused())?;
    if !super::claims::has(&scopes, "openid") {
        return Err(ApiError::bearer(
            ErrorCode::InsufficientScope,
            "The access token needs the scope openid.",
        ));
    }
    let user = access.sub.parse().map_err(|_| refused())?;
    let user = tenant
        .node()
        .identity()
        .find_user(tenant.id(), user)
        .await?;
    let user = user
        .filter(|user| user.status == UserStatus::Active)
        .ok_or_else(refused)?;
    let _passage = contained::pass(&tenant, &who).map_err(|_| refused())?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PersonClaims::of(&user, &scopes)))
}

/// Whose token it is. Its key was asked about when it was verified.
fn who(access: &PresentedAccess) -> Who<'static> {
    let issued_at = DateTime::from_timestamp(access.iat, 0).unwrap_or(DateTime::UNIX_EPOCH);
    Who {
        user: access.sub.parse().ok(),
        session: access.sid,
        application: access.client_id.parse().ok(),
        ..Who::anybody(issued_at)
    }
}

/// The access token, from the header or a form body, and from one of them only (RFC 6750 §2).
fn token_of(request: &HttpRequest, form: Form) -> Result<String, ApiError> {
    let refuse = |text| Err(ApiError::bearer(ErrorCode::InvalidRequest, text));
    let in_query = Params::parse(request.query_string()).map_or(true, |query| {
        query.get("access_token").is_some() || query.is_repeated("access_token")
    });
    if in_query {
        return refuse("Send the access token in the Authorization header.");
    }
    let in_body = match form.0 {
        Ok(params) if request.method() == Method::POST => {
            if !params.is_once() {
                return refuse("A parameter occurs more than once.");
            }
            params.get("access_token").map(str::to_owned)
        }
        Err(FormError::TooLarge) => return refuse("The form is larger than 64 KiB."),
        _ => None,
    };
    let mut headers = request.headers().get_all(AUTHORIZATION);
    match (headers.next(), headers.next(), in_body) {
        (None, None, Some(token)) => Ok(token),
        (None, None, None) => Err(ApiError::bearer_missing()),
        (Some(header), None, None) => {
            bearer(header.to_str().unwrap_or_default()).ok_or_else(refused)
        }
        _ => refuse("Send the access token once."),
    }
}

fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

async fn verify(tenant: &Tenant, token: &str) -> Result<PresentedAccess, ApiError> {
    let expected = Expected {
        typ: ACCESS_TOKEN_TYPE,
        issuer: tenant.issuer(),
        audience: Some(tenant.issuer()),
        now: tenant.node().clock().now(),
        accept_expired: false,
    };
    let access: PresentedAccess = tenant
        .keys()
        .verify(token, &expected)
        .map_err(|_| refused())?;
    let is_active = tenant
        .application(&access.client_id)
        .is_some_and(|application| application.status == ApplicationStatus::Active);
    if !is_active {
        return Err(refused());
    }
    if let Some(owner) = owner(&access)?
        && tenant
            .node()
            .grants()
            .is_killed(tenant.id(), &owner)
            .await?
    {
        return Err(refused());
    }
    Ok(access)
}

/// Whose grant the token belongs to; none for a machine's own.
fn owner(access: &PresentedAccess) -> Result<Option<GrantOwner>, ApiError> {
    let of = |grant| {
        Some(GrantOwner {
            grant,
            user: access.sub.parse().ok()?,
            application: access.client_id.parse().ok()?,
        })
    };
    match access.grant {
        Some(grant) => of(grant).map(Some).ok_or_else(refused),
        None => Ok(None),
    }
}

fn refused() -> ApiError {
    ApiError::bearer(
        ErrorCode::InvalidToken,
        "The access token is expired, revoked, or not for this endpoint.",
    )
}
