//! A person at the hosted pages, reduced to forms, redirects and cookies.

use std::{collections::BTreeMap, error::Error};

use reqwest::{Client, Method, Response, header};
use url::Url;

use super::product::DemoUser;

const MOST_STEPS: usize = 16;

/// Goes to an authorization address as `user` and answers the redirect back to the application.
///
/// # Errors
/// When a page is neither sign-in nor consent, or the way does not end at `stop_at`.
pub async fn authorize(
    browser: &Client,
    address: &Url,
    user: &DemoUser,
    stop_at: &str,
) -> Result<Url, Box<dyn Error>> {
    let mut cookies = BTreeMap::new();
    let mut next = Step::get(address.clone());
    for _ in 0..MOST_STEPS {
        if next.url.as_str().starts_with(stop_at) {
            return Ok(next.url);
        }
        let url = next.url.clone();
        let response = next.send(browser, &cookies).await?;
        remember(&mut cookies, &response);
        next = match response.headers().get(header::LOCATION) {
            Some(location) => Step::get(url.join(location.to_str()?)?),
            None => Step::after(&url, &response.text().await?, user)?,
        };
    }
    Err("signing in went round in circles".into())
}

struct Step {
    method: Method,
    url: Url,
    fields: BTreeMap<String, String>,
}

impl Step {
    fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            fields: BTreeMap::new(),
        }
    }

    /// What the person does on this page.
    fn after(url: &Url, html: &str, user: &DemoUser) -> Result<Self, Box<dyn Error>> {
        let elements: Vec<BTreeMap<String, String>> =
            html.split('<').skip(1).map(attributes).collect();
        let by_id = |id: &str| {
            elements
                .iter()
                .find(|element| element.get("id").is_some_and(|it| it == id))
        };
        if let Some(href) = by_id("submit").and_then(|link| link.get("href")) {
            return Ok(Self::get(url.join(href)?));
        }
        let mut fields: BTreeMap<String, String> = elements
            .iter()
            .filter(|element| element.get("type").is_some_and(|kind| kind == "hidden"))
            .filter_map(|input| Some((input.get("name")?.clone(), input.get("value")?.clone())))
            .collect();
        let mut fill = |id: &str, text: Option<&str>| -> Option<()> {
            let element = by_id(id)?;
            let value =
                text.map_or_else(|| element.get("value").cloned(), |text| Some(text.into()));
            fields.insert(element.get("name")?.clone(), value?);
            Some(())
        };
        let consented = fill("allow", None).is_some();
        let typed =
            fill("identifier", Some(&user.email)).and(fill("password", Some(&user.password)));
        if !consented && typed.is_none() {
            return Err(format!("neither sign-in nor consent at {}", url.path()).into());
        }
        let action = elements.iter().find_map(|element| element.get("action"));
        Ok(Self {
            method: Method::POST,
            url: url.join(action.map_or("", String::as_str))?,
            fields,
        })
    }

    async fn send(
        self,
        browser: &Client,
        cookies: &BTreeMap<String, String>,
    ) -> reqwest::Result<Response> {
        let pairs: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = browser
            .request(self.method.clone(), self.url)
            .header(header::COOKIE, pairs.join("; "));
        if self.method == Method::POST {
            request = request.form(&self.fields);
        }
        request.send().await
    }
}

fn remember(cookies: &mut BTreeMap<String, String>, response: &Response) {
    for line in response.headers().get_all(header::SET_COOKIE) {
        let pair = line
            .to_str()
            .ok()
            .and_then(|line| line.split(';').next()?.split_once('='));
        if let Some((name, value)) = pair {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The attributes of `input type="hidden" name="csrf" value="…">`, with the entities our pages use.
fn attributes(element: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = element.split('>').next().unwrap_or_default();
    while let Some((before, after)) = rest.split_once("=\"") {
        let name = before
            .rsplit(char::is_whitespace)
            .next()
            .unwrap_or_default();
        let Some((value, remaining)) = after.split_once('"') else {
            break;
        };
        let value = value
            .replace("&quot;", "\"")
            .replace("&#38;", "&")
            .replace("&amp;", "&");
        found.insert(name.to_owned(), value);
        rest = remaining;
    }
    found
}
