//! The house's rules, checked against what cargo resolves and against the files themselves.
//!
//! Which room may know which is the design; written only in a page it would rot. Direct arrows come
//! from `cargo metadata`; what a crate reaches in the end comes from `cargo tree`, which resolves the
//! features of that crate alone: `cargo metadata` would blame it for features that others switch on.
//! Development and build dependencies, and what procedural macros run at compile time, are no part
//! of a room.
//!
//! It must never be silenced by a crate that moved or was renamed: a rule about a missing crate fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// For every room, the rooms it may depend on directly. A room that is not listed here may not exist.
const ARROWS: [(&str, &[&str]); 11] = [
    ("contract", &[]),
    ("ui-assets", &[]),
    ("host", &[]),
    ("control-plane", &["contract", "host"]),
    ("data-plane", &["contract", "host", "ui-assets"]),
    ("console-islands", &["contract"]),
    (
        "console",
        &[
            "contract", "host", "control-plane", "console-islands", "ui-assets",
        ],
    ),
    (
        "bailiwick",
        &[
            "contract", "host", "control-plane", "data-plane", "console", "ui-assets",
        ],
    ),
    ("bench", &["contract", "host"]),
    ("e2e", &[]),
    ("xtask", &[]),
];

/// What a room never reaches, however far one follows its arrows. A name ending in `*` is a prefix.
const NEVER_REACHES: [(&str, &[&str]); 5] = [
    (
        "contract",
        &[
            "tokio*", "mio", "socket2", "async-std", "smol", "actix*", "hyper*", "reqwest", "ureq",
            "rustls*", "sea-orm*", "sqlx*", "rusqlite", "redis", "getrandom", "rand", "fastrand",
            "iana-time-zone", "leptos*", "cedar-policy*", "tracing-subscriber", "opentelemetry*",
        ],
    ),
    (
        "ui-assets",
        &["tokio*", "actix*", "reqwest", "sea-orm*", "leptos*"],
    ),
    (
        "data-plane",
        &["control-plane", "console*", "leptos*", "cedar-policy*"],
    ),
    (
        "control-plane",
        &["data-plane", "console*", "leptos*", "askama*", "redis"],
    ),
    ("host", &["redis", "leptos*", "cedar-policy*"]),
];

/// Who alone may depend directly on a crate that opens a door to the world.
const ONLY_IN: [(&str, &[&str]); 8] = [
    // One egress client, which refuses private addresses (R-SSRF-01).
    ("reqwest", &["host"]),
    // Connections between the planes are made in `host::wire` and nowhere else.
    ("tokio-rustls", &["host"]),
    ("tokio-tungstenite", &["host"]),
    ("hyper", &["host"]),
    ("ureq", &[]),
    // Chance comes from `host::Entropy`, so that tests can decide it.
    ("getrandom", &["host"]),
    ("rand", &[]),
    // The store is private to the plane that owns it; the host opens databases and knows no table.
    ("sea-orm", &["host", "control-plane", "data-plane"]),
];

/// A longer file has gained a second purpose.
const LONGEST_FILE: usize = 500;

#[test]
fn arrows_point_down() {
    let direct = direct_dependencies();
    let rooms: BTreeSet<&str> = direct.keys().map(String::as_str).collect();
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    assert_eq!(
        rooms, drawn,
        "the rooms of the workspace, and those of the drawing"
    );

    let mut wrong = Vec::new();
    for (room, allowed) in ARROWS {
        for other in direct[room]
            .iter()
            .filter(|name| rooms.contains(name.as_str()))
        {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{room} → {other}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that the drawing does not have: {wrong:?}"
    );
}

#[test]
fn rooms_do_not_reach_what_they_must_not() {
    let mut wrong = Vec::new();
    for (room, banned) in NEVER_REACHES {
        for reached in reached_from(room) {
            if banned.iter().any(|pattern| matches(pattern, &reached)) {
                wrong.push(format!("{room} reaches {reached}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "`cargo tree -p <room> -e normal -i <crate>` says how: {wrong:#?}"
    );
}

#[test]
fn doors_to_the_world_are_few() {
    let direct = direct_dependencies();
    let mut wrong = Vec::new();
    for (door, allowed) in ONLY_IN {
        for (room, dependencies) in &direct {
            if dependencies.contains(door) && !allowed.contains(&room.as_str()) {
                wrong.push(format!("{room} → {door} (only {allowed:?} may)"));
            }
        }
    }
    assert!(wrong.is_empty(), "direct dependencies: {wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let mute: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|file| !read(file).trim_start().starts_with("//!"))
        .collect();
    assert!(
        mute.is_empty(),
        "files that do not open with `//!`: {mute:#?}"
    );
}

#[test]
fn no_file_is_long() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(
        long.is_empty(),
        "more than {LONGEST_FILE} lines; split by resource: {long:#?}"
    );
}

#[test]
fn patterns_match_whole_names_or_prefixes() {
    assert!(matches("tokio*", "tokio-util") && matches("tokio*", "tokio"));
    assert!(matches("rand", "rand") && !matches("rand", "rand_core"));
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |prefix| name.starts_with(prefix))
}

/// Each workspace member with the names of its direct, normal dependencies.
fn direct_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let text = cargo(&["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&text).expect("cargo metadata prints JSON");
    let packages = metadata["packages"]
        .as_array()
        .expect("metadata lists packages");
    let name = |value: &Value| {
        value["name"]
            .as_str()
            .expect("a package has a name")
            .to_owned()
    };
    let normal = |package: &Value| {
        let all = package["dependencies"]
            .as_array()
            .expect("a package lists dependencies");
        // Cargo writes null for the normal kind.
        all.iter()
            .filter(|it| it["kind"].is_null())
            .map(name)
            .collect()
    };
    packages
        .iter()
        .map(|package| (name(package), normal(package)))
        .collect()
}

/// The names of all crates that the room's own features link into it on any platform.
fn reached_from(room: &str) -> BTreeSet<String> {
    let edges = "normal,no-proc-macro";
    let tree = cargo(&[
        "tree", "--package", room, "--edges", edges, "--prefix=none", "--target=all",
    ]);
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| *name != room)
        .map(str::to_owned)
        .collect()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(root())
        .output();
    let output = output.expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}: {errors}");
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Every Rust file of the workspace, by its path in the repository.
fn rust_files() -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("the tree can be read").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                found.push(
                    path.strip_prefix(&root)
                        .expect("below the root")
                        .to_path_buf(),
                );
            }
        }
    }
    found.sort();
    assert!(
        found.len() > ARROWS.len(),
        "the walk over the tree found {} files",
        found.len()
    );
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).expect("a source file is readable UTF-8")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root")
        .to_path_buf()
}
