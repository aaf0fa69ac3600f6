//! The tables, as steps that were taken. From the first release on a step is never edited, only followed by
//! another; until then nobody has data to keep, so a step is mended in place and a database that an earlier draft
//! made is made anew.

mod m0001_governance;
mod m0002_applications;
mod m0003_idempotency;
mod m0004_outbox;
mod m0005_containments;
mod m0006_rollouts;
mod m0008_fleet_ahead;
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
            Box::new(m0004_outbox::Step),
            Box::new(m0005_containments::Step),
            Box::new(m0006_rollouts::Step),
            Box::new(m0008_fleet_ahead::Step),
        ]
    }
}
