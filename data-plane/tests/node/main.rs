//! The node as a whole: releases that arrive, an identity store that several nodes share, accounts.
//!
//! The suites run on SQLite, and on PostgreSQL too where `BAILIWICK_TEST_POSTGRES_URL` names a server on
//! which databases may be made.

mod accounts;
mod grants;
mod harness;
mod identity;
mod push;
mod releases;
mod sessions;
