//! Access tokens of the admin API: a platform tenant's `at+jwt`, believed only as far as it must be.
//!
//! The key decides the algorithm, never the token's header (R-JWT-02), so `none` and "HMAC with the public
//! key" have nothing to work with. Only `sub` is used: what the person may do is asked of our own records,
//! so that a role taken away is gone on the next request. Time comes from our clock.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
    web::Data,
};
use chrono::{DateTime, Utc};
use contract::{
    api::{ADMIN_AUDIENCE, ADMIN_SCOPE},
    application::SigningAlgorithm,
    frames::PublicKey,
    ids::UserId,
};
use host::RequestId;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::Jwk};
use serde::Deserialize;

use super::problem::Problem;
use crate::{Caller, ControlPlane, Refusal, Via, local_tokens::ISSUER};

/// How far clocks of the node that issued and ours may differ, in seconds.
const LEEWAY_SECONDS: i64 = 10;
/// The `typ` of access tokens (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// Middleware: nothing behind it runs without a known operator.
pub(super) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match caller_of(&request).await {
        Ok(caller) => {
            actix_web::HttpMessage::extensions_mut(&request).insert(caller);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(problem) => Ok(request.error_response(problem).map_into_right_body()),
    }
}

async fn caller_of(request: &ServiceRequest) -> Result<Caller, Problem> {
    let token = bearer(request).ok_or_else(Problem::unauthenticated)?;
    let plane = request
        .app_data::<Data<ControlPlane>>()
        .ok_or_else(Problem::unauthenticated)?;
    let issuers = [
        Issuer {
            name: ISSUER.to_owned(),
            keys: vec![plane.local_key().clone()],
            speaks_for: Via::DataDir,
        },
        Issuer {
            name: plane.platform_issuer().await?,
            keys: plane.platform_keys().await?,
            speaks_for: Via::AdminApi,
        },
    ];
    let (subject, via) = subject_of(token, &issuers, plane.clock().now())?;
    let request_id = RequestId::of(request.request()).map(|id| id.to_string());
    match plane
        .caller_for_subject(subject, Via::AdminApi, request_id.unwrap_or_default())
        .await
    {
        // The key in the data directory speaks for no person, and a node's key for nobody else.
        Ok(caller) if caller.via() == via => Ok(caller),
        Ok(_) => Err(Problem::invalid_token(
            "The token speaks for someone its issuer cannot speak for.",
        )),
        Err(Refusal::NotFound { .. }) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_operator",
            "Not an operator",
            "This account administers nothing. A role has to be given to it first.",
        )),
        Err(other) => Err(other.into()),
    }
}

fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who may issue tokens of the admin API, and for whom.
struct Issuer {
    name: String,
    keys: Vec<PublicKey>,
    speaks_for: Via,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    scope: String,
}

/// The account that a token speaks for, and how whoever it is must be known.
fn subject_of(
    token: &str,
    issuers: &[Issuer],
    now: DateTime<Utc>,
) -> Result<(UserId, Via), Problem> {
    let refuse = Problem::invalid_token;
    let header = decode_header(token).map_err(|_| refuse("The token is not a signed JWT."))?;
    if !header.typ.as_deref().is_some_and(is_access_token) {
        return Err(refuse("The token is not an access token (typ at+jwt)."));
    }
    let (key, issuer) = header
        .kid
        .and_then(|kid| key_of(issuers, &kid))
        .ok_or_else(|| refuse("The token was not signed by a key of the platform tenant."))?;
    let claims = verify(token, key, &issuer.name)
        .ok_or_else(|| refuse("The token's signature, issuer or audience is not the right one."))?;
    let (now, nbf) = (now.timestamp(), claims.nbf.unwrap_or(i64::MIN));
    if now >= claims.exp.saturating_add(LEEWAY_SECONDS) {
        return Err(refuse("The token has expired."));
    }
    if now < nbf.saturating_sub(LEEWAY_SECONDS) {
        return Err(refuse("The token is not valid yet."));
    }
    if !claims.scope.split(' ').any(|scope| scope == ADMIN_SCOPE) {
        return Err(Problem::insufficient_scope());
    }
    let subject = claims.sub.parse();
    subject
        .map(|subject| (subject, issuer.speaks_for))
        .map_err(|_| refuse("The token does not speak for a person."))
}

fn key_of<'a>(issuers: &'a [Issuer], kid: &str) -> Option<(&'a PublicKey, &'a Issuer)> {
    issuers.iter().find_map(|issuer| {
        let key = issuer.keys.iter().find(|key| key.kid == kid)?;
        Some((key, issuer))
    })
}

fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == ACCESS_TOKEN_TYPE
}

fn verify(token: &str, key: &PublicKey, issuer: &str) -> Option<Claims> {
    let jwk: Jwk = serde_json::from_value(key.to_jwk()).ok()?;
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let mut validation = Validation::new(match key.alg {
        SigningAlgorithm::ES256 => Algorithm::ES256,
        SigningAlgorithm::RS256 => Algorithm::RS256,
    });
    validation.set_audience(&[ADMIN_AUDIENCE]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library reads the system's clock; `subject_of` compares with ours instead.
    validation.validate_exp = false;
    decode(token, &decoding, &validation)
        .ok()
        .map(|data| data.claims)
}
