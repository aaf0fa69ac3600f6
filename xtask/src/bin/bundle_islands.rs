//! `bundle-islands WASM DIST`: makes the islands' compiled module into what a browser loads.
//!
//! A binary of its own behind the feature `bundler`, because wasm-bindgen and brotli take longer to
//! compile than the rest of xtask, and most commands do not need them. The file names and the
//! manifest are the contract written down in `xtask/src/islands.rs`.
//!
//! It must never write a script that names a file it did not write.
#![expect(
    clippy::disallowed_methods,
    reason = "a build tool is all edge: it takes its arguments as they come"
)]

#[path = "../../../console/build/sources.rs"]
mod sources;

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MODULE: &str = "islands_bg.wasm";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [input, dist] = args.as_slice() else {
        return Err("usage: bundle-islands WASM DIST".into());
    };
    let (script, module) = bind(Path::new(input))?;

    let dist = Path::new(dist);
    fs::create_dir_all(dist)?;
    let wasm = Asset::write(dist, "islands_bg", "wasm", &module)?;
    let script = script.replace(MODULE, &wasm.name);
    let js = Asset::write(dist, "islands", "js", script.as_bytes())?;
    // Beside `dist`, and what `console/build.rs` compares with.
    let sources = dist
        .parent()
        .ok_or("DIST has no parent")?
        .join("islands/src");
    let sources = sources::fingerprint(&sources)?;
    fs::write(dist.join("manifest.json"), manifest(&js, &wasm, &sources))?;
    Ok(())
}

/// The script and the module that wasm-bindgen makes for `<script type="module">`.
fn bind(input: &Path) -> Result<(String, Vec<u8>)> {
    let mut output = Bindgen::new()
        .input_path(input)
        .out_name("islands")
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    // Every crate that uses wasm-bindgen has an entry here, nearly always an empty one.
    let no_snippets = output.snippets().values().all(Vec::is_empty);
    if !no_snippets || !output.local_modules().is_empty() {
        // They would be further files beside the script, unhashed; islands need none.
        return Err("the islands carry JavaScript snippets, which the bundle does not ship".into());
    }
    let script = output.js().to_owned();
    if !script.contains(MODULE) {
        return Err(format!("wasm-bindgen's script does not name {MODULE}").into());
    }
    Ok((script, output.wasm_mut().emit_wasm()))
}

/// A file in the bundle.
struct Asset {
    name: String,
    bytes: usize,
    brotli_bytes: usize,
}

impl Asset {
    /// Writes `<stem>.<hash>.<extension>` and its compressed twin.
    fn write(dist: &Path, stem: &str, extension: &str, content: &[u8]) -> Result<Self> {
        let mut hash = String::new();
        for byte in &Sha256::digest(content)[..8] {
            write!(hash, "{byte:02x}")?;
        }
        let name = format!("{stem}.{hash}.{extension}");
        let mut small = Vec::new();
        let params = BrotliEncoderParams {
            size_hint: content.len(),
            ..Default::default()
        };
        brotli::BrotliCompress(&mut &content[..], &mut small, &params)?;
        fs::write(dist.join(&name), content)?;
        fs::write(dist.join(format!("{name}.br")), &small)?;
        Ok(Self {
            name,
            bytes: content.len(),
            brotli_bytes: small.len(),
        })
    }
}

/// Names are made of letters, digits, dots and underscores, so nothing needs escaping.
fn manifest(js: &Asset, wasm: &Asset, sources: &str) -> String {
    format!(
        "{{\n  \"js\": \"{}\",\n  \"wasm\": \"{}\",\n  \"js_bytes\": {},\n  \
         \"js_brotli_bytes\": {},\n  \"wasm_bytes\": {},\n  \"wasm_brotli_bytes\": {},\n  \"sources\": \"{sources}\"\n}}\n",
        js.name, wasm.name, js.bytes, js.brotli_bytes, wasm.bytes, wasm.brotli_bytes
    )
}
