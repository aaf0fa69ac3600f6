//! Whether a POST comes from a page of ours: the browser's own word, and the session's form token.
//!
//! Two independent checks (R-SESS-05, ASVS 3.5): browsers say with `Sec-Fetch-Site` or `Origin` where a
//! request comes from, and a form carries the token that the control plane made with the session and that
//! only a page rendered for this session can know. `Referer` is never asked: our own policy suppresses it.

use actix_web::{HttpRequest, http::header};
use host::Secret;
use subtle::ConstantTimeEq;

/// Name of the form member that carries the token.
pub const FIELD: &str = "form_token";

/// Whether `sent` is the form token of the session; takes the same time for every wrong one.
pub fn matches(token: &Secret, sent: &str) -> bool {
    token.expose().as_bytes().ct_eq(sent.as_bytes()).into()
}

/// Whether the browser says that the request was sent by a page of `origin` (`https://console.example`).
///
/// `Sec-Fetch-Site` decides where it is sent. Our pages have `Referrer-Policy: no-referrer`, so browsers
/// send `Origin: null` with our own forms too: `null` is believed only together with `same-origin`. A
/// client that says neither is no browser acting for somebody else; the token still has to match.
pub fn is_same_origin(request: &HttpRequest, origin: &str) -> bool {
    let said = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or(""))
    };
    match (said("sec-fetch-site"), said(header::ORIGIN.as_str())) {
        (Some("same-origin"), Some(sent)) => sent == origin || sent == "null",
        (Some("same-origin") | None, None) => true,
        (None, Some(sent)) => sent == origin,
        (Some(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_token_is_compared_whole() {
        let token = Secret::new("a".repeat(43));
        assert!(matches(&token, &"a".repeat(43)));
        for wrong in ["", "a", &"a".repeat(42), &"a".repeat(44), &"b".repeat(43)] {
            assert!(!matches(&token, wrong), "{wrong}");
        }
    }

    #[test]
    fn the_browsers_word_is_believed() {
        let own = "http://127.0.0.1:7000";
        for (headers, expected) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")][..], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
                true,
            ),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", own)][..],
                true,
            ),
            (&[("origin", own)][..], true),
            (&[("sec-fetch-site", "same-site")][..], false),
            (
                &[("sec-fetch-site", "cross-site"), ("origin", "null")][..],
                false,
            ),
            (&[("sec-fetch-site", "none")][..], false),
            (&[("origin", "null")][..], false),
            (&[("origin", "http://127.0.0.1:7001")][..], false),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://evil.test"),
                ][..],
                false,
            ),
        ] {
            let request = headers.iter().fold(TestRequest::post(), |request, header| {
                request.insert_header(*header)
            });
            assert_eq!(
                is_same_origin(&request.to_http_request(), own),
                expected,
                "{headers:?}"
            );
        }
    }
}
