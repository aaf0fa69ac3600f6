//! Step 2: applications, APIs, client grants and what the console keeps.
//!
//! What travels in a release is one JSON document per row, because it is written and read as a whole; the
//! columns beside it are those that are searched or must be unique. Secrets are only ever hashes.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, blob_null, boolean, text, timestamp_with_time_zone,
        timestamp_with_time_zone_null,
    },
};

use super::tables::{NamedIndex, create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0002_applications"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = tenant_tables().into_iter().chain(console_tables());
        create(manager, tables, UNIQUE, SEARCHED).await
    }
}

const UNIQUE: &[NamedIndex] = &[
    ("apis_by_audience", "apis", &["tenant_id", "audience"]),
    (
        "client_grants_once",
        "client_grants",
        &["tenant_id", "application_id", "api_id"],
    ),
];

const SEARCHED: &[NamedIndex] = &[
    (
        "application_secrets_by_application",
        "application_secrets",
        &["tenant_id", "application_id"],
    ),
    (
        "client_grants_by_api",
        "client_grants",
        &["tenant_id", "api_id"],
    ),
    (
        "console_sessions_by_operator",
        "console_sessions",
        &["operator_id"],
    ),
    // Whoever signs in sweeps what has expired, by these.
    (
        "console_sessions_by_end",
        "console_sessions",
        &["expires_at"],
    ),
    (
        "console_sessions_by_last_seen",
        "console_sessions",
        &["last_seen_at"],
    ),
    ("console_stash_by_end", "console_stash", &["expires_at"]),
];

fn tenant_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "applications",
            &["tenant_id", "id"],
            vec![
                text("tenant_id"),
                text("id"),
                text("name_folded"),
                text("document"),
                boolean("built_in"),
                big_integer("version"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone("updated_at"),
            ],
        ),
        table(
            "application_secrets",
            &["tenant_id", "id"],
            vec![
                text("tenant_id"),
                text("id"),
                text("application_id"),
                text("sha256"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone_null("not_after"),
            ],
        ),
        table(
            "apis",
            &["tenant_id", "id"],
            vec![
                text("tenant_id"),
                text("id"),
                text("name_folded"),
                text("audience"),
                text("document"),
                big_integer("version"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone("updated_at"),
            ],
        ),
        table(
            "client_grants",
            &["tenant_id", "id"],
            vec![
                text("tenant_id"),
                text("id"),
                text("application_id"),
                text("api_id"),
                text("scopes"),
                big_integer("version"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone("updated_at"),
            ],
        ),
    ]
}

fn console_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "console_sessions",
            &["token_sha256"],
            vec![
                text("token_sha256"),
                text("operator_id"),
                text("csrf"),
                blob_null("id_token"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone("last_seen_at"),
                timestamp_with_time_zone("expires_at"),
            ],
        ),
        table(
            "console_stash",
            &["token_sha256", "slot"],
            vec![
                text("token_sha256"),
                text("slot"),
                text("body"),
                timestamp_with_time_zone("expires_at"),
            ],
        ),
        table(
            "console_preferences",
            &["operator_id"],
            vec![text("operator_id"), text("theme"), text("density")],
        ),
    ]
}
