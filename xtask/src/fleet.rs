//! `cargo xtask fleet`: two control planes, two regions of three nodes, PostgreSQL and Redis, in one command.
//!
//! `e2e/fleet/fleet.mjs` does it; this module builds what it starts, and ends it. It must never end anything that
//! the fleet did not start.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::shell::{self, Result};
use crate::test::clients;
use crate::tools::{Tool, Tools};
use crate::{islands, places};

/// What the fleet needs besides the product.
pub const TOOLS: &[Tool] = &[Tool::Node, Tool::Postgres, Tool::Redis];
const START_LIMIT: Duration = Duration::from_secs(120);

/// Builds what is needed, then becomes the fleet until Ctrl-C.
///
/// # Errors
/// When a tool is missing, the product does not compile or the fleet cannot be started.
pub fn run() -> Result<ExitCode> {
    let tools = Tools::ensure(&TOOLS.iter().copied().collect());
    if let Err(error) = islands::build() {
        if shell::interrupted() {
            return Err(error);
        }
        println!("islands: {error}; pages are served without scripts");
    }
    build()?;
    let error = command(&tools)?.exec();
    Err(format!("cannot start the fleet: {error}").into())
}

/// Both binaries, as every step needs them that starts control planes and nodes.
///
/// # Errors
/// When they do not compile.
pub fn build() -> Result<()> {
    let built = shell::cargo(&["build", "--workspace", "--exclude", "xtask", "--bins"]).status()?;
    if built.success() {
        Ok(())
    } else {
        Err("the build failed".into())
    }
}

/// What starts the fleet.
fn command(tools: &Tools) -> Result<Command> {
    let mut command = clients::node(tools)?;
    command.arg("fleet/fleet.mjs");
    servers(tools, &mut command)?;
    Ok(command)
}

/// Says where the programs of the servers are that suites start themselves.
///
/// # Errors
/// When one is missing.
pub fn servers(tools: &Tools, command: &mut Command) -> Result<()> {
    command.env("BAILIWICK_TEST_POSTGRES_BIN", tools.path(Tool::Postgres)?);
    command.env("BAILIWICK_TEST_REDIS_BIN", tools.path(Tool::Redis)?);
    Ok(())
}

/// A fleet that ends with this value.
pub struct Fleet {
    child: Child,
    file: PathBuf,
}

impl Fleet {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within two minutes.
    pub fn start(tools: &Tools) -> Result<Self> {
        let file = places::target().join("fleet.json");
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let mut command = command(tools)?;
        command.arg("--file").arg(&file);
        // A group of its own: a Ctrl-C in the terminal reaches us, and we stop it in order.
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let mut fleet = Self { child, file };
        let started = Instant::now();
        while !fleet.file.exists() {
            if shell::interrupted() {
                return Err("interrupted".into());
            }
            if fleet.child.try_wait()?.is_some() || started.elapsed() > START_LIMIT {
                return Err("the fleet did not become ready".into());
            }
            shell::pause();
        }
        Ok(fleet)
    }

    /// Where it says what it consists of; suites are told this name.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Err(error) = shell::end(&mut self.child, Signal::SIGTERM) {
            eprintln!("could not stop the fleet: {error}");
        }
    }
}
