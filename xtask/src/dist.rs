//! `cargo xtask dist` and `size`: release archives, and how large they are.
//!
//! The two binaries are built apart, so that features which only the control plane needs do not reach
//! the node through Cargo's unification. It must never archive a binary whose build failed.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::shell::{self, Result};
use crate::{islands, places};

/// Package and binary of each archive.
const BINARIES: [(&str, &str); 2] = [("data-plane", "bailiwick-node"), ("bailiwick", "bailiwick")];

/// Builds `target/dist/<binary>-<version>-<host>.tar.gz` with a `.sha256` beside each.
///
/// # Errors
/// When a build, the archiver or the islands' size limit fails.
pub fn run() -> Result<ExitCode> {
    islands::build()?;
    let dist = places::target().join("dist");
    fs::create_dir_all(&dist)?;
    let host = host_triple()?;
    for (package, binary) in BINARIES {
        let args = [
            "build", "--release", "--locked", "--package", package, "--bin", binary,
        ];
        if !shell::cargo(&args).status()?.success() {
            return Err(format!("the release build of {binary} failed").into());
        }
        let name = format!("{binary}-{}-{host}.tar.gz", env!("CARGO_PKG_VERSION"));
        let mut tar = Command::new("tar");
        tar.arg("--create")
            .arg("--gzip")
            .arg("--file")
            .arg(dist.join(&name));
        tar.arg("--directory")
            .arg(places::target().join("release"))
            .arg(binary);
        let legal = ["LICENSE", "README.md"].map(|file| places::root().join(file));
        if legal.iter().all(|file| file.exists()) {
            tar.arg("--directory")
                .arg(places::root())
                .args(["LICENSE", "README.md"]);
        }
        shell::must(&mut tar)?;
        let sum = checksum(&dist, &name)?;
        fs::write(dist.join(format!("{name}.sha256")), &sum)?;
        print_size(&dist.join(&name));
        print!("{sum}");
    }
    print_sizes()
}

/// Prints what has been built so far; says so where something has not.
///
/// # Errors
/// None; the type is that of a task.
pub fn print_sizes() -> Result<ExitCode> {
    for (_, binary) in BINARIES {
        print_size(&places::target().join("release").join(binary));
    }
    match islands::sizes(&places::islands_dist()) {
        Some(sizes) => println!("islands: {} bytes, {} with brotli", sizes.raw, sizes.brotli),
        None => println!("islands: not built"),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_size(file: &Path) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match fs::metadata(file) {
        Ok(meta) => println!("{name}: {:.1} MB", meta.len() as f64 / 1e6),
        Err(_) => println!("{name}: not built"),
    }
}

fn host_triple() -> Result<String> {
    let version = shell::ask("rustc", &["-vV"]).ok_or("rustc does not answer")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not name its host")?.to_owned())
}

/// The line that `sha256sum --check` reads.
fn checksum(dir: &Path, name: &str) -> Result<String> {
    let file = dir.join(name);
    let file = file.to_string_lossy();
    let answer = shell::ask("sha256sum", &[&file])
        .or_else(|| shell::ask("shasum", &["-a", "256", &file]))
        .ok_or("neither sha256sum nor shasum is here")?;
    let sum = answer.split_whitespace().next().unwrap_or_default();
    Ok(format!("{sum}  {name}\n"))
}
