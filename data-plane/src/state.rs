//! Short-lived state: what must be seen by every node of a region within a second and forgotten soon.
//!
//! Authorization requests, codes, browser sessions, marks and counters live here and not in the
//! identity database, because they are written on every sign-in and worthless after minutes. The
//! trait is small on purpose: whatever cannot be said with these verbs belongs in the database.
//! Both implementations pass `tests/state_store.rs`.
//!
//! It must never allow twice what it promises once: when the store cannot be reached, callers get an
//! error and refuse (design section 6, R-TOK-02).

pub mod memory;
pub mod redis;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use contract::ids::TenantId;

/// What a value is, so that two kinds with the same key never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A pending authorization request or another value held for a form.
    Request,
    /// An authorization code that was not redeemed yet.
    Code,
    /// Which grant a code belonged to, kept after the code is spent.
    CodeMark,
    /// A browser session.
    Session,
    /// The moment before which all sessions of a user are dead.
    SessionsEnded,
    /// A grant whose tokens are refused.
    KilledGrant,
    /// The moment before which all grants of a user at an application are dead.
    GrantsEnded,
    /// A registration that waits for proof of its address.
    PendingRegistration,
    /// How much of a budget is used up.
    Counter,
    /// Admitted attempts in a row, and when the next one may be admitted.
    Attempts,
}

impl Kind {
    /// The part of the stored key that names the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Code => "code",
            Self::CodeMark => "code_mark",
            Self::Session => "session",
            Self::SessionsEnded => "sessions_ended",
            Self::KilledGrant => "killed_grant",
            Self::GrantsEnded => "grants_ended",
            Self::PendingRegistration => "pending_registration",
            Self::Counter => "counter",
            Self::Attempts => "attempts",
        }
    }
}

/// Where a value is kept. Names its tenant, so no tenant can reach another's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateKey<'a> {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which one. Secrets are hashed before they become keys (R-SESS-02).
    pub key: &'a str,
}

impl<'a> StateKey<'a> {
    /// Names a value.
    pub fn new(kind: Kind, tenant: TenantId, key: &'a str) -> Self {
        Self { kind, tenant, key }
    }
}

impl fmt::Display for StateKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The braces make a Redis Cluster keep one tenant's keys in one slot.
        write!(f, "{{{}}}:{}:{}", self.tenant, self.kind.as_str(), self.key)
    }
}

/// The state could not be asked or is not what was stored. Callers refuse.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store does not answer.
    #[error("the state store does not answer: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value has a shape this software does not know.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// How attempts are paced that follow each other without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// After the n-th attempt in a row nothing is admitted for the n-th pause; the last one repeats.
    pub pauses: Vec<Duration>,
    /// How long attempts are remembered while nobody tries.
    pub memory: Duration,
}

impl Pace {
    /// The pause after the `number`-th attempt, in milliseconds.
    fn pause_after(&self, number: u64) -> i64 {
        let at = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.pauses.get(at).or(self.pauses.last());
        pause.map_or(0, Duration::num_milliseconds)
    }
}

/// Whether an attempt may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, and it was counted.
    Admitted {
        /// The how manieth in a row it is, from 1.
        number: u64,
    },
    /// It may not, and it was not counted.
    Wait {
        /// For how much longer.
        left: Duration,
    },
}

/// Values with an end, shared by the nodes of a region.
///
/// Every method is atomic across nodes. A life of zero or less means the value is gone at once.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// Stores `value`, replacing what was there.
    async fn put(&self, key: StateKey<'_>, value: &[u8], life: Duration) -> Result<(), StateError>;

    /// Stores `value` only over one that is there, so that a deleted value cannot come back to life.
    async fn replace(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError>;

    /// The value. A counter reads as its decimal text; how attempts read is the store's business.
    async fn get(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError>;

    /// Removes and returns the value: one caller of many gets it.
    async fn take(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError>;

    /// Adds one to a counter, gives it a new life, and returns it.
    async fn increment(&self, key: StateKey<'_>, life: Duration) -> Result<u64, StateError>;

    /// Takes one off a counter, unless it is gone or zero; its life stays.
    async fn decrement(&self, key: StateKey<'_>) -> Result<(), StateError>;

    /// Counts an attempt and begins the pause after it, unless the pause after an earlier one still lasts.
    /// Looking and counting are one step: of many callers in a pause nobody is counted, and between two
    /// pauses only one is admitted.
    async fn admit(&self, key: StateKey<'_>, pace: &Pace) -> Result<Admission, StateError>;

    /// Takes an admitted attempt back, and the pause after it if no later one was admitted. Does nothing
    /// if the attempts were deleted meanwhile.
    async fn give_back(&self, key: StateKey<'_>, number: u64) -> Result<(), StateError>;

    /// The values of one kind of a tenant, at most `most` of them, in no order. It looks at everything: for a person who
    /// asks now and then, never for a request.
    async fn values(
        &self,
        kind: Kind,
        tenant: TenantId,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StateError>;

    /// Removes the value, if it is there.
    async fn delete(&self, key: StateKey<'_>) -> Result<(), StateError>;

    /// Whether the store answers; for health checks.
    async fn ping(&self) -> Result<(), StateError>;

    /// What time it is for the store; nothing for one that goes by this node's clock.
    async fn time(&self) -> Result<Option<DateTime<Utc>>, StateError> {
        Ok(None)
    }
}
