//! The process as its users meet it: started, asked over HTTP, stopped, started again.
//!
//! Nothing here knows the inside. By default each test runs on SQLite and memory; with
//! `BAILIWICK_TEST_POSTGRES_URL` (of a plain role that may make databases) and `BAILIWICK_TEST_REDIS_URL`
//! on fresh databases of those. Logs are written at debug level to `BAILIWICK_TEST_LOG_DIR`, where the canary looks for secrets.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, what cannot go on should stop at once"
)]

mod admin;
mod browser;
mod errors;
mod fleet;
mod harness;
mod journey;
mod limits;
mod node;
mod secrets;
mod start;
