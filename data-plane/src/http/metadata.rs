//! Discovery and keys: what this tenant can do, and how to check what it signed.
//!
//! The document says exactly what the code does, no more and no less (R-DISC-03); it is written once per
//! release and served as bytes. OpenID Connect Discovery and RFC 8414 get the same document, at both
//! addresses that each of them defines for an issuer with a path (R-DISC-02).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
    web::Bytes,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{
    application::{GrantType, SigningAlgorithm, TokenAuthMethod},
    scope::STANDARD_SCOPES,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    claims::{ACR_PASSWORD, SUPPORTED},
    fault::Fault,
    tenant::Tenant,
};

/// Five minutes: a key is published longer than that before it signs (R-KEY-01).
const CACHING: &str = "public, max-age=300";

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`
pub async fn discovery(tenant: Tenant, request: HttpRequest) -> HttpResponse {
    let body = tenant.discovery(|tenant| Bytes::from(document(tenant.issuer()).to_string()));
    cacheable(&request, body)
}

/// `GET /oauth2/jwks`
pub async fn jwks(tenant: Tenant, request: HttpRequest) -> HttpResponse {
    match tenant.keys().jwks() {
        Ok(body) => cacheable(&request, body),
        // Whoever asks us for a tenant has its keys read first; a document without keys would be believed.
        Err(_) => Fault::UNAVAILABLE.negotiate(&request, Some(&tenant)),
    }
}

/// Answers with the document, or says that the caller has it already (RFC 9110 §13.1.2).
fn cacheable(request: &HttpRequest, body: Bytes) -> HttpResponse {
    let etag = format!(
        "\"{}\"",
        URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..12])
    );
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|sent| {
            sent.split(',')
                .any(|one| one.trim().trim_start_matches("W/") == etag || one.trim() == "*")
        });
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((ETAG, etag));
    if known {
        return response.finish();
    }
    response.content_type("application/json").body(body)
}

/// The metadata of an issuer (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).
fn document(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}/{path}");
    let grants = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ];
    let methods = [
        TokenAuthMethod::ClientSecretBasic,
        TokenAuthMethod::ClientSecretPost,
        TokenAuthMethod::None,
    ];
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("oauth2/authorize"),
        "token_endpoint": at("oauth2/token"),
        "userinfo_endpoint": at("oauth2/userinfo"),
        "jwks_uri": at("oauth2/jwks"),
        "end_session_endpoint": at("oauth2/logout"),
        "scopes_supported": STANDARD_SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants.map(GrantType::as_str),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods.map(TokenAuthMethod::as_str),
        "id_token_signing_alg_values_supported": SigningAlgorithm::ALL.map(SigningAlgorithm::as_str),
        "subject_types_supported": ["public"],
        "claims_supported": SUPPORTED,
        "acr_values_supported": [ACR_PASSWORD],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "ui_locales_supported": ["en"],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_discovery_document_r_disc_01_r_disc_03() {
        // By name: the order of members means nothing and depends on a feature of serde_json that other
        // crates of a build may switch on.
        let document = document("https://login.acme.example");
        let members: BTreeMap<_, _> = document.as_object().into_iter().flatten().collect();
        insta::assert_json_snapshot!(members);
    }
}
