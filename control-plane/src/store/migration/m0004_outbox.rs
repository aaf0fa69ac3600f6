//! Step 4: what replicas tell each other, and which nodes each of them has.
//!
//! Numbers come from a counter in a row of its own and not from a sequence: the row is locked until the
//! commit, so that news become visible in the order of their numbers and without gaps, on both databases.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, integer, text, text_null, timestamp_with_time_zone},
};

use super::tables::{create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0004_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let outbox = table(
            "outbox",
            &["number"],
            vec![
                big_integer("number"),
                text("kind"),
                text_null("subject"),
                text_null("region"),
                big_integer_null("version"),
                timestamp_with_time_zone("at"),
            ],
        );
        let head = table(
            "outbox_head",
            &["id"],
            vec![integer("id"), big_integer("number")],
        );
        let links = table(
            "node_links",
            &["node_id"],
            vec![
                text("node_id"),
                text("region"),
                text("replica"),
                timestamp_with_time_zone("seen_at"),
            ],
        );
        let by_age = ("outbox_by_age", "outbox", &["at"] as &[&'static str]);
        create(manager, [outbox, head, links], &[], &[by_age]).await?;
        let first = Query::insert()
            .into_table("outbox_head")
            .columns(["id", "number"])
            .values_panic([1.into(), 0.into()])
            .to_owned();
        manager.execute(first).await
    }
}
