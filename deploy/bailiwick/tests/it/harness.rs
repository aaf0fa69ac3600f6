//! Starts the real binary on free ports and a temporary directory, and stops it again.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;

/// Longest wait for a start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

static COUNTER: AtomicUsize = AtomicUsize::new(0);

/// A place to start in: directory, ports, stores. Outlives the processes started in it.
pub struct Place {
    home: tempfile::TempDir,
    pub console: String,
    pub auth: String,
    console_port: u16,
    auth_port: u16,
    stores: Vec<(&'static str, String)>,
    number: usize,
}

/// A running process, killed when dropped.
pub struct Running {
    child: Child,
    pub log: PathBuf,
    pub banner: String,
}

impl Place {
    pub async fn new() -> Self {
        let (console_port, auth_port) = (free_port(), free_port());
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self {
            home: tempfile::tempdir().unwrap(),
            console: format!("http://127.0.0.1:{console_port}"),
            auth: format!("http://127.0.0.1:{auth_port}"),
            console_port,
            auth_port,
            stores: stores(number).await,
            number,
        }
    }

    pub fn dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The binary with this subcommand, data directory and stores.
    pub fn command(&self, subcommand: &str) -> Command {
        self.command_in(subcommand, &self.dir())
    }

    /// The same on another data directory.
    pub fn command_in(&self, subcommand: &str, dir: &Path) -> Command {
        let mut command = bailiwick();
        command.arg(subcommand).arg("--data-dir").arg(dir);
        command.envs(self.stores.iter().map(|(key, value)| (key, value)));
        command
    }

    pub fn up(&self) -> Command {
        let mut command = self.command("up");
        command
            .args([
                "--console-addr",
                &format!("127.0.0.1:{}", self.console_port),
            ])
            .args(["--auth-addr", &format!("127.0.0.1:{}", self.auth_port)]);
        command
            .env("BAILIWICK_LOG__FILTER", "debug")
            .env("BAILIWICK_LOG__FORMAT", "json");
        command
    }

    /// `bailiwick-node` on the same directory, with the port of the tenant endpoints.
    pub fn node(&self) -> Command {
        self.node_in(&self.dir(), self.auth_port)
    }

    /// Whether several processes can share the stores.
    pub fn is_shared(&self) -> bool {
        let has = |wanted| self.stores.iter().any(|(key, _)| *key == wanted);
        has("BAILIWICK_NODE__IDENTITY_URL") && has("BAILIWICK_NODE__STATE_URL")
    }

    /// `bailiwick-node` on a directory and port of its own, with the region's stores.
    pub fn node_in(&self, dir: &Path, port: u16) -> Command {
        let node = Path::new(env!("CARGO_BIN_EXE_bailiwick")).with_file_name("bailiwick-node");
        // Another package's binary: cargo builds it for that package's tests, not for these.
        assert!(
            node.is_file(),
            "build it first: cargo build --package bailiwick --package data-plane"
        );
        let mut command = clean(Command::new(node));
        command.arg("--data-dir").arg(dir);
        command.args(["--auth-addr", &format!("127.0.0.1:{port}")]);
        let node_stores = self
            .stores
            .iter()
            .filter(|(key, _)| key.starts_with("BAILIWICK_NODE__"));
        command.envs(node_stores.map(|(key, value)| (key, value)));
        command.env("BAILIWICK_LOG__FILTER", "debug");
        command
    }

    /// Starts `up --demo` and waits for the banner.
    pub async fn start(&self) -> Running {
        let mut command = self.up();
        command.arg("--demo");
        self.run(command).await
    }

    /// Starts `command` and waits for the banner.
    pub async fn run(&self, command: Command) -> Running {
        let mut running = self.spawn(command);
        let out = running.child.stdout.take().expect("stdout is piped");
        let banner = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&banner);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut banner = written.lock().unwrap();
                banner.push_str(&line);
                banner.push('\n');
            }
        });
        let complete = || banner.lock().unwrap().contains("  Stop");
        running.wait_until("banner", complete).await;
        running.banner = banner.lock().unwrap().clone();
        running
    }

    /// Starts `command` without waiting.
    pub fn spawn(&self, mut command: Command) -> Running {
        let start = COUNTER.fetch_add(1, Ordering::Relaxed);
        let log = logs(self.home.path()).join(format!(
            "bailiwick-{}-{}-{start}.log",
            std::process::id(),
            self.number
        ));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Running {
            child,
            log,
            banner: String::new(),
        }
    }

    pub fn demo(&self) -> Value {
        let text = fs::read_to_string(self.dir().join("demo.json")).unwrap();
        let demo: Value = serde_json::from_str(&text).unwrap();
        let operators = demo["operators"].as_array().unwrap();
        let secrets = [
            &demo["application"]["client_secret"],
            &demo["machine"]["client_secret"],
            &demo["user"]["password"],
        ];
        remember(
            operators
                .iter()
                .map(|operator| &operator["password"])
                .chain(secrets)
                .filter_map(Value::as_str),
        );
        demo
    }

    /// An admin API token, as a person would get one.
    pub async fn token(&self, args: &[&str]) -> String {
        let mut command = self.command("token");
        command.args(args);
        let output = finish(command).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        remember([token.as_str()]);
        token
    }
}

impl Running {
    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Stops politely and gives the exit status.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        for _ in 0..600 {
            status = self.child.try_wait().unwrap();
            if status.is_some() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        status.expect("the process ends within half a minute")
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub async fn wait_until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let tries = START_LIMIT.as_millis() / PAUSE.as_millis();
        for _ in 0..tries {
            if done() {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!(
                    "ended with {status} before {what}; it wrote:\n{}",
                    self.logged()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no {what} in time; it wrote:\n{}", self.logged());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended processes cannot be killed; that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end, for at most half a minute.
pub async fn finish(mut command: Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    match tokio::time::timeout(Duration::from_secs(30), ended).await {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
            panic!("the command did not end");
        }
    }
}

/// The binary without settings of the surroundings.
pub fn bailiwick() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_bailiwick")))
}

fn clean(mut command: Command) -> Command {
    // Tests may be run by someone who has an installation configured.
    let settings: Vec<_> = variables()
        .filter(|(key, _)| key.starts_with("BAILIWICK_") && !key.starts_with("BAILIWICK_TEST_"))
        .collect();
    for (key, _) in settings {
        command.env_remove(key);
    }
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's edge: where its stores and logs are"
)]
fn variables() -> std::env::Vars {
    std::env::vars()
}

fn variable(name: &str) -> Option<String> {
    variables()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

fn logs(home: &Path) -> PathBuf {
    let dir = variable("BAILIWICK_TEST_LOG_DIR").map_or_else(|| home.to_owned(), PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Tells the canary which texts must not be in any log.
pub fn remember<'a>(secrets: impl IntoIterator<Item = &'a str>) {
    let Some(dir) = variable("BAILIWICK_TEST_LOG_DIR") else {
        return;
    };
    fs::create_dir_all(&dir).unwrap();
    let file = Path::new(&dir).join("canaries.txt");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    let lines: String = secrets
        .into_iter()
        .map(|secret| format!("{secret}\n"))
        .collect();
    file.write_all(lines.as_bytes()).unwrap();
}

/// Settings for fresh databases, where servers are given.
async fn stores(number: usize) -> Vec<(&'static str, String)> {
    let mut stores = Vec::new();
    if let Some(server) = variable("BAILIWICK_TEST_POSTGRES_URL") {
        let admin = Database::connect(&server).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        for (key, plane) in [
            ("BAILIWICK_CONTROL_PLANE__DATABASE_URL", "control"),
            ("BAILIWICK_NODE__IDENTITY_URL", "identity"),
        ] {
            let name = format!("up_{}_{number}_{plane}", std::process::id());
            admin
                .execute_unprepared(&format!("CREATE DATABASE {name}"))
                .await
                .unwrap();
            stores.push((key, format!("{base}/{name}")));
        }
    }
    if let Some(server) = variable("BAILIWICK_TEST_REDIS_URL") {
        stores.push(("BAILIWICK_NODE__STATE_URL", server));
    }
    stores
}

/// A port that was free a moment ago, below the range from which systems take the local ends of
/// connections: the many clients of these tests would now and then sit on it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
