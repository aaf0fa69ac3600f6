//! Protected resource metadata (RFC 9728): where a client that knows only our address gets a token.
//!
//! `resource` is the address itself, because section 3.3 has clients refuse a document that names another
//! one. The audience of the tokens is a name that does not move with the address, as RFC 8707 section 2
//! permits; so that a client need not guess it, a member of our own (section 2 allows them) says what to
//! ask the authorization server for.

use actix_web::{
    Responder,
    web::{Data, Json},
};
use contract::api::{ADMIN_AUDIENCE, ADMIN_SCOPE};
use serde::Serialize;
use url::Url;

use super::problem::Problem;
use crate::ControlPlane;

/// Where the document is served.
pub(super) const PATH: &str = "/.well-known/oauth-protected-resource";

/// The address under which the world reaches the admin API, without a trailing slash.
#[derive(Debug, Clone)]
pub(super) struct PublicUrl(String);

impl PublicUrl {
    /// From the configured address.
    pub(super) fn new(url: &Url) -> Self {
        Self(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The address of the document, for `WWW-Authenticate`.
    pub(super) fn metadata_url(&self) -> String {
        format!("{}{PATH}", self.0)
    }
}

#[derive(Serialize)]
struct Metadata {
    resource: String,
    /// The `resource` (RFC 8707) of a token request, and the `aud` of the tokens that are accepted here.
    bailiwick_audience: &'static str,
    authorization_servers: [String; 1],
    scopes_supported: [&'static str; 1],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
    resource_documentation: String,
}

/// Serves the document.
pub(super) async fn serve(
    plane: Data<ControlPlane>,
    url: Data<PublicUrl>,
) -> Result<impl Responder, Problem> {
    Ok(Json(Metadata {
        resource: url.0.clone(),
        bailiwick_audience: ADMIN_AUDIENCE,
        authorization_servers: [plane.platform_issuer().await?],
        scopes_supported: [ADMIN_SCOPE],
        bearer_methods_supported: ["header"],
        resource_name: "Bailiwick admin API",
        resource_documentation: format!("{}/v1/openapi.json", url.0),
    }))
}
