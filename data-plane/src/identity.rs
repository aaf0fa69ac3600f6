//! The regional identity store: users and what belongs to them, on SQLite or PostgreSQL.
//!
//! Every table has its tenant in the primary key and every query names its tenant, so a forgotten filter
//! is a compile-time oddity and not a leak. Times are whole microseconds since 1970, because they are
//! compared inside conditional updates and text forms of times do not compare. Values that would harm a
//! person in a stolen dump (keys, peppers, token successors) are sealed under the tenant's data key (R-SEC-01).
//! Rows never leave this module: callers get the types below.

mod connect;
mod consents;
mod events;
mod invitations;
mod migration;
mod refresh;
mod signing_keys;
mod tables;
mod users;
mod vault;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use host::{Clock, Entropy, Kek};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

pub(crate) use self::signing_keys::stored;
use self::vault::Vault;
pub use self::{
    connect::ConnectError,
    consents::Consent,
    events::{AuthEvent, AuthEventKind},
    invitations::{Accept, InvitationRow, Invited},
    refresh::{Family, Spend, Token},
    signing_keys::StoredKey,
    users::{NewUser, User, UserStatus, normalize_email},
};
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
    db: DatabaseConnection,
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
            db: connect::open(url).await?,
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

    /// A transaction that may write: on SQLite it takes the write lock at once, because a transaction
    /// that reads first and is overtaken by another writer could not be continued.
    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.db.begin_with_options(options).await?)
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
