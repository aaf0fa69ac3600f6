//! The tenant endpoints over real HTTP: a node with signed releases, a browser with cookies, a clock
//! that is advanced and never waited for.

#![expect(
    clippy::unwrap_used,
    reason = "this binary is a test throughout; clippy only recognises the functions marked so"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a table of cases is read from top to bottom; cutting it in two hides cases"
)]

mod authorize;
mod browser;
mod callers;
mod consent;
mod counts;
mod events;
mod headers;
mod house;
mod isolation;
mod logout;
mod metadata;
mod people;
mod refresh;
mod robustness;
mod sign_in;
mod slow;
mod tokens;
mod withdrawal;
