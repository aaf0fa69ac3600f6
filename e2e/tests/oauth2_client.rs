//! The Rust crate `oauth2`, as published, against a running product (Must show 3).
//!
//! Code with PKCE through the hosted pages, refresh with rotation, and client credentials. Endpoints come
//! from discovery, as in any real application.
#![expect(
    clippy::disallowed_methods,
    reason = "a test from outside the product is its own edge: it reads its environment and makes its own HTTP client"
)]

mod support;

use std::error::Error;

use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeChallenge, RedirectUrl, RefreshToken, Scope, TokenResponse,
    TokenUrl,
    basic::{BasicClient, BasicTokenResponse},
};
use reqwest::redirect;
use serde::Deserialize;
use support::{DemoClient, Product, authorize, canary};

const REDIRECT: &str = "http://127.0.0.1:49152/callback";

type Outcome = Result<(), Box<dyn Error>>;
type ReadyClient =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

#[derive(Deserialize)]
struct Metadata {
    authorization_endpoint: String,
    token_endpoint: String,
}

/// One product and what discovery says about it.
struct Story {
    product: Product,
    metadata: Metadata,
    http: reqwest::Client,
}

impl Story {
    async fn begin() -> Result<Self, Box<dyn Error>> {
        let product = Product::start()?;
        // The crate's advice: a client that follows redirects can be led elsewhere.
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .build()?;
        let address = format!("{}/.well-known/openid-configuration", product.demo.issuer);
        let metadata = http
            .get(address)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(Self {
            product,
            metadata,
            http,
        })
    }

    fn client(&self, client: &DemoClient) -> Result<ReadyClient, Box<dyn Error>> {
        Ok(BasicClient::new(ClientId::new(client.client_id.clone()))
            .set_client_secret(ClientSecret::new(client.client_secret.clone()))
            .set_auth_uri(AuthUrl::new(self.metadata.authorization_endpoint.clone())?)
            .set_token_uri(TokenUrl::new(self.metadata.token_endpoint.clone())?)
            .set_redirect_uri(RedirectUrl::new(REDIRECT.to_owned())?))
    }

    /// The crate's HTTP interface over our own `reqwest`, whose version is newer than the crate's.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
        let response = self.http.execute(request.try_into()?).await?;
        let mut answer = HttpResponse::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        *answer.body_mut() = response.bytes().await?.to_vec();
        Ok(answer)
    }

    /// Signs the demo user in and exchanges the code.
    async fn sign_in(&self, scopes: &[&str]) -> Result<BasicTokenResponse, Box<dyn Error>> {
        let client = self.client(&self.product.demo.application)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        canary(verifier.secret())?;
        let (address, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        let arrived = authorize(&self.http, &address, &self.product.demo.user, REDIRECT).await?;
        let parameter = |name: &str| {
            let pair = arrived.query_pairs().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        assert_eq!(&parameter("state"), state.secret());
        canary(&parameter("code"))?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(parameter("code")))
            .set_pkce_verifier(verifier)
            .request_async(&|request| self.send(request))
            .await?;
        note(&tokens)?;
        Ok(tokens)
    }

    async fn refresh(&self, token: &RefreshToken) -> Result<BasicTokenResponse, Box<dyn Error>> {
        let client = self.client(&self.product.demo.application)?;
        let tokens = client
            .exchange_refresh_token(token)
            .request_async(&|request| self.send(request))
            .await?;
        note(&tokens)?;
        Ok(tokens)
    }
}

#[tokio::test]
async fn code_with_pkce_and_refresh() -> Outcome {
    let story = Story::begin().await?;
    let first = story.sign_in(&["openid", "offline_access"]).await?;
    let first = first
        .refresh_token()
        .ok_or("offline_access gives a refresh token")?;
    let second = story.refresh(first).await?;
    let second = second
        .refresh_token()
        .ok_or("a rotation gives the next token")?;
    assert_ne!(first.secret(), second.secret());
    story.refresh(second).await?;

    // Two rotations later nobody honest holds the first one any more.
    let reused = story
        .refresh(first)
        .await
        .map(|_| ())
        .expect_err("it was spent long ago");
    assert!(
        reused
            .to_string()
            .contains("Server returned error response"),
        "{reused}"
    );
    Ok(())
}

#[tokio::test]
async fn client_credentials() -> Outcome {
    let story = Story::begin().await?;
    let machine = &story.product.demo.machine;
    let scopes = machine
        .scope
        .split(' ')
        .map(|scope| Scope::new(scope.to_owned()));
    let tokens = story
        .client(machine)?
        .exchange_client_credentials()
        .add_scopes(scopes)
        .request_async(&|request| story.send(request))
        .await?;
    note(&tokens)?;
    assert!(tokens.expires_in().is_some_and(|left| !left.is_zero()));
    assert!(
        tokens.refresh_token().is_none(),
        "a machine asks again instead"
    );
    Ok(())
}

/// Keeps tokens out of every log.
fn note(tokens: &BasicTokenResponse) -> std::io::Result<()> {
    canary(tokens.access_token().secret())?;
    tokens
        .refresh_token()
        .map_or(Ok(()), |token| canary(token.secret()))
}
