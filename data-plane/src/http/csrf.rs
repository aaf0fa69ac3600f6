//! Defence against forged form posts: a token bound to browser and session, and the request's origin.
//!
//! The token is an HMAC whose key is the browser cookie (256 random bits that no page and no other site
//! can read), over tenant and session. It needs no storage, differs per tenant (R-TEN-01), changes with
//! the session (R-SESS-05) and exists before sign-in, so login CSRF is covered. A signed double submit
//! with a server key was considered: whoever can plant a cookie can also fetch a page with it, so the key
//! would add a secret to rotate and no protection; the `__Host-` prefix is what prevents planting.
//!
//! The origin is checked as well, because it also holds where a token might leak.

use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN};
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::ids::TenantId;

/// The form field that carries the token.
pub const FIELD: &str = "csrf";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The token for pages shown to this browser in this session (`None` before sign-in).
pub fn token(browser: &str, tenant: TenantId, session: Option<&str>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, browser.as_bytes());
    let message = format!("csrf\0{tenant}\0{}", session.unwrap_or_default());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
}

/// Whether `presented` is the token for this browser and session; constant time.
pub fn accepts(
    presented: Option<&str>,
    browser: &str,
    tenant: TenantId,
    session: Option<&str>,
) -> bool {
    let expected = token(browser, tenant, session);
    presented.is_some_and(|presented| {
        verify_slices_are_equal(presented.as_bytes(), expected.as_bytes()).is_ok()
    })
}

/// Whether the browser says that the post comes from a page of `origin` (`scheme://host[:port]`).
///
/// `Sec-Fetch-Site` decides where it is sent. Our pages have `Referrer-Policy: no-referrer`, so browsers
/// send `Origin: null` with our own forms too (Fetch, "append a request `Origin` header"): `null` is
/// believed only together with `same-origin`. Programs that send neither header are let through: they
/// have no cookies that could be abused, and the token is still asked of them.
pub fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    match (text(&SEC_FETCH_SITE), text(&ORIGIN)) {
        (Some("same-origin"), Some(sent)) => sent == origin || sent == "null",
        (Some("same-origin" | "none") | None, None) => true,
        (Some("none") | None, Some(sent)) => sent == origin,
        (Some(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use contract::ids::TypedId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_token_belongs_to_browser_tenant_and_session_r_sess_05_r_ten_01() {
        let t1 = TenantId::from_uuid(Uuid::from_u128(1));
        let t2 = TenantId::from_uuid(Uuid::from_u128(2));
        let good = token("browser", t1, Some("session"));
        let accepted = |browser, tenant, session| accepts(Some(&good), browser, tenant, session);
        assert!(accepted("browser", t1, Some("session")));
        assert!(!accepted("other", t1, Some("session")));
        assert!(!accepted("browser", t2, Some("session")));
        assert!(!accepted("browser", t1, Some("other")));
        assert!(!accepted("browser", t1, None));
        assert!(!accepts(None, "browser", t1, Some("session")));
        assert!(!accepts(Some(""), "browser", t1, Some("session")));
    }

    #[test]
    fn origins_r_sess_05() {
        let ours = "https://login.example";
        for (origin, site, ok) in [
            (Some(ours), Some("same-origin"), true),
            (None, None, true),
            (None, Some("none"), true),
            (Some("https://evil.example"), None, false),
            (Some("null"), None, false),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), Some("cross-site"), false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://login.example:444"), None, false),
            (Some("http://login.example"), None, false),
            (None, Some("cross-site"), false),
            (None, Some("same-site"), false),
            (Some(ours), Some("cross-site"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site));
            }
            assert_eq!(same_origin(&headers, ours), ok, "{origin:?} {site:?}");
        }
    }
}
