//! Verifies, evaluates, answers: tenant OpenID Connect endpoints and the regional identity store.
//!
//! A node receives signed releases ([`push`], [`releases`]), keeps users and keys in its region
//! ([`identity`], [`keys`]) and what is short-lived in a store its neighbours share ([`state`]), and
//! answers browsers and clients ([`http`]). It decides nothing about configuration, it believes nothing
//! unsigned, and it never needs the control plane to serve what it holds (R-NODE-07).
//!
//! This crate never reaches `control-plane` or Leptos; `xtask/tests/architecture.rs` holds it to that.

pub mod accounts;
mod clock_check;
pub mod codes;
pub mod containments;
pub mod grants;
pub mod hashing;
pub mod http;
pub mod identity;
pub mod keys;
pub mod mailer;
pub mod metrics;
mod node;
pub mod password;
pub mod process;
pub mod push;
pub mod releases;
pub mod requests;
pub mod sessions;
mod standing;
pub mod state;
pub mod throttle;
mod tidy;
pub mod traffic;

pub use accounts::SeedUser;
pub use node::{Node, NodeConfig, OpenError};
