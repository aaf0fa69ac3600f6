//! A PostgreSQL and a Redis of our own, for one test run.
//!
//! The suites that run on SQLite and memory must run unchanged on what production uses. A shared
//! server would need configuration and could hold someone's data, so each run makes its own: free
//! loopback ports, a temporary directory, no durability (nothing in it is worth a disk flush). They
//! stop, and their directory goes, when the value is dropped.
//!
//! It must never touch a server that it did not start.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::places::Scratch;
use crate::shell::{self, Result};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server that ends with this value.
pub struct Service {
    /// How clients reach it.
    pub url: String,
    child: Child,
    stop: Signal,
    _home: Scratch,
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = shell::end(&mut self.child, self.stop) {
            eprintln!("could not stop the server at {}: {error}", self.url);
        }
    }
}

/// Whom the suites connect as: a plain role that may make databases and owns those it makes. A superuser
/// would not be bound by row-level security, and the product refuses to run as one.
const PLAIN_ROLE: &str = "bailiwick";

/// Starts a PostgreSQL whose programs lie in `bin`; the role of its URL is plain and needs no password.
///
/// # Errors
/// When a cluster cannot be made or does not become ready within a minute.
pub fn postgres(bin: &Path) -> Result<Service> {
    let home = Scratch::create("postgres")?;
    let account = Account::for_postgres()?;
    account.own(home.path())?;
    let data = home.path().join("data");
    let mut initdb = Command::new(bin.join("initdb"));
    initdb.args([
        "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C",
    ]);
    initdb
        .args(["--no-sync", "--no-instructions", "--pgdata"])
        .arg(&data);
    account.apply(&mut initdb, home.path());
    let made = initdb.output()?;
    if !made.status.success() {
        return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    make_plain_role(bin, &data, &account, home.path())?;

    let port = free_port()?;
    let mut server = Command::new(bin.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(home.path());
    server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in [
        "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
        "max_connections=400", "lc_messages=C",
    ] {
        server.args(["-c", setting]);
    }
    account.apply(&mut server, home.path());
    let log = home.path().join("postgres.log");
    let child = start(&mut server, &log)?;
    let mut service = Service {
        url: format!("postgres://{PLAIN_ROLE}@127.0.0.1:{port}/postgres"),
        child,
        // Immediate shutdown: there is nothing to save.
        stop: Signal::SIGQUIT,
        _home: home,
    };
    await_ready(&mut service.child, &log, |written| {
        written.contains("database system is ready to accept connections")
    })?;
    Ok(service)
}

/// Single-user mode: no client program is needed, and nobody can connect meanwhile.
fn make_plain_role(bin: &Path, data: &Path, account: &Account, home: &Path) -> Result<()> {
    let mut server = Command::new(bin.join("postgres"));
    server
        .args(["--single", "-F", "-D"])
        .arg(data)
        .arg("postgres");
    account.apply(&mut server, home);
    server
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = server.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "CREATE ROLE {PLAIN_ROLE} LOGIN CREATEDB")?;
    }
    let ended = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() || said.contains("ERROR") {
        return Err(format!("the role {PLAIN_ROLE} cannot be made: {said}").into());
    }
    Ok(())
}

/// Starts a Redis without persistence.
///
/// # Errors
/// When it cannot be started or does not answer within a minute.
pub fn redis(program: &Path) -> Result<Service> {
    let home = Scratch::create("redis")?;
    let port = free_port()?;
    let mut server = Command::new(program);
    server.args([
        "--bind",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--daemonize",
        "no",
    ]);
    server
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(home.path());
    server.current_dir(home.path());
    let log = home.path().join("redis.log");
    let child = start(&mut server, &log)?;
    let url = format!("redis://127.0.0.1:{port}/");
    let mut service = Service {
        url,
        child,
        stop: Signal::SIGTERM,
        _home: home,
    };
    await_ready(&mut service.child, &log, |_| answers_ping(port))?;
    Ok(service)
}

/// Starts a server in a process group of its own: a Ctrl-C in the terminal reaches us, and we stop
/// it in order.
fn start(server: &mut Command, log: &Path) -> Result<Child> {
    let output = File::create(log)?;
    server
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0);
    let name = PathBuf::from(server.get_program());
    server
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", name.display()).into())
}

fn await_ready(child: &mut Child, log: &Path, ready: impl Fn(&str) -> bool) -> Result<()> {
    let started = Instant::now();
    loop {
        let written = fs::read_to_string(log).unwrap_or_default();
        if ready(&written) {
            return Ok(());
        }
        if shell::interrupted() {
            return Err("interrupted".into());
        }
        if child.try_wait()?.is_some() || started.elapsed() > START_LIMIT {
            return Err(format!("the server did not become ready; it wrote:\n{written}").into());
        }
        shell::pause();
    }
}

fn answers_ping(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
        return false;
    };
    let mut answer = [0; 5];
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"+PONG"
}

/// A port that was free a moment ago. Another process could take it in between; then the start
/// fails and says so.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Whom PostgreSQL runs as: it refuses root, so root lends it the package's own account.
struct Account(Option<(u32, u32)>);

impl Account {
    fn for_postgres() -> Result<Self> {
        if shell::ask("id", &["-u"]).as_deref() != Some("0") {
            return Ok(Self(None));
        }
        let id = |flag| shell::ask("id", &[flag, "postgres"])?.parse::<u32>().ok();
        match (id("-u"), id("-g")) {
            (Some(user), Some(group)) => Ok(Self(Some((user, group)))),
            _ => Err("PostgreSQL refuses to run as root, and there is no user `postgres`".into()),
        }
    }

    fn own(&self, dir: &Path) -> Result<()> {
        if let Some((user, group)) = self.0 {
            chown(dir, Some(user), Some(group))?;
        }
        Ok(())
    }

    fn apply(&self, command: &mut Command, dir: &Path) {
        command.current_dir(dir).env("LC_ALL", "C");
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }
}
