//! `cargo xtask bench`: builds the product's binaries and measures the push fabric with them.
//!
//! The crate `bench` does the measuring; this module builds what it drives and says where that lies. It must never
//! measure binaries that it did not build from what is checked out.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::ValueEnum;

use crate::places;
use crate::shell::{self, Result};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Changes.
    Push,
    /// Containments, reconnecting, life without a control plane.
    Contain,
}

/// How the binaries are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As shipped.
    Release,
    /// Debug: only ratios, growth and safety are judged.
    Dev,
}

/// Builds, and runs one scenario; `args` go to it.
///
/// # Errors
/// When the product does not compile, or the run cannot be started.
pub fn run(scenario: Scenario, profile: Profile, args: &[String]) -> Result<ExitCode> {
    let mut build = vec!["build", "--workspace", "--exclude", "xtask", "--bins"];
    if profile == Profile::Release {
        build.push("--release");
    }
    if !shell::cargo(&build).status()?.success() {
        return Err("the build failed".into());
    }
    let mut bench = command(scenario, profile);
    bench.args(args);
    Ok(match shell::succeeds(&mut bench)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn command(scenario: Scenario, profile: Profile) -> Command {
    let (name, dir) = match profile {
        Profile::Release => ("release", "release"),
        Profile::Dev => ("dev", "debug"),
    };
    let binaries: PathBuf = places::target().join(dir);
    let mut command = Command::new(binaries.join("bench"));
    command.arg(match scenario {
        Scenario::Push => "push",
        Scenario::Contain => "contain",
    });
    command
        .args(["--profile", name, "--binaries"])
        .arg(binaries);
    command.current_dir(places::root());
    command
}
