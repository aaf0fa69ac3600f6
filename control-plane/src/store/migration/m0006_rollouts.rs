//! Step 6: rings of nodes, releases on their way to all nodes, and who does the work that only one may do.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null,
    },
};

use super::tables::{create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0006_rollouts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut ring = text("ring");
        ring.default("wide");
        let rings = Table::alter().table("nodes").add_column(ring).to_owned();
        manager.alter_table(rings).await?;
        let leases = table(
            "job_leases",
            &["name"],
            vec![
                text("name"),
                text("holder"),
                big_integer("fence"),
                timestamp_with_time_zone("until"),
            ],
        );
        let ends = table(
            "containment_ends",
            &["containment_id"],
            vec![text("containment_id"), timestamp_with_time_zone("told_at")],
        );
        // A version of a tenant is rolled out once, whoever tries it twice.
        let once: &[&'static str] = &["tenant_id", "version"];
        let unique = [("rollouts_by_version", "rollouts", once)];
        let searched: [(_, _, &[&'static str]); 1] =
            [("rollouts_by_state", "rollouts", &["state"])];
        create(
            manager,
            [rollouts(), measures(), leases, ends],
            &unique,
            &searched,
        )
        .await
    }
}

fn rollouts() -> TableCreateStatement {
    table(
        "rollouts",
        &["id"],
        vec![
            text("id"),
            text("tenant_id"),
            text("region"),
            big_integer("version"),
            big_integer("base_version"),
            text("base_manifest"),
            text("state"),
            timestamp_with_time_zone("started_at"),
            big_integer("bake_seconds"),
            timestamp_with_time_zone_null("decided_at"),
            text_null("decided_by"),
            text_null("reason"),
            big_integer_null("reverted_by"),
            text("gates"),
            text("events"),
            big_integer("revision"),
            big_integer("fence"),
        ],
    )
}

fn measures() -> TableCreateStatement {
    table(
        "rollout_measures",
        &["rollout_id", "node_id"],
        vec![
            text("rollout_id"),
            text("node_id"),
            big_integer("version"),
            timestamp_with_time_zone("since"),
            text("latest"),
            text("total"),
            timestamp_with_time_zone("at"),
        ],
    )
}
