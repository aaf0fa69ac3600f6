//! The admin API over real HTTP: a server on a free port, tokens signed like a node's, an outside client.

mod applications;
mod built_in;
mod containments;
mod documents;
mod errors;
mod idempotency;
mod matrix;
mod nodes;
mod operators;
mod rollouts;
mod strangers;
mod tokens;
mod truth;

use actix_web::{App, HttpServer, dev::ServerHandle};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use contract::{
    application::SigningAlgorithm,
    frames::{PublicKey, Up},
    ids::UserId,
    role::Role,
};
use control_plane::{Caller, http};
use host::{Clock, Entropy, Observe, Telemetry, TelemetryConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::harness::{FakeNode, World, start};

/// A served control plane.
pub struct Api {
    pub world: World,
    pub node: FakeNode,
    signing: EncodingKey,
    public: Jwk,
    base: String,
    client: Client,
    server: ServerHandle,
}

impl Api {
    pub async fn serve() -> Self {
        let world = World::new().await;
        let (signing, public) = key_pair();
        let node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
        let platform = world.cp.ensure_platform_tenant().await.unwrap();
        node.say(&Up::Keys {
            tenant: platform.id,
            keys: vec![PublicKey {
                kid: "k1".to_owned(),
                alg: SigningAlgorithm::ES256,
                jwk: serde_json::from_value(json!(public.algorithm)).unwrap(),
                created_at: start(),
            }],
        })
        .await;
        while world.cp.platform_keys().await.unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let node = node.obey();
        let (base, server) = listen(&world);
        Self {
            world,
            node,
            signing,
            public,
            base,
            client: client(),
            server,
        }
    }

    /// What a good token of this account says.
    pub fn claims(&self, subject: UserId) -> Value {
        let now = start().timestamp();
        json!({
            "iss": "http://127.0.0.1:7100/t/platform",
            "aud": "urn:bailiwick:admin",
            "sub": subject.to_string(),
            "scope": "admin",
            "iat": now,
            "exp": now + 600,
        })
    }

    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = Header {
            typ: Some(typ.to_owned()),
            kid: Some("k1".to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &self.signing).unwrap()
    }

    pub fn token(&self, caller: &Caller) -> String {
        self.sign("at+jwt", &self.claims(caller.subject()))
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(token)
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.request(Method::GET, path, token).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Response {
        self.request(Method::POST, path, token)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Overwrites or removes, having seen `tag`.
    pub async fn overwrite(
        &self,
        method: Method,
        at: (&str, &str),
        token: &str,
        body: Option<&Value>,
    ) -> Response {
        let request = self.request(method, at.0, token).header("If-Match", at.1);
        match body {
            Some(body) => request.json(body),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    /// The tenant `acme` and a token of somebody with this role in it.
    pub async fn acme(&self, role: Role) -> String {
        let tenant = self.world.tenant("acme").await;
        self.token(&self.world.member(&tenant, role).await)
    }

    /// The public key as text, for attacks that sign with it.
    pub fn public_key_text(&self) -> String {
        serde_json::to_string(&self.public).unwrap()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // The future only waits for the server's end; the order to stop has been given by then.
        drop(self.server.stop(false));
    }
}

pub async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}

/// Status and problem, without the id that differs each time.
pub async fn problem(response: Response) -> Value {
    let media_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(media_type, "application/problem+json");
    let mut body = json(response).await;
    let id = body.as_object_mut().unwrap().remove("request_id").unwrap();
    assert!(id.as_str().unwrap().starts_with("req_"));
    body
}

fn key_pair() -> (EncodingKey, Jwk) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signing = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let mut public = Jwk::from_encoding_key(&signing, Algorithm::ES256).unwrap();
    public.common.key_id = Some("k1".to_owned());
    (signing, public)
}

fn listen(world: &World) -> (String, ServerHandle) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let telemetry = Telemetry::start(&TelemetryConfig {
        filter: "warn".to_owned(),
        ..TelemetryConfig::new("control-plane-test")
    })
    .unwrap();
    let observe = Observe::new(telemetry.http_metrics(), Clock::system(), Entropy::system());
    let (cp, public_url) = (world.cp.clone(), "https://console.example".parse().unwrap());
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| http::configure(config, &cp, &public_url))
            .wrap(observe.clone())
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .unwrap()
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    (base, handle)
}

#[expect(clippy::disallowed_methods, reason = "this is the outside client")]
fn client() -> Client {
    Client::new()
}
