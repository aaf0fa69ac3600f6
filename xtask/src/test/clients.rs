//! The steps that speak to a running product from outside: a browser, and unmodified clients.
//!
//! The suites in `e2e/` start the product themselves, each on free ports and a data directory of its
//! own; this module brings their dependencies and tells them where the binary is. It must never run
//! an install script of a package it fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rust;
use crate::fleet::Fleet;
use crate::places;
use crate::shell::{self, Result};
use crate::tally::{Dialect, Tally};
use crate::tools::{self, Tool, Tools};

/// `e2e/browser`, in a real Chromium.
pub fn browser(tools: &Tools) -> Result<Tally> {
    let mut suite = node_tests(tools, &files("browser", ".test.mjs")?)?;
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
    Ok(all_clients(tools, None))
}

/// The same against a fleet, then the journey in a browser, then whether every process had its share.
pub fn fleet(tools: &Tools) -> Result<Tally> {
    let fleet = Fleet::start(tools)?;
    let mut tally = all_clients(tools, Some(fleet.file()));
    let mut journey = node_tests(tools, &[home().join("browser/journey.test.mjs")])?;
    journey.env("CHROMIUM_BIN", tools.path(Tool::Chromium)?);
    let spread = node_tests(tools, &files("fleet", ".test.mjs")?)?;
    for mut suite in [journey, spread] {
        suite.env(FLEET, fleet.file());
        tally += shell::count(&mut [suite], Dialect::Node)?;
    }
    Ok(tally)
}

fn all_clients(tools: &Tools, fleet: Option<&Path>) -> Tally {
    let mut tally = Tally::default();
    for outcome in [
        npm_suite(tools, fleet),
        python_suite(tools, fleet),
        rust::client(fleet),
    ] {
        tally += outcome.unwrap_or_else(|error| {
            println!("{error}");
            Tally::FAIL
        });
    }
    tally
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

/// The variable that names a running fleet's file.
const FLEET: &str = "BAILIWICK_E2E_FLEET";

/// Lets a suite use this fleet instead of starting a product.
pub fn use_fleet(command: &mut Command, fleet: Option<&Path>) {
    match fleet {
        Some(file) => command.env(FLEET, file),
        None => command.env_remove(FLEET),
    };
}

/// What every client suite is told: the binary to start, and where its logs are checked.
pub fn environment(command: &mut Command) {
    command.env("BAILIWICK_BIN", places::target().join("debug/bailiwick"));
    command.env("BAILIWICK_TEST_LOG_DIR", places::test_logs());
}

/// Node in `e2e`, with its packages.
///
/// # Errors
/// When it is missing or the packages cannot be installed.
pub fn node(tools: &Tools) -> Result<Command> {
    let node = tools.path(Tool::Node)?;
    install_packages(node)?;
    let mut command = Command::new(node);
    command.current_dir(home());
    environment(&mut command);
    Ok(command)
}

/// Node's own test runner over these files. One file at a time: each starts a product, and there may be two cores.
///
/// # Errors
/// As [`node`].
pub fn node_tests(tools: &Tools, files: &[PathBuf]) -> Result<Command> {
    let mut command = node(tools)?;
    command
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files);
    Ok(command)
}

fn npm_suite(tools: &Tools, fleet: Option<&Path>) -> Result<Tally> {
    let mut suite = node_tests(tools, &files("clients", ".test.mjs")?)?;
    use_fleet(&mut suite, fleet);
    shell::count(&mut [suite], Dialect::Node)
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

fn python_suite(tools: &Tools, fleet: Option<&Path>) -> Result<Tally> {
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
    use_fleet(&mut command, fleet);
    shell::count(&mut [command], Dialect::Unittest)
}

fn home() -> PathBuf {
    places::root().join("e2e")
}
