//! `cargo xtask up`: from a clone to a running product, in one command.
//!
//! The product then takes this process's place, so that Ctrl-C and the exit code are its own. It must
//! never refuse to start because the islands could not be built: every page works without them.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::shell::{self, Result};
use crate::{islands, places};

/// Builds the islands if possible and the binary, then becomes `bailiwick up ARGS`.
///
/// # Errors
/// When the binary does not compile or cannot be started.
pub fn run(args: &[String]) -> Result<ExitCode> {
    if let Err(error) = islands::build() {
        if shell::interrupted() {
            return Err(error);
        }
        println!("islands: {error}; pages are served without scripts");
    }
    // Not through `shell`: cargo's own progress bar is what a person wants to see here.
    let built = shell::cargo(&["build", "--package", "bailiwick"]).status()?;
    if !built.success() {
        return Err("the build failed".into());
    }
    let binary = places::target().join("debug/bailiwick");
    let error = Command::new(&binary).arg("up").args(args).exec();
    Err(format!("cannot start {}: {error}", binary.display()).into())
}
