//! The node as a whole: releases that arrive, an identity store that several nodes share, accounts.
//!
//! The suites run on SQLite, and on PostgreSQL too where `BAILIWICK_TEST_POSTGRES_URL` names a server on
//! which databases may be made, by a role that row-level security binds.

#![expect(
    clippy::unwrap_used,
    reason = "this binary is a test throughout; clippy only recognises the functions marked so"
)]

mod accounts;
mod arrivals;
mod authority;
mod enrolment;
mod fabric;
mod grants;
mod harness;
mod hostile;
mod identity;
mod joining;
mod lockout;
mod network;
mod process;
mod purge;
mod push;
mod releases;
mod row_security;
mod sessions;
mod states;
