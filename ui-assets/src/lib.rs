//! Design tokens, style sheets, icons and fonts, hashed and embedded. A leaf.
//!
//! Why so: the console and the hosted pages must look like one product while sharing no code; what they share is these files.
//! They are part of the binary, so a page and its style sheet can never be of two versions, and nothing has to be deployed
//! beside the executable. This crate must never depend on a web framework nor know a page: servers mount one GET route on
//! [`BASE`], look up [`find`] and answer with [`Asset::CACHE_CONTROL`]. Markup for page authors: `CLASSES.md`.

#[cfg(test)]
mod naming;

/// Path under which every server mounts the assets, with both slashes.
pub const BASE: &str = "/assets/";

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Logical name, stable over builds: `console.css`.
    pub name: &'static str,
    /// Name in URLs below [`BASE`]; carries the content hash: `console.1f2e3d4c5b6a.css`.
    pub path: &'static str,
    /// Value for the `Content-Type` header.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
}

impl Asset {
    /// Value for the `Cache-Control` header: the name changes with the content, so a copy is right for ever (RFC 8246).
    pub const CACHE_CONTROL: &'static str = "public, max-age=31536000, immutable";

    /// The same value as a method, for call sites that hold an asset.
    pub const fn cache_control(&self) -> &'static str {
        Self::CACHE_CONTROL
    }

    /// URL of the asset: [`BASE`] and its hashed path.
    pub fn url(&self) -> String {
        format!("{BASE}{}", self.path)
    }
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The asset with this hashed path (the URL without [`BASE`]). `None` for anything else, so there is no path to traverse.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// URL of the console's style sheet.
pub const fn console_css_url() -> &'static str {
    CONSOLE_CSS
}

/// URL of the hosted pages' style sheet.
pub const fn hosted_css_url() -> &'static str {
    HOSTED_CSS
}

/// URL of the icon sprite.
pub const fn sprite_url() -> &'static str {
    SPRITE_SVG
}

/// URL of the icon of a browser's tab. A page that names none makes browsers ask for `/favicon.ico`.
pub const fn favicon_url() -> &'static str {
    FAVICON_SVG
}

/// URL of the text font, for a preload hint.
pub const fn font_url() -> &'static str {
    INTER_WOFF2
}

/// Reference for `<use href>`: `icon_href("check")` → `/assets/sprite.….svg#i-check`. A name that is not in [`ICONS`] is a
/// programming error: debug builds panic, release builds show an empty box.
pub fn icon_href(name: &str) -> String {
    debug_assert!(
        ICONS.contains(&name),
        "no icon named {name:?} in icons/sprite.svg"
    );
    format!("{SPRITE_SVG}#i-{name}")
}
