//! The tables, as steps that were taken: a released step is never edited, only followed by another.

mod m0001_governance;
mod m0002_applications;
mod m0003_idempotency;
mod tables;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Brings a database up to date.
pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_governance::Step),
            Box::new(m0002_applications::Step),
            Box::new(m0003_idempotency::Step),
        ]
    }
}
