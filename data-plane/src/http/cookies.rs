//! The cookies of hosted pages: which browser this is, who is signed in, and who signed in here before.
//!
//! All are `HttpOnly`, `SameSite=Lax`, `Path=/` and without `Domain`. Over https their names begin with
//! `__Host-`, which makes browsers enforce exactly that (R-SESS-01). In path form many tenants share one
//! host, so the name also carries the tenant's slug; the values are looked up under the tenant as well,
//! so a cookie under a wrong name is nothing (R-TEN-02).
//!
//! Values are random or sealed, and opaque. Nothing about a person can be read from a cookie.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};

use super::tenant::Place;
use crate::accounts::MARK_DAYS;

/// Longer than any device mark.
const MAX_MARK_CHARS: usize = 256;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieKind {
    /// Names the browser; requests, CSRF tokens and sign-in attempts are bound to it (R-AUTHZ-11).
    Browser,
    /// Names the session of a signed-in person.
    Session,
    /// Shows that the person who tries to sign in did so in this browser before (R-ENUM-03).
    Device,
}

impl CookieKind {
    /// The cookie's name for a tenant at `place`.
    pub fn name(self, place: &Place) -> String {
        let prefix = if place.https { "__Host-" } else { "" };
        let stem = match self {
            Self::Browser => "bw_browser",
            Self::Session => "bw_session",
            Self::Device => "bw_device",
        };
        match &place.slug_in_path {
            Some(slug) => format!("{prefix}{stem}_{slug}"),
            None => format!("{prefix}{stem}"),
        }
    }

    /// The value the browser sent, if it has the shape of one of ours.
    pub fn read(self, request: &HttpRequest, place: &Place) -> Option<String> {
        let value = request.cookie(&self.name(place))?.value().to_owned();
        let ours = match self {
            Self::Browser | Self::Session => is_token(&value),
            Self::Device => value.len() <= MAX_MARK_CHARS && is_base64url(&value),
        };
        ours.then_some(value)
    }

    /// Sets the cookie for as long as the browser runs, or a device is remembered; how long it means
    /// anything is decided by the server.
    pub fn set(self, place: &Place, value: &str) -> Cookie<'static> {
        let cookie = self.build(place, value);
        match self {
            Self::Browser | Self::Session => cookie.finish(),
            Self::Device => cookie.max_age(Duration::days(MARK_DAYS)).finish(),
        }
    }

    /// Makes the browser forget the cookie.
    pub fn clear(self, place: &Place) -> Cookie<'static> {
        self.build(place, "").max_age(Duration::ZERO).finish()
    }

    fn build(self, place: &Place, value: &str) -> actix_web::cookie::CookieBuilder<'static> {
        Cookie::build(self.name(place), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(place.https)
            .same_site(SameSite::Lax)
    }
}

/// Whether `text` has the shape of `host::Entropy::token`: 256 bits as 43 base64url characters.
pub fn is_token(text: &str) -> bool {
    text.len() == 43 && is_base64url(text)
}

fn is_base64url(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(https: bool, slug: Option<&str>) -> Place {
        Place {
            https,
            slug_in_path: slug.map(|slug| slug.parse().unwrap()),
        }
    }

    #[test]
    fn names_and_attributes_r_sess_01_r_ten_02() {
        for (https, slug, expected) in [
            (
                true,
                None,
                "__Host-bw_session=v; HttpOnly; SameSite=Lax; Secure; Path=/",
            ),
            (
                true,
                Some("acme"),
                "__Host-bw_session_acme=v; HttpOnly; SameSite=Lax; Secure; Path=/",
            ),
            (
                false,
                Some("acme"),
                "bw_session_acme=v; HttpOnly; SameSite=Lax; Path=/",
            ),
        ] {
            let cookie = CookieKind::Session.set(&place(https, slug), "v");
            assert_eq!(cookie.to_string(), expected);
            assert!(cookie.domain().is_none());
        }
        let mark = CookieKind::Device.set(&place(true, None), "v").to_string();
        assert_eq!(
            mark,
            "__Host-bw_device=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=15552000"
        );
        let cleared = CookieKind::Session.clear(&place(true, None)).to_string();
        assert!(cleared.contains("Max-Age=0"), "{cleared}");
    }

    #[test]
    fn only_our_shape_is_read() {
        assert!(is_token(&"a".repeat(43)));
        for bad in [
            "",
            "a",
            &"a".repeat(44),
            &"é".repeat(43),
            &format!("{} ", "a".repeat(42)),
        ] {
            assert!(!is_token(bad));
        }
    }
}
