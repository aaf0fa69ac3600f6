//! Opening the identity database: connect, set what SQLite needs, migrate; or one line that says what is wrong.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use super::migration::Migrator;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Names the lock under which nodes that start together migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7274102001)";

/// Why the database could not be opened. One line, without credentials.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address we understand.
    #[error("the identity database URL must begin with sqlite: or postgres://")]
    Scheme,
    /// Nobody answers, or not to us.
    #[error("the identity database at {place} cannot be reached: {}", one_line(.source))]
    Unreachable {
        /// Where, without credentials.
        place: String,
        /// Why.
        source: DbErr,
    },
    /// It answers, but its tables cannot be brought up to date.
    #[error("the identity database at {place} cannot be migrated: {}", one_line(.source))]
    Migration {
        /// Where, without credentials.
        place: String,
        /// Why.
        source: DbErr,
    },
}

pub(super) async fn open(url: &str) -> Result<DatabaseConnection, ConnectError> {
    let place = without_credentials(url);
    let unreachable = |source| ConnectError::Unreachable {
        place: place.clone(),
        source,
    };
    let db = Database::connect(options(url)?)
        .await
        .map_err(unreachable)?;
    migrate(&db)
        .await
        .map_err(|source| ConnectError::Migration {
            place: place.clone(),
            source,
        })?;
    Ok(db)
}

async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(MIGRATION_LOCK).await?;
    }
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

fn options(url: &str) -> Result<ConnectOptions, ConnectError> {
    let sqlite = url.starts_with("sqlite:");
    if !sqlite && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(ConnectError::Scheme);
    }
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .connect_timeout(CONNECT_LIMIT)
        .acquire_timeout(CONNECT_LIMIT)
        .max_connections(10);
    if url.contains(":memory:") {
        // A database in memory lives in its one connection and dies with it.
        options
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    if sqlite {
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                // A spent token must stay spent after a power cut.
                .pragma("synchronous", "FULL")
                .busy_timeout(Duration::from_secs(10))
        });
    }
    Ok(options)
}

fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => url.to_owned(),
    }
    .split('?')
    .next()
    .unwrap_or_default()
    .to_owned()
}

fn one_line(error: &DbErr) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}
