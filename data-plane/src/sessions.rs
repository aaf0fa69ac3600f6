//! Browser sessions: who is signed in at a tenant, for how long without doing anything, and at most.
//!
//! The cookie is 256 random bits; the store knows only its hash (R-SESS-02), and every sign-in gets a
//! new one (R-SESS-03). Both ends come from the tenant's session policy at the moment of use, so a
//! stricter policy applies to sessions that exist already (R-SESS-04). Ending is final: a session that
//! was deleted cannot be written back by a request that was under way.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{SessionId, TenantId, TypedId, UserId},
    policies::SessionPolicy,
};
use host::{Clock, Entropy};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::MARK_DAYS,
    state::{Kind, StateError, StateKey, StateStore},
};

/// How stale `last_seen` may be before it is written again; bounds writes to one a minute.
const TOUCH_AFTER: Duration = Duration::minutes(1);
/// How long "all sessions ended" is remembered: as long as any device mark, which outlives every session.
const ENDED_FOR: Duration = Duration::days(MARK_DAYS);

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSession {
    /// Its public id, for `sid` claims and the audit log; not the cookie.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// When the person proved who they are.
    pub auth_time: DateTime<Utc>,
    /// When the session was last used, to the minute.
    pub last_seen: DateTime<Utc>,
    /// When it ends in any case.
    pub expires_at: DateTime<Utc>,
    /// How the person proved who they are (RFC 8176).
    pub amr: Vec<String>,
}

impl BrowserSession {
    /// How long the session may still live if it is not used again.
    fn life(&self, policy: &SessionPolicy, now: DateTime<Utc>) -> Duration {
        let idle_end = self.last_seen + Duration::minutes(policy.idle_minutes.into());
        let absolute_end = self.auth_time + Duration::hours(policy.absolute_hours.into());
        idle_end.min(absolute_end).min(self.expires_at) - now
    }
}

/// The browser sessions of all tenants.
#[derive(Clone)]
pub struct Sessions {
    state: Arc<dyn StateStore>,
    clock: Clock,
    entropy: Entropy,
}

impl Sessions {
    pub(crate) fn new(state: Arc<dyn StateStore>, clock: Clock, entropy: Entropy) -> Self {
        Self {
            state,
            clock,
            entropy,
        }
    }

    /// Signs a person in: returns the cookie's value and the session.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn start(
        &self,
        tenant: TenantId,
        user: UserId,
        amr: &[&str],
        policy: &SessionPolicy,
    ) -> Result<(String, BrowserSession), StateError> {
        let now = self.clock.now();
        let session = BrowserSession {
            id: SessionId::from_uuid(self.entropy.uuid_v7(now)),
            user,
            auth_time: now,
            last_seen: now,
            expires_at: now + Duration::hours(policy.absolute_hours.into()),
            amr: amr.iter().map(ToString::to_string).collect(),
        };
        let cookie = self.entropy.token();
        let hash = sha256_hex(cookie.as_bytes());
        let value = serde_json::to_vec(&session)?;
        self.state
            .put(at(tenant, &hash), &value, session.life(policy, now))
            .await?;
        Ok((cookie, session))
    }

    /// The live session of a cookie; using it postpones its idle end.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn find(
        &self,
        tenant: TenantId,
        cookie: &str,
        policy: &SessionPolicy,
    ) -> Result<Option<BrowserSession>, StateError> {
        let hash = sha256_hex(cookie.as_bytes());
        let Some(bytes) = self.state.get(at(tenant, &hash)).await? else {
            return Ok(None);
        };
        let mut session: BrowserSession = serde_json::from_slice(&bytes)?;
        let now = self.clock.now();
        let ended = session.life(policy, now) <= Duration::zero()
            || self.ended_with_all(tenant, &session).await?;
        if ended {
            self.state.delete(at(tenant, &hash)).await?;
            return Ok(None);
        }
        if now - session.last_seen < TOUCH_AFTER {
            return Ok(Some(session));
        }
        session.last_seen = now;
        let value = serde_json::to_vec(&session)?;
        let still_there = self
            .state
            .replace(at(tenant, &hash), &value, session.life(policy, now))
            .await?;
        Ok(still_there.then_some(session))
    }

    /// Ends the session of a cookie.
    ///
    /// # Errors
    /// The state store does not answer; the session may live on.
    pub async fn end(&self, tenant: TenantId, cookie: &str) -> Result<(), StateError> {
        let hash = sha256_hex(cookie.as_bytes());
        self.state.delete(at(tenant, &hash)).await
    }

    /// Ends every session a user has now, and the standing of every device they signed in on.
    ///
    /// # Errors
    /// The state store does not answer; the sessions may live on.
    pub async fn end_all(&self, tenant: TenantId, user: UserId) -> Result<(), StateError> {
        let now = serde_json::to_vec(&self.clock.now())?;
        let user = user.to_string();
        let mark = StateKey::new(Kind::SessionsEnded, tenant, &user);
        self.state.put(mark, &now, ENDED_FOR).await
    }

    /// When all sessions of a user were last ended, if they were and it is remembered.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn ended_at(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<DateTime<Utc>>, StateError> {
        let user = user.to_string();
        let mark = StateKey::new(Kind::SessionsEnded, tenant, &user);
        let found = self.state.get(mark).await?;
        Ok(found
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()?)
    }

    async fn ended_with_all(
        &self,
        tenant: TenantId,
        session: &BrowserSession,
    ) -> Result<bool, StateError> {
        let ended = self.ended_at(tenant, session.user).await?;
        Ok(ended.is_some_and(|ended| session.auth_time <= ended))
    }
}

fn at(tenant: TenantId, hash: &str) -> StateKey<'_> {
    StateKey::new(Kind::Session, tenant, hash)
}
