//! One id everywhere, and nothing of the caller anywhere.

use std::{
    io,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpResponse, dev::ServiceResponse, test, web};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::telemetry::{LogFormat, Telemetry, TelemetryConfig, log_layer};

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Sends this thread's log lines here while the guard lives.
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let layer = log_layer(LogFormat::Json, move || lines.clone());
        tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn json(&self) -> Vec<serde_json::Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

struct Answered {
    status: u16,
    id: String,
    body: String,
}

async fn call(telemetry: &Telemetry, request: test::TestRequest) -> Answered {
    let observe = Observe::new(telemetry.http_metrics(), Clock::system(), Entropy::system());
    let app = App::new()
        .wrap(observe)
        .route(
            "/t/{tenant}/echo",
            web::to(async |request: HttpRequest, id: RequestId| {
                record_tenant(&request, "acme");
                tracing::info!("inside");
                HttpResponse::Ok().body(id.to_string())
            }),
        )
        .route(
            "/fails",
            web::to(async || -> Result<HttpResponse, Error> {
                Err(ErrorInternalServerError("s3cret cause"))
            }),
        );
    let app = test::init_service(app).await;
    let response: ServiceResponse<_> = test::call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let id = response
        .headers()
        .get("x-request-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
    Answered { status, id, body }
}

fn telemetry() -> Telemetry {
    Telemetry::start(&TelemetryConfig::new("test")).unwrap()
}

#[actix_web::test]
async fn the_id_is_ours_new_each_time_and_the_same_for_handler_and_caller() {
    let telemetry = telemetry();
    let request = || {
        test::TestRequest::get()
            .uri("/t/acme/echo")
            .insert_header(("x-request-id", "req_forged"))
    };
    let (a, b) = (
        call(&telemetry, request()).await,
        call(&telemetry, request()).await,
    );
    assert_eq!((a.status, a.body.as_str()), (200, a.id.as_str()));
    assert_ne!(a.id, b.id);
    let hexadecimal = a.id.strip_prefix("req_").unwrap();
    assert_eq!(hexadecimal.len(), 32);
    assert!(hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[actix_web::test]
async fn every_line_has_the_id_and_none_has_what_the_caller_sent() {
    let (telemetry, lines) = (telemetry(), Lines::default());
    let guard = lines.collect();
    let request = test::TestRequest::post()
        .uri("/t/canary-path/echo?code=canary-query")
        .insert_header(("cookie", "session=canary-cookie"))
        .insert_header(("authorization", "Bearer canary-token"))
        .insert_header(("user-agent", "canary-agent"))
        .insert_header(("x-request-id", "canary-id"))
        .set_payload("canary-body");
    let answered = call(&telemetry, request).await;
    drop(guard);

    assert!(!lines.text().contains("canary"), "{}", lines.text());
    let json = lines.json();
    assert_eq!(
        json.iter()
            .map(|line| line["message"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["inside", "answered"]
    );
    for line in &json {
        let span = &line["span"];
        assert_eq!(span["request_id"], answered.id, "{line}");
        assert_eq!(span["http.request.method"], "POST");
        assert_eq!(span["http.route"], "/t/{tenant}/echo");
        assert_eq!(span["tenant"], "acme");
    }
    assert_eq!(json[1]["target"], "access");
    assert_eq!(json[1]["status"], 200);
    assert!(json[1]["duration_ms"].as_f64().unwrap() >= 0.0);
}

#[actix_web::test]
async fn failures_and_unknown_paths_are_observed_too() {
    let (telemetry, lines) = (telemetry(), Lines::default());
    let guard = lines.collect();
    let failed = call(&telemetry, test::TestRequest::get().uri("/fails")).await;
    let unknown = call(&telemetry, test::TestRequest::get().uri("/canary")).await;
    drop(guard);

    assert_eq!((failed.status, unknown.status), (500, 404));
    let json = lines.json();
    let told: Vec<_> = json
        .iter()
        .filter(|line| line["target"] == "access")
        .map(|line| {
            (
                line["status"].as_u64().unwrap(),
                line["span"]["http.route"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(500, "/fails"), (404, "unmatched")]);
    assert!(!lines.text().contains("canary") && !lines.text().contains("s3cret"));

    let metrics = telemetry.metrics_text();
    for (route, status) in [("/fails", 500), ("unmatched", 404)] {
        let labels = format!(
            "http_request_method=\"GET\",http_response_status_code=\"{status}\",http_route=\"{route}\""
        );
        assert!(metrics.contains(&labels), "{metrics}");
    }
    assert!(metrics.contains("http_server_active_requests{otel_scope_name=\"bailiwick\"} 0"));
}
