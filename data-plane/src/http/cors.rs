//! Cross-origin access for programs that run in a browser (R-HDR-04).
//!
//! Token, userinfo, keys and metadata answer to the origins of the tenant's own applications, taken from
//! their redirect URIs, and to nobody else. Credentials are never allowed: these endpoints read no
//! cookies. Origins are compared as text, so `null` and look-alikes match nothing.

use actix_web::{
    Error, FromRequest, HttpResponse,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
};
use contract::application::{Application, ApplicationStatus};

use super::tenant::Tenant;

/// Middleware: answers preflights and adds the headers to every answer, errors included.
///
/// The tenant is looked up here and not by an extractor: what an extractor of a middleware refuses leaves
/// as an error, past every middleware outside this one, and so without their headers.
pub async fn allow(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let found = Tenant::from_request(request.request(), &mut Payload::None).await;
    // A suspended tenant is known all the same, and its applications may read that it is suspended.
    let origin =
        Tenant::of(request.request()).and_then(|tenant| origin_of(request.headers(), &tenant));
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if let Err(refusal) = found {
        request.error_response(refusal).map_into_right_body()
    } else if is_preflight {
        request
            .into_response(HttpResponse::NoContent().finish())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    add(response.headers_mut(), origin, is_preflight);
    Ok(response)
}

/// The origin that asks, if it is one of the tenant's applications'.
fn origin_of(headers: &HeaderMap, tenant: &Tenant) -> Option<HeaderValue> {
    headers
        .get(header::ORIGIN)
        .filter(|origin| is_ours(origin, &tenant.release().applications))
        .cloned()
}

fn add(headers: &mut HeaderMap, origin: Option<HeaderValue>, is_preflight: bool) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("WWW-Authenticate, Retry-After, X-Request-Id"),
    );
    if is_preflight {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Authorization, Content-Type",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Whether `origin` is the origin of a redirect URI of an active application.
fn is_ours(origin: &HeaderValue, applications: &[Application]) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    // An origin has no path; without this a whole redirect URI would count as one.
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?']))
        && applications
            .iter()
            .filter(|application| application.status == ApplicationStatus::Active)
            .flat_map(|application| &application.redirect_uris)
            .any(|uri| {
                uri.as_str()
                    .strip_prefix(origin)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::tests::application;

    #[test]
    fn only_origins_of_applications_r_hdr_04() {
        let mut disabled = application();
        disabled.redirect_uris = vec!["https://old.example/cb".parse().unwrap()];
        disabled.status = ApplicationStatus::Disabled;
        let applications = [application(), disabled];
        for (origin, ours) in [
            ("https://shop.example", true),
            ("https://shop.exampl", false),
            ("https://shop.example/cb", false),
            ("https://shop.example.evil.example", false),
            ("http://shop.example", false),
            ("https://old.example", false),
            ("https://", false),
            ("null", false),
            ("", false),
        ] {
            let sent = HeaderValue::from_str(origin).unwrap();
            assert_eq!(is_ours(&sent, &applications), ours, "{origin}");
        }
    }
}
