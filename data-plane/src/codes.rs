//! Authorization codes: 60 seconds at most, one redemption, and a memory of whose they were.
//!
//! A code is two values: the grant itself, which [`Codes::redeem`] takes (one node of many succeeds,
//! R-TOK-02), and a mark that outlives it and names the grant. Whoever presents a code that is gone but was
//! redeemed is replaying it, and the caller kills that grant (RFC 6749 §4.1.2, R-TOK-01). The mark is written
//! when the code is made, so no crash can lose it, and says "redeemed" before any token is made. A code that
//! is gone before its end is as good as redeemed: somebody else has it at this moment. One that ran out
//! unused gave nobody anything, and is no sign of a theft.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use contract::{
    api::Audience,
    canonical::sha256_hex,
    ids::{ApplicationId, SessionId, TenantId, UserId},
    policies::TokenPolicy,
    scope::Scope,
};
use host::{Clock, Entropy};
use serde::{Deserialize, Serialize};

use crate::{
    grants::{GrantId, GrantOwner},
    state::{Kind, StateError, StateKey, StateStore},
};

/// How long a replay is recognised. Afterwards it is merely refused.
const MARK_LIFE: Duration = Duration::days(1);

/// What a code stands for; everything a redemption is checked against (R-TOK-04).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeGrant {
    /// The grant that all tokens of this code will belong to.
    pub grant: GrantId,
    /// For which application.
    pub application: ApplicationId,
    /// Who signed in.
    pub user: UserId,
    /// The redirect URI exactly as requested (RFC 6749 §4.1.3).
    pub redirect_uri: String,
    /// The S256 challenge (RFC 7636 §4.3).
    pub code_challenge: String,
    /// What was granted.
    pub scopes: BTreeSet<Scope>,
    /// The API that was asked for (RFC 8707).
    pub resource: Option<Audience>,
    /// To be echoed in the ID token.
    pub nonce: Option<String>,
    /// The browser session, for `sid`.
    pub session: SessionId,
    /// When the person last proved who they are.
    pub auth_time: DateTime<Utc>,
    /// How (RFC 8176).
    pub amr: Vec<String>,
}

impl CodeGrant {
    /// Whose it is.
    pub fn owner(&self) -> GrantOwner {
        GrantOwner {
            grant: self.grant,
            user: self.user,
            application: self.application,
        }
    }
}

/// What is remembered of a code.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Mark {
    owner: GrantOwner,
    ends: DateTime<Utc>,
    redeemed: bool,
}

/// What became of a presented code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// The first and only time.
    Fresh(CodeGrant),
    /// It was redeemed before, or is being redeemed: kill this grant.
    Replayed(GrantOwner),
    /// Never issued by this tenant, ran out unused, or long forgotten.
    Unknown,
}

/// The codes of all tenants.
#[derive(Clone)]
pub struct Codes {
    state: Arc<dyn StateStore>,
    clock: Clock,
    entropy: Entropy,
}

impl Codes {
    pub(crate) fn new(state: Arc<dyn StateStore>, clock: Clock, entropy: Entropy) -> Self {
        Self {
            state,
            clock,
            entropy,
        }
    }

    /// Makes a code.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn issue(
        &self,
        tenant: TenantId,
        grant: &CodeGrant,
        policy: &TokenPolicy,
    ) -> Result<String, StateError> {
        let code = self.entropy.token();
        let hash = sha256_hex(code.as_bytes());
        let life = Duration::seconds(policy.code_seconds.into());
        let place = StateKey::new(Kind::CodeMark, tenant, &hash);
        let mark = Mark {
            owner: grant.owner(),
            ends: self.clock.now() + life,
            redeemed: false,
        };
        self.state
            .put(place, &serde_json::to_vec(&mark)?, MARK_LIFE)
            .await?;
        let place = StateKey::new(Kind::Code, tenant, &hash);
        self.state
            .put(place, &serde_json::to_vec(grant)?, life)
            .await?;
        Ok(code)
    }

    /// Spends a code. Whatever the caller finds wrong with the grant afterwards, the code is burned.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn redeem(&self, tenant: TenantId, code: &str) -> Result<Redemption, StateError> {
        let hash = sha256_hex(code.as_bytes());
        let code = StateKey::new(Kind::Code, tenant, &hash);
        let taken = self.state.take(code).await?;
        let place = StateKey::new(Kind::CodeMark, tenant, &hash);
        let mark = self.state.get(place).await?;
        let mark: Option<Mark> = mark.map(|mark| serde_json::from_slice(&mark)).transpose()?;
        match (taken, mark) {
            (Some(grant), Some(mark)) => {
                let redeemed = serde_json::to_vec(&Mark {
                    redeemed: true,
                    ..mark
                })?;
                if !self.state.replace(place, &redeemed, MARK_LIFE).await? {
                    return Ok(Redemption::Unknown);
                }
                Ok(Redemption::Fresh(serde_json::from_slice(&grant)?))
            }
            (None, Some(mark)) if mark.redeemed || self.clock.now() < mark.ends => {
                Ok(Redemption::Replayed(mark.owner))
            }
            // A code whose mark is lost could be redeemed again unnoticed, so it is worth nothing.
            (_, None) | (None, Some(_)) => Ok(Redemption::Unknown),
        }
    }
}
