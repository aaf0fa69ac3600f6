//! What starts, what is refused, and that a collector receives what was told.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
};

use opentelemetry::trace::{Span, Tracer};

use super::*;

fn config() -> TelemetryConfig {
    TelemetryConfig::new("test")
}

#[test]
fn each_start_counts_for_itself() {
    let (a, b) = (
        Telemetry::start(&config()).unwrap(),
        Telemetry::start(&config()).unwrap(),
    );
    a.meter().u64_counter("seen").build().add(3, &[]);
    b.meter().u64_counter("seen").build().add(1, &[]);
    assert!(
        a.metrics_text()
            .contains("seen_total{otel_scope_name=\"bailiwick\"} 3")
    );
    assert!(
        b.metrics_text()
            .contains("seen_total{otel_scope_name=\"bailiwick\"} 1")
    );
    assert!(a.metrics_text().contains("service_name=\"test\""));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_text() {
    let filter = TelemetryConfig {
        filter: "data_plane=loud".into(),
        ..config()
    };
    let error = Telemetry::start(&filter).unwrap_err().to_string();
    assert!(
        error.starts_with("the log filter \"data_plane=loud\" is not valid"),
        "{error}"
    );

    let otlp = TelemetryConfig {
        otlp_endpoint: Some("not a url".into()),
        ..config()
    };
    let error = Telemetry::start(&otlp).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot export to the OTLP endpoint not a url"),
        "{error}"
    );
}

#[tokio::test]
async fn shutdown_delivers_traces_and_metrics_and_may_be_called_twice() {
    let (endpoint, paths) = collector();
    let config = TelemetryConfig {
        otlp_endpoint: Some(format!("{endpoint}/")),
        ..config()
    };
    let telemetry = Telemetry::start(&config).unwrap();
    let tracers = telemetry.0.tracers.as_ref().unwrap();
    tracers.tracer(SCOPE).start("work").end();
    telemetry.meter().u64_counter("work").build().add(1, &[]);
    telemetry.shutdown().await;
    telemetry.shutdown().await;
    let seen: BTreeSet<String> = paths.try_iter().collect();
    let expected = ["POST /v1/metrics HTTP/1.1", "POST /v1/traces HTTP/1.1"].map(String::from);
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Accepts everything, and tells the first line of each request.
fn collector() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, paths) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 16 * 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let _ = sender.send(text.lines().next().unwrap_or_default().to_owned());
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (endpoint, paths)
}
