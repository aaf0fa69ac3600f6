//! Authorization codes: 60 seconds at most, one redemption, and a memory of whose they were.
//!
//! A code is two values: the grant itself, which [`Codes::redeem`] takes (one node of many succeeds,
//! R-TOK-02), and a mark that outlives it and names the grant. Whoever presents a code that is gone
//! but still marked is replaying it, and the caller kills that grant (RFC 6749 §4.1.2, R-TOK-01). The
//! mark is written when the code is made and not when it is spent, so no crash can lose it.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use contract::{
    api::Audience,
    canonical::sha256_hex,
    ids::{ApplicationId, SessionId, TenantId, UserId},
    policies::TokenPolicy,
    scope::Scope,
};
use host::Entropy;
use serde::{Deserialize, Serialize};

use crate::{
    grants::GrantId,
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

/// What became of a presented code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and nearly always the large one"
)]
pub enum Redemption {
    /// The first and only time.
    Fresh(CodeGrant),
    /// It was redeemed before, or ran out: kill this grant.
    Replayed(GrantId),
    /// Never issued by this tenant, or long forgotten.
    Unknown,
}

/// The codes of all tenants.
#[derive(Clone)]
pub struct Codes {
    state: Arc<dyn StateStore>,
    entropy: Entropy,
}

impl Codes {
    pub(crate) fn new(state: Arc<dyn StateStore>, entropy: Entropy) -> Self {
        Self { state, entropy }
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
        let mark = StateKey::new(Kind::CodeMark, tenant, &hash);
        self.state
            .put(mark, &serde_json::to_vec(&grant.grant)?, MARK_LIFE)
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
        let place = StateKey::new(Kind::Code, tenant, &hash);
        if let Some(grant) = self.state.take(place).await? {
            return Ok(Redemption::Fresh(serde_json::from_slice(&grant)?));
        }
        let mark = StateKey::new(Kind::CodeMark, tenant, &hash);
        match self.state.get(mark).await? {
            Some(grant) => Ok(Redemption::Replayed(serde_json::from_slice(&grant)?)),
            None => Ok(Redemption::Unknown),
        }
    }
}
