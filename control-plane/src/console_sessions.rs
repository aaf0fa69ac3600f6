//! What the console keeps between two requests: sessions, and beside them what one page leaves for the next,
//! and how people want it to look. Of a sign-in under way nothing is kept here: the browser carries it, sealed.
//!
//! The browser holds a random token and we hold its SHA-256, so that a copy of the database signs nobody in
//! (R-SESS-02). A session says who the person is and nothing about what they may do: that is asked anew on
//! every request. These methods are not authorized, because they act for the browser that presents the
//! token; none of them reveals or changes anything of a tenant. Who signed in and out is in the platform's log;
//! what strangers try is not, so that nobody without an account can write a line (R-AUD-01).

mod logins;
mod looks;
mod stash;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{OperatorId, UserId},
};
use host::{SealContext, Secret};

pub use self::{
    logins::LoginAttempt,
    looks::{Density, Preferences, Theme},
};
use crate::{Caller, ControlPlane, Refusal, Via, audit::Event};

/// Longest life of a session (R-SESS-04 caps a day; administering deserves less).
const ABSOLUTE_LIFE: TimeDelta = TimeDelta::hours(8);
/// Longest pause in a session.
const IDLE_LIFE: TimeDelta = TimeDelta::minutes(30);
/// How often "last seen" is written: a page with ten requests writes once.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

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
        request_id: &str,
    ) -> Result<Secret, Refusal> {
        let token = self.entropy().token();
        let now = self.clock().now();
        let tx = self.store().begin().await?;
        let log = self.platform_tenant(&tx).await?.id;
        tx.lock_tenant(log).await?;
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
        tx.accept_operator(operator.id, now).await?;
        let event = Event::new("console.sign_in", "Signed in to the console.");
        let caller = Caller::of(operator, Via::Console, request_id.to_owned());
        self.record(&tx, &caller, log, &event).await?;
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

    /// Whether a session is alive, for something that goes on without its person doing anything: this does not
    /// count as being seen.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn is_console_session_alive(&self, token: &str) -> Result<bool, Refusal> {
        let tx = self.store().begin_read().await?;
        let row = tx
            .find_console_session(&sha256_hex(token.as_bytes()))
            .await?;
        let now = self.clock().now();
        Ok(row.is_some_and(|row| row.is_alive(now)))
    }

    /// Ends a session; gives the ID token it began with, for the platform tenant's end-session endpoint.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; ending a session that does not exist is done already.
    pub async fn end_console_session(
        &self,
        token: &str,
        request_id: &str,
    ) -> Result<Option<Secret>, Refusal> {
        let token_sha256 = sha256_hex(token.as_bytes());
        let tx = self.store().begin().await?;
        let row = tx.find_console_session(&token_sha256).await?;
        tx.delete_console_session(&token_sha256).await?;
        tx.commit().await?;
        // The session is over also if the log cannot be written.
        if let Some(ended) = row.as_ref().filter(|row| row.is_alive(self.clock().now())) {
            self.record_sign_out(ended.operator, request_id).await?;
        }
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

    async fn record_sign_out(&self, operator: OperatorId, request_id: &str) -> Result<(), Refusal> {
        let found = {
            let tx = self.store().begin_read().await?;
            tx.find_operator(operator).await?
        };
        let Some(operator) = found else { return Ok(()) };
        let caller = Caller::of(operator, Via::Console, request_id.to_owned());
        let event = Event::new("console.sign_out", "Signed out of the console.");
        let log = self.platform_id().await?;
        self.record_alone(&caller, log, event).await;
        Ok(())
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
