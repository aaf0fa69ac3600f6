//! Step 2: applications, APIs, client grants and what the console keeps.
//!
//! What travels in a release is one JSON document per row, because it is written and read as a whole; the
//! columns beside it are those that are searched or must be unique. Secrets are only ever hashes.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, blob_null, text, timestamp_with_time_zone, timestamp_with_time_zone_null,
    },
};

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
        for table in tenant_tables().into_iter().chain(console_tables()) {
            manager.create_table(table).await?;
        }
        for (name, table, columns) in [
            (
                "apis_by_audience",
                "apis",
                &["tenant_id", "audience"] as &[&'static str],
            ),
            (
                "client_grants_once",
                "client_grants",
                &["tenant_id", "application_id", "api_id"],
            ),
        ] {
            manager
                .create_index(index(name, table, columns).unique().to_owned())
                .await?;
        }
        for (name, table, columns) in [
            (
                "application_secrets_by_application",
                "application_secrets",
                &["tenant_id", "application_id"] as &[&'static str],
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
        ] {
            manager.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }
}

fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

fn table(
    name: &'static str,
    key: &[&'static str],
    columns: Vec<ColumnDef>,
) -> TableCreateStatement {
    let mut primary = Index::create();
    for column in key {
        primary.col(*column);
    }
    let mut table = Table::create();
    table.table(name).primary_key(&mut primary);
    for column in columns {
        table.col(column);
    }
    table
}

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
        table(
            "console_login_attempts",
            &["state_sha256"],
            vec![
                text("state_sha256"),
                text("browser_sha256"),
                text("nonce"),
                text("pkce_verifier"),
                text("return_to"),
                timestamp_with_time_zone("expires_at"),
            ],
        ),
    ]
}
