//! Starts `bailiwick up --demo`, waits until it is ready, and stops it when dropped; or uses the fleet that
//! `BAILIWICK_E2E_FLEET` names, which runs on.

use std::{
    env,
    error::Error,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use tempfile::TempDir;

const READY: &str = "Bailiwick is ready.";
const SHORTEST_CANARY: usize = 6;

/// What `demo.json` says, as far as these tests need it.
#[derive(Debug, Deserialize)]
pub struct Demo {
    /// The demo tenant's issuer.
    pub issuer: String,
    /// A web application.
    pub application: DemoClient,
    /// A machine.
    pub machine: DemoClient,
    /// An end user.
    pub user: DemoUser,
}

/// A confidential client.
#[derive(Debug, Deserialize)]
pub struct DemoClient {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The scope it may ask for, space-separated; empty where `demo.json` says nothing.
    #[serde(default)]
    pub scope: String,
}

/// An end user.
#[derive(Debug, Deserialize)]
pub struct DemoUser {
    /// What is typed into `identifier`.
    pub email: String,
    /// What is typed into `password`.
    pub password: String,
}

/// A running product.
#[derive(Debug)]
pub struct Product {
    child: Option<Child>,
    /// The demo's credentials.
    pub demo: Demo,
    _home: Option<TempDir>,
}

/// What a fleet's file says, as far as these tests need it.
#[derive(Deserialize)]
struct Fleet {
    demo: Demo,
}

impl Product {
    /// Starts it on free ports, unless a fleet runs.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it is ready.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let Some(file) = env::var_os("BAILIWICK_E2E_FLEET") else {
            return Self::start_own();
        };
        let fleet: Fleet = serde_json::from_slice(&fs::read(file)?)?;
        Ok(Self {
            child: None,
            demo: noted(fleet.demo)?,
            _home: None,
        })
    }

    fn start_own() -> Result<Self, Box<dyn Error>> {
        let home = TempDir::new()?;
        let data = home.path().join("data");
        let (console, auth) = (free_address()?, free_address()?);
        fs::create_dir_all(logs())?;
        let log = File::create(logs().join(format!("e2e-rust-{}.log", console.replace(':', "-"))))?;
        let mut command = Command::new(binary());
        command.args([
            "up", "--demo", "--console-addr", &console, "--auth-addr", &auth,
        ]);
        command
            .arg("--data-dir")
            .arg(&data)
            .current_dir(home.path());
        // Settings of the test run are none of the product's, and unknown ones are errors to it.
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
            command.env_remove(name);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let demo = wait_until_ready(&mut child).and_then(|()| read_demo(&data));
        match demo {
            Ok(demo) => Ok(Self {
                child: Some(child),
                demo,
                _home: Some(home),
            }),
            Err(error) => {
                stop(&mut child);
                Err(error)
            }
        }
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            stop(child);
        }
    }
}

/// Notes a value that no log may ever hold.
///
/// # Errors
/// When the list cannot be written.
pub fn canary(value: &str) -> std::io::Result<()> {
    if value.len() < SHORTEST_CANARY {
        return Ok(());
    }
    fs::create_dir_all(logs())?;
    let path = logs().join("canaries.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{value}\n").as_bytes())
}

fn wait_until_ready(child: &mut Child) -> Result<(), Box<dyn Error>> {
    let stdout = child.stdout.take().ok_or("its output is not piped")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next().transpose()? {
        if line.contains(READY) {
            // Whatever it prints later must not block it.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
    }
    Err("the product ended before it was ready; see its log".into())
}

fn read_demo(data: &Path) -> Result<Demo, Box<dyn Error>> {
    noted(serde_json::from_slice(&fs::read(data.join("demo.json"))?)?)
}

fn noted(demo: Demo) -> Result<Demo, Box<dyn Error>> {
    for secret in [
        &demo.application.client_secret,
        &demo.machine.client_secret,
        &demo.user.password,
    ] {
        canary(secret)?;
    }
    Ok(demo)
}

fn stop(child: &mut Child) {
    // Both fail only if it is gone already, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

fn free_address() -> std::io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn binary() -> PathBuf {
    env::var_os("BAILIWICK_BIN").map_or_else(|| target().join("debug/bailiwick"), PathBuf::from)
}

fn logs() -> PathBuf {
    env::var_os("BAILIWICK_TEST_LOG_DIR").map_or_else(|| target().join("test-logs"), PathBuf::from)
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}
