//! Sign-ins under way: what the browser took along must come back with it, in time.
//!
//! Anybody may begin a sign-in, so beginning one must cost the control plane nothing that adds up: no row, no
//! transaction, nothing to sweep. What has to be remembered travels in the browser's cookie, sealed under a
//! key of its own and bound to the `state` it was made for; a cookie opens for no other state, and a state is
//! worth nothing without its cookie (login CSRF, RFC 6749 section 10.12). A row per attempt would let it be
//! taken once only; that is what the authorization code is for, which the issuer takes once (RFC 6749 section
//! 4.1.2), and the console removes the cookie with the answer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, TimeDelta, Utc};
use host::{SealContext, Secret};
use serde::{Deserialize, Serialize};

use crate::ControlPlane;

/// How long a person may take to sign in.
const ATTEMPT_LIFE: TimeDelta = TimeDelta::minutes(10);
/// Longest path that is returned to.
const MAX_RETURN_BYTES: usize = 1_500;

/// A sign-in under way: what the authorization request carries and what the browser must bring back.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    /// The `state` of the authorization request.
    pub state: Secret,
    /// For a cookie: this attempt, sealed. Proves that the browser that returns is the one that left (login
    /// CSRF) and tells us what it left with.
    pub browser: Secret,
    /// The `nonce` of the ID token.
    pub nonce: Secret,
    /// The PKCE code verifier (RFC 7636 section 4.1).
    pub pkce_verifier: Secret,
    /// Where the person wanted to go: a path of the console.
    pub return_to: String,
}

/// What is sealed for the browser.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carried {
    nonce: String,
    pkce_verifier: String,
    return_to: String,
    expires_at: DateTime<Utc>,
}

impl ControlPlane {
    /// Begins a sign-in that shall end at `return_to`, a path of the console; anything else becomes `/`.
    pub fn begin_console_login(&self, return_to: &str) -> LoginAttempt {
        let [state, nonce, pkce_verifier] = std::array::from_fn(|_| self.entropy().token());
        let carried = Carried {
            nonce,
            pkce_verifier,
            return_to: own_path(return_to).to_owned(),
            expires_at: self.clock().now() + ATTEMPT_LIFE,
        };
        let plain = serde_json::to_vec(&carried).expect("texts and a time are JSON");
        let sealed = self
            .inner
            .login_seal
            .seal(self.entropy(), &context(&state), &plain);
        carried.into_attempt(Secret::new(state), Secret::new(B64.encode(sealed)))
    }

    /// Opens the sign-in that `state` names, if this browser began it and it is not too late. An attempt that
    /// was spent opens again until then; the issuer accepts its code once.
    pub fn open_console_login(&self, state: &str, browser: &str) -> Option<LoginAttempt> {
        let sealed = B64.decode(browser).ok()?;
        let plain = self.inner.login_seal.open(&context(state), &sealed).ok()?;
        let carried: Carried = serde_json::from_slice(&plain).ok()?;
        if self.clock().now() >= carried.expires_at {
            return None;
        }
        Some(carried.into_attempt(Secret::new(state), Secret::new(browser)))
    }
}

impl Carried {
    fn into_attempt(self, state: Secret, browser: Secret) -> LoginAttempt {
        LoginAttempt {
            state,
            browser,
            nonce: Secret::new(self.nonce),
            pkce_verifier: Secret::new(self.pkce_verifier),
            return_to: self.return_to,
        }
    }
}

fn context(state: &str) -> SealContext<'_> {
    SealContext {
        tenant: "platform",
        table: "console_login",
        column: "attempt",
        row: state,
    }
}

/// A path of our own, or `/`: never another host, however it is spelt (`//evil`, `/\evil`, `https:…`). Short
/// enough, with nothing JSON would lengthen, that the cookie stays below the 4096 bytes a browser keeps
/// (RFC 6265 section 6.1).
fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.len() <= MAX_RETURN_BYTES
        && !path
            .chars()
            .any(|c| c.is_control() || matches!(c, '\\' | '"'));
    if own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn only_our_own_paths_are_returned_to() {
        for good in ["/", "/t/acme/production/home?tab=1"] {
            assert_eq!(own_path(good), good);
        }
        for bad in [
            "", "t", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb",
            "/a\\b",
        ] {
            assert_eq!(own_path(bad), "/", "{bad:?}");
        }
    }
}
