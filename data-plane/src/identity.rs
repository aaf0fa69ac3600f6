//! The regional identity store: users and what belongs to them, on SQLite or PostgreSQL.
//!
//! Every table has its tenant in the primary key, every query names its tenant, and rows are reached only
//! through [`tenancy`], which on PostgreSQL hides every other tenant's rows even from a query that forgot
//! its filter (R-TEN-04). Times are whole microseconds since 1970, because they are
//! compared inside conditional updates and text forms of times do not compare. Values that would harm a
//! person in a stolen dump (keys, peppers, token successors) are sealed under the tenant's data key (R-SEC-01).
//! Rows never leave this module: callers get the types below.

mod connect;
mod consents;
mod counting;
mod events;
mod invitations;
mod migration;
mod purge;
mod refresh;
mod signing_keys;
mod tables;
mod tenancy;
mod users;
mod vault;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::ids::TenantId;
use host::{Clock, Entropy, Kek};
use sea_orm::{DatabaseExecutor, DatabaseTransaction, DbErr};

pub(crate) use self::signing_keys::stored;
pub use self::{
    connect::ConnectError,
    consents::{Allowance, Consent},
    counting::LiveCount,
    events::{AuthEvent, AuthEventKind},
    invitations::{Accept, Holder, InvitationRow, Invited},
    refresh::{Family, LiveGrant, Spend, Token},
    signing_keys::StoredKey,
    users::{NewUser, User, UserStatus},
};
use self::{tenancy::TenantedDatabase, vault::Vault};
use crate::state::StateError;

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer.
    #[error("the identity database does not answer: {0}")]
    Unavailable(#[from] DbErr),
    /// A row is not what this software wrote: damaged, moved between rows, or sealed under another key.
    #[error("the identity database holds an unreadable value: {0}")]
    Corrupt(String),
    /// The state store, which the same operation needs, does not answer.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The users of a region.
#[derive(Clone)]
pub struct IdentityStore {
    db: TenantedDatabase,
    clock: Clock,
    entropy: Entropy,
    vault: Arc<Vault>,
}

impl IdentityStore {
    /// Connects to `url` and brings the tables up to date.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn open(
        url: &str,
        kek: &Kek,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            db: TenantedDatabase::new(connect::open(url).await?),
            clock,
            entropy,
            vault: Arc::new(Vault::new(kek)),
        })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.db.ping().await?)
    }

    /// What time it is for the database; nothing for one inside this process.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.db.time().await?.map(time).transpose()
    }

    /// The tenant's rows, to read.
    async fn reads(&self, tenant: TenantId) -> Result<DatabaseExecutor<'_>, StoreError> {
        Ok(self.db.reads(tenant).await?)
    }

    /// The tenant's rows, to read and write in one transaction.
    async fn begin(&self, tenant: TenantId) -> Result<DatabaseTransaction, StoreError> {
        Ok(self.db.begin(tenant).await?)
    }

    fn now(&self) -> i64 {
        micros(self.clock.now())
    }
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn time(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| corrupt("a time"))
}

fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(what.into())
}

/// Parses a stored text that this software once printed.
fn parse<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| corrupt(what))
}
