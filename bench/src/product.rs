//! The product's own processes: a control plane and full nodes, on free ports of loopback and a directory that goes
//! with the run.
//!
//! It must never end a process that it did not start, nor leave one behind.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Result,
    board::{Board, Event},
    http::Http,
};

/// The region of everything.
pub const REGION: &str = "eu";
/// Longest start of a process, in a debug build on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Clock ticks of `/proc/PID/stat` in a second: fixed for programs on Linux.
const TICKS: f64 = 100.0;

/// An installation.
pub struct Product {
    home: TempDir,
    binaries: PathBuf,
    console: String,
    push: String,
    base: String,
    control: Option<Running>,
    /// The full nodes.
    pub full: Vec<Full>,
    board: Arc<Board>,
}

/// A full node.
pub struct Full {
    /// Where its door is.
    pub door: String,
    number: usize,
    dir: PathBuf,
    join: PathBuf,
    process: Option<Running>,
}

/// A process of ours; ends with this value.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Product {
    /// Starts a control plane of the binaries in `binaries`.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start(binaries: &Path, board: Arc<Board>) -> Result<Self> {
        let mut made = Self {
            home: tempfile::Builder::new()
                .prefix("bailiwick-bench-")
                .tempdir()?,
            binaries: binaries.to_owned(),
            console: free_address()?,
            push: free_address()?,
            base: format!("http://{}", free_address()?),
            control: None,
            full: Vec::new(),
            board,
        };
        private_dir(&made.home.path().join("control"))?;
        made.start_control().await?;
        Ok(made)
    }

    /// Starts the control plane, again if it was stopped, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start_control(&mut self) -> Result<()> {
        let mut command = self.command("bailiwick");
        command.args([
            "control-plane", "--console-addr", &self.console, "--push-addr", &self.push,
        ]);
        command
            .arg("--data-dir")
            .arg(self.home.path().join("control"));
        self.control = Some(start(command, self.log("control")?, |_| {})?);
        ready(&self.console, "the control plane").await
    }

    /// Ends the control plane in order and waits until it is gone.
    pub fn stop_control(&mut self) {
        if let Some(mut running) = self.control.take() {
            if let Ok(pid) = i32::try_from(running.0.id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let _ = running.0.wait();
        }
    }

    /// The admin API, in a role of the platform, or of a tenant.
    ///
    /// # Errors
    /// No token is made.
    pub fn api(&self, tenant: Option<&str>) -> Result<Http> {
        let mut command = self.command("bailiwick");
        command.args(["token", "--ttl", "1h", "--data-dir"]);
        command.arg(self.home.path().join("control"));
        if let Some(tenant) = tenant {
            command.args(["--tenant", tenant, "--role", "tenant_owner"]);
        }
        let made = command.output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let token = String::from_utf8(made.stdout)?;
        let authorization = Some(format!("Bearer {}", token.trim()));
        Ok(Http::new(&self.console, &self.console, authorization))
    }

    /// A door, asked in the name of the region, with these credentials.
    pub fn door(&self, full: &Full, authorization: Option<String>) -> Http {
        let host = self.base.trim_start_matches("http://");
        Http::new(&full.door, host, authorization)
    }

    /// Adds a full node with the number `number`; its token has been made.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn add_full(&mut self, number: usize, token: &str) -> Result<()> {
        let dir = self.home.path().join(format!("node-{number}"));
        private_dir(&dir)?;
        let join = self.home.path().join(format!("node-{number}.token"));
        let file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&join);
        file?.write_all(token.as_bytes())?;
        self.full.push(Full {
            door: free_address()?,
            number,
            dir,
            join,
            process: None,
        });
        let last = self.full.len() - 1;
        self.start_full(last)?;
        ready(&self.full[last].door, "a node").await
    }

    /// Starts a full node; does not wait.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_full(&mut self, index: usize) -> Result<()> {
        let full = &self.full[index];
        let mut command = self.command("bailiwick-node");
        command.args(["--auth-addr", &full.door]);
        command.arg("--data-dir").arg(&full.dir);
        if !full.dir.join("node").join("identity").exists() {
            command.arg("--join-token-file").arg(&full.join);
        }
        let (number, board) = (full.number, Arc::clone(&self.board));
        let log = self.log(&format!("node-{number}"))?;
        let process = start(command, log, move |line| hear(&board, number, line))?;
        self.full[index].process = Some(process);
        Ok(())
    }

    /// Kills a full node.
    pub fn kill_full(&mut self, index: usize) {
        self.full[index].process = None;
    }

    /// What the control plane has used of the processors, in seconds, and its memory in KiB; zeros if it is stopped.
    pub fn control_usage(&self) -> (f64, u64) {
        self.control
            .as_ref()
            .map_or((0.0, 0), |running| usage(running.0.id()))
    }

    /// The same of a full node.
    pub fn full_usage(&self, index: usize) -> (f64, u64) {
        let process = self.full[index].process.as_ref();
        process.map_or((0.0, 0), |running| usage(running.0.id()))
    }

    /// Processor seconds by thread of the control plane.
    pub fn control_threads(&self) -> Vec<(String, f64)> {
        self.control
            .as_ref()
            .map_or_else(Vec::new, |running| threads(running.0.id()))
    }

    /// How often the control plane has signed; not a number if it does not count that.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn signed(&self) -> Result<f64> {
        let mut http = Http::new(&self.console, &self.console, None);
        let answer = http.json("GET", "/metrics", None).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("bailiwick_documents_signed"));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        Ok(value.unwrap_or(f64::NAN))
    }

    fn log(&self, name: &str) -> Result<fs::File> {
        let path = self.home.path().join(format!("{name}.log"));
        Ok(fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BAILIWICK_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.home.path())
            .env("BAILIWICK_LOG__FORMAT", "json")
            .env("BAILIWICK_AUTH_BASE_URL", &self.base);
        match program {
            "bailiwick-node" => command.env("BAILIWICK_PUSH__ADDRESS", &self.push),
            _ => command
                .env("BAILIWICK_REGION", REGION)
                .env("BAILIWICK_CONSOLE_URL", format!("http://{}", self.console)),
        };
        command
    }
}

/// Starts a process, keeps its log and shows each line of it to `heard` the moment it comes.
fn start(
    mut command: Command,
    mut log: fs::File,
    heard: impl Fn(&str) + Send + 'static,
) -> Result<Running> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    thread::spawn(move || {
        for line in BufReader::new(stderr)
            .lines()
            .map_while(std::result::Result::ok)
        {
            heard(&line);
            let _ = writeln!(log, "{line}");
        }
    });
    Ok(Running(child))
}

/// A full node says in its log when a release is verified, swapped in and sealed.
fn hear(board: &Board, number: usize, line: &str) {
    let at = Instant::now();
    if !line.contains("release applied") {
        return;
    }
    let Ok(said) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let fields = said.get("fields").unwrap_or(&said);
    let tenant = fields["tenant"].as_str().and_then(|text| text.parse().ok());
    if let (Some(tenant), Some(version)) = (tenant, fields["version"].as_u64()) {
        board.note(Event::Release(tenant, version), number, at);
    }
}

async fn ready(address: &str, who: &str) -> Result<()> {
    let begun = Instant::now();
    let mut said = String::new();
    while begun.elapsed() < START_LIMIT {
        let mut http = Http::new(address, address, None);
        match http.json("GET", "/readyz", None).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => said = String::from_utf8_lossy(&answer.body).into_owned(),
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{who} does not become ready: {said}").into())
}

fn private_dir(path: &Path) -> Result<()> {
    Ok(fs::DirBuilder::new().mode(0o700).create(path)?)
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .to_string())
}

fn usage(pid: u32) -> (f64, u64) {
    let cpu = stat(&format!("/proc/{pid}/stat")).map_or(0.0, |(_, seconds)| seconds);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    (cpu, kib.unwrap_or(0))
}

fn threads(pid: u32) -> Vec<(String, f64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks
        .filter_map(|task| stat(&format!("{}/stat", task.path().display())))
        .collect()
}

/// Name and processor time in seconds, of a `stat` file (proc(5)).
fn stat(path: &str) -> Option<(String, f64)> {
    let text = fs::read_to_string(path).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((name.to_owned(), (ticks(11)? + ticks(12)?) / TICKS))
}

/// Makes a node and a join token for it.
///
/// # Errors
/// The admin API refuses.
pub async fn join_token(api: &mut Http, name: &str) -> Result<String> {
    let node = json!({ "name": name, "region": REGION });
    let made = api.call("POST", "/v1/nodes", Some(&node)).await?;
    let id = made["id"].as_str().ok_or("a node has no id")?;
    let token = api
        .call("POST", &format!("/v1/nodes/{id}/join-tokens"), None)
        .await?;
    Ok(token["token"].as_str().ok_or("no join token")?.to_owned())
}
