//! From a view to a complete HTML document, and to an answer with its content security policy.
//!
//! Why not the router of Leptos: every page here is known and complete before its first byte, so status
//! codes, cookies and redirects are plain Actix, and nothing of a request travels through the framework's
//! streaming, server functions or `Referer` redirects (docs/decisions, console.md 2.3 and 2.4). Leptos
//! renders the view to text under an owner of its own; islands are the only parts it hydrates.
//!
//! Scripts exist only when a bundle was embedded, and only as files: an external loader imports the module
//! and hands it the islands. So the policy needs neither a nonce nor `unsafe-inline`.

mod markers;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use control_plane::console_sessions::{Preferences, Theme};
use leptos::prelude::*;

use crate::assets;

/// What scripts, styles and forms of a console page may do (console.md 2.6). Forms may also go to the
/// issuer, because signing out is a form whose redirect ends there and browsers check the whole chain.
fn policy(form_target: Option<&str>) -> String {
    let forms = form_target
        .map(|origin| format!(" {origin}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'{forms}; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The colour of the chrome: whose things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chrome {
    /// One's own tenant.
    Tenant,
    /// The whole platform.
    Platform,
    /// A customer's tenant, seen by vendor staff.
    Grant,
    /// Nobody is signed in.
    SignedOut,
}

/// Everything of a document but its body.
#[derive(Debug, Clone)]
pub struct Head {
    /// The text of the tab, most specific first.
    pub title: String,
    /// The chrome's colour.
    pub chrome: Chrome,
    /// Theme and density.
    pub preferences: Preferences,
    /// An origin that forms of this page may end at, beside our own.
    pub form_target: Option<String>,
}

/// Renders a view that is built inside `build`. Views must be built there and not before: islands and
/// signals belong to the owner that exists only during the call.
pub fn render<V: IntoView>(build: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| build().into_view().to_html());
    drop(owner);
    markers::strip(&html)
}

/// A complete document as an answer.
pub fn answer<V: IntoView>(
    status: StatusCode,
    head: &Head,
    body: impl FnOnce() -> V,
) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            policy(head.form_target.as_deref()),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(document(head, body))
}

/// The text of a complete document.
pub fn document<V: IntoView>(head: &Head, body: impl FnOnce() -> V) -> String {
    let scope = match head.chrome {
        Chrome::Platform => Some("platform"),
        Chrome::Grant => Some("grant"),
        Chrome::Tenant | Chrome::SignedOut => None,
    };
    let body_class = (head.chrome == Chrome::SignedOut).then_some("hosted");
    let preferences = head.preferences;
    let theme = (preferences.theme != Theme::System).then(|| preferences.theme.as_str());
    let title = head.title.clone();
    let html = render(move || {
        // Tables ask for it; there is no other way from here to them than their owner.
        provide_context(preferences.density);
        view! {
            <html lang="en" data-theme=theme data-scope=scope>
                <head>
                    <meta charset="utf-8" />
                    <title>{title}</title>
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <meta name="robots" content="noindex" />
                    <link r#as="font" rel="preload" type="font/woff2" crossorigin="anonymous" href=ui_assets::font_url() />
                    <link rel="stylesheet" href=ui_assets::console_css_url() />
                    <link rel="icon" type="image/svg+xml" href=ui_assets::favicon_url() />
                    {assets::script_tags()}
                </head>
                <body class=body_class>{body()}</body>
            </html>
        }
    });
    format!("<!DOCTYPE html>{html}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use control_plane::console_sessions::Density;

    fn head() -> Head {
        Head {
            title: "Tenants <b> · Platform".into(),
            chrome: Chrome::Platform,
            preferences: Preferences {
                theme: Theme::Dark,
                density: Density::Compact,
            },
            form_target: None,
        }
    }

    #[test]
    fn a_document_is_complete_and_escaped() {
        let html = document(&head(), || view! { <main id="main">"1 < 2"</main> });
        assert!(html.starts_with("<!DOCTYPE html><html"), "{html}");
        assert!(html.contains("data-theme=\"dark\"") && html.contains("data-scope=\"platform\""));
        assert!(
            html.contains("<title>Tenants &lt;b&gt; · Platform</title>"),
            "{html}"
        );
        assert!(
            html.contains("1 &lt; 2") && html.ends_with("</html>"),
            "{html}"
        );
        assert!(!html.contains("style="), "no inline styles");
    }

    #[test]
    fn the_policy_has_no_way_in() {
        let policy = policy(Some("http://127.0.0.1:7100"));
        assert!(policy.contains("default-src 'none'"));
        assert!(policy.contains("form-action 'self' http://127.0.0.1:7100;"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
    }
}
