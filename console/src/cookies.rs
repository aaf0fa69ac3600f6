//! The console's cookies: how each is named and guarded.
//!
//! Over https every name has the `__Host-` prefix, which browsers only accept with `Secure`, without
//! `Domain` and with `Path=/`; over plain http (loopback) prefix and `Secure` would make browsers and
//! other clients drop the cookie. Everything is `HttpOnly` and `SameSite=Lax`: `Strict` would lose the
//! session on the way back from the issuer. A cookie holds a random secret and never a fact.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use host::Secret;

/// The session's secret.
pub const SESSION: &str = "bw_console";
/// How long a sign-in may take.
const LOGIN_SECONDS: i64 = 600;

/// Knows how this installation is reached.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    https: bool,
}

impl Cookies {
    /// Cookies for a console reached over https or not.
    pub fn new(https: bool) -> Self {
        Self { https }
    }

    fn name(self, base: &str) -> String {
        if self.https {
            format!("__Host-{base}")
        } else {
            base.to_owned()
        }
    }

    fn read(self, request: &HttpRequest, base: &str) -> Option<Secret> {
        request
            .cookie(&self.name(base))
            .map(|cookie| cookie.value().to_owned())
            .filter(|value| !value.is_empty())
            .map(Secret::new)
    }

    fn make(self, base: &str, value: &str, seconds: Option<i64>) -> Cookie<'static> {
        let mut cookie = Cookie::build(self.name(base), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(self.https)
            .same_site(SameSite::Lax)
            .finish();
        if let Some(seconds) = seconds {
            cookie.set_max_age(time::Duration::seconds(seconds));
        }
        cookie
    }

    /// The session's secret as the browser sent it.
    pub fn session(self, request: &HttpRequest) -> Option<Secret> {
        self.read(request, SESSION)
    }

    /// The cookie of a new session; it ends with the browser, and the session earlier on the server.
    pub fn begin_session(self, secret: &Secret) -> Cookie<'static> {
        self.make(SESSION, secret.expose(), None)
    }

    /// Removes the session's cookie.
    pub fn end_session(self) -> Cookie<'static> {
        self.make(SESSION, "", Some(0))
    }

    /// The browser's half of the sign-in that `state` names. Each sign-in has a cookie of its own, so that
    /// two tabs that were sent to sign in do not spoil each other.
    pub fn login(self, request: &HttpRequest, state: &str) -> Option<Secret> {
        self.read(request, &login_name(state))
    }

    /// The cookie of a sign-in that begins.
    pub fn begin_login(self, state: &Secret, browser: &Secret) -> Cookie<'static> {
        self.make(
            &login_name(state.expose()),
            browser.expose(),
            Some(LOGIN_SECONDS),
        )
    }

    /// Removes the cookie of a sign-in.
    pub fn end_login(self, state: &str) -> Cookie<'static> {
        self.make(&login_name(state), "", Some(0))
    }
}

/// The state comes from an address: only letters that a cookie's name may have, and few of them.
fn login_name(state: &str) -> String {
    let tag: String = state
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        .take(8)
        .collect();
    format!("bw_console_login_{tag}")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn https_brings_prefix_and_secure_and_loopback_neither() {
        let secret = Secret::new("x");
        let text = Cookies::new(true).begin_session(&secret).to_string();
        assert_eq!(
            text,
            "__Host-bw_console=x; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        let text = Cookies::new(false).begin_session(&secret).to_string();
        assert_eq!(text, "bw_console=x; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn each_sign_in_has_its_own_cookie() {
        let cookies = Cookies::new(false);
        let cookie = cookies.begin_login(&Secret::new("state-one-rest"), &Secret::new("b"));
        let request = TestRequest::default().cookie(cookie).to_http_request();
        assert_eq!(
            cookies.login(&request, "state-one-rest"),
            Some(Secret::new("b"))
        );
        assert_eq!(cookies.login(&request, "other"), None);
        assert_eq!(login_name("a;b=\r\nc"), "bw_console_login_abc");
    }
}
