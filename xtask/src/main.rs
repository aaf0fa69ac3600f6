//! `cargo xtask`: every chore of this repository, as one small program.
//!
//! A script per chore would need a shell, and a task runner would be one more thing to install; this
//! needs what the repository needs anyway, a Rust toolchain. It finds or fetches what a chore asks
//! for, and says the exact command where it cannot. It is written for Unix: Linux, macOS, WSL.
//!
//! It must never skip a check in silence, leave a process or a temporary directory behind, or stop a
//! process that it did not start itself.
#![expect(
    clippy::disallowed_methods,
    reason = "a build tool is all edge: it reads the clock and the environment, and it waits"
)]
#![expect(
    clippy::print_stdout,
    reason = "a build tool speaks to the person who started it"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod dist;
mod fleet;
mod islands;
mod places;
mod services;
mod shell;
mod tally;
mod test;
mod tools;
mod up;

/// Build, run and check Bailiwick.
#[derive(Parser)]
#[command(name = "cargo xtask", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and run `bailiwick up`; what follows `--` goes to it.
    Up {
        /// Arguments of `bailiwick up`, such as `--demo`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Build everything and run two control planes, two regions of three nodes, PostgreSQL and Redis.
    Fleet,
    /// Build both binaries and run the fault suite; prints its table.
    Faults,
    /// Measure the push fabric with the product's own binaries; docs/benchmarks.md says what and how.
    Bench {
        /// What is measured.
        #[arg(value_enum)]
        scenario: bench::Scenario,
        /// How the binaries are built.
        #[arg(long, value_enum, default_value = "release")]
        profile: bench::Profile,
        /// Arguments of the measuring program, such as `--short` or `--light 10000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run every check there is; the last line is `N passed, N failed, N skipped`.
    Test {
        /// Only these steps (and those they stand on), separated by commas.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Step>,
    },
    /// Build the console's WASM islands into `console/dist`.
    Islands,
    /// Build release archives into `target/dist`.
    Dist,
    /// Print the sizes of the release binaries and of the islands bundle.
    Size,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let outcome = shell::listen_for_interrupts().and_then(|()| match task {
        Task::Up { args } => up::run(&args),
        Task::Fleet => fleet::run(),
        Task::Faults => test::faults::run(),
        Task::Bench {
            scenario,
            profile,
            args,
        } => bench::run(scenario, profile, &args),
        Task::Test { only } => test::run(&only),
        Task::Islands => islands::run(),
        Task::Dist => dist::run(),
        Task::Size => dist::print_sizes(),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
