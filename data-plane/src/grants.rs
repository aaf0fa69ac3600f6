//! Grants: everything issued from one authorization lives and dies together.
//!
//! A grant has an id that its access tokens carry and a family of refresh tokens. Rotation: using a
//! refresh token spends it and yields a successor (RFC 9700 §4.14.2). A spent token that comes back within
//! the grace, from the same application, gets the *same* successor, because the answer may have been
//! lost (R-RT-03); later, or after the successor was used, it proves a theft, and the whole grant dies
//! (R-RT-01). Killing a grant marks it in the state store first and in the database second, and issuing
//! checks the mark last, so a family cannot slip in beside its own death. A person who takes back what they
//! allowed ends every grant of the application that began before, by one mark with a time: it also reaches
//! codes not redeemed yet and access tokens without a family (R-CONS-02). A grant's id tells when it began.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use contract::{
    Invalid,
    api::Audience,
    ids::{ApplicationId, SessionId, TenantId, UserId},
    policies::TokenPolicy,
    scope::Scope,
};
use host::{Clock, Entropy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    identity::{AuthEvent, AuthEventKind, Family, IdentityStore, Spend, StoreError, Token},
    metrics::NodeMetrics,
    state::{Kind, StateError, StateKey, StateStore},
};

/// Longer than any access token lives, so that a mark outlives what it kills.
const MARK_LIFE: Duration = Duration::hours(1);

/// How far the clocks of two nodes may be apart. A grant that began within it *after* a withdrawal may have
/// begun before it by the other clock, so it dies too: whoever takes something back and allows it again at once
/// has to allow it once more, which is the lesser harm.
const CLOCK_SKEW: Duration = Duration::seconds(5);

/// Names a grant in tokens and in the store: `grn_` and 32 hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantId(Uuid);

impl GrantId {
    /// A new id. It carries the present time, which a withdrawal is compared with: make it before asking what
    /// the person allows, not after.
    pub fn new(clock: &Clock, entropy: &Entropy) -> Self {
        Self(entropy.uuid_v7(clock.now()))
    }

    /// When the grant began; `None` for an id that carries no time.
    pub fn begun_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(i64::try_from(self.made_at()?).ok()?)
    }

    /// When it was made, in whole milliseconds since 1970; `None` for an id that carries no time.
    fn made_at(&self) -> Option<u64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(seconds * 1000 + u64::from(nanos) / 1_000_000)
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grn_{}", self.0.simple())
    }
}

impl FromStr for GrantId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let id = text
            .strip_prefix("grn_")
            .filter(|rest| rest.len() == 32)
            .and_then(|rest| Uuid::try_parse(rest).ok())
            .map(Self);
        id.filter(|id| id.to_string() == text)
            .ok_or_else(|| Invalid::new("grant id", "is not a well-formed identifier"))
    }
}

impl TryFrom<String> for GrantId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<GrantId> for String {
    fn from(id: GrantId) -> String {
        id.to_string()
    }
}

/// What a refresh token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshGrant {
    /// The grant.
    pub grant: GrantId,
    /// For which application.
    pub application: ApplicationId,
    /// Who signed in.
    pub user: UserId,
    /// What was granted; a refresh may ask for less, never for more (R-TOK-08).
    pub scopes: BTreeSet<Scope>,
    /// The API it is for.
    pub resource: Option<Audience>,
    /// The browser session it began in.
    pub session: SessionId,
    /// When the person proved who they are.
    pub auth_time: DateTime<Utc>,
    /// How (RFC 8176).
    pub amr: Vec<String>,
}

/// Whose a grant is: enough to say whether it may still be used, and to name it in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantOwner {
    /// The grant.
    pub grant: GrantId,
    /// Who signed in.
    pub user: UserId,
    /// For which application.
    pub application: ApplicationId,
}

impl RefreshGrant {
    /// Whose it is.
    pub fn owner(&self) -> GrantOwner {
        GrantOwner {
            grant: self.grant,
            user: self.user,
            application: self.application,
        }
    }
}

/// A successful rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The successor.
    pub token: String,
    /// What it stands for.
    pub grant: RefreshGrant,
}

/// Why a refresh token gives nothing. The first three are `invalid_grant` to a client.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, another application's, or over.
    #[error("the refresh token is not valid")]
    Invalid,
    /// Spent before: the grant was killed just now (R-RT-01).
    #[error("the refresh token was used before; its grant is revoked")]
    Reused,
    /// Its grant was killed earlier.
    #[error("the grant is revoked")]
    Revoked,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state store does not answer.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The grants of all tenants.
#[derive(Clone)]
pub struct Grants {
    identity: IdentityStore,
    state: Arc<dyn StateStore>,
    clock: Clock,
    entropy: Entropy,
    metrics: NodeMetrics,
}

impl Grants {
    pub(crate) fn new(
        identity: IdentityStore,
        state: Arc<dyn StateStore>,
        (clock, entropy): (Clock, Entropy),
        metrics: NodeMetrics,
    ) -> Self {
        Self {
            identity,
            state,
            clock,
            entropy,
            metrics,
        }
    }

    /// Begins the grant's family and returns its first refresh token.
    ///
    /// # Errors
    /// [`RefreshError::Revoked`] if the grant was killed while it was being issued.
    pub async fn issue_refresh(
        &self,
        tenant: TenantId,
        grant: &RefreshGrant,
        policy: &TokenPolicy,
    ) -> Result<String, RefreshError> {
        let token = self.entropy.token();
        let ends = self.clock.now() + Duration::days(policy.refresh_absolute_days.into());
        self.identity
            .begin_family(tenant, grant, &token, ends)
            .await?;
        if self.is_killed(tenant, &grant.owner()).await? {
            self.identity.revoke_family(tenant, grant.grant).await?;
            return Err(RefreshError::Revoked);
        }
        Ok(token)
    }

    /// What a refresh token would give, without spending it. A token that was spent before is judged at
    /// once: whatever else is wrong with a thief's request must not save the family (RFC 9700 §4.14.2).
    ///
    /// # Errors
    /// As [`Grants::rotate_refresh`].
    pub async fn peek_refresh(
        &self,
        tenant: TenantId,
        token: &str,
        application: ApplicationId,
        policy: &TokenPolicy,
    ) -> Result<RefreshGrant, RefreshError> {
        let (found, family) = self.look_up(tenant, token, application, policy).await?;
        if found.spent_at.is_some() {
            return Ok(self
                .repeat(tenant, found, family.grant, policy)
                .await?
                .grant);
        }
        Ok(family.grant)
    }

    /// Spends a refresh token for its successor.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn rotate_refresh(
        &self,
        tenant: TenantId,
        token: &str,
        application: ApplicationId,
        policy: &TokenPolicy,
    ) -> Result<Rotated, RefreshError> {
        let (found, family) = self.look_up(tenant, token, application, policy).await?;
        if found.spent_at.is_some() {
            return self.repeat(tenant, found, family.grant, policy).await;
        }
        let successor = self.entropy.token();
        let grant = family.grant;
        match self
            .identity
            .spend_token(tenant, grant.grant, token, &successor)
            .await?
        {
            Spend::Done => Ok(Rotated {
                token: successor,
                grant,
            }),
            Spend::Revoked => Err(RefreshError::Revoked),
            Spend::AlreadySpent => {
                let found = self.identity.find_token(tenant, token).await?;
                let found = found.ok_or(RefreshError::Invalid)?;
                self.repeat(tenant, found, grant, policy).await
            }
        }
    }

    /// Kills a grant: no refresh from now on, and its access tokens are refused where we are asked.
    ///
    /// # Errors
    /// Either store does not answer; the caller tries again or says so.
    pub async fn kill(&self, tenant: TenantId, grant: GrantId) -> Result<(), RefreshError> {
        let name = grant.to_string();
        let mark = StateKey::new(Kind::KilledGrant, tenant, &name);
        self.state.put(mark, b"1", MARK_LIFE).await?;
        self.identity.revoke_family(tenant, grant).await?;
        Ok(())
    }

    /// Kills a grant of which a spent code or refresh token came back, and says so: to the log, to the
    /// metrics and to the person's own events (R-TOK-01, R-RT-01).
    ///
    /// # Errors
    /// As [`Grants::kill`].
    pub async fn kill_replayed(
        &self,
        tenant: TenantId,
        owner: &GrantOwner,
    ) -> Result<(), RefreshError> {
        self.kill(tenant, owner.grant).await?;
        tracing::warn!(%tenant, application = %owner.application, grant = %owner.grant, "a spent code or refresh token came back; its grant is dead");
        let event = AuthEvent {
            kind: AuthEventKind::ReplayDetected,
            user: Some(owner.user),
            application: Some(owner.application),
        };
        Ok(self.identity.record_event(tenant, event).await?)
    }

    /// Whether a grant was killed in the last hour, alone or with all of its application; older access
    /// tokens have expired.
    ///
    /// # Errors
    /// The state store does not answer: refuse.
    pub async fn is_killed(
        &self,
        tenant: TenantId,
        owner: &GrantOwner,
    ) -> Result<bool, StateError> {
        let name = owner.grant.to_string();
        let mark = StateKey::new(Kind::KilledGrant, tenant, &name);
        if self.state.get(mark).await?.is_some() {
            return Ok(true);
        }
        let name = pair(owner.user, owner.application);
        let mark = StateKey::new(Kind::GrantsEnded, tenant, &name);
        let Some(ended) = self.state.get(mark).await? else {
            return Ok(false);
        };
        let ended: u64 = serde_json::from_slice(&ended)?;
        let ended = ended.saturating_add(CLOCK_SKEW.num_milliseconds().unsigned_abs());
        Ok(owner.grant.made_at().is_none_or(|made| made <= ended))
    }

    /// Kills every grant that a user has at an application now (R-CONS-02), and those that begin within the
    /// skew of clocks, 5 seconds. It reaches a grant that is under way only if its id was made before the
    /// consent was read that it rests on, and if that consent was deleted before this call.
    ///
    /// # Errors
    /// Either store does not answer; some grants may live on.
    pub async fn kill_all_at(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<(), RefreshError> {
        let now = self.clock.now().timestamp_millis().max(0);
        let name = pair(user, application);
        let mark = StateKey::new(Kind::GrantsEnded, tenant, &name);
        let now = serde_json::to_vec(&now).map_err(StateError::from)?;
        self.state.put(mark, &now, MARK_LIFE).await?;
        Ok(self
            .identity
            .revoke_families(tenant, user, application)
            .await?)
    }

    /// The token and its family, if this application may use them now.
    async fn look_up(
        &self,
        tenant: TenantId,
        token: &str,
        application: ApplicationId,
        policy: &TokenPolicy,
    ) -> Result<(Token, Family), RefreshError> {
        let found = self.identity.find_token(tenant, token).await?;
        let found = found.ok_or(RefreshError::Invalid)?;
        let family = self.identity.find_family(tenant, found.grant).await?;
        let family = family.ok_or(RefreshError::Invalid)?;
        let idle_end = family.used_at + Duration::hours(policy.refresh_idle_hours.into());
        let over = self.clock.now() >= family.expires_at.min(idle_end);
        if family.grant.application != application || over {
            return Err(RefreshError::Invalid);
        }
        if family.revoked {
            return Err(RefreshError::Revoked);
        }
        Ok((found, family))
    }

    /// Answers a spent token: with its successor during the grace, with the end of the grant otherwise.
    async fn repeat(
        &self,
        tenant: TenantId,
        spent: Token,
        grant: RefreshGrant,
        policy: &TokenPolicy,
    ) -> Result<Rotated, RefreshError> {
        let grace = Duration::seconds(policy.refresh_grace_seconds.into());
        let in_time = spent
            .spent_at
            .is_some_and(|at| self.clock.now() < at + grace);
        if let (true, Some(token)) = (in_time, spent.successor) {
            let successor = self.identity.find_token(tenant, &token).await?;
            // Whoever has used the successor has received it, and has nothing to retry.
            if successor.is_some_and(|token| token.spent_at.is_none()) {
                return Ok(Rotated { token, grant });
            }
        }
        self.metrics.refresh_reused();
        self.kill_replayed(tenant, &grant.owner()).await?;
        Err(RefreshError::Reused)
    }
}

/// The name of a person's grants at an application.
fn pair(user: UserId, application: ApplicationId) -> String {
    format!("{user}/{application}")
}
