//! Step 8: what nodes proved to hold that this database does not know: it was restored to an earlier state.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, text, timestamp_with_time_zone},
};

use super::tables::{create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0008_fleet_ahead"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let ahead = table(
            "fleet_ahead",
            &["tenant_id", "node_id"],
            vec![
                text("tenant_id"),
                text("node_id"),
                big_integer("version"),
                boolean("accepted"),
                timestamp_with_time_zone("at"),
            ],
        );
        create(manager, [ahead], &[], &[]).await
    }
}
