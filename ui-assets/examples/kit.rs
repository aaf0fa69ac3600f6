//! Writes the kit pages to `target/kit/`: every component in every state, the target of screenshots and accessibility runs.
//!
//! Why so: a picture of everything at once is how a design system is reviewed. It must never contain markup that `CLASSES.md`
//! does not describe, nor a style of its own.

use std::{fs, io, path::Path};

/// (file suffix, attributes of `<html>`)
const VARIANTS: &[(&str, &str)] = &[
    ("", "data-js"),
    ("-light", "data-js data-theme=\"light\""),
    ("-dark", "data-js data-theme=\"dark\""),
    (
        "-platform",
        "data-js data-theme=\"light\" data-scope=\"platform\"",
    ),
    ("-grant", "data-js data-theme=\"dark\" data-scope=\"grant\""),
];

const GRANT_BAR: &str = "<div class=\"grant-bar\">{{warn}}<p><b>Vendor access</b> to Acme until 14:20, to look into \
                         failing sign-ins</p><button class=\"btn small\">End access</button></div>";

fn main() -> io::Result<()> {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kit");
    fs::create_dir_all(kit.join("assets"))?;
    for asset in ui_assets::ASSETS {
        fs::write(kit.join("assets").join(asset.path), asset.bytes)?;
    }
    for (page, template) in [
        ("index", include_str!("../kit/console.html")),
        ("hosted", include_str!("../kit/hosted.html")),
    ] {
        for (suffix, root) in VARIANTS {
            fs::write(
                kit.join(format!("{page}{suffix}.html")),
                fill(template, root),
            )?;
        }
    }
    Ok(())
}

fn fill(template: &str, root: &str) -> String {
    let grant = if root.contains("grant") {
        GRANT_BAR
    } else {
        ""
    };
    let mut page = template
        .replace("{{root}}", root)
        .replace("{{grant}}", grant);
    for asset in ui_assets::ASSETS {
        page = page.replace(&format!("{{{{{}}}}}", asset.name), &asset.url()[1..]);
    }
    for icon in ui_assets::ICONS {
        let svg = format!(
            r#"<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>"#,
            &ui_assets::icon_href(icon)[1..]
        );
        page = page.replace(&format!("{{{{{icon}}}}}"), &svg);
    }
    page
}
