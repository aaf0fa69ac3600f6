//! The console's islands bundle: from the crate `console-islands` to hashed files in `console/dist`.
//!
//! The contract with `console/build.rs`, which embeds the directory when it is there:
//!
//! - `islands.<hash>.js` is an ES module that loads `islands_bg.<hash>.wasm` from beside itself; each
//!   has a brotli twin with `.br` appended. The hash is of the content, so both may be cached for ever.
//! - `manifest.json` is one flat object: `js` and `wasm` (file names), `js_bytes`, `js_brotli_bytes`,
//!   `wasm_bytes`, `wasm_brotli_bytes`, and `sources`: the fingerprint of `console/islands/src`
//!   (`console/build/sources.rs`), without which the console does not embed the bundle.
//! - Without a WASM toolchain there is no `console/dist`, and the console serves pages without scripts.
//!
//! The bundle is built only when its inputs changed. It must never be a condition for building or
//! running the product, and never leave a bundle of other sources than the ones in the tree.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::places;
use crate::shell::{self, Result};

/// What the browser downloads at most, compressed.
pub const LIMIT: u64 = 200_000;
/// The target the islands are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// What the bundle is made of; `xtask/tests/architecture.rs` keeps the crates of this list complete.
const INPUTS: [&str; 9] = [
    "contract",
    "console/islands",
    "console/build/sources.rs",
    "Cargo.lock",
    "Cargo.toml",
    ".cargo/config.toml",
    "rust-toolchain.toml",
    "xtask/src/bin/bundle_islands.rs",
    "xtask/src/islands.rs",
];

/// What became of the bundle.
pub enum Bundle {
    /// It is in `console/dist`, built now or before.
    Present,
    /// This machine has no WASM toolchain; `console/dist` is gone.
    NoToolchain,
}

/// Bytes that the browser downloads and unpacks.
pub struct Sizes {
    /// Module and script, uncompressed.
    pub raw: u64,
    /// Module and script as they travel.
    pub brotli: u64,
}

/// `cargo xtask islands`.
///
/// # Errors
/// When the bundle cannot be built or is too large.
pub fn run() -> Result<ExitCode> {
    build()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the bundle if its inputs changed, and says how large it is.
///
/// # Errors
/// When the sources do not compile or the bundle is larger than [`LIMIT`].
pub fn build() -> Result<Bundle> {
    let dist = places::islands_dist();
    let stamp = places::target().join("islands-inputs.txt");
    let inputs = fingerprint()?;
    let fresh = fs::read_to_string(&stamp).is_ok_and(|built| built == inputs);
    if fresh && let Some(sizes) = sizes(&dist) {
        return report(sizes);
    }

    // From here on the old bundle is of other sources: better none than that one.
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    let Some(toolchain) = Toolchain::find() else {
        println!("islands: no WASM toolchain on this machine, pages are served without scripts");
        return Ok(Bundle::NoToolchain);
    };
    shell::must(&mut toolchain.build())?;
    let mut bundler = shell::cargo(&["run", "--quiet", "--package", "xtask"]);
    bundler.args(["--features", "bundler", "--bin", "bundle-islands", "--"]);
    shell::must(bundler.arg(toolchain.output()).arg(&dist))?;

    let sizes = sizes(&dist).ok_or("the bundler wrote no readable manifest.json")?;
    let bundle = report(sizes)?;
    fs::write(&stamp, inputs)?;
    Ok(bundle)
}

/// The sizes that the bundle's manifest states; `None` without a bundle.
pub fn sizes(dist: &Path) -> Option<Sizes> {
    let manifest = fs::read_to_string(dist.join("manifest.json")).ok()?;
    let number = |key: &str| -> Option<u64> {
        let (_, after) = manifest.split_once(&format!("\"{key}\":"))?;
        after
            .trim_start()
            .split([',', '}', '\n'])
            .next()?
            .trim()
            .parse()
            .ok()
    };
    Some(Sizes {
        raw: number("js_bytes")? + number("wasm_bytes")?,
        brotli: number("js_brotli_bytes")? + number("wasm_brotli_bytes")?,
    })
}

fn report(sizes: Sizes) -> Result<Bundle> {
    let Sizes { raw, brotli } = sizes;
    let (raw_kb, brotli_kb) = (raw.div_ceil(1000), brotli.div_ceil(1000));
    println!(
        "islands: {raw_kb} kB, {brotli_kb} kB with brotli (limit {} kB)",
        LIMIT / 1000
    );
    if brotli > LIMIT {
        return Err(format!("the islands bundle is too large: {brotli} of {LIMIT} bytes").into());
    }
    Ok(Bundle::Present)
}

/// A hash over names and contents of everything the bundle is made of. It guards a cache, not a
/// secret: a collision costs a stale script on one developer's machine.
fn fingerprint() -> Result<String> {
    let root = places::root();
    let mut hasher = DefaultHasher::new();
    for input in INPUTS {
        let path = root.join(input);
        let files = if path.is_dir() {
            places::files_below(&path)?
        } else {
            vec![path]
        };
        for file in files {
            file.strip_prefix(&root)?.hash(&mut hasher);
            fs::read(&file)?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Who can compile for the browser on this machine.
enum Toolchain {
    /// rustup's, with the target installed.
    Rustup,
    /// Debian's rustc for browsers: it compiles the standard library from source.
    Debian,
}

impl Toolchain {
    fn find() -> Option<Self> {
        if rustup_has_target() {
            return Some(Self::Rustup);
        }
        println!("islands: fetching the target {TARGET}");
        let fetched = shell::succeeds(Command::new("rustup").args(["target", "add", TARGET]));
        if fetched.unwrap_or(false) && rustup_has_target() {
            return Some(Self::Rustup);
        }
        debian_is_complete().then_some(Self::Debian)
    }

    fn build(&self) -> Command {
        let args = [
            "build", "--package", "console-islands", "--lib", "--features", "hydrate",
        ];
        let how = ["--target", TARGET, "--profile", "islands"];
        match self {
            Self::Rustup => {
                let mut cargo = shell::cargo(&args);
                cargo.args(how);
                cargo
            }
            Self::Debian => {
                let mut cargo = Command::new("/usr/bin/cargo");
                cargo
                    .args(args)
                    .args(how)
                    .args(["-Z", "build-std=std,panic_abort"]);
                cargo
                    .current_dir(places::root())
                    .env("RUSTC", "/usr/bin/rustc");
                // Debian's package is a stable compiler; building std needs its unstable door.
                cargo.env("RUSTC_BOOTSTRAP", "1");
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "ld.lld-19");
                cargo
            }
        }
    }

    fn output(&self) -> PathBuf {
        places::target()
            .join(TARGET)
            .join("islands/console_islands.wasm")
    }
}

/// Whether `cargo clippy` and `cargo build` can compile for [`TARGET`] as they are.
pub fn rustup_has_target() -> bool {
    let args = ["--print", "target-libdir", "--target", TARGET];
    shell::ask("rustc", &args).is_some_and(|dir| Path::new(&dir).is_dir())
}

/// The packages rustc-web, cargo-web, rust-web-src and lld-19, already installed: we do not fetch a
/// second compiler onto somebody's machine.
fn debian_is_complete() -> bool {
    let parts = ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/ld.lld-19"];
    let library = Path::new("/usr/lib/rustlib/src/rust/library/Cargo.toml");
    library.exists() && parts.iter().all(|part| shell::is_program(Path::new(part)))
}
