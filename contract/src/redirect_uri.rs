//! Redirect URIs: what may be registered, and when a requested one matches.
//!
//! Matching is exact string comparison (RFC 9700 §2.1, RFC 3986 §6.2.1, R-AUTHZ-01). The one exception is
//! the port of a loopback IP literal, which native applications choose at run time (RFC 8252 §7.3);
//! `localhost` is not covered, because a name can be pointed elsewhere (RFC 8252 §8.3).
//!
//! Text that is compared letter by letter must have one spelling. So a URI is ASCII (RFC 3986 §2; a browser
//! would rewrite anything else on its way, and a `Location` header cannot carry it), and its scheme is in
//! lower case: `HTTPS` means `https` (RFC 3986 §3.1), and whoever asks `starts_with("https://")` must not
//! be told otherwise. Both are refused at registration instead of being rewritten, because a client that
//! sends what it registered must match.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{Invalid, tenant::string_value};

/// Longest accepted URI, in bytes.
pub const MAX_URI_BYTES: usize = 2000;

/// Schemes that would run or leak something in the browser instead of returning to an application.
const REFUSED_SCHEMES: &[&str] = &[
    "javascript", "data", "file", "vbscript", "about", "blob", "ftp", "ws", "wss", "filesystem",
    "view-source",
];

/// A registered redirect URI: https, loopback http, or a private-use scheme with a dot (RFC 8252 §7.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);
string_value!(RedirectUri);

impl FromStr for RedirectUri {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |reason: &str| Err(Invalid::new("redirect_uri", reason));
        if text.len() > MAX_URI_BYTES {
            return refuse("must have at most 2000 characters");
        }
        if text.contains('\\')
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
            || text.contains('*')
        {
            return refuse("must not contain spaces, backslashes, wildcards or control characters");
        }
        if !text.is_ascii() {
            return refuse(
                "must be ASCII: write a host in its xn-- form and other letters percent-encoded",
            );
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("must be an absolute URI");
        };
        if !text.starts_with(url.scheme()) {
            return refuse("must begin with its scheme in lower case");
        }
        if text.contains('#') {
            return refuse("must not contain a fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not contain a user name or password");
        }
        match url.scheme() {
            // The parser repairs `https:host` and `https:///host`; whoever compares text does not.
            "https" | "http" if !has_plain_authority(text) => {
                return refuse("must name its host after two slashes");
            }
            "https" if url.host().is_some() => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return refuse("must use https unless its host is 127.0.0.1, [::1] or localhost");
            }
            scheme if REFUSED_SCHEMES.contains(&scheme) => {
                return refuse("uses a scheme that no application can receive");
            }
            scheme if scheme.contains('.') => {}
            _ => {
                return refuse(
                    "must use https, loopback http or a private-use scheme such as com.example.app",
                );
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl RedirectUri {
    /// Whether a requested URI is this one: the same string, or the same but for the port of a loopback IP.
    pub fn matches(&self, requested: &str) -> bool {
        if self.0 == requested {
            return true;
        }
        let (Some(ours), Some(theirs)) = (split_loopback(&self.0), split_loopback(requested))
        else {
            return false;
        };
        ours == theirs
    }

    /// Whether the URI stays on the person's own machine, or belongs to an installed application.
    pub fn is_native(&self) -> bool {
        !self.0.starts_with("https://")
    }

    /// Whether a URI belongs to an installed application by a private-use scheme (RFC 8252 §7.1). Takes the
    /// text of a requested one, which need not be registered.
    pub fn is_private_use(uri: &str) -> bool {
        !["https://", "http://"]
            .into_iter()
            .any(|web| uri.starts_with(web))
    }

    /// The origin for a page's `form-action`: `scheme://host[:port]`, or `scheme:` for private-use schemes.
    pub fn csp_source(requested: &str) -> Option<String> {
        let url = Url::parse(requested).ok()?;
        match url.scheme() {
            "http" | "https" => Some(url.origin().ascii_serialization()),
            scheme => Some(format!("{scheme}:")),
        }
    }
}

/// Whether a web address has exactly two slashes before its host.
fn has_plain_authority(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.contains(':') && !rest.starts_with('/'))
}

/// Whether the URL's host is a loopback address or the name `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Splits `http://127.0.0.1[:port]rest` or `http://[::1][:port]rest` into (address, rest), textually:
/// nothing is normalized, so that `%2e%2e` or an upper-case host never becomes a match.
fn split_loopback(uri: &str) -> Option<(&'static str, &str)> {
    ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find_map(|prefix| {
            let rest = uri.strip_prefix(prefix)?;
            let rest = match rest.strip_prefix(':') {
                Some(with_port) => {
                    let digits = with_port.bytes().take_while(u8::is_ascii_digit).count();
                    let port: u32 = with_port[..digits].parse().ok()?;
                    (1..=65535).contains(&port).then(|| &with_port[digits..])?
                }
                None => rest,
            };
            (rest.is_empty() || rest.starts_with('/') || rest.starts_with('?'))
                .then_some((prefix, rest))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_table() {
        for good in [
            "https://app.example/cb",
            "https://app.example/cb?x=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:9/cb",
            "http://[::1]:80/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "https://xn--bcher-kva.example/cb",
            "https://app.example/b%C3%BCcher",
            "https://APP.example/cb",
        ] {
            assert!(good.parse::<RedirectUri>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "app.example/cb",
            "http://app.example/cb",
            "https://app.example/cb#f",
            "https://app.example/cb#",
            "https://u@app.example/cb",
            "https://u:p@app.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://app.example/*",
            "https://app.example/\\evil",
            "https://app.example/a b",
            "myapp:/cb",
            "https://a\r\nb/",
            "https://bücher.example/cb",
            "https://app.example/bücher",
            "https://app.example/cb?ü=1",
            "https://app.examp\u{200b}le/cb",
            "https://\u{430}pp.example/cb",
            "com.exämple:/cb",
            "HTTPS://app.example/cb",
            "Https://app.example/cb",
            "HTTP://127.0.0.1/cb",
            "JavaScript:alert(1)",
            "COM.example.app:/cb",
            "https:app.example/cb",
            "https:/app.example/cb",
            "https:///app.example/cb",
        ] {
            assert!(bad.parse::<RedirectUri>().is_err(), "{bad}");
        }
    }

    #[test]
    fn schemes_are_told_apart_whole_rfc_8252_7_1() {
        for (uri, private) in [
            ("https://app.example/cb", false),
            ("http://127.0.0.1/cb", false),
            ("com.example.app:/cb", true),
            ("https.example.app:/cb", true),
            ("http.example:/cb", true),
        ] {
            assert_eq!(RedirectUri::is_private_use(uri), private, "{uri}");
            assert!(uri.parse::<RedirectUri>().is_ok(), "{uri}");
        }
    }

    #[test]
    fn matching_is_exact_r_authz_01() {
        let registered: RedirectUri = "https://app.example/cb".parse().unwrap();
        assert!(registered.matches("https://app.example/cb"));
        for other in [
            "https://app.example/cb/",
            "https://app.example/cb?a=b",
            "https://app.example/cb#f",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example/cb\u{200b}",
            "https://app.example/%2e%2e/cb",
            "https://app.example@evil.example/cb",
            "https://app.example\\@evil/cb",
            "https://sub.app.example/cb",
            "http://app.example/cb",
            "https://app.example:443/cb",
            "",
        ] {
            assert!(!registered.matches(other), "{other}");
        }
    }

    #[test]
    fn loopback_ip_ports_are_free_rfc8252_7_3() {
        let registered: RedirectUri = "http://127.0.0.1/cb".parse().unwrap();
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:65535/cb",
        ] {
            assert!(registered.matches(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:80x/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:80/cb/",
            "http://127.0.0.1.evil/cb",
            "http://localhost:80/cb",
            "http://[::1]:80/cb",
            "https://127.0.0.1:80/cb",
            "http://127.0.0.1@evil/cb",
            "http://127.0.0.1:80@evil/cb",
        ] {
            assert!(!registered.matches(bad), "{bad}");
        }
        let named: RedirectUri = "http://localhost:3000/cb".parse().unwrap();
        assert!(!named.matches("http://localhost:3001/cb"));
    }
}
