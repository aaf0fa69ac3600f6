//! The steps that are cargo's: formatting, lints, build, tests, documentation.
//!
//! Every compiling step selects the same packages or a set that resolves to the same features;
//! otherwise cargo would compile the whole tree once per selection, which on two cores is most of an
//! hour. It must never build the product under a selection that includes xtask.

use std::path::Path;
use std::process::Command;

use super::clients;
use crate::shell::{self, Result, cargo};
use crate::tally::{Dialect, Tally};
use crate::tools::{Tool, Tools};
use crate::{islands, places, services};

/// The product, its tests and the crates that only its tests use.
const PRODUCT: [&str; 5] = ["--workspace", "--exclude", "xtask", "--exclude", "e2e"];

pub fn fmt() -> Result<Tally> {
    shell::count(&mut [cargo(&["fmt", "--all", "--check"])], Dialect::Silent)
}

/// On the host, for the browser where that can be compiled, and xtask with its bundler.
pub fn clippy() -> Result<Tally> {
    let clippy = |args: &[&str]| {
        let mut command = cargo(&["clippy"]);
        command.args(args).args(["--", "-D", "warnings"]);
        shell::count(&mut [command], Dialect::Silent)
    };
    let mut tally = clippy(&["--workspace", "--all-targets"])?;
    tally += clippy(&["--package", "xtask", "--all-targets", "--all-features"])?;
    if islands::rustup_has_target() {
        let target = islands::TARGET;
        let features = ["--features", "hydrate", "--target", target];
        tally += clippy(&[&["--package", "console-islands"][..], &features].concat())?;
        tally += clippy(&["--package", "contract", "--target", target])?;
    } else {
        println!(
            "clippy: no target {}, the islands are not linted",
            islands::TARGET
        );
        tally += Tally::SKIP;
    }
    Ok(tally)
}

pub fn architecture() -> Result<Tally> {
    shell::count(
        &mut [cargo(&["test", "--package", "xtask"])],
        Dialect::Cargo,
    )
}

/// A bundle that cannot be built for want of a toolchain is a skipped check; one that is too large
/// or does not compile is a failed one.
pub fn islands() -> Result<Tally> {
    match islands::build()? {
        islands::Bundle::Present => Ok(Tally::PASS),
        islands::Bundle::NoToolchain => Ok(Tally::SKIP),
    }
}

/// Everything that later steps run, e2e included, so that none of them fails for a reason that is
/// not its own.
pub fn build() -> Result<Tally> {
    let build = cargo(&[
        "build", "--workspace", "--exclude", "xtask", "--bins", "--tests",
    ]);
    shell::count(&mut [build], Dialect::Silent)
}

pub fn unit() -> Result<Tally> {
    let inside = [&PRODUCT[..], &["--lib", "--bins"]].concat();
    let examples = [&PRODUCT[..], &["--doc"]].concat();
    shell::count(&mut [suite(&inside), suite(&examples)], Dialect::Cargo)
}

pub fn integration() -> Result<Tally> {
    let surfaces = [&PRODUCT[..], &["--test", "*"]].concat();
    shell::count(&mut [suite(&surfaces)], Dialect::Cargo)
}

/// The crates that keep something, on what they keep it in when it matters.
pub fn postgres(tools: &Tools) -> Result<Tally> {
    let postgres = services::postgres(tools.path(Tool::Postgres)?)?;
    let redis = services::redis(tools.path(Tool::Redis)?)?;
    println!("PostgreSQL: {}\nRedis: {}", postgres.url, redis.url);
    let packages = ["--package", "control-plane", "--package", "data-plane"];
    let mut command = suite(&[&packages[..], &["--package", "bailiwick", "--tests"]].concat());
    command.env("BAILIWICK_TEST_POSTGRES_URL", &postgres.url);
    command.env("BAILIWICK_TEST_REDIS_URL", &redis.url);
    shell::count(&mut [command], Dialect::Cargo)
}

/// The Rust client in `e2e/tests`, selected by name: a narrower package selection would compile the
/// HTTP stack again with other features.
pub fn client(fleet: Option<&Path>) -> Result<Tally> {
    let mut args = vec![
        "--workspace".to_owned(),
        "--exclude".to_owned(),
        "xtask".to_owned(),
    ];
    for file in clients::files("tests", ".rs")? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        args.extend(["--test".to_owned(), stem.into_owned()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = suite(&args);
    clients::environment(&mut command);
    clients::use_fleet(&mut command, fleet);
    shell::count(&mut [command], Dialect::Cargo)
}

pub fn docs() -> Result<Tally> {
    let mut doc = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    // The documentation is for people who work here, so it shows private items and may link to them.
    // The variable replaces the flags of .cargo/config.toml, so it repeats them.
    doc.env(
        "RUSTDOCFLAGS",
        "--cfg erase_components -D warnings -A rustdoc::private-intra-doc-links",
    );
    shell::count(&mut [doc], Dialect::Silent)
}

/// `cargo test` that goes on after a failed binary and writes its logs where they are checked.
fn suite(args: &[&str]) -> Command {
    let mut command = cargo(&["test", "--no-fail-fast"]);
    command
        .args(args)
        .env("BAILIWICK_TEST_LOG_DIR", places::test_logs());
    command
}
