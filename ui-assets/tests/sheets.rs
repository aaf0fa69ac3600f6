//! Rules of the style sheets, the sprite and the table that a reviewer should not have to check by eye.
//!
//! Why so: "only meaning tokens", "no inline styles", "at most fifteen utilities" hold where a test holds them.
//! It must never test how something looks; that is what the kit pages are for.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of a test binary: a panic is the failing test"
)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use ui_assets::{ASSETS, BASE, ICONS, find};

fn sources() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("css");
    [root.clone(), root.join("components")]
        .iter()
        .flat_map(|folder| {
            fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "css"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

fn text(name: &str) -> &'static str {
    let asset = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .expect("the asset exists");
    std::str::from_utf8(asset.bytes).unwrap()
}

/// Names in `class="…"` of the kit pages.
fn classes_in(html: &str) -> BTreeSet<&str> {
    html.split("class=\"")
        .skip(1)
        .flat_map(|rest| rest.split('"').next().unwrap().split_whitespace())
        .collect()
}

#[test]
fn colours_are_written_down_in_tokens_only() {
    for (file, css) in sources().iter().filter(|(file, _)| file != "tokens.css") {
        for raw in [
            "oklch(", "oklab(", "rgb(", "rgba(", "hsl(", "hsla(", "color(", " white;", " white)",
            " black;", " black)", "#",
        ] {
            assert!(!css.contains(raw), "{file} contains the raw colour {raw:?}");
        }
    }
}

#[test]
fn no_layer_escapes_and_nothing_is_important() {
    for (file, css) in sources() {
        assert!(!css.contains("!important"), "{file}");
        assert!(
            !css.contains("@layer"),
            "{file}: the build script assigns layers"
        );
        assert_eq!(
            css.matches('{').count(),
            css.matches('}').count(),
            "{file}: unbalanced braces would leave the layer"
        );
    }
}

#[test]
fn every_token_used_is_defined() {
    let all = sources();
    let tokens = &all.iter().find(|(file, _)| file == "tokens.css").unwrap().1;
    for (file, css) in &all {
        for used in css
            .split("var(--")
            .skip(1)
            .map(|rest| rest.split([')', ',']).next().unwrap())
        {
            assert!(
                tokens.contains(&format!("--{used}: ")),
                "{file} uses --{used}"
            );
        }
    }
}

#[test]
fn every_class_of_the_kit_is_styled_and_no_style_is_inline() {
    let pages = [
        (include_str!("../kit/console.html"), text("console.css")),
        (include_str!("../kit/hosted.html"), text("hosted.css")),
    ];
    for (html, css) in pages {
        assert!(!html.contains("style=") && !html.contains("<style") && !html.contains("<script"));
        for class in classes_in(html) {
            let rule = format!(".{class}");
            let styled = css.match_indices(&rule).any(|(at, _)| {
                !css[at + rule.len()..]
                    .starts_with(|next: char| next.is_alphanumeric() || next == '-')
            });
            assert!(styled, "no rule for .{class}");
        }
    }
}

#[test]
fn utilities_stay_few() {
    let css = include_str!("../css/utilities.css");
    let rules =
        css.matches("\n.").count() + css.matches("{ .").count() + css.matches(") .").count();
    assert!(rules <= 15, "{rules} utilities");
}

#[test]
fn every_icon_is_on_the_grid_and_takes_the_colour_of_its_text() {
    let sprite = text("sprite.svg");
    assert!(ICONS.len() >= 45);
    assert_eq!(
        ICONS.iter().collect::<BTreeSet<_>>().len(),
        ICONS.len(),
        "an icon is drawn twice"
    );
    for symbol in sprite.lines().filter(|line| line.starts_with("<symbol")) {
        assert!(
            symbol.contains("viewBox=\"0 0 24 24\"") && symbol.contains("stroke=\"currentColor\""),
            "{symbol}"
        );
    }
    let sheet = include_str!("../CLASSES.md");
    for icon in ICONS {
        assert!(sheet.contains(icon), "CLASSES.md does not list {icon}");
    }
}

#[test]
fn urls_lead_to_assets() {
    for url in [
        ui_assets::console_css_url(),
        ui_assets::hosted_css_url(),
        ui_assets::sprite_url(),
        ui_assets::font_url(),
    ] {
        let asset = find(url.strip_prefix(BASE).unwrap()).expect(url);
        assert_eq!(asset.url(), url);
    }
    assert!(find("../Cargo.toml").is_none() && find("console.css").is_none());
    assert_eq!(
        ui_assets::icon_href("check"),
        format!("{}#i-check", ui_assets::sprite_url())
    );
}

#[test]
fn sheets_ask_for_the_font_under_its_hashed_name() {
    let font = ui_assets::font_url().strip_prefix(BASE).unwrap();
    for sheet in ["console.css", "hosted.css"] {
        assert!(
            text(sheet).contains(&format!("url(\"{font}\")")) && !text(sheet).contains("asset:")
        );
    }
}
