//! Signing in to the console, through the product itself (S1).
//!
//! The console is an OpenID Connect relying party of the platform's own tenant: authorization code with
//! PKCE, `state` and `nonce` (RFC 9700). What it learns is one thing, which account is here; what that
//! account may do is asked of the control plane on every request. It never sees a password.

mod callback;
mod id_token;
mod login;
mod logout;
mod relying_party;
mod setup;

use actix_web::web::{self, ServiceConfig};

pub(crate) use relying_party::RelyingParty;

/// Mounts the addresses that need no session.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .route("/login", web::get().to(login::show))
        .route("/login/callback", web::get().to(callback::show))
        .route("/logout", web::post().to(logout::run))
        .route("/signed-out", web::get().to(logout::show))
        .route("/setup", web::get().to(setup::show))
        .route("/setup", web::post().to(setup::run));
}

/// What the request is called in logs and the audit log.
fn request_id(request: &actix_web::HttpRequest) -> String {
    host::RequestId::of(request)
        .map(|id| id.to_string())
        .unwrap_or_default()
}

/// One member of a query string; `None` if it is absent or empty.
fn query(request: &actix_web::HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}
