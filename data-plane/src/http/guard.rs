//! What every request passes first: size limits, counting, and a net under panics.
//!
//! A handler that panics answers a plain page with the request's id, and the worker goes on (R-INJ-07).
//! Sizes are checked before anything is parsed (R-INJ-05).

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
};
use futures::FutureExt;
use host::{RequestId, Stopwatch};

use super::{fault::Fault, respond, served::served};

/// Longest request target, in bytes.
pub const MAX_URI_BYTES: usize = 8 * 1024;
/// Most bytes of header names and values.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

const LONG_URI: Fault = Fault::new(
    StatusCode::URI_TOO_LONG,
    "uri_too_long",
    "This link is too long",
    "The address has more than 8 KiB. The application that made it has to shorten it.",
);
const LARGE_HEAD: Fault = Fault::new(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "This request is too large",
    "The browser sent more than 16 KiB of headers. Deleting this site's cookies usually helps.",
);

/// Middleware.
pub async fn protect(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(fault) = oversized(&request) {
        let answer = fault.negotiate(request.request(), None);
        return Ok(request.into_response(answer).map_into_right_body());
    }
    let id = RequestId::of(request.request()).map_or_else(String::new, |id| id.to_string());
    let watch = Stopwatch::start();
    let answering = AssertUnwindSafe(next.call(request)).catch_unwind();
    let (outcome, runtime) = served(answering).await;
    if let Some(runtime) = runtime {
        let is_failure = match &outcome {
            Ok(Ok(response)) => response.status().is_server_error(),
            Ok(Err(error)) => error.error_response().status().is_server_error(),
            Err(_) => true,
        };
        runtime.counts().answered(is_failure, watch.elapsed());
    }
    match outcome {
        Ok(outcome) => Ok(outcome?.map_into_left_body()),
        Err(_) => {
            tracing::error!("a handler panicked; the panic hook wrote where");
            Err(InternalError::from_response("panic", panicked(&id)).into())
        }
    }
}

/// Middleware for a listener that has no pages of ours: the same sizes, refused as problem+json (RFC 9457).
pub async fn refuse_oversized(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(fault) = oversized(&request) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let id = RequestId::of(request.request()).map(|id| id.to_string());
    let problem = serde_json::json!({
        "type": format!("urn:bailiwick:problem:{}", fault.code),
        "title": fault.title,
        "status": fault.status.as_u16(),
        "detail": fault.detail,
        "code": fault.code,
        "request_id": id,
    });
    let answer = HttpResponse::build(fault.status)
        .content_type("application/problem+json")
        .body(problem.to_string());
    Ok(request.into_response(answer).map_into_right_body())
}

fn oversized(request: &ServiceRequest) -> Option<Fault> {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > MAX_URI_BYTES {
        return Some(LONG_URI);
    }
    let head: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    (head > MAX_HEAD_BYTES).then_some(LARGE_HEAD)
}

/// The answer leaves as an error, past the middleware that adds headers, so it brings its own.
fn panicked(id: &str) -> HttpResponse {
    let mut response = respond::panic_page(id);
    let headers = response.headers_mut();
    for (name, value) in host::headers::ALWAYS
        .into_iter()
        .chain([("X-Request-Id", id)])
    {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_str(value).expect("our values are plain ASCII");
        headers.insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test, web};

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_a_plain_page_and_not_the_end_r_inj_07() {
        async fn broken() -> HttpResponse {
            panic!("secret detail")
        }
        let app = test::init_service(
            App::new()
                .wrap(from_fn(protect))
                .route("/broken", web::get().to(broken))
                .route("/fine", web::get().to(HttpResponse::Ok)),
        )
        .await;
        let request = test::TestRequest::get().uri("/broken").to_request();
        let error = test::try_call_service(&app, request).await.err().unwrap();
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in host::headers::ALWAYS {
            assert_eq!(response.headers().get(name).unwrap(), value, "{name}");
        }
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("Something went wrong") && !body.contains("secret"));
        let request = test::TestRequest::get().uri("/fine").to_request();
        assert_eq!(
            test::call_service(&app, request).await.status(),
            StatusCode::OK
        );
    }
}
