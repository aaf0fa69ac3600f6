//! Opening a database: SQLite or PostgreSQL by its URL, private, migrated, or one line that says what is wrong.
//!
//! Both planes keep a store of their own and need the same of it: a file that nobody else can read, commits
//! that survive a power cut, one migration at a time when processes start together, and errors without
//! credentials. What is in the store is theirs; this module knows no table and runs no query of its own.
//!
//! It must never print a password, and never leave a database file that others may read.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::{self, Connection, PgConnection, sqlite::SqliteConnectOptions},
};
use sea_orm_migration::MigratorTrait;
use thiserror::Error;

/// Longest wait for a connection, at start and later.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MOST_CONNECTIONS: u32 = 10;
/// How long a SQLite writer waits for another one.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// Pause before a database that another process is making is opened again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const SQLITE_BUSY: u32 = 5;
/// How long PostgreSQL lets us wait for a lock, for our next word inside a transaction, and for one statement, in
/// milliseconds. A process that is frozen in the middle of a change must not stop the others for as long as it
/// sleeps (F-11): its connection is ended, so that its change never happened, and what it does next fails.
const PATIENCE: [(&str, &str); 3] = [
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("statement_timeout", "30000"),
];
/// What PostgreSQL says when trying again is all that helps: a lock that was not free in time, a transaction or
/// statement that took too long, a deadlock, a server that is going or coming, no connection left.
const TRY_AGAIN: [&str; 10] = [
    "55P03", "25P03", "57014", "40001", "40P01", "57P01", "57P02", "57P03", "53300", "08006",
];
/// Under this lock processes that start together on one PostgreSQL database migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7274102001)";
/// Readable and writable by their owner only.
const PRIVATE: u32 = 0o600;

/// Why a database could not be opened. `Display` is one line for the operator, without credentials.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// Not an address we understand.
    #[error("a database URL must begin with sqlite:// or postgres://")]
    Scheme,
    /// The file exists, or would, but cannot be made private.
    #[error("the database file {} cannot be kept private: {source}", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
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

/// Connects to `url`.
///
/// # Errors
/// [`DatabaseError`], except `Migration`.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DatabaseError> {
    let options = options(url)?;
    if let Some(path) = sqlite_file(url) {
        keep_private(&path, url).map_err(|source| DatabaseError::Exposed { path, source })?;
    }
    match connect_unless_busy(options).await {
        Ok(db) => Ok(db),
        Err(source) => Err(DatabaseError::Unreachable {
            place: without_credentials(url),
            source: cause(url).await.unwrap_or(source),
        }),
    }
}

/// Connects, and tries again while another process is making the same SQLite database. Whoever opens it first
/// changes its journal, for which SQLite does not wait but says at once that the database is locked.
async fn connect_unless_busy(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let pauses = BUSY_LIMIT.as_millis() / BUSY_PAUSE.as_millis();
    for _ in 0..pauses {
        match Database::connect(options.clone()).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(BUSY_PAUSE).await,
            other => return other,
        }
    }
    Database::connect(options).await
}

/// Whether SQLite says that somebody else is at work (`SQLITE_BUSY`).
fn is_busy(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let database = error.as_database_error();
    // Extended codes carry the primary one in their low byte.
    let code = database.and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Whether an error is about the moment and not about what was asked: the database is away or busy, and trying
/// again is all that helps. Whether a commit that ended so happened is not known.
pub fn is_away(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_)) || is_busy(error) {
        return true;
    }
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    match error.as_database_error() {
        Some(answered) => answered
            .code()
            .is_some_and(|code| TRY_AGAIN.contains(&code.as_ref())),
        None => matches!(
            **error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::WorkerCrashed
        ),
    }
}

/// The pool waits for a PostgreSQL that is not there and then only says that it waited. Why is asked of a
/// connection of its own.
async fn cause(url: &str) -> Option<DbErr> {
    if url.starts_with("sqlite:") {
        return None;
    }
    let asked = tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect(url)).await;
    let error = asked.ok()?.err()?;
    Some(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

/// Brings the tables behind `url` up to date, in one transaction.
///
/// # Errors
/// [`DatabaseError::Migration`].
pub async fn migrate<M: MigratorTrait>(
    db: &DatabaseConnection,
    url: &str,
) -> Result<(), DatabaseError> {
    let migrated = migrate_in_transaction::<M>(db).await;
    migrated.map_err(|source| DatabaseError::Migration {
        place: without_credentials(url),
        source,
    })
}

/// Options of a transaction that may write: on SQLite it takes the write lock at once, because a transaction
/// that reads first and is overtaken by another writer could not be continued.
pub fn to_write() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// A URL without user, password and parameters, for errors and logs. People write passwords into URLs
/// without escaping them, so everything up to the last `@` may be one. Where an `@` comes after a `?` or `#`,
/// nobody can tell a password from parameters, and only the scheme is left.
pub fn without_credentials(url: &str) -> String {
    let (bare, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    if url.starts_with("sqlite:") {
        return bare.to_owned();
    }
    let (scheme, behind) = url.split_once(':').unwrap_or(("", url));
    if rest.contains('@') || (behind.contains('@') && !behind.starts_with("//")) {
        return format!("{scheme}://…");
    }
    match bare.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://{place}"),
        None => bare.to_owned(),
    }
}

async fn migrate_in_transaction<M: MigratorTrait>(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = db.begin_with_options(to_write()).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        // Another process may take its time with the very migration that we wait for.
        let patiently = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;";
        transaction.execute_unprepared(patiently).await?;
        transaction.execute_unprepared(MIGRATION_LOCK).await?;
    }
    M::up(&transaction, None).await?;
    transaction.commit().await
}

fn options(url: &str) -> Result<ConnectOptions, DatabaseError> {
    let sqlite = url.starts_with("sqlite:");
    if !sqlite && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(DatabaseError::Scheme);
    }
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .connect_timeout(CONNECT_LIMIT)
        .acquire_timeout(CONNECT_LIMIT)
        .max_connections(MOST_CONNECTIONS);
    if url.contains(":memory:") {
        // A database in memory lives in its one connection and dies with it.
        options
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    if !sqlite {
        options.map_sqlx_postgres_opts(|postgres| postgres.options(PATIENCE));
    }
    if sqlite {
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                // A spent token must stay spent, and a published version published, after a power cut.
                .pragma("synchronous", "FULL")
                .pragma("foreign_keys", "ON")
                .busy_timeout(BUSY_LIMIT)
        });
    }
    Ok(options)
}

/// The file of a SQLite database; `None` for one in memory and for every other kind.
fn sqlite_file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    Some(options.get_filename().to_owned())
}

/// Makes the file before SQLite would, because SQLite follows the umask; its `-wal` and `-shm` take the
/// file's mode. What others could read until now is closed to them, with a line in the log.
fn keep_private(path: &Path, url: &str) -> io::Result<()> {
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(PRIVATE);
    if url.contains("mode=rwc") {
        match new.open(path) {
            // SQLite says better than we could that the directory is missing or cannot be written.
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return Ok(()),
        }
    }
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        tighten(Path::new(&file))?;
    }
    Ok(())
}

/// Takes the permissions of group and others from a file, if it has any, and says so in the log. A file
/// that is not there is fine.
///
/// # Errors
/// The file belongs to somebody else, or cannot be looked at.
pub fn tighten(path: &Path) -> io::Result<()> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o700))?;
    tracing::warn!(
        file = %path.display(),
        was = format!("{mode:03o}"),
        "others on this machine could use this file; it is private now"
    );
    Ok(())
}

fn one_line(error: &DbErr) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use sea_orm_migration::MigrationTrait;

    use super::*;

    struct NoTables;

    impl MigratorTrait for NoTables {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            vec![]
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn places_carry_no_credentials() {
        for (url, place) in [
            (
                "postgres://bob:geheim@db:5432/control?sslmode=require",
                "postgres://db:5432/control",
            ),
            ("postgres://db/x?user=a&password=geheim", "postgres://db/x"),
            ("postgres://db/x?user=a&password=ge@heim", "postgres://…"),
            ("postgres://bob:ge?heim@db/x", "postgres://…"),
            ("postgres://bob:ge#heim@db/x", "postgres://…"),
            ("postgres://bob:ge@he?im@db/x", "postgres://…"),
            ("postgres://bob:ge/heim@db/x", "postgres://db/x"),
            ("postgres://bob:ge@heim@db/x", "postgres://db/x"),
            ("postgres://bob:ge:/@heim@db/x", "postgres://db/x"),
            ("postgres:bob:geheim@db/x", "postgres://…"),
            ("bob:geheim@db/x", "bob://…"),
            ("redis://u:12?x@cache", "redis://…"),
            ("redis://:geheim@cache:6379/0", "redis://cache:6379/0"),
            ("redis://cache", "redis://cache"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite:///srv/a@b/x.db?mode=rwc", "sqlite:///srv/a@b/x.db"),
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
        let error = connect("mysql://x").await.unwrap_err().to_string();
        assert!(error.contains("sqlite://"), "{error}");
        let error = connect("sqlite:///nonexistent-dir/x.db?mode=rwc")
            .await
            .unwrap_err();
        assert!(!error.to_string().contains('\n'));
        assert!(
            matches!(error, DatabaseError::Unreachable { .. }),
            "{error:?}"
        );
        let error = connect("postgres://bob:geheim@127.0.0.1:1/x")
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("refused") && !error.contains("geheim"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_file_is_private_in_an_open_directory_from_its_first_moment() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("x.db");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let db = connect(&url).await.unwrap();
        migrate::<NoTables>(&db, &url).await.unwrap();
        for file in ["x.db", "x.db-wal", "x.db-shm"] {
            assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
        }
        drop(db);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        connect(&url).await.unwrap();
        assert_eq!(mode(&path), 0o600, "tightened");
    }

    #[tokio::test]
    async fn processes_that_make_one_file_together_all_open_it() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let url = format!("sqlite://{}/{round}.db?mode=rwc", dir.path().display());
            let opening = (0..6).map(|_| connect(&url));
            for opened in futures::future::join_all(opening).await {
                opened.unwrap();
            }
        }
    }
}
