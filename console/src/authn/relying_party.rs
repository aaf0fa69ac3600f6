//! The console as a client of the platform tenant's issuer.
//!
//! Endpoints are the ones every tenant of the product has below its issuer (design section 10), so nothing
//! has to be discovered before the first person can sign in; the token endpoint is called through
//! `host::Egress`, which goes nowhere else. State, nonce and verifier come from the control plane.

use contract::ids::ApplicationId;
use control_plane::console_sessions::LoginAttempt;
use host::Secret;
use host::{Egress, EgressError};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Addresses, BadIssuer, ConsoleConfig};

/// What an OpenID Connect token answer has beyond OAuth's.
#[derive(Debug, Serialize, Deserialize)]
struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<WithIdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The code could not be exchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The issuer refused, or did not answer with what the protocol says. Only its code is kept.
    #[error("the token endpoint answered {0}")]
    Answer(String),
    /// The issuer could not be reached.
    #[error("the token endpoint could not be called")]
    Unreachable(#[source] EgressError),
}

/// The console's side of the protocol.
pub(crate) struct RelyingParty {
    client: Client,
    client_id: ApplicationId,
    issuer: String,
    issuer_origin: String,
    end_session: Url,
    post_logout: String,
    egress: Egress,
}

impl RelyingParty {
    /// A client of `config.issuer`.
    pub(crate) fn new(config: &ConsoleConfig) -> Result<Self, BadIssuer> {
        let bad = |_| BadIssuer(config.issuer.clone());
        let endpoint = |name: &str| format!("{}/oauth2/{name}", config.issuer);
        let addresses = Addresses::of(&config.public_url);
        let client = oauth2::Client::new(ClientId::new(config.client_id.to_string()))
            .set_client_secret(ClientSecret::new(config.client_secret.expose().to_owned()))
            .set_auth_uri(AuthUrl::new(endpoint("authorize")).map_err(bad)?)
            .set_token_uri(TokenUrl::new(endpoint("token")).map_err(bad)?)
            .set_redirect_uri(RedirectUrl::new(addresses.redirect).map_err(bad)?);
        let end_session = Url::parse(&endpoint("logout")).map_err(bad)?;
        Ok(Self {
            client,
            client_id: config.client_id,
            issuer: config.issuer.clone(),
            issuer_origin: end_session.origin().ascii_serialization(),
            end_session,
            post_logout: addresses.post_logout,
            egress: config.egress.clone(),
        })
    }

    /// The issuer, byte for byte.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The origin of the issuer's pages, where a sign-out form ends.
    pub(crate) fn issuer_origin(&self) -> &str {
        &self.issuer_origin
    }

    /// The console's `client_id`.
    pub(crate) fn client_id(&self) -> ApplicationId {
        self.client_id
    }

    /// Where to send the browser to sign in; `again` asks for another account than the one that is there.
    pub(crate) fn authorization_url(&self, attempt: &LoginAttempt, again: bool) -> Url {
        let state = CsrfToken::new(attempt.state.expose().to_owned());
        let verifier = PkceCodeVerifier::new(attempt.pkce_verifier.expose().to_owned());
        let mut request = self
            .client
            .authorize_url(|| state)
            .add_scope(Scope::new("openid".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("nonce", attempt.nonce.expose().to_owned());
        if again {
            request = request.add_extra_param("prompt", "login");
        }
        request.url().0
    }

    /// Exchanges a code for an ID token.
    pub(crate) async fn exchange(
        &self,
        code: String,
        attempt: &LoginAttempt,
    ) -> Result<Secret, ExchangeError> {
        let send = |request: HttpRequest| self.send(request);
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(
                attempt.pkce_verifier.expose().to_owned(),
            ))
            .request_async(&send)
            .await
            .map_err(|error| match error {
                oauth2::RequestTokenError::Request(error) => ExchangeError::Unreachable(error),
                oauth2::RequestTokenError::ServerResponse(answer) => {
                    ExchangeError::Answer(answer.error().to_string())
                }
                // What came may hold tokens: it is named, never repeated.
                _ => ExchangeError::Answer("something that is no token answer".to_owned()),
            })?;
        let id_token = answer.extra_fields().id_token.clone();
        id_token
            .map(Secret::new)
            .ok_or_else(|| ExchangeError::Answer("without an ID token".to_owned()))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, EgressError> {
        self.egress.send(request).await
    }

    /// Where to send the browser to sign out (OpenID Connect RP-Initiated Logout 1.0 section 2).
    pub(crate) fn end_session_url(&self, id_token: Option<&Secret>) -> Url {
        let mut url = self.end_session.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &self.client_id.to_string())
            .append_pair("post_logout_redirect_uri", &self.post_logout);
        if let Some(id_token) = id_token {
            query.append_pair("id_token_hint", id_token.expose());
        }
        drop(query);
        url
    }
}
