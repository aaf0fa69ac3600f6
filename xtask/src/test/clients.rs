//! The steps that speak to a running product from outside: a browser, and unmodified clients.
//!
//! The suites in `e2e/` start the product themselves, each on free ports and a data directory of its
//! own; this module brings their dependencies and tells them where the binary is. It must never run
//! an install script of a package it fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rust;
use crate::places;
use crate::shell::{self, Result};
use crate::tally::{Dialect, Tally};
use crate::tools::{self, Tool, Tools};

/// `e2e/browser`, in a real Chromium.
pub fn browser(tools: &Tools) -> Result<Tally> {
    let mut suite = node_suite(tools, "browser")?;
    suite.env("CHROMIUM_BIN", tools.path(Tool::Chromium)?);
    // With a bundle there is no excuse for a test of islands to be left out.
    if places::root().join("console/dist/manifest.json").exists() {
        suite.env("BAILIWICK_EXPECT_ISLANDS", "1");
    }
    shell::count(&mut [suite], Dialect::Node)
}

/// `e2e/clients` (Node), `e2e/clients_py` (Python) and `e2e/tests` (Rust); one that fails to start
/// does not hide the others.
pub fn clients(tools: &Tools) -> Result<Tally> {
    let node = || shell::count(&mut [node_suite(tools, "clients")?], Dialect::Node);
    let mut tally = Tally::default();
    for outcome in [node(), python_suite(tools), rust::client()] {
        tally += outcome.unwrap_or_else(|error| {
            println!("{error}");
            Tally::FAIL
        });
    }
    Ok(tally)
}

/// The files of `e2e/<dir>` with this ending, sorted.
///
/// # Errors
/// When there is none: an empty suite must not pass.
pub fn files(dir: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let dir = home().join(dir);
    let mut found: Vec<PathBuf> = fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(format!("no test (*{ending}) in {}", dir.display()).into());
    }
    Ok(found)
}

/// What every client suite is told: the binary to start, and where its logs are checked.
pub fn environment(command: &mut Command) {
    command.env("BAILIWICK_BIN", places::target().join("debug/bailiwick"));
    command.env("BAILIWICK_TEST_LOG_DIR", places::test_logs());
}

/// Node's own test runner over one directory. One file at a time: each starts a product, and there
/// may be two cores.
fn node_suite(tools: &Tools, dir: &str) -> Result<Command> {
    let node = tools.path(Tool::Node)?;
    let files = files(dir, ".test.mjs")?;
    install_packages(node)?;
    let mut command = Command::new(node);
    command
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files);
    command.current_dir(home());
    environment(&mut command);
    Ok(command)
}

/// `npm ci`, when the lock file changed since the last time.
fn install_packages(node: &Path) -> Result<()> {
    let lock = fs::read_to_string(home().join("package-lock.json"))
        .map_err(|error| format!("e2e/package-lock.json: {error}"))?;
    let installed = home().join("node_modules/.installed-lock.json");
    if fs::read_to_string(&installed).is_ok_and(|before| before == lock) {
        return Ok(());
    }
    let mut npm = Command::new(node.with_file_name("npm"));
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(home());
    shell::must(&mut npm)?;
    fs::write(installed, lock)?;
    Ok(())
}

fn python_suite(tools: &Tools) -> Result<Tally> {
    files("clients_py", ".py")?;
    let requirements = home().join("requirements.txt");
    let requirements = requirements.to_string_lossy();
    let python = tools::python_environment(
        tools.path(Tool::Python)?,
        &places::target().join("e2e-venv"),
        &["--requirement", &requirements],
    )?;
    let mut command = Command::new(python);
    command.args([
        "-m", "unittest", "discover", "-s", "clients_py", "-p", "*test*.py", "-v",
    ]);
    command.current_dir(home());
    environment(&mut command);
    shell::count(&mut [command], Dialect::Unittest)
}

fn home() -> PathBuf {
    places::root().join("e2e")
}
