//! Opening the identity database: reached, bound by row-level security, its tables up to date.

use host::{DatabaseError, database};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::migration::Migrator;

/// PostgreSQL exempts superusers and BYPASSRLS from every policy, `FORCE` or not.
const EXEMPT: &str =
    "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";

/// Why the identity database could not be opened. One line, without credentials.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It cannot be reached, or its tables cannot be brought up to date.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Row-level security would not bind us (R-TEN-04).
    #[error(
        "the role of the database at {place} is a superuser or has BYPASSRLS, so row-level security would not bind it; \
         use a plain role that owns the database"
    )]
    Exempt {
        /// Where, without credentials.
        place: String,
    },
}

pub(super) async fn open(url: &str) -> Result<DatabaseConnection, ConnectError> {
    let db = database::connect(url).await?;
    let place = database::without_credentials(url);
    match is_exempt(&db).await {
        Ok(false) => {}
        Ok(true) => return Err(ConnectError::Exempt { place }),
        Err(source) => return Err(DatabaseError::Unreachable { place, source }.into()),
    }
    database::migrate::<Migrator>(&db, url).await?;
    Ok(db)
}

async fn is_exempt(db: &DatabaseConnection) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let asked = Statement::from_string(DbBackend::Postgres, EXEMPT);
    Ok(db.query_one_raw(asked).await?.is_some())
}
