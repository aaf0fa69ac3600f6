//! Step 5: what is contained, what nodes say about it, and which nodes hear of it now.
//!
//! The number of a region's newest change is a row of its own and not a sequence of the database, for the reason
//! that the outbox has one: it is locked until the commit, so that numbers have no gaps and are seen in order.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, text, text_null, timestamp_with_time_zone},
};

use super::tables::{create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0005_containments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let feeds = table(
            "containment_feeds",
            &["region"],
            vec![text("region"), big_integer("sequence")],
        );
        let links = table(
            "lane_links",
            &["node_id"],
            vec![
                text("node_id"),
                text("region"),
                text("replica"),
                boolean("connected"),
                timestamp_with_time_zone("heard_at"),
            ],
        );
        let once: &[&'static str] = &["region", "sequence"];
        let unique = [("containments_by_sequence", "containments", once)];
        let searched: [(_, _, &[&'static str]); 2] = [
            ("containments_by_tenant", "containments", &["tenant_id"]),
            ("containments_by_end", "containments", &["ends_at"]),
        ];
        let tables = [containments(), revisions(), confirmations(), feeds, links];
        create(manager, tables, &unique, &searched).await
    }
}

fn containments() -> TableCreateStatement {
    table(
        "containments",
        &["id"],
        vec![
            text("id"),
            text("tenant_id"),
            text("region"),
            text("subject_kind"),
            text("subject_id"),
            big_integer("revision"),
            big_integer("sequence"),
            text("containment"),
            text("document"),
            timestamp_with_time_zone("ends_at"),
            timestamp_with_time_zone("forgotten_at"),
            timestamp_with_time_zone("accepted_at"),
            text("reason"),
            text("actor"),
            text("actor_name"),
            text("revised_by"),
            text_null("lifted_reason"),
            text_null("lifted_by"),
            text_null("impact"),
        ],
    )
}

fn revisions() -> TableCreateStatement {
    table(
        "containment_revisions",
        &["containment_id", "revision"],
        vec![
            text("containment_id"),
            big_integer("revision"),
            text("document"),
            timestamp_with_time_zone("accepted_at"),
            text("reason"),
            text("actor"),
        ],
    )
}

fn confirmations() -> TableCreateStatement {
    table(
        "containment_confirmations",
        &["containment_id", "revision", "node_id"],
        vec![
            text("containment_id"),
            big_integer("revision"),
            text("node_id"),
            timestamp_with_time_zone("heard_at"),
            text_null("statement"),
            text_null("proof"),
            text_null("reason"),
        ],
    )
}
