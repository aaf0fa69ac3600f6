//! What every HTTP surface counts, in OpenTelemetry's words.
//!
//! One histogram answers rate, errors and duration. Its labels come from closed sets (method, route
//! pattern, status), because a label that a caller can choose is a way to exhaust our memory. It must
//! never carry a path, a query or a tenant's data.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter, UpDownCounter},
};

/// Server-side HTTP instruments (OpenTelemetry semantic conventions, HTTP server metrics).
#[derive(Clone)]
pub struct HttpMetrics {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl HttpMetrics {
    /// Registers the instruments with `meter`.
    pub fn new(meter: &Meter) -> Self {
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Duration of HTTP requests, until the response begins.")
            // The convention's buckets: from 5 ms to 10 s.
            .with_boundaries(vec![
                0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
            ])
            .build();
        let active = meter
            .i64_up_down_counter("http.server.active_requests")
            .with_description("HTTP requests being served.")
            .build();
        Self { duration, active }
    }

    /// Counts a request as being served until the returned value is dropped, which happens even when
    /// the client goes away.
    pub fn begin(&self) -> ActiveRequest {
        self.active.add(1, &[]);
        ActiveRequest(self.active.clone())
    }

    /// Records one answered request. `route` is the matched pattern, never the path.
    pub fn record(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let labels = [
            KeyValue::new("http.request.method", known_method(method)),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        ];
        self.duration.record(took.as_secs_f64(), &labels);
    }
}

/// A request being served; see [`HttpMetrics::begin`].
pub struct ActiveRequest(UpDownCounter<i64>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}

/// The method's name from a closed set: HTTP lets callers invent methods.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Telemetry, TelemetryConfig};

    #[test]
    fn a_request_is_counted_by_method_route_and_status() {
        let telemetry = Telemetry::start(&TelemetryConfig::new("test")).unwrap();
        let metrics = telemetry.http_metrics();
        let invented = Method::from_bytes(b"SECRET").unwrap();
        for method in [&Method::GET, &invented] {
            metrics.record(
                method,
                "/t/{tenant}",
                StatusCode::OK,
                Duration::from_millis(20),
            );
        }
        let active = metrics.begin();
        let text = telemetry.metrics_text();
        assert!(text.contains("http_request_method=\"GET\""), "{text}");
        assert!(text.contains("http_route=\"/t/{tenant}\""), "{text}");
        assert!(text.contains("http_response_status_code=\"200\""), "{text}");
        assert!(
            text.contains("http_server_active_requests{otel_scope_name=\"bailiwick\"} 1"),
            "{text}"
        );
        assert!(!text.contains("SECRET"), "{text}");
        drop(active);
        let text = telemetry.metrics_text();
        assert!(
            text.contains("http_server_active_requests{otel_scope_name=\"bailiwick\"} 0"),
            "{text}"
        );
    }
}
