//! Step 3: what came of requests that carried an `Idempotency-Key`.
//!
//! Rows live a day. An answer is kept only sealed, because it may hold a secret that is shown once.

use sea_orm_migration::{
    prelude::*,
    schema::{blob_null, text, text_null, timestamp_with_time_zone},
};

use super::tables::{create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0003_idempotency"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = table(
            "idempotency_keys",
            &["scope", "operator_id", "key_sha256"],
            vec![
                text("scope"),
                text("operator_id"),
                text("key_sha256"),
                text("fingerprint"),
                text("claim"),
                timestamp_with_time_zone("claimed_at"),
                text_null("acted_in"),
                text_null("permissions"),
                blob_null("answer"),
                timestamp_with_time_zone("expires_at"),
            ],
        );
        let by_expiry = (
            "idempotency_keys_by_expiry",
            "idempotency_keys",
            &["expires_at"] as &[&'static str],
        );
        create(manager, [keys], &[], &[by_expiry]).await
    }
}
