//! The one way to the rows of the identity store: through a tenant (R-TEN-04).
//!
//! On PostgreSQL every table is under row-level security: rows whose tenant is not the transaction's
//! `bailiwick.tenant` are not there, whatever the query says. So each piece of work is a transaction that
//! first names its tenant. The name is local to the transaction, because a name that stayed on a pooled
//! connection would be the next caller's. SQLite has no row-level security; there the filter that every
//! query carries anyway stands alone, and reading costs nothing extra.
//!
//! It must never hand out a connection for which nobody named a tenant.

use contract::ids::TenantId;
use host::database;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr,
    Statement, TransactionTrait,
};

/// The setting that the policies of the tables compare with.
const TENANT: &str = "SELECT set_config('bailiwick.tenant', $1, true)";
/// The same in one round trip with a promise not to write: a write that nobody commits is an error at once.
const TENANT_TO_READ: &str = "SELECT set_config('bailiwick.tenant', $1, true), set_config('transaction_read_only', 'on', true)";
/// Its time, in microseconds.
const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// The database, of which only one tenant's rows can be reached at a time.
#[derive(Clone)]
pub(super) struct TenantedDatabase(DatabaseConnection);

impl TenantedDatabase {
    /// Takes a connection whose tables were brought up to date.
    pub(super) fn new(db: DatabaseConnection) -> Self {
        Self(db)
    }

    /// Reads the tenant's rows. Nothing can be written through it.
    pub(super) async fn reads(&self, tenant: TenantId) -> Result<DatabaseExecutor<'_>, DbErr> {
        if self.0.get_database_backend() == DbBackend::Sqlite {
            return Ok(DatabaseExecutor::Connection(&self.0));
        }
        let transaction = self.0.begin().await?;
        name_tenant(&transaction, TENANT_TO_READ, tenant).await?;
        Ok(DatabaseExecutor::OwnedTransaction(transaction))
    }

    /// Reads and writes the tenant's rows; dropped without a commit, nothing was written.
    pub(super) async fn begin(&self, tenant: TenantId) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.0.begin_with_options(database::to_write()).await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            name_tenant(&transaction, TENANT, tenant).await?;
        }
        Ok(transaction)
    }

    /// What time it is for the database, where that is another clock than ours. It reaches no row.
    pub(super) async fn time(&self) -> Result<Option<i64>, DbErr> {
        if self.0.get_database_backend() == DbBackend::Sqlite {
            return Ok(None);
        }
        let asked = Statement::from_string(DbBackend::Postgres, TIME);
        match self.0.query_one_raw(asked).await? {
            Some(row) => row.try_get_by_index(0).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the database answers. It reaches no row.
    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        self.0.ping().await
    }
}

async fn name_tenant(
    transaction: &DatabaseTransaction,
    sql: &str,
    tenant: TenantId,
) -> Result<(), DbErr> {
    let named =
        Statement::from_sql_and_values(DbBackend::Postgres, sql, [tenant.to_string().into()]);
    transaction.query_one_raw(named).await?;
    Ok(())
}
