//! The product as a process of its own and a scripted person, for clients in Rust.
//!
//! The twin of `harness/product.mjs` and `harness/agent.mjs`: free ports, a data directory that vanishes,
//! secrets noted in `canaries.txt` for the log check, hosted pages used by their promised element ids. It
//! must never know an endpoint that discovery does not name.

mod agent;
mod product;

pub use agent::authorize;
pub use product::{DemoClient, Product, canary};
