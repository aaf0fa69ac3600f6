//! The control plane as its callers see it: real database, real transactions, a node that speaks frames.
//!
//! Runs on a fresh SQLite file per test, or on a fresh PostgreSQL database per test if
//! `BAILIWICK_TEST_POSTGRES_URL` names a server: the same tests, the same expectations.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where the story stops making sense"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, with its beginning and its end"
)]

mod harness;

mod audit;
mod console_sessions;
mod containments;
mod http;
mod invitations;
mod jobs;
mod nodes;
mod operators;
mod policies;
mod push;
mod releases;
mod replicas;
mod responsibilities;
mod restored;
mod rollouts;
mod setup;
mod states;
mod strangers;
mod tenants;
