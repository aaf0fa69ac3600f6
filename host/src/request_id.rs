//! One id per request, on every log line, in every answer.
//!
//! The id is made here and never taken from the caller: an id that outsiders choose can be forged to
//! hide in someone else's lines. The same middleware opens the request's span, writes its access line
//! and records its metrics, because all four need the same start, route and outcome.
//!
//! The span names method, route pattern, status, request id and tenant. It must never hold a path, a
//! query string, a header or a body: they carry codes, tokens and names of people (R-SEC-03).
//! `tracing-actix-web` supplies the span's life, including streamed bodies; its own root span is not
//! used, since it logs the target, the client's address and the user agent.

use std::{
    fmt,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::ErrorInternalServerError,
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use tracing::{Span, field};
use tracing_actix_web::{RootSpanBuilder, StreamSpan, TracingLogger};

use crate::{
    clock::{Clock, Stopwatch},
    entropy::Entropy,
    http_metrics::{HttpMetrics, known_method},
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const UNMATCHED: &str = "unmatched";

/// Names one request: `req_` and a UUIDv7 in hexadecimal. Safe to show to anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn new(clock: &Clock, entropy: &Entropy) -> Self {
        Self(format!("req_{}", entropy.uuid_v7(clock.now()).simple()).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of `request`, or `None` where [`Observe`] is not installed.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).ok_or_else(|| ErrorInternalServerError("Observe is not installed")))
    }
}

/// Notes the tenant on the request's span, once the request is known to belong to one. `tenant` is a
/// slug or an id that exists, never what the caller typed.
pub fn record_tenant(request: &HttpRequest, tenant: &str) {
    if let Some(span) = request.extensions().get::<tracing_actix_web::RootSpan>() {
        span.record("tenant", tenant);
    }
}

/// The middleware. Wrap it last, so that it is the outermost and sees what the others answer.
#[derive(Clone)]
pub struct Observe {
    metrics: HttpMetrics,
    clock: Clock,
    entropy: Entropy,
}

impl Observe {
    /// Ids come from `entropy` and `clock`; durations go to `metrics`.
    pub fn new(metrics: HttpMetrics, clock: Clock, entropy: Entropy) -> Self {
        Self {
            metrics,
            clock,
            entropy,
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<StreamSpan<B>>;
    type Error = Error;
    type InitError = ();
    type Transform =
        Observed<<TracingLogger<RequestSpan> as Transform<S, ServiceRequest>>::Transform>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let observe = self.clone();
        let traced = TracingLogger::<RequestSpan>::new()
            .new_transform(service)
            .into_inner();
        ready(traced.map(|service| Observed { observe, service }))
    }
}

/// The running middleware.
pub struct Observed<S> {
    observe: Observe,
    service: S,
}

impl<S, B> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let id = RequestId::new(&self.observe.clock, &self.observe.entropy);
        let started = Started {
            method: request.method().clone(),
            // The request itself must not be kept: routing needs the only handle on it.
            route: request.match_pattern().unwrap_or_else(|| UNMATCHED.into()),
            watch: Stopwatch::start(),
        };
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(started.clone());
        let metrics = self.observe.metrics.clone();
        let active = metrics.begin();
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut outcome = answer.await;
            drop(active);
            let Started {
                method,
                route,
                watch,
            } = started;
            metrics.record(&method, &route, status(&outcome), watch.elapsed());
            if let Ok(response) = &mut outcome {
                let value = HeaderValue::from_str(id.as_str()).expect("an id is plain ASCII");
                response.headers_mut().insert(HEADER, value);
            }
            outcome
        })
    }
}

/// What the access line needs of the request's beginning.
#[derive(Clone)]
struct Started {
    method: Method,
    route: String,
    watch: Stopwatch,
}

/// The request's span and, at its end, its access line.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let (Some(id), Some(started)) =
            (extensions.get::<RequestId>(), extensions.get::<Started>())
        else {
            return Span::none();
        };
        let (method, route) = (known_method(&started.method), started.route.as_str());
        tracing::info_span!(
            "request",
            otel.name = format_args!("{method} {route}"),
            otel.kind = "server",
            request_id = id.as_str(),
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            otel.status_code = field::Empty,
            tenant = field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = status(outcome);
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        let duration_ms = outcome.as_ref().ok().and_then(|response| {
            let extensions = response.request().extensions();
            extensions
                .get::<Started>()
                .map(|started| started.watch.elapsed().as_secs_f64() * 1e3)
        });
        tracing::info!(target: "access", parent: &span, status = status.as_u16(), duration_ms, "answered");
    }
}

fn status<B>(outcome: &Result<ServiceResponse<B>, Error>) -> StatusCode {
    match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

#[cfg(test)]
#[path = "request_id_tests.rs"]
mod tests;
