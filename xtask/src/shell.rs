//! Running other programs: their output shown as it comes, their tests counted, their end certain.
//!
//! A program runs in a process group of its own, so that what it started ends with it: a browser
//! or a server left behind by a failed test would hold ports, files and our pipes. It must never
//! signal a process outside the groups it started.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::places;
use crate::tally::{Dialect, Tally};

/// What a task gives back when it cannot go on: one line for the person who started it.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A program that runs longer is stuck: a cold build of everything takes about half of this.
const LIMIT: Duration = Duration::from_secs(45 * 60);
const PAUSE: Duration = Duration::from_millis(20);
const GRACE: Duration = Duration::from_secs(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C, SIGTERM and SIGHUP end the running program and let the task clean up; by
/// default they would end us alone and leave behind what we started.
///
/// # Errors
/// When the handler cannot be installed.
pub fn listen_for_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst))?;
    Ok(())
}

/// Whether the task was asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Lets a moment pass while waiting for something.
pub fn pause() {
    thread::sleep(PAUSE);
}

/// The cargo that started us, in the repository's root.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(places::root());
    // `cargo run` describes xtask in the environment. Build scripts that watch those variables
    // (ring's does) would run again whenever cargo is called now from here, now from a terminal.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    if io::IsTerminal::is_terminal(&io::stderr()) {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Runs programs to their end, one after the other, showing their output and counting the tests
/// that they report together.
///
/// # Errors
/// When one cannot be started, takes longer than 45 minutes, or we are interrupted.
pub fn count(commands: &mut [Command], dialect: Dialect) -> Result<Tally> {
    let counts = Mutex::new(Tally::default());
    let mut success = true;
    for command in commands {
        let status = watch(command, |line| {
            counts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .read(dialect, line);
        })?;
        success &= status.success();
    }
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(counts.settle(dialect, success))
}

/// Runs a program to its end, showing its output; `Ok(false)` when it failed.
///
/// # Errors
/// As [`count`].
pub fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(watch(command, |_| {})?.success())
}

/// As [`count`] for one command, and hands each line to `seen`.
///
/// # Errors
/// When it cannot be started or watched.
pub fn count_and_read(
    command: &mut Command,
    dialect: Dialect,
    seen: impl Fn(&str) + Sync,
) -> Result<Tally> {
    let counts = Mutex::new(Tally::default());
    let status = watch(command, |line| {
        seen(line);
        counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read(dialect, line);
    })?;
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(counts.settle(dialect, status.success()))
}

/// Runs a program that must succeed, showing its output.
///
/// # Errors
/// As [`count`], and when it fails.
pub fn must(command: &mut Command) -> Result<()> {
    if succeeds(command)? {
        return Ok(());
    }
    Err(format!("`{}` failed", spoken(command)).into())
}

/// What a program prints on standard output, without showing it; `None` when it fails.
pub fn ask(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let answer = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    answer.status.success().then_some(text)
}

/// Finds a program by name on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_program(file))
}

/// Whether the file exists and may be executed.
pub fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The command as a person would type it.
fn spoken(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Starts the program in its own process group and passes its output on, line by line.
fn watch(command: &mut Command, seen: impl Fn(&str) + Sync) -> Result<ExitStatus> {
    println!("$ {}", spoken(command));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", spoken(command)))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = thread::scope(|scope| {
        if let Some(pipe) = stdout {
            scope.spawn(|| relay(pipe, io::stdout(), &seen));
        }
        if let Some(pipe) = stderr {
            scope.spawn(|| relay(pipe, io::stderr(), &seen));
        }
        let status = wait(&mut child);
        // Whatever the program left running ends here, and with it the last hold on the pipes.
        signal(&child, Signal::SIGKILL);
        status
    });
    status.map_err(|why| format!("`{}`: {why}", spoken(command)).into())
}

fn relay(pipe: impl Read, mut to: impl Write, seen: &impl Fn(&str)) {
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        seen(&String::from_utf8_lossy(&line));
        // A closed terminal must not stop the counting.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let why = match (interrupted(), started.elapsed() > LIMIT) {
            (true, _) => "interrupted",
            (_, true) => "stopped: no end after 45 minutes",
            _ => {
                pause();
                continue;
            }
        };
        end(child, Signal::SIGTERM)?;
        return Err(io::Error::new(io::ErrorKind::Interrupted, why));
    }
}

/// Ends a child: the given signal first, then, where that does not help, the one that cannot be
/// refused.
///
/// # Errors
/// When waiting for it fails.
pub fn end(child: &mut Child, polite: Signal) -> io::Result<()> {
    signal(child, polite);
    let asked = Instant::now();
    while child.try_wait()?.is_none() {
        if asked.elapsed() > GRACE {
            signal(child, Signal::SIGKILL);
        }
        pause();
    }
    Ok(())
}

/// Signals a child's process group; one that is already gone is what we wanted.
fn signal(child: &Child, what: Signal) {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), what);
    }
}
