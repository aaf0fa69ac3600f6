//! Opening the identity database: reached, its tables up to date, row-level security in force on all of them.

use host::{DatabaseError, database};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::migration::{Migrator, guarded_tables};

/// PostgreSQL exempts superusers and BYPASSRLS from every policy, `FORCE` or not.
const EXEMPT: &str =
    "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";

/// Tables of the given names, separated by commas, on which row-level security does not bind their owner.
const UNGUARDED: &str = "SELECT string_agg(c.relname::text, ', ' ORDER BY c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = current_schema() AND c.relname::text = ANY(string_to_array($1, ',')) \
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)";

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
    /// Row-level security is not in force: somebody lifted it, or an unfinished version made the tables (R-TEN-04).
    #[error(
        "the database at {place} has no forced row-level security on {tables}, so one tenant's rows could reach another; \
         set it again (docs/operations.md) or use a new database"
    )]
    Unguarded {
        /// Where, without credentials.
        place: String,
        /// Which tables.
        tables: String,
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
    match unguarded(&db).await {
        Ok(None) => Ok(db),
        Ok(Some(tables)) => Err(ConnectError::Unguarded { place, tables }),
        Err(source) => Err(DatabaseError::Unreachable { place, source }.into()),
    }
}

async fn unguarded(db: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let names = guarded_tables().join(",");
    let asked = Statement::from_sql_and_values(DbBackend::Postgres, UNGUARDED, [names.into()]);
    match db.query_one_raw(asked).await? {
        Some(row) => row.try_get_by_index(0),
        None => Ok(None),
    }
}

async fn is_exempt(db: &DatabaseConnection) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let asked = Statement::from_string(DbBackend::Postgres, EXEMPT);
    Ok(db.query_one_raw(asked).await?.is_some())
}
