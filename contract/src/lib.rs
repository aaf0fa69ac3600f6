//! What the planes agree on: ids, policies, roles, responsibilities, releases and push frames.
//!
//! Both planes and the offline tools read the same types, so a value that one side accepts can
//! never surprise the other. Everything here is a pure value: parsed strictly (unknown JSON members
//! are refused, R-ADM-08), validated in its constructor, and cheap to test.
//!
//! This crate must never reach an async runtime, the network, a clock, randomness or a database,
//! and it builds for `wasm32-unknown-unknown`. `xtask/tests/architecture.rs` holds it to that.

pub mod api;
pub mod application;
pub mod canonical;
pub mod client_grant;
pub mod containment;
pub mod duty;
pub mod enrolment;
pub mod frames;
pub mod ids;
pub mod index;
pub mod invalid;
pub mod jwk;
pub mod jws;
pub mod lane;
pub mod manifest;
#[cfg(feature = "openapi")]
mod openapi;
pub mod permission;
pub mod policies;
pub mod receipt;
pub mod redirect_uri;
pub mod release;
pub mod responsibility;
pub mod role;
pub mod scope;
pub mod secret;
pub mod section;
pub mod tenant;
pub mod text;
pub mod traffic;

pub use invalid::Invalid;
