//! Sign-ins under way: what the browser took along must come back with it, once and in time.

use chrono::{DateTime, TimeDelta, Utc};
use contract::canonical::sha256_hex;
use host::Secret;

use super::IDLE_LIFE;
use crate::{ControlPlane, Refusal};

/// How long a person may take to sign in.
const ATTEMPT_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A sign-in under way: what the authorization request carries and what the browser must bring back.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    /// The `state` of the authorization request.
    pub state: Secret,
    /// For a cookie: proves that the browser that returns is the one that left (login CSRF).
    pub browser: Secret,
    /// The `nonce` of the ID token.
    pub nonce: Secret,
    /// The PKCE code verifier (RFC 7636 section 4.1).
    pub pkce_verifier: Secret,
    /// Where the person wanted to go: a path of the console.
    pub return_to: String,
}

/// A stored sign-in under way.
pub(crate) struct AttemptRow {
    pub(crate) state_sha256: String,
    pub(crate) browser_sha256: String,
    pub(crate) nonce: String,
    pub(crate) pkce_verifier: String,
    pub(crate) return_to: String,
    pub(crate) expires_at: DateTime<Utc>,
}

impl ControlPlane {
    /// Begins a sign-in that shall end at `return_to`, a path of the console; anything else becomes `/`.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn begin_console_login(&self, return_to: &str) -> Result<LoginAttempt, Refusal> {
        let [state, browser, nonce, pkce_verifier] =
            std::array::from_fn(|_| Secret::new(self.entropy().token()));
        let now = self.clock().now();
        let attempt = LoginAttempt {
            state,
            browser,
            nonce,
            pkce_verifier,
            return_to: own_path(return_to).to_owned(),
        };
        let tx = self.store().begin().await?;
        tx.sweep_console(now, now - IDLE_LIFE).await?;
        tx.insert_login_attempt(&AttemptRow {
            state_sha256: sha256_hex(attempt.state.expose().as_bytes()),
            browser_sha256: sha256_hex(attempt.browser.expose().as_bytes()),
            nonce: attempt.nonce.expose().to_owned(),
            pkce_verifier: attempt.pkce_verifier.expose().to_owned(),
            return_to: attempt.return_to.clone(),
            expires_at: now + ATTEMPT_LIFE,
        })
        .await?;
        tx.commit().await?;
        Ok(attempt)
    }

    /// Takes the sign-in that `state` names, if this browser began it; a second time there is none.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; unknown, expired, spent and foreign attempts are all `None`.
    pub async fn take_console_login(
        &self,
        state: &str,
        browser: &str,
    ) -> Result<Option<LoginAttempt>, Refusal> {
        let tx = self.store().begin().await?;
        let row = tx.take_login_attempt(&sha256_hex(state.as_bytes())).await?;
        tx.commit().await?;
        let now = self.clock().now();
        let browser_sha256 = sha256_hex(browser.as_bytes());
        let ours = |row: &AttemptRow| now < row.expires_at && row.browser_sha256 == browser_sha256;
        Ok(row.filter(ours).map(|row| LoginAttempt {
            state: Secret::new(state),
            browser: Secret::new(browser),
            nonce: Secret::new(row.nonce),
            pkce_verifier: Secret::new(row.pkce_verifier),
            return_to: row.return_to,
        }))
    }
}

/// A path of our own, or `/`: never another host, however it is spelt (`//evil`, `/\evil`, `https:…`).
fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.len() <= 2000
        && !path.chars().any(|c| c.is_control() || c == '\\');
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
