//! The control plane's memory: one set of tables for SQLite and PostgreSQL.
//!
//! The store speaks domain types; rows never leave it. Work happens on a [`Tx`], so what belongs together
//! is written together, and each query names its tenant. It decides nothing: by the time a method here is
//! called, the caller was authorized. It keeps no end-user data and no private key of a tenant, and keys of
//! its own only sealed.

mod apis;
mod applications;
mod assignments;
mod audit;
mod authorities;
mod client_grants;
mod codec;
mod confirmations;
mod connect;
mod console_sessions;
mod containments;
mod fleet_ahead;
mod idempotency;
mod jobs;
mod kept;
mod lane_links;
mod migration;
mod node_certificates;
mod node_links;
mod nodes;
mod operators;
mod outbox;
mod policies;
mod put;
mod releases;
mod responsibilities;
mod rollouts;
mod search;
mod settings;
mod tenant_keys;
mod tenants;

use host::database;
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqlErr,
    TransactionOptions, TransactionTrait,
};

use crate::Refusal;

pub(crate) use self::{
    fleet_ahead::Ahead, idempotency::Remembered, kept::Stored, outbox::News,
    releases::StoredRelease,
};

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database refused or is gone.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// A row holds what this software cannot read.
    #[error("a row of {table} cannot be read: {reason}")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A number was to be written or looked for that no column can hold.
    #[error("{value} is too large for {table}")]
    TooLarge {
        /// Which table.
        table: &'static str,
        /// The number.
        value: u64,
    },
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if let StoreError::Database(database) = &error {
            if database::is_away(database) {
                tracing::error!(error = %database, "the control plane's database is away or busy");
                return Self::Unavailable {
                    detail: "The control plane's database does not answer now. Look whether the change was \
                             made, and try again."
                        .to_owned(),
                };
            }
            // Checks run before writes under the tenant's lock; what still collides was written by
            // another replica between the two, and the caller may simply look again.
            if matches!(
                database.sql_err(),
                Some(SqlErr::UniqueConstraintViolation(_))
            ) {
                return Self::conflict(
                    "already_there",
                    "The same thing was written by someone else at the same moment.",
                );
            }
        }
        Self::internal(error)
    }
}

impl From<DbErr> for Refusal {
    fn from(error: DbErr) -> Self {
        StoreError::from(error).into()
    }
}

/// The database behind every method.
#[derive(Clone)]
pub(crate) struct Store {
    db: DatabaseConnection,
}

/// One transaction. Dropped without [`Tx::commit`], it never happened.
pub(crate) struct Tx {
    db: DatabaseTransaction,
}

impl Store {
    /// Begins to write. On SQLite the one writer's lock is taken now, so that a transaction can not find
    /// out halfway that what it read is stale.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let db = self.db.begin_with_options(database::to_write()).await?;
        Ok(Tx { db })
    }

    /// Begins to read: what follows sees one state of the database.
    pub(crate) async fn begin_read(&self) -> Result<Tx, StoreError> {
        let options = match self.db.get_database_backend() {
            // A SQLite transaction always reads one state.
            DbBackend::Sqlite => TransactionOptions::default(),
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..Default::default()
            },
        };
        let db = self.db.begin_with_options(options).await?;
        Ok(Tx { db })
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.db.ping().await?)
    }
}

impl Tx {
    /// Makes what was written true.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.db.commit().await?)
    }

    /// Makes it never have happened.
    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        Ok(self.db.rollback().await?)
    }
}
