//! A browser without JavaScript: keeps cookies, reads forms, follows nothing on its own.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method, Response, header, redirect};
use url::Url;

/// One person's browser.
pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

/// What was answered.
pub struct Page {
    pub status: u16,
    pub url: Url,
    pub location: Option<Url>,
    pub body: String,
}

/// A form on a page: where it goes, and what it carries unseen.
#[derive(Debug)]
pub struct Form {
    pub action: Url,
    pub fields: Vec<(String, String)>,
}

/// A client that follows no redirect.
#[expect(clippy::disallowed_methods, reason = "a test plays the world outside")]
pub fn client() -> Client {
    Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

impl Browser {
    pub fn new() -> Self {
        Self {
            client: client(),
            cookies: BTreeMap::new(),
        }
    }

    pub async fn get(&mut self, url: impl AsRef<str>) -> Page {
        self.send(Method::GET, url.as_ref(), None).await
    }

    /// Fills in and submits.
    pub async fn submit(&mut self, mut form: Form, filled: &[(&str, &str)]) -> Page {
        for (name, value) in filled {
            form.fields.retain(|(known, _)| known != name);
            form.fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.send(Method::POST, form.action.as_str(), Some(&form.fields))
            .await
    }

    /// Goes where redirects lead while they stay at `origin`.
    pub async fn follow(&mut self, mut page: Page, origin: &str) -> Page {
        for _ in 0..10 {
            match page.location.take() {
                Some(next) if next.as_str().starts_with(origin) => page = self.get(next).await,
                location => {
                    page.location = location;
                    return page;
                }
            }
        }
        panic!("redirects without end at {}", page.url);
    }

    async fn send(&mut self, method: Method, url: &str, form: Option<&[(String, String)]>) -> Page {
        let url: Url = url.parse().unwrap();
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = self.client.request(method, url.clone());
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(fields) = form {
            // As a browser does for a form of the same origin.
            request = request
                .header(header::ORIGIN, url.origin().ascii_serialization())
                .header("sec-fetch-site", "same-origin")
                .form(fields);
        }
        let response = request.send().await.unwrap();
        self.keep_cookies(&response);
        let location = response
            .headers()
            .get(header::LOCATION)
            .map(|to| url.join(to.to_str().unwrap()).unwrap());
        Page {
            status: response.status().as_u16(),
            location,
            url,
            body: response.text().await.unwrap(),
        }
    }

    fn keep_cookies(&mut self, response: &Response) {
        for set in response.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The values of all cookies, for the canary.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.cookies.values().map(String::as_str)
    }
}

impl Page {
    /// The form with a control of this id; by convention `submit`, `allow`, `deny`.
    pub fn form(&self, id: &str) -> Form {
        let marker = format!("id=\"{id}\"");
        let form = self
            .body
            .split("<form")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap())
            .find(|form| form.contains(&marker))
            .unwrap_or_else(|| panic!("no form with #{id} ({}):\n{}", self.status, self.body));
        let tag = form.split('>').next().unwrap();
        let action = attribute(tag, "action").unwrap_or_default();
        let inputs = form
            .split("<input")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap());
        Form {
            action: self.url.join(&action).unwrap(),
            fields: inputs
                .filter(|input| attribute(input, "type").as_deref() == Some("hidden"))
                .filter_map(|input| {
                    Some((
                        attribute(input, "name")?,
                        attribute(input, "value").unwrap_or_default(),
                    ))
                })
                .collect(),
        }
    }
}

/// The value of a double-quoted attribute, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    let mut text = value.to_owned();
    for (escaped, plain) in [
        ("&#x2F;", "/"),
        ("&#47;", "/"),
        ("&#38;", "&"),
        ("&#43;", "+"),
        ("&#61;", "="),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ] {
        text = text.replace(escaped, plain);
    }
    Some(text)
}
