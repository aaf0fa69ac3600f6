//! Alive is not the same as ready, and "not ready" says why.
//!
//! `/healthz` answers as long as the process can answer at all: an orchestrator restarts what fails it,
//! so nothing outside the process may decide it. `/readyz` says whether traffic should come here and, if
//! not, which check refuses and for what reason, so that the operator does not have to guess. Reasons
//! are written by us; they must never repeat a connection string, an address of a user or a secret.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix_web::{HttpResponse, http::header, web};
use futures::future::{BoxFuture, FutureExt, join_all};
use serde::Serialize;

use crate::telemetry::Telemetry;

/// All checks of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Health(Arc<RwLock<BTreeMap<&'static str, Check>>>);

#[derive(Clone)]
enum Check {
    Set(State),
    Probe {
        limit: Duration,
        ask: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
    },
}

/// What one check says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Degraded(String),
    NotReady(String),
}

/// The whole process in one word; the worst check decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Send traffic.
    Ready,
    /// Send traffic, and look into it.
    Degraded,
    /// Send no traffic.
    NotReady,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all checks.
    pub status: Status,
    /// One entry for each check that is not ready, ordered by name.
    pub reasons: Vec<Reason>,
}

/// Why one check is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Name of the check.
    pub check: &'static str,
    /// Degraded or not ready.
    pub status: Status,
    /// What is wrong, for the operator.
    pub reason: String,
}

/// Lets the owner of a check say how it is.
#[derive(Clone)]
pub struct HealthHandle {
    name: &'static str,
    health: Health,
}

impl HealthHandle {
    /// All is well.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// Works, but not as it should.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// Cannot serve.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State::NotReady(reason.into()));
    }

    fn set(&self, state: State) {
        self.health.insert(self.name, Check::Set(state));
    }
}

impl Health {
    /// No checks yet: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that its owner sets. It is not ready ("starting") until the owner says otherwise.
    pub fn register(&self, name: &'static str) -> HealthHandle {
        let handle = HealthHandle {
            name,
            health: self.clone(),
        };
        handle.not_ready("starting");
        handle
    }

    /// Adds a check that is asked at every `/readyz`, such as a ping of the database. No answer within
    /// `limit` counts as not ready.
    pub fn probe<F, A>(&self, name: &'static str, limit: Duration, ask: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.insert(
            name,
            Check::Probe {
                limit,
                ask: Arc::new(move || ask().boxed()),
            },
        );
    }

    /// Asks every check, all at once.
    pub async fn report(&self) -> Report {
        let checks = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let answers = checks
            .into_iter()
            .map(|(name, check)| async move { (name, check.ask().await) });
        let reasons: Vec<Reason> = join_all(answers)
            .await
            .into_iter()
            .filter_map(|(check, state)| match state {
                State::Ready => None,
                State::Degraded(reason) => Some(Reason {
                    check,
                    status: Status::Degraded,
                    reason,
                }),
                State::NotReady(reason) => Some(Reason {
                    check,
                    status: Status::NotReady,
                    reason,
                }),
            })
            .collect();
        let status = reasons
            .iter()
            .map(|reason| reason.status)
            .max()
            .unwrap_or(Status::Ready);
        Report { status, reasons }
    }

    /// Mounts `GET /healthz`, `/readyz` and `/metrics`; pass it to `App::configure`.
    pub fn routes(&self, telemetry: &Telemetry) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let (health, telemetry) = (self.clone(), telemetry.clone());
        move |config| {
            config
                .route("/healthz", web::get().to(async || "alive\n"))
                .route(
                    "/readyz",
                    web::get().to(move || {
                        let health = health.clone();
                        async move { answer(&health.report().await) }
                    }),
                )
                .route(
                    "/metrics",
                    web::get().to(move || {
                        let text = telemetry.metrics_text();
                        async move {
                            HttpResponse::Ok()
                                .insert_header((header::CONTENT_TYPE, prometheus::TEXT_FORMAT))
                                .body(text)
                        }
                    }),
                );
        }
    }

    fn insert(&self, name: &'static str, check: Check) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, check);
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(checks.keys()).finish()
    }
}

impl Check {
    async fn ask(self) -> State {
        match self {
            Self::Set(state) => state,
            Self::Probe { limit, ask } => match tokio::time::timeout(limit, ask()).await {
                Ok(Ok(())) => State::Ready,
                Ok(Err(reason)) => State::NotReady(reason),
                Err(_) => State::NotReady(format!("no answer within {} ms", limit.as_millis())),
            },
        }
    }
}

fn answer(report: &Report) -> HttpResponse {
    // A degraded process still serves better than none: only "not ready" turns traffic away.
    match report.status {
        Status::Ready | Status::Degraded => HttpResponse::Ok().json(report),
        Status::NotReady => HttpResponse::ServiceUnavailable().json(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::TelemetryConfig;
    use actix_web::{App, test};

    async fn get(health: &Health, path: &str) -> (u16, String) {
        let telemetry = Telemetry::start(&TelemetryConfig::new("test")).unwrap();
        telemetry.meter().u64_counter("things").build().add(1, &[]);
        let app = test::init_service(App::new().configure(health.routes(&telemetry))).await;
        let request = test::TestRequest::get().uri(path).to_request();
        let response = test::call_service(&app, request).await;
        let status = response.status().as_u16();
        (
            status,
            String::from_utf8(test::read_body(response).await.to_vec()).unwrap(),
        )
    }

    #[actix_web::test]
    async fn not_ready_says_which_check_and_why_while_staying_alive() {
        let health = Health::new();
        let store = health.register("store");
        let push = health.register("push");
        push.ready();
        assert_eq!(get(&health, "/healthz").await, (200, "alive\n".into()));
        assert_eq!(
            get(&health, "/readyz").await,
            (
                503,
                r#"{"status":"not_ready","reasons":[{"check":"store","status":"not_ready","reason":"starting"}]}"#.into()
            )
        );
        store.ready();
        assert_eq!(
            get(&health, "/readyz").await,
            (200, r#"{"status":"ready","reasons":[]}"#.into())
        );
        push.degraded("no word from the control plane for 61 s");
        assert_eq!(
            get(&health, "/readyz").await,
            (
                200,
                r#"{"status":"degraded","reasons":[{"check":"push","status":"degraded","reason":"no word from the control plane for 61 s"}]}"#.into()
            )
        );
    }

    #[tokio::test]
    async fn probes_are_asked_each_time_and_may_not_hang() {
        let health = Health::new();
        health.probe("fine", Duration::from_secs(1), || async { Ok(()) });
        health.probe("broken", Duration::from_secs(1), || async {
            Err("refused".into())
        });
        health.probe("hung", Duration::from_millis(5), std::future::pending);
        let report = health.report().await;
        assert_eq!(report.status, Status::NotReady);
        let said: Vec<_> = report
            .reasons
            .iter()
            .map(|r| (r.check, r.reason.as_str()))
            .collect();
        assert_eq!(
            said,
            [("broken", "refused"), ("hung", "no answer within 5 ms")]
        );
    }

    #[actix_web::test]
    async fn metrics_are_served_in_the_text_format() {
        let (status, text) = get(&Health::new(), "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("# TYPE things_total counter"), "{text}");
    }
}
