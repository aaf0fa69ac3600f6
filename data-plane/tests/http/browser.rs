//! A browser as far as these tests need one: cookies, forms, and redirects that are looked at before
//! they are followed. It also plays the client's server, which talks to the token endpoint.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

use crate::house::{App, CALLBACK, CHALLENGE, EMAIL, PASSWORD, SECRET, VERIFIER};

/// An answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.body))
    }

    /// A parameter of the redirect's query.
    pub fn param(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The value of an input of the page.
    pub fn field(&self, name: &str) -> Option<String> {
        let start = self.body.find(&format!("name=\"{name}\""))?;
        let tag = &self.body[start..start + self.body[start..].find('>')?];
        let value = tag.split_once("value=\"")?.1;
        Some(value[..value.find('"')?].to_owned())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or("-").to_owned()
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers
            .get_all("set-cookie")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    }
}

/// The claims of a JWT, unverified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The header of a JWT.
pub fn jose_header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

pub struct Browser {
    client: reqwest::Client,
    origin: String,
    base: String,
    pub cookies: BTreeMap<String, String>,
    pub extra: Vec<(&'static str, String)>,
}

impl Browser {
    pub fn new(origin: &str, base: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the test is the outside world")]
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            client,
            origin: origin.to_owned(),
            base: base.to_owned(),
            cookies: BTreeMap::new(),
            extra: vec![("accept", "text/html".to_owned())],
        }
    }

    /// A path below the tenant, an absolute path of the host, or a full URL becomes a URL.
    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            path.to_owned()
        } else if path.starts_with('/') {
            format!("{}{path}", self.origin)
        } else if path.is_empty() {
            format!("{}{}/", self.origin, self.base)
        } else {
            format!("{}{}/{path}", self.origin, self.base)
        }
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Page {
        let mut request = self.client.request(method, self.url(path));
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page {
            status,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(path, &[], fields).await
    }

    pub async fn post_with(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Page {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, Some(body)).await
    }

    /// Fills the form of `page` and posts it, hidden fields included.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let action = page.body.split_once("action=\"").expect("a form").1;
        let action = action[..action.find('"').unwrap()].to_owned();
        let hidden: Vec<(&str, String)> = [
            "csrf",
            "flow",
            "token",
            "client_id",
            "post_logout_redirect_uri",
            "state",
        ]
        .into_iter()
        .filter_map(|name| Some((name, page.field(name)?)))
        .collect();
        let mut all: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.extend_from_slice(fields);
        self.post(&action, &all).await
    }

    /// `authorize` with the usual parameters; a change replaces one, an empty one removes it.
    pub async fn authorize(&mut self, app: App, changes: &[(&str, &str)]) -> Page {
        let query = authorization(app, changes);
        self.get(&format!("oauth2/authorize?{query}")).await
    }

    /// Signs in on the page that `page` redirects to.
    pub async fn sign_in_at(&mut self, page: &Page) -> Page {
        let form = self.get(page.location()).await;
        assert_eq!(form.status, 200, "{}", form.body);
        self.submit(&form, &[("identifier", EMAIL), ("password", PASSWORD)])
            .await
    }

    /// Signs in without an application.
    pub async fn sign_in(&mut self) -> Page {
        let form = self.get("login").await;
        let page = self
            .submit(&form, &[("identifier", EMAIL), ("password", PASSWORD)])
            .await;
        assert_eq!(page.status, 303, "{}", page.body);
        page
    }

    /// From the request to the answer at the client, whatever pages come between.
    pub async fn walk(&mut self, app: App, changes: &[(&str, &str)]) -> Page {
        let mut page = self.authorize(app, changes).await;
        for _ in 0..4 {
            if page.status != 303 {
                return page;
            }
            let location = page.location().to_owned();
            if location.contains("/login?flow=") {
                page = self.sign_in_at(&page).await;
            } else if location.contains("/consent?flow=") {
                let form = self.get(&location).await;
                page = self.submit(&form, &[("decision", "allow")]).await;
            } else {
                return page;
            }
        }
        panic!("it goes round in circles: {}", page.location());
    }

    /// A code for [`App::Shop`] with these scopes.
    pub async fn code(&mut self, app: App, scope: &str) -> String {
        let page = self.walk(app, &[("scope", scope)]).await;
        page.param("code")
            .unwrap_or_else(|| panic!("no code: {:?}", page))
    }

    /// Redeems a code the right way.
    pub async fn redeem(&mut self, app: App, code: &str) -> Page {
        self.token(
            app,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", redirect_uri(app)),
                ("code_verifier", VERIFIER),
            ],
        )
        .await
    }

    pub async fn refresh(&mut self, app: App, token: &str) -> Page {
        self.token(
            app,
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await
    }

    /// Posts to the token endpoint with the client's own credentials.
    pub async fn token(&mut self, app: App, fields: &[(&str, &str)]) -> Page {
        let client_id = app.id();
        let mut all = fields.to_vec();
        match app {
            App::Shop | App::Own => {
                let basic = basic(&client_id, SECRET);
                return self
                    .post_with("oauth2/token", &[("authorization", &basic)], &all)
                    .await;
            }
            App::Machine => {
                all.push(("client_id", &client_id));
                all.push(("client_secret", SECRET));
            }
            App::Spa | App::Native => all.push(("client_id", &client_id)),
        }
        self.post("oauth2/token", &all).await
    }

    /// Tokens for a person, from the beginning.
    pub async fn tokens(&mut self, app: App, scope: &str) -> Value {
        let code = self.code(app, scope).await;
        let page = self.redeem(app, &code).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()
    }

    pub async fn userinfo(&mut self, token: &str) -> Page {
        let bearer = format!("Bearer {token}");
        self.send(
            Method::GET,
            "oauth2/userinfo",
            &[("authorization", &bearer)],
            None,
        )
        .await
    }
}

pub fn basic(id: &str, secret: &str) -> String {
    use base64::engine::general_purpose::STANDARD;
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

pub fn redirect_uri(app: App) -> &'static str {
    match app {
        App::Shop | App::Machine => CALLBACK,
        App::Own => "https://own.example/cb",
        App::Spa => "https://spa.example/cb",
        App::Native => "com.example.app:/cb",
    }
}

/// The query of an authorization request.
pub fn authorization(app: App, changes: &[(&str, &str)]) -> String {
    let client_id = app.id();
    let usual = [
        ("client_id", client_id.as_str()),
        ("redirect_uri", redirect_uri(app)),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    let added = changes.iter().filter(|(_, value)| !value.is_empty());
    Serializer::new(String::new())
        .extend_pairs(kept.chain(added))
        .finish()
}

/// The origin and path of a URL.
pub fn without_query(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_query(None);
    url.to_string()
}
