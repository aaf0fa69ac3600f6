//! Telling what happens: logs on stderr, metrics for Prometheus, traces and metrics by OTLP.
//!
//! One start wires all three, so that every process tells in the same words. Configuration is passed in
//! and never read from the environment, and metrics live in a registry of this value, not in a global,
//! so that several tests in one process do not count each other's requests. Logs are the exception:
//! `tracing` has one subscriber per process, and the first start installs it.
//!
//! It must never be given a secret or personal data: whatever is recorded here leaves the process.

use std::{io::IsTerminal, sync::Arc};

use opentelemetry::{
    metrics::{Meter, MeterProvider},
    trace::TracerProvider,
};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource, error::OTelSdkError, metrics::SdkMeterProvider, trace::SdkTracerProvider,
};
use prometheus::{Registry, TextEncoder};
use serde::Deserialize;
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt, fmt::MakeWriter, layer::SubscriberExt,
    registry::LookupSpan, util::SubscriberInitExt,
};

use crate::http_metrics::HttpMetrics;

const SCOPE: &str = "bailiwick";

/// Crates that OTLP export itself runs through: exporting their spans would feed on itself.
const EXPORT_PATH: [&str; 5] = ["hyper", "reqwest", "rustls", "h2", "opentelemetry"];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person at a terminal.
    #[default]
    Pretty,
    /// One JSON object a line, for a collector.
    Json,
}

/// What to tell, and to whom.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// The process's name in traces and metrics (`service.name`).
    pub service: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written: directives of `tracing_subscriber::EnvFilter`, such as
    /// `info,data_plane=debug`.
    pub filter: String,
    /// Base URL of an OTLP/HTTP collector, such as `http://collector:4318`; none sends nothing.
    pub otlp_endpoint: Option<String>,
}

impl TelemetryConfig {
    /// Pretty lines from level info up, and nothing sent anywhere.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            log_format: LogFormat::Pretty,
            filter: "info".into(),
            otlp_endpoint: None,
        }
    }
}

/// Why telemetry could not start. `Display` is one line for the operator.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter's directives do not parse.
    #[error("the log filter {filter:?} is not valid: {source}")]
    Filter {
        /// As configured.
        filter: String,
        /// Where it fails.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The collector's address cannot be used.
    #[error("cannot export to the OTLP endpoint {endpoint}: {source}")]
    Otlp {
        /// As configured.
        endpoint: String,
        /// What is wrong with it.
        source: ExporterBuildError,
    },
    /// The Prometheus registry refused our collector.
    #[error("cannot start metrics: {0}")]
    Metrics(#[from] OTelSdkError),
}

/// The process's telemetry. Clones share it.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Providers>);

#[derive(Debug)]
struct Providers {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts telling. A second start in one process gets metrics of its own and shares the first one's
    /// log lines and traces.
    ///
    /// # Errors
    /// [`TelemetryError`], when the configuration cannot be used.
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let filter =
            EnvFilter::try_new(&config.filter).map_err(|source| TelemetryError::Filter {
                filter: config.filter.clone(),
                source,
            })?;
        let resource = Resource::builder_empty()
            .with_service_name(config.service.clone())
            .build();
        let tracers = tracer_provider(config, &resource)?;
        let (registry, meters) = meter_provider(config, resource)?;

        let export = tracers.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(SCOPE))
                .with_location(false)
                .with_threads(false)
                .with_filter(filter_fn(|metadata| {
                    !EXPORT_PATH
                        .iter()
                        .any(|path| metadata.target().starts_with(path))
                }))
        });
        // An error means that this process has its subscriber already, which is what we want.
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(log_layer(config.log_format, std::io::stderr))
            .with(export)
            .try_init();
        Ok(Self(Arc::new(Providers {
            registry,
            meters,
            tracers,
        })))
    }

    /// Makes instruments. Name them as OpenTelemetry does (`release.applied`), labels from closed sets.
    pub fn meter(&self) -> Meter {
        self.0.meters.meter(SCOPE)
    }

    /// The instruments of an HTTP surface.
    pub fn http_metrics(&self) -> HttpMetrics {
        HttpMetrics::new(&self.meter())
    }

    /// All metrics in Prometheus' text format.
    pub fn metrics_text(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.0.registry.gather())
            .unwrap_or_else(|error| {
                tracing::error!(%error, "metrics cannot be encoded");
                String::new()
            })
    }

    /// Sends what is still waiting and stops exporting. Call it last: what happens afterwards is logged
    /// but not exported.
    pub async fn shutdown(&self) {
        let providers = Arc::clone(&self.0);
        // Exporters block until the collector answers or gives up.
        let flushed = tokio::task::spawn_blocking(move || {
            let traces = providers
                .tracers
                .as_ref()
                .map_or(Ok(()), SdkTracerProvider::shutdown);
            traces.and(providers.meters.shutdown())
        });
        match flushed.await {
            Ok(Ok(()) | Err(OTelSdkError::AlreadyShutdown)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "some telemetry was not delivered"),
            Err(error) => tracing::warn!(%error, "telemetry did not stop cleanly"),
        }
    }
}

pub(crate) fn log_layer<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Pretty => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        // The span list repeats the current span; its fields (request id, tenant) are what is searched.
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}

fn tracer_provider(
    config: &TelemetryConfig,
    resource: &Resource,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok(None);
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(signal_url(endpoint, "traces"))
        .build()
        .map_err(|source| TelemetryError::Otlp {
            endpoint: endpoint.clone(),
            source,
        })?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(exporter)
        .build();
    Ok(Some(provider))
}

fn meter_provider(
    config: &TelemetryConfig,
    resource: Resource,
) -> Result<(Registry, SdkMeterProvider), TelemetryError> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()?;
    let mut builder = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader);
    if let Some(endpoint) = &config.otlp_endpoint {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_endpoint(signal_url(endpoint, "metrics"))
            .build()
            .map_err(|source| TelemetryError::Otlp {
                endpoint: endpoint.clone(),
                source,
            })?;
        builder = builder.with_periodic_exporter(exporter);
    }
    Ok((registry, builder.build()))
}

/// OTLP/HTTP has one path per signal below the configured base.
fn signal_url(base: &str, signal: &str) -> String {
    format!("{}/v1/{signal}", base.trim_end_matches('/'))
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
