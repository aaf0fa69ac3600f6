//! A person signs in to the demo application, and a program to the demo API, over plain HTTP.

use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    browser::{Browser, Page, client},
    harness::{Place, remember},
};

const REDIRECT: &str = "http://127.0.0.1:43117/callback";
const VERIFIER: &str = "it-is-a-verifier-of-forty-three-characters-or-more";

/// A relying party of the demo.
pub struct Shop {
    pub demo: Value,
    pub metadata: Value,
}

impl Shop {
    pub async fn open(place: &Place) -> Self {
        let demo = place.demo();
        let issuer = demo["issuer"].as_str().unwrap();
        let url = format!("{issuer}/.well-known/openid-configuration");
        let metadata: Value = client()
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(
            metadata["issuer"], issuer,
            "OpenID Connect Discovery 1.0 §4.3"
        );
        Self { demo, metadata }
    }

    pub fn endpoint(&self, name: &str) -> &str {
        self.metadata[format!("{name}_endpoint")].as_str().unwrap()
    }

    fn text(&self, pointer: &str) -> &str {
        self.demo.pointer(pointer).and_then(Value::as_str).unwrap()
    }

    /// The address that begins a sign-in.
    pub fn authorize(&self) -> Url {
        let challenge = base64url(&Sha256::digest(VERIFIER));
        let mut url: Url = self.endpoint("authorization").parse().unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", self.text("/application/client_id"))
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("scope", "openid profile email offline_access")
            .append_pair("state", "st-1")
            .append_pair("nonce", "n-1")
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Signs the demo's user in, consenting where asked; ends at the redirect to the application.
    pub async fn sign_in(&self, browser: &mut Browser) -> Page {
        let origin = self.authorize().origin().ascii_serialization();
        let page = browser.get(self.authorize()).await;
        let page = browser.follow(page, &origin).await;
        let credentials = [
            ("identifier", self.text("/user/email")),
            ("password", self.text("/user/password")),
        ];
        let page = browser.submit(page.form("submit"), &credentials).await;
        let page = browser.follow(page, &origin).await;
        if page.location.is_some() {
            return page;
        }
        let page = browser
            .submit(page.form("allow"), &[("decision", "allow")])
            .await;
        browser.follow(page, &origin).await
    }

    /// The code of a redirect, checked as an application must (RFC 9207 §2.4).
    pub fn code(&self, page: &Page) -> String {
        let location = page
            .location
            .as_ref()
            .unwrap_or_else(|| panic!("{}: {}", page.status, page.body));
        assert!(location.as_str().starts_with(REDIRECT), "{location}");
        let value = |name: &str| {
            location
                .query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        assert_eq!(value("state").as_deref(), Some("st-1"));
        assert_eq!(value("iss").as_deref(), self.demo["issuer"].as_str());
        let code = value("code").unwrap_or_else(|| panic!("{location}"));
        remember([code.as_str()]);
        code
    }

    /// Asks the token endpoint with the application's secret.
    pub async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        self.token_as("/application", form).await
    }

    pub async fn token_as(&self, who: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let response = client()
            .post(self.endpoint("token"))
            .basic_auth(
                self.text(&format!("{who}/client_id")),
                Some(self.text(&format!("{who}/client_secret"))),
            )
            .form(form)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        let tokens = ["access_token", "refresh_token", "id_token"];
        remember(tokens.iter().filter_map(|name| answer[*name].as_str()));
        (status, answer)
    }

    pub async fn redeem(&self, code: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    pub async fn userinfo(&self, token: &str) -> (u16, Value) {
        let response = client()
            .get(self.endpoint("userinfo"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_person_signs_in_stays_and_leaves() {
    let place = Place::new().await;
    let _running = place.start().await;
    let shop = Shop::open(&place).await;
    let mut browser = Browser::new();

    let page = shop.sign_in(&mut browser).await;
    let (status, tokens) = shop.redeem(&shop.code(&page)).await;
    assert_eq!(status, 200, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    let (status, claims) = shop.userinfo(access).await;
    assert_eq!(status, 200, "{claims}");
    assert_eq!(claims["email"], shop.demo["user"]["email"]);
    assert_eq!(claims["email_verified"], true);

    let refresh = tokens["refresh_token"].as_str().unwrap();
    let spend = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let (status, rotated) = shop.token(&spend).await;
    assert_eq!(status, 200, "{rotated}");
    assert_ne!(rotated["refresh_token"], tokens["refresh_token"]);

    // Signed in and consented: the application is answered without a page.
    let page = browser.get(shop.authorize()).await;
    let page = browser.follow(page, &place.auth).await;
    shop.code(&page);

    let hint = tokens["id_token"].as_str().unwrap();
    let mut leave: Url = shop.endpoint("end_session").parse().unwrap();
    leave
        .query_pairs_mut()
        .append_pair("id_token_hint", hint)
        .append_pair(
            "post_logout_redirect_uri",
            "http://127.0.0.1:43117/signed-out",
        )
        .append_pair("state", "bye");
    let page = browser.get(leave).await;
    let page = browser.follow(page, &place.auth).await;
    let left = page.location.expect("back to the application");
    assert_eq!(left.as_str(), "http://127.0.0.1:43117/signed-out?state=bye");
    let page = browser.get(shop.authorize()).await;
    let page = browser.follow(page, &place.auth).await;
    assert!(
        page.body.contains("id=\"identifier\""),
        "asked to sign in again"
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_spent_code_are_refused() {
    let place = Place::new().await;
    let _running = place.start().await;
    let shop = Shop::open(&place).await;
    let mut browser = Browser::new();
    let page = browser.get(shop.authorize()).await;
    let page = browser.follow(page, &place.auth).await;
    let wrong = [
        ("identifier", shop.demo["user"]["email"].as_str().unwrap()),
        ("password", "not-the-password-of-sam"),
    ];
    let page = browser.submit(page.form("submit"), &wrong).await;
    let page = browser.follow(page, &place.auth).await;
    assert!(page.location.is_none() && page.body.contains("id=\"password\""));

    let page = shop.sign_in(&mut Browser::new()).await;
    let code = shop.code(&page);
    let (status, first) = shop.redeem(&code).await;
    assert_eq!(status, 200, "{first}");
    let (status, second) = shop.redeem(&code).await;
    assert_eq!(
        (status, &second["error"]),
        (400, &Value::from("invalid_grant"))
    );
    // RFC 6749 §4.1.2: what the code had bought is worthless now.
    let refresh = first["refresh_token"].as_str().unwrap();
    let spend = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(shop.token(&spend).await.0, 400);
}

#[tokio::test]
async fn a_machine_gets_a_token_for_what_it_was_granted() {
    let place = Place::new().await;
    let _running = place.start().await;
    let shop = Shop::open(&place).await;
    let audience = ("resource", "https://orders.acme.example");
    let grant = ("grant_type", "client_credentials");
    let scope = ("scope", shop.text("/machine/scope"));
    let (status, answer) = shop.token_as("/machine", &[grant, audience, scope]).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["scope"], shop.demo["machine"]["scope"]);
    let (status, answer) = shop
        .token_as("/machine", &[grant, audience, ("scope", "orders:destroy")])
        .await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &Value::from("invalid_scope"))
    );
    let (status, answer) = shop.token_as("/application", &[grant, audience]).await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &Value::from("unauthorized_client"))
    );
}

fn base64url(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}
