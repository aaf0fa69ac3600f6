//! The tables, as steps that were taken. From the first release on a step is never edited, only followed by
//! another; until then nobody has data to keep, so a step is mended in place and a database that an earlier draft
//! made is made anew. What such a database could lack and nobody would notice, the guard, is asked for at every
//! start ([`super::connect`]).
//!
//! A step that makes a table guards it. A step that must rewrite rows of all tenants lifts `FORCE` from the
//! table and sets it again in the same transaction, which every migration is (docs/decisions/0006).

mod m0001_identity;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// Brings a database up to date.
pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_identity::Step)]
    }
}

/// Every table that holds rows of tenants.
pub(super) fn guarded_tables() -> Vec<&'static str> {
    m0001_identity::names().collect()
}

/// On PostgreSQL, hides the rows of every tenant but the transaction's (R-TEN-04). Where no tenant was named
/// there are no rows: the setting is then null or empty, and no tenant is called that. `FORCE` binds the
/// tables' owner too, so nodes need one plain role and not two.
async fn guard(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let mine = "tenant = current_setting('bailiwick.tenant', true)";
    let sql = format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {table} USING ({mine}) WITH CHECK ({mine})"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
