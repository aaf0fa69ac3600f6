//! The edge of the process: arguments in, exit code out.
//!
//! Exit codes: 0 after an ordered stop, 1 with one line on stderr when something failed, 2 for a command
//! line that makes no sense, 130 when a second signal cut the stop short.

use std::{process::ExitCode, time::Duration};

use bailiwick::cli::Cli;
use clap::Parser;
use data_plane::process::{Failure, failure::log_panics};

/// Many small allocations on many threads: the system's allocator spends more on them than we do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Longest wait for work on blocking threads after everything else has stopped.
const LAST_WAIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are asked for and go to stdout; nothing is left to do if that is closed.
            let _ = message.print();
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2));
        }
    };
    log_panics();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bailiwick: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::because("cannot start the runtime"))?;
    let ended = runtime.block_on(bailiwick::run(cli));
    runtime.shutdown_timeout(LAST_WAIT);
    ended
}
