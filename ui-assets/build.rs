//! Builds the two style sheets and the asset table.
//!
//! Why so: plain CSS needs no Node toolchain; what it needs is one order. Each source file is wrapped here into its cascade
//! layer, so nothing can stand outside a layer, and the sheet is named after its hash. It must never fetch anything nor
//! rewrite a rule: what is in `css/` is what the browser gets (comments included; the transport compresses).

use std::{fmt::Write as _, fs, io, path::Path};

#[path = "src/naming.rs"]
mod naming;

use naming::hashed_name;

/// Later layers win over earlier ones, whatever the specificity.
const LAYERS: &str =
    "@layer reset, tokens, base, layout, components, console, hosted, utilities;\n";

/// (layer, file under `css/`), in the order of the sheet. The console also shows signed-out pages, hence `hosted`.
const CONSOLE: &[(&str, &str)] = &[
    ("reset", "reset.css"),
    ("tokens", "tokens.css"),
    ("base", "base.css"),
    ("layout", "layout.css"),
    ("components", "components/action.css"),
    ("components", "components/form.css"),
    ("components", "components/data.css"),
    ("components", "components/status.css"),
    ("components", "components/table.css"),
    ("components", "components/change.css"),
    ("components", "components/find.css"),
    ("console", "console.css"),
    ("hosted", "hosted.css"),
    ("utilities", "utilities.css"),
];

/// Hosted pages carry only what a person signing in can meet.
const HOSTED: &[(&str, &str)] = &[
    ("reset", "reset.css"),
    ("tokens", "tokens.css"),
    ("base", "base.css"),
    ("layout", "layout.css"),
    ("components", "components/action.css"),
    ("components", "components/form.css"),
    ("components", "components/data.css"),
    ("components", "components/status.css"),
    ("hosted", "hosted.css"),
    ("utilities", "utilities.css"),
];

struct Built {
    logical: &'static str,
    path: String,
    content_type: &'static str,
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=css");
    println!("cargo::rerun-if-changed=fonts");
    println!("cargo::rerun-if-changed=icons");
    println!("cargo::rerun-if-changed=src/naming.rs");

    #[allow(
        clippy::disallowed_methods,
        reason = "cargo tells a build script its output directory only this way"
    )]
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let out = Path::new(&out);

    let font = fs::read("fonts/inter.woff2")?;
    let sprite = fs::read("icons/sprite.svg")?;
    let favicon = fs::read("icons/favicon.svg")?;
    let font_name = hashed_name("inter", "woff2", &font);
    let console = sheet(CONSOLE, &font_name)?;
    let hosted = sheet(HOSTED, &font_name)?;
    let files = [
        emit(
            out,
            "console.css",
            "text/css; charset=utf-8",
            console.as_bytes(),
        )?,
        emit(
            out,
            "hosted.css",
            "text/css; charset=utf-8",
            hosted.as_bytes(),
        )?,
        emit(out, "sprite.svg", "image/svg+xml", &sprite)?,
        emit(out, "favicon.svg", "image/svg+xml", &favicon)?,
        emit(out, "inter.woff2", "font/woff2", &font)?,
    ];
    fs::write(
        out.join("assets.rs"),
        table(&files, &icon_names(&String::from_utf8_lossy(&sprite))),
    )
}

/// Concatenates the files, each inside its layer, and points `asset:` references to the hashed names.
fn sheet(parts: &[(&str, &str)], font_name: &str) -> io::Result<String> {
    let mut css = String::from(LAYERS);
    for (layer, file) in parts {
        let source = fs::read_to_string(Path::new("css").join(file))?;
        let _ = write!(css, "@layer {layer} {{\n{source}}}\n");
    }
    // Relative to the sheet itself, so the route the assets are mounted on does not matter.
    Ok(css.replace("asset:inter.woff2", font_name))
}

fn emit(
    out: &Path,
    logical: &'static str,
    content_type: &'static str,
    bytes: &[u8],
) -> io::Result<Built> {
    let (stem, extension) = logical
        .split_once('.')
        .expect("every logical name has an extension");
    fs::write(out.join(logical), bytes)?;
    Ok(Built {
        logical,
        path: hashed_name(stem, extension, bytes),
        content_type,
    })
}

fn icon_names(sprite: &str) -> Vec<&str> {
    sprite
        .split("<symbol id=\"i-")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

fn table(files: &[Built], icons: &[&str]) -> String {
    let mut code =
        String::from("/// Every asset of this build.\npub static ASSETS: &[Asset] = &[\n");
    for Built {
        logical,
        path,
        content_type,
    } in files
    {
        let _ = writeln!(
            code,
            "    Asset {{ name: {logical:?}, path: {path:?}, content_type: {content_type:?}, \
             bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{logical}\")) }},"
        );
    }
    code.push_str("];\n");
    for Built { logical, path, .. } in files {
        let constant = logical.replace('.', "_").to_uppercase();
        let _ = writeln!(code, "const {constant}: &str = \"/assets/{path}\";");
    }
    let _ = writeln!(
        code,
        "/// Names accepted by [`icon_href`].\npub const ICONS: &[&str] = &{icons:?};"
    );
    code
}
