//! The tenant's pages against a real control plane on SQLite in memory, through the real routes.

mod access;
mod apis;
mod apps;
mod audit;
mod harness;
mod home;
mod policies;
mod responsibility;
mod roles;
