//! The token endpoint (RFC 6749 §3.2): who asks, by which grant, and the one shape of the answer.
//!
//! The client proves itself before anything about the grant is looked at. Each grant is one file; all of
//! them end in [`Issuance`], so that no grant can issue a token of another shape. Answers are
//! `no-store`; the query is never read (R-TOK-05).

mod authorization_code;
mod client_credentials;
mod refresh_token;

use actix_web::{HttpRequest, HttpResponse, http::header};
use chrono::{DateTime, Utc};
use contract::{
    application::{Application, GrantType},
    ids::{SessionId, UserId},
};
use serde::Serialize;

use super::{
    claims::{
        self, ACCESS_TOKEN_TYPE, AccessClaims, AudienceClaim, Authentication, ID_TOKEN_TYPE,
        IdClaims, PersonClaims,
    },
    client::Client,
    client_auth::Presented,
    contained::{self, Stopped},
    error::{ApiError, ErrorCode, OAuthError},
    form::Form,
    params::Params,
    target::Target,
    tenant::Tenant,
};
use crate::{
    containments::{Refused, Who},
    grants::GrantId,
    identity::{User, UserStatus},
    keys::TokenError,
};

const INVALID_GRANT: OAuthError = OAuthError::new(
    ErrorCode::InvalidGrant,
    "The code or refresh token is unknown, expired, used, or was issued for something else.",
);

/// `POST /oauth2/token`
pub async fn post(
    tenant: Tenant,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let params = form.for_program()?;
    let presented = Presented::read(request.headers(), &params)?;
    contained::check_program(&tenant, &request).map_err(Stopped::at_token)?;
    let now = tenant.node().clock().now();
    let application = presented.prove(tenant.application(&presented.client_id), now)?;
    let ask = Ask {
        tenant: &tenant,
        client: Client::of(&tenant, application),
        params: &params,
        now,
    };
    ask.check_contained(None)?;
    let answer = match ask.required("grant_type")? {
        "authorization_code" => authorization_code::redeem(&ask).await?,
        "refresh_token" => refresh_token::rotate(&ask).await?,
        "client_credentials" => client_credentials::issue(&ask)?,
        _ => {
            return Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "This grant type does not exist here.",
            )
            .into());
        }
    };
    // Nothing is awaited from here on: an answer that leaves knows what was contained until now.
    let _passage = contained::pass(&tenant, &ask.who(answer.holder)).map_err(refused)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(answer))
}

/// What somebody contained is told: no more than that the client, or the grant, is not good.
fn refused(refused: Refused) -> ApiError {
    match contained::is_application(&refused) {
        true => ApiError::token(ErrorCode::InvalidClient, CLIENT_CONTAINED),
        false => INVALID_GRANT.into(),
    }
}

const CLIENT_CONTAINED: &str =
    "The client is unknown, or did not prove itself by its registered method.";

/// On whose behalf a grant was made.
#[derive(Debug, Clone, Copy)]
struct Holder {
    user: UserId,
    session: SessionId,
    /// When the grant began.
    begun_at: DateTime<Utc>,
}

/// A token request whose client is proven.
struct Ask<'a> {
    tenant: &'a Tenant,
    client: Client<'a>,
    params: &'a Params,
    now: DateTime<Utc>,
}

impl<'a> Ask<'a> {
    /// Who asks: the application, and on whose behalf.
    fn who(&self, holder: Option<Holder>) -> Who<'static> {
        Who {
            application: Some(self.application().id),
            user: holder.map(|holder| holder.user),
            session: holder.map(|holder| holder.session),
            ..Who::anybody(holder.map_or(self.now, |holder| holder.begun_at))
        }
    }

    /// The first question about a grant, before anything is spent on it.
    fn check_contained(&self, holder: Option<Holder>) -> Result<(), ApiError> {
        contained::ask(self.tenant, &self.who(holder)).map_err(refused)
    }

    fn application(&self) -> &'a Application {
        self.client.application
    }

    fn required(&self, name: &'static str) -> Result<&'a str, OAuthError> {
        self.params.get(name).ok_or(OAuthError::new(
            ErrorCode::InvalidRequest,
            "A required parameter is missing.",
        ))
    }

    fn check_may_use(&self, grant: GrantType) -> Result<(), OAuthError> {
        if self.application().grant_types.contains(&grant) {
            return Ok(());
        }
        Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "This client may not use this grant.",
        ))
    }

    /// `resource` at redemption and refresh may only repeat what was granted (RFC 8707 §2.2).
    fn check_resource(&self, target: &Target) -> Result<(), OAuthError> {
        let granted = target.audience.as_ref().map(|audience| audience.as_str());
        let repeats = |resource: &String| Some(resource.as_str()) == granted;
        if self.params.resources().iter().all(repeats) {
            return Ok(());
        }
        Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            "The resource is not the one that was granted.",
        ))
    }

    /// The person of a grant, if they may still use it (R-RT-06).
    async fn active_user(&self, user: contract::ids::UserId) -> Result<User, ApiError> {
        let identity = self.tenant.node().identity();
        let found = identity.find_user(self.tenant.id(), user).await?;
        let active = found.filter(|user| user.status == UserStatus::Active);
        Ok(active.ok_or(INVALID_GRANT)?)
    }

    /// Signs the tokens of an answer.
    fn issue(&self, target: &Target, person: Option<Person<'_>>) -> Result<Issuance, TokenError> {
        let policy = &self.tenant.policies().token;
        let algorithm = self.application().signing_algorithm;
        let keys = self.tenant.keys();
        let (iat, node) = (self.now.timestamp(), self.tenant.node());
        let access = AccessClaims {
            iss: self.tenant.issuer(),
            sub: match &person {
                Some(person) => person.user.id.to_string(),
                None => self.application().id.to_string(),
            },
            aud: AudienceClaim::of(
                self.tenant.issuer(),
                target.audience.as_ref(),
                &target.scopes,
            ),
            client_id: self.application().id,
            iat,
            exp: iat + i64::from(policy.access_token_seconds),
            jti: node.entropy().uuid_v7(self.now).simple().to_string(),
            scope: claims::scope_text(&target.scopes),
            grant: person.as_ref().map(|person| person.grant),
            authentication: person.as_ref().map(|person| person.authentication.clone()),
        };
        let access_token = keys.sign(algorithm, ACCESS_TOKEN_TYPE, &access)?;
        let wants_id = claims::has(&target.scopes, "openid");
        let id_token = match person.filter(|_| wants_id) {
            Some(person) => {
                let id = IdClaims {
                    iss: self.tenant.issuer(),
                    aud: self.application().id,
                    iat,
                    exp: iat + i64::from(policy.id_token_seconds),
                    nonce: person.nonce,
                    at_hash: claims::at_hash(&access_token),
                    authentication: person.authentication,
                    person: PersonClaims::of(person.user, &target.scopes),
                };
                Some(keys.sign(algorithm, ID_TOKEN_TYPE, &id)?)
            }
            None => None,
        };
        Ok(Issuance {
            access_token,
            token_type: "Bearer",
            expires_in: policy.access_token_seconds,
            scope: access.scope,
            id_token,
            refresh_token: None,
            holder: None,
        })
    }
}

/// On whose behalf tokens are issued.
struct Person<'a> {
    user: &'a User,
    grant: &'a GrantId,
    authentication: Authentication,
    nonce: Option<&'a str>,
}

/// A successful answer (RFC 6749 §5.1, OpenID Connect Core 1.0 §3.1.3.3).
#[derive(Serialize)]
struct Issuance {
    access_token: String,
    token_type: &'static str,
    expires_in: u32,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip)]
    holder: Option<Holder>,
}
