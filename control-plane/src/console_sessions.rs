//! What the console keeps between two requests: sessions, one flash, half-written forms, sign-ins under way.
//!
//! The browser holds a random token and we hold its SHA-256, so that a copy of the database signs nobody in
//! (R-SESS-02). A session says who the person is and nothing about what they may do: that is asked anew on
//! every request. These methods are not authorized, because they act for the browser that presents the
//! token; none of them reveals or changes anything of a tenant.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{OperatorId, UserId},
};
use host::{SealContext, Secret};
use serde::{Serialize, de::DeserializeOwned};

use crate::{ControlPlane, Refusal};

/// Longest life of a session (R-SESS-04 caps a day; administering deserves less).
const ABSOLUTE_LIFE: TimeDelta = TimeDelta::hours(8);
/// Longest pause in a session.
const IDLE_LIFE: TimeDelta = TimeDelta::minutes(30);
/// How often "last seen" is written: a page with ten requests writes once.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long a flash or a half-written form waits for its page.
const STASH_LIFE: TimeDelta = TimeDelta::minutes(15);
/// How long a person may take to sign in.
const ATTEMPT_LIFE: TimeDelta = TimeDelta::minutes(10);
/// Largest stashed form, in bytes of JSON; larger input is not kept, and the person types it again.
const MAX_STASH_BYTES: usize = 64 * 1024;

/// A signed-in browser.
#[derive(Debug, Clone)]
pub struct ConsoleSession {
    /// Who signed in.
    pub operator: OperatorId,
    /// Their account in the platform tenant, for [`ControlPlane::caller_for_subject`].
    pub subject: UserId,
    /// What forms of this session must carry (R-SESS-05).
    pub csrf: Secret,
    /// When they signed in.
    pub created_at: DateTime<Utc>,
    /// When they were last seen, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When the session ends in any case.
    pub expires_at: DateTime<Utc>,
}

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

/// How a person wants the console to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Colours.
    pub theme: Theme,
    /// Space.
    pub density: Density,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The stored form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = contract::Invalid;
            fn from_str(text: &str) -> Result<Self, contract::Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(contract::Invalid::new(stringify!($name), concat!("must be one of", $(" ", $text),*))),
                }
            }
        }
    };
}

choices! {
    /// Colours of the console.
    Theme {
        /// What the system prefers.
        #[default]
        System = "system",
        /// Dark on light.
        Light = "light",
        /// Light on dark.
        Dark = "dark",
    }
}

choices! {
    /// Space between rows.
    Density {
        /// Room to breathe.
        #[default]
        Comfortable = "comfortable",
        /// More rows on a screen.
        Compact = "compact",
    }
}

/// A stored session; `id_token` is still sealed.
pub(crate) struct SessionRow {
    pub(crate) token_sha256: String,
    pub(crate) operator: OperatorId,
    pub(crate) csrf: String,
    pub(crate) id_token: Option<Vec<u8>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_seen_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
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

impl SessionRow {
    fn is_alive(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at && now < self.last_seen_at + IDLE_LIFE
    }
}

impl ControlPlane {
    /// Begins a session for a person who just signed in; gives the token for their cookie.
    ///
    /// `id_token` is kept sealed until sign-out, where it tells the platform tenant which session ends
    /// (OpenID Connect RP-Initiated Logout 1.0 section 2).
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the account belongs to no operator: signing in alone gives no power.
    pub async fn begin_console_session(
        &self,
        subject: UserId,
        id_token: &Secret,
    ) -> Result<Secret, Refusal> {
        let token = self.entropy().token();
        let now = self.clock().now();
        let tx = self.store().begin().await?;
        let operator = tx
            .find_operator_by_subject(subject)
            .await?
            .ok_or(Refusal::NotFound { what: "operator" })?;
        let token_sha256 = sha256_hex(token.as_bytes());
        let sealed = self.seal().seal(
            self.entropy(),
            &id_token_context(&token_sha256),
            id_token.expose().as_bytes(),
        );
        // Whoever comes also sweeps: the tables stay as large as the number of people who are here.
        tx.sweep_console(now, now - IDLE_LIFE).await?;
        tx.insert_console_session(&SessionRow {
            token_sha256,
            operator: operator.id,
            csrf: self.entropy().token(),
            id_token: Some(sealed),
            created_at: now,
            last_seen_at: now,
            expires_at: now + ABSOLUTE_LIFE,
        })
        .await?;
        tx.commit().await?;
        Ok(Secret::new(token))
    }

    /// Finds the session behind a presented token and notes that the person is here.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; an unknown, ended or expired session is `None`.
    pub async fn find_console_session(
        &self,
        token: &str,
    ) -> Result<Option<ConsoleSession>, Refusal> {
        let now = self.clock().now();
        let tx = self.store().begin_read().await?;
        let row = tx
            .find_console_session(&sha256_hex(token.as_bytes()))
            .await?;
        let Some(row) = row.filter(|row| row.is_alive(now)) else {
            return Ok(None);
        };
        let Some(operator) = tx.find_operator(row.operator).await? else {
            return Ok(None);
        };
        drop(tx);
        if now - row.last_seen_at >= TOUCH_EVERY {
            let tx = self.store().begin().await?;
            tx.touch_console_session(&row.token_sha256, now).await?;
            tx.commit().await?;
        }
        Ok(Some(ConsoleSession {
            operator: row.operator,
            subject: operator.subject,
            csrf: Secret::new(row.csrf),
            created_at: row.created_at,
            last_seen_at: now,
            expires_at: row.expires_at,
        }))
    }

    /// Ends a session; gives the ID token it began with, for the platform tenant's end-session endpoint.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; ending a session that does not exist is done already.
    pub async fn end_console_session(&self, token: &str) -> Result<Option<Secret>, Refusal> {
        let token_sha256 = sha256_hex(token.as_bytes());
        let tx = self.store().begin().await?;
        let row = tx.find_console_session(&token_sha256).await?;
        tx.delete_console_session(&token_sha256).await?;
        tx.commit().await?;
        let sealed = row.and_then(|row| row.id_token);
        let id_token = sealed
            .and_then(|sealed| {
                self.seal()
                    .open(&id_token_context(&token_sha256), &sealed)
                    .ok()
            })
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        Ok(id_token.map(Secret::new))
    }

    /// Ends every session of an operator, on every device.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn end_console_sessions_of(&self, operator: OperatorId) -> Result<u64, Refusal> {
        let tx = self.store().begin().await?;
        let ended = tx.delete_console_sessions_of(operator).await?;
        tx.commit().await?;
        Ok(ended)
    }

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

    /// Leaves something in a session for its next page: a flash, or the input of a refused form.
    ///
    /// A slot holds one thing for 15 minutes; what is larger than 64 KiB is not kept.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn stash<T: Serialize>(
        &self,
        token: &str,
        slot: &str,
        value: &T,
    ) -> Result<(), Refusal> {
        let body = serde_json::to_string(value).map_err(Refusal::internal)?;
        if body.len() > MAX_STASH_BYTES {
            return Ok(());
        }
        let tx = self.store().begin().await?;
        let expires_at = self.clock().now() + STASH_LIFE;
        tx.put_stash(&sha256_hex(token.as_bytes()), slot, &body, expires_at)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes what was left in a slot; a second time there is nothing.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; what this software cannot read is as good as nothing.
    pub async fn take_stash<T: DeserializeOwned>(
        &self,
        token: &str,
        slot: &str,
    ) -> Result<Option<T>, Refusal> {
        let token_sha256 = sha256_hex(token.as_bytes());
        let now = self.clock().now();
        // Most pages find nothing: only what exists is worth the writer's lock.
        let reader = self.store().begin_read().await?;
        let waiting = reader.has_stash(&token_sha256, slot).await?;
        drop(reader);
        if !waiting {
            return Ok(None);
        }
        let tx = self.store().begin().await?;
        let body = tx.take_stash(&token_sha256, slot, now).await?;
        tx.commit().await?;
        Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
    }

    /// How an operator wants the console to look.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn preferences(&self, operator: OperatorId) -> Result<Preferences, Refusal> {
        let tx = self.store().begin_read().await?;
        Ok(tx.find_preferences(operator).await?.unwrap_or_default())
    }

    /// Remembers how an operator wants the console to look.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn set_preferences(
        &self,
        operator: OperatorId,
        preferences: Preferences,
    ) -> Result<(), Refusal> {
        let tx = self.store().begin().await?;
        tx.put_preferences(operator, preferences).await?;
        Ok(tx.commit().await?)
    }
}

fn id_token_context(token_sha256: &str) -> SealContext<'_> {
    SealContext {
        tenant: "platform",
        table: "console_sessions",
        column: "id_token",
        row: token_sha256,
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
