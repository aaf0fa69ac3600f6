//! The console over HTTP, without a browser: who gets in, what they see, what a form does.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

mod access;
mod containments;
mod events;
mod harness;
mod lane;
mod nodes;
mod pages;
mod post;
mod rollouts;
