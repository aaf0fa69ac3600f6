//! What tokens say: access tokens (RFC 9068), ID tokens (OpenID Connect Core 1.0 §2) and userinfo (§5.3).
//!
//! Claims about a person follow from scopes alone, and by the same function in the ID token and at
//! userinfo, so that the two cannot differ (R-JWT-07). Access tokens never carry them: an API learns
//! who (`sub`), not what that person is called.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use contract::{
    api::Audience,
    ids::{ApplicationId, SessionId, UserId},
    scope::{Scope, join_scopes},
};
use serde::{Deserialize, Serialize};

use crate::{grants::GrantId, identity::User};

/// The JWS type of access tokens.
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The JWS type of ID tokens.
pub const ID_TOKEN_TYPE: &str = "JWT";
/// How well a password alone proves who someone is.
pub const ACR_PASSWORD: &str = "urn:bailiwick:acr:password";

/// `aud`: a string, or several where userinfo is one of the audiences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AudienceClaim {
    /// One audience.
    One(String),
    /// The API and the tenant's own userinfo endpoint.
    Both([String; 2]),
}

impl AudienceClaim {
    /// The audience of an access token. The tenant itself (its userinfo endpoint) is meant when no API
    /// is called, and meant too when `openid` was granted beside an API.
    pub fn of(issuer: &str, api: Option<&Audience>, scopes: &BTreeSet<Scope>) -> Self {
        match api {
            None => Self::One(issuer.to_owned()),
            Some(api) if has(scopes, "openid") => Self::Both([api.to_string(), issuer.to_owned()]),
            Some(api) => Self::One(api.to_string()),
        }
    }
}

/// How and when the person signed in.
#[derive(Debug, Clone, Serialize)]
pub struct Authentication {
    auth_time: i64,
    acr: &'static str,
    amr: Vec<String>,
    sid: SessionId,
}

impl Authentication {
    /// A sign-in by these methods (RFC 8176).
    pub fn new(auth_time: DateTime<Utc>, amr: &[String], session: SessionId) -> Self {
        Self {
            auth_time: auth_time.timestamp(),
            acr: ACR_PASSWORD,
            amr: amr.to_vec(),
            sid: session,
        }
    }
}

/// An access token's claims (RFC 9068 §2.2).
#[derive(Debug, Clone, Serialize)]
pub struct AccessClaims<'a> {
    /// The tenant.
    pub iss: &'a str,
    /// The person, or the client itself.
    pub sub: String,
    /// Who may accept the token.
    pub aud: AudienceClaim,
    /// Who got it.
    pub client_id: ApplicationId,
    /// When it was made.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// Its own name.
    pub jti: String,
    /// What it allows.
    pub scope: String,
    /// The grant whose death is the token's death; absent without a person.
    #[serde(rename = "grn", skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'a GrantId>,
    /// Absent without a person.
    #[serde(flatten)]
    pub authentication: Option<Authentication>,
}

/// What userinfo reads from an access token.
#[derive(Debug, Clone, Deserialize)]
pub struct PresentedAccess {
    /// The person.
    pub sub: String,
    /// Who got it.
    pub client_id: String,
    /// What it allows.
    #[serde(default)]
    pub scope: String,
    /// When it was issued.
    #[serde(default)]
    pub iat: i64,
    /// The browser session that it came of.
    #[serde(default)]
    pub sid: Option<SessionId>,
    /// Its grant.
    #[serde(rename = "grn")]
    pub grant: Option<GrantId>,
}

/// An ID token's claims.
#[derive(Debug, Clone, Serialize)]
pub struct IdClaims<'a> {
    /// The tenant.
    pub iss: &'a str,
    /// The client.
    pub aud: ApplicationId,
    /// When it was made.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// From the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// Binds the access token (§3.1.3.6).
    pub at_hash: String,
    /// How and when.
    #[serde(flatten)]
    pub authentication: Authentication,
    /// The person.
    #[serde(flatten)]
    pub person: PersonClaims,
}

/// What logout reads from an `id_token_hint`.
#[derive(Debug, Clone, Deserialize)]
pub struct HintClaims {
    /// The person.
    pub sub: UserId,
    /// The client.
    pub aud: String,
    /// The session.
    pub sid: Option<SessionId>,
}

/// Claims about a person, as far as scopes allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonClaims {
    sub: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// Every claim that may come back, for the metadata.
pub const SUPPORTED: [&str; 15] = [
    "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "acr", "amr", "at_hash",
    "name", "updated_at", "email", "email_verified",
];

impl PersonClaims {
    /// What `scopes` allow to say about `user` (§5.4).
    pub fn of(user: &User, scopes: &BTreeSet<Scope>) -> Self {
        let (profile, email) = (has(scopes, "profile"), has(scopes, "email"));
        Self {
            sub: user.id,
            name: user.name.clone().filter(|_| profile),
            updated_at: profile.then(|| user.updated_at.timestamp()),
            email: email.then(|| user.email.clone()),
            email_verified: email.then_some(user.email_verified),
        }
    }
}

/// `at_hash`: the left half of the SHA-256 of the access token. Both our algorithms hash with SHA-256.
pub fn at_hash(access_token: &str) -> String {
    let hash = digest(&SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// Whether a scope is among `scopes`.
pub fn has(scopes: &BTreeSet<Scope>, name: &str) -> bool {
    scopes.iter().any(|scope| scope.as_str() == name)
}

/// The wire form of a token's scopes.
pub fn scope_text(scopes: &BTreeSet<Scope>) -> String {
    join_scopes(scopes)
}

#[cfg(test)]
mod tests {
    use contract::scope::parse_scopes;

    use super::*;

    #[test]
    fn audiences_r_res_03() {
        let api: Audience = "urn:orders".parse().unwrap();
        let of = |api, scopes: &str| {
            let claim = AudienceClaim::of("https://i.example", api, &parse_scopes(scopes).unwrap());
            serde_json::to_string(&claim).unwrap()
        };
        assert_eq!(of(None, "openid"), r#""https://i.example""#);
        assert_eq!(of(Some(&api), "orders:read"), r#""urn:orders""#);
        assert_eq!(
            of(Some(&api), "openid orders:read"),
            r#"["urn:orders","https://i.example"]"#
        );
    }

    #[test]
    fn at_hash_is_the_example_of_the_specification_r_jwt_07() {
        // OpenID Connect Core 1.0, appendix A.3: the access token and its at_hash.
        assert_eq!(
            at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
