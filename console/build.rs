//! Embeds the islands' bundle if `console/dist` holds one.
//!
//! Why a build script: `cargo build` must work on a machine without a WASM toolchain, so the bundle is
//! optional, and what is optional cannot stand in an `include_bytes!`. `cargo xtask islands` writes the
//! directory and its `manifest.json` (the contract is in `xtask/src/islands.rs`). A directory without a
//! readable manifest is an error: half a bundle must never ship. A bundle of other sources than the ones in
//! the tree is left out with a warning: pages work without scripts, and do not with those of yesterday.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

#[path = "build/sources.rs"]
mod sources;

use serde_json::Value;
use sha2::{Digest, Sha256};

const LOADER: &str = "islands/loader.js";
const SOURCES: &str = "islands/src";
const NO_BUNDLE: &str = "static BUNDLED: &[Bundled] = &[];\nconst BUNDLE: Option<Bundle> = None;\n";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("islands.rs");
    println!("cargo::rerun-if-changed=dist");
    for watched in [LOADER, SOURCES, "build.rs", "build/sources.rs"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    fs::write(out, embedded(&root)?)?;
    Ok(())
}

/// The bundle as code; no bundle where none was made, or one of other sources.
fn embedded(root: &Path) -> Result<String, Box<dyn Error>> {
    let manifest = root.join("dist/manifest.json");
    if !manifest.exists() {
        return Ok(NO_BUNDLE.to_owned());
    }
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest)?)?;
    let current = sources::fingerprint(&root.join(SOURCES))?;
    if manifest["sources"].as_str() != Some(&current) {
        println!(
            "cargo::warning=console/dist holds islands of other sources than console/islands/src; pages get \
             no scripts until `cargo xtask islands` has bundled these"
        );
        return Ok(NO_BUNDLE.to_owned());
    }
    bundle(root, &manifest)
}

fn bundle(root: &Path, manifest: &Value) -> Result<String, Box<dyn Error>> {
    let named = |key: &str| -> Result<String, Box<dyn Error>> {
        let name = manifest[key]
            .as_str()
            .ok_or(format!("dist/manifest.json lacks {key:?}"))?;
        Ok(name.to_owned())
    };
    let (script, module) = (named("js")?, named("wasm")?);
    let loader = format!("loader.{}.js", hash(&fs::read(root.join(LOADER))?));

    let mut code = "static BUNDLED: &[Bundled] = &[\n".to_owned();
    let files = [
        (&loader, root.join(LOADER), "text/javascript; charset=utf-8"),
        (
            &script,
            root.join("dist").join(&script),
            "text/javascript; charset=utf-8",
        ),
        (&module, root.join("dist").join(&module), "application/wasm"),
    ];
    for (name, path, content_type) in files {
        let twin = PathBuf::from(format!("{}.br", path.display()));
        let brotli = match twin.exists() {
            true => format!("include_bytes!({twin:?})"),
            false => "&[]".to_owned(),
        };
        writeln!(
            code,
            "    Bundled {{ name: {name:?}, content_type: {content_type:?}, bytes: include_bytes!({path:?}), brotli: {brotli} }},"
        )?;
    }
    writeln!(
        code,
        "];\nconst BUNDLE: Option<Bundle> = Some(Bundle {{ loader: {loader:?}, script: {script:?}, module: {module:?} }});"
    )?;
    Ok(code)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
