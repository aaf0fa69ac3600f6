//! The tenant endpoints over real HTTP: a node with signed releases, a browser with cookies, a clock
//! that is advanced and never waited for.

mod authorize;
mod browser;
mod consent;
mod headers;
mod house;
mod isolation;
mod logout;
mod metadata;
mod people;
mod robustness;
mod sign_in;
mod tokens;
