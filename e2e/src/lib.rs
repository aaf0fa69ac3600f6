//! Real clients against a running product: browsers, Node, Python, and the Rust `oauth2` crate.
//!
//! The crate itself is empty. It exists so that the Rust client in `tests/` is built and counted with the
//! workspace; everything else here is driven by `cargo xtask test`. No file of this directory may depend on
//! a crate of the product: what is tested is the running program, from outside.
