//! Opening the database: connect, set what SQLite needs, migrate; or one line that says what is wrong.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DbErr};
use sea_orm_migration::MigratorTrait;

use super::{Store, migration::Migrator};

/// Longest wait for a connection, at start and later.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Not an address we understand.
    #[error("the database URL must begin with sqlite:// or postgres://")]
    Scheme,
    /// Nobody answers, or not to us.
    #[error("the database at {place} cannot be reached: {}", one_line(.source))]
    Unreachable {
        /// Where, without credentials.
        place: String,
        /// Why.
        source: DbErr,
    },
    /// It answers, but its tables cannot be brought up to date.
    #[error("the database at {place} cannot be migrated: {}", one_line(.source))]
    Migration {
        /// Where, without credentials.
        place: String,
        /// Why.
        source: DbErr,
    },
}

impl Store {
    /// Connects to `url` and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, ConnectError> {
        let place = without_credentials(url);
        let unreachable = |source| ConnectError::Unreachable {
            place: place.clone(),
            source,
        };
        let db = Database::connect(options(url)?)
            .await
            .map_err(unreachable)?;
        Migrator::up(&db, None)
            .await
            .map_err(|source| ConnectError::Migration {
                place: place.clone(),
                source,
            })?;
        Ok(Self { db })
    }
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
        // A database in memory lives in its one connection and dies with it.
        .max_connections(if url.contains(":memory:") { 1 } else { 10 });
    if url.contains(":memory:") {
        options
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    if sqlite {
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "NORMAL")
                .pragma("foreign_keys", "ON")
                .busy_timeout(Duration::from_secs(10))
        });
    }
    Ok(options)
}

/// The address without user and password, for errors and logs.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_carry_no_credentials() {
        for (url, place) in [
            (
                "postgres://bob:geheim@db:5432/control?sslmode=require",
                "postgres://db:5432/control",
            ),
            (
                "sqlite:///var/lib/control.db?mode=rwc",
                "sqlite:///var/lib/control.db",
            ),
        ] {
            assert_eq!(without_credentials(url), place);
        }
    }

    #[tokio::test]
    async fn a_wrong_address_is_one_precise_line() {
        let error = Store::open("mysql://x")
            .await
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("sqlite://"), "{error}");
        let error = Store::open("sqlite:///nonexistent-dir/x.db?mode=rwc")
            .await
            .err()
            .expect("refused");
        assert!(!error.to_string().contains('\n'));
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
    }
}
