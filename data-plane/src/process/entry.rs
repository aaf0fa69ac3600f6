//! From `main` to the first socket: arguments in, exit code out, the same for every binary.
//!
//! Exit codes: 0 after an ordered stop, 1 with one line on stderr when something failed, 2 for a command
//! line that makes no sense; [`stop_on`](super::server::stop_on) adds 130.

use std::{
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;

use super::{
    Failure,
    failure::{log_panics, ways_to_give},
};

/// Longest wait for work on blocking threads after everything else has stopped.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Reads the command line, runs what it asks for to its end, and says in one line why it failed, if it did.
pub fn enter<C: Parser>(name: &str, run: impl AsyncFnOnce(C) -> Result<(), Failure>) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are asked for and go to stdout; nothing is left to do if that is closed.
            let _ = message.print();
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2));
        }
    };
    log_panics();
    match to_its_end(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn to_its_end(running: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::because("cannot start the runtime"))?;
    let ended = runtime.block_on(running);
    runtime.shutdown_timeout(LAST_WAIT);
    ended
}

/// Listens where the setting `key` says.
///
/// # Errors
/// One line: taken, forbidden, or not an address of this machine.
pub fn listen(key: &str, addr: SocketAddr) -> Result<TcpListener, Failure> {
    host::bind(addr, &ways_to_give(key)).map_err(Failure::because("cannot listen"))
}
