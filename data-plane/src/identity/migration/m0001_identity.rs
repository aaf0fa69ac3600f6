//! Users, passwords, consents, refresh tokens, invitations, keys and events.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, binary, binary_null, boolean, integer, string, string_null,
        text,
    },
};

use super::guard;

/// The step.
pub(super) struct Step;

/// A table with its name.
type Named = (&'static str, TableCreateStatement);

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0001_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in tables() {
            manager.create_table(table).await?;
            guard(manager, name).await?;
        }
        for (name, table, columns, unique) in INDEXES {
            let mut index = Index::create();
            index.name(*name).table(*table);
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("identity data is never dropped".into()))
    }
}

const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    (
        "users_email",
        "users",
        &["tenant", "email_normalized"],
        true,
    ),
    ("signing_keys_kid", "signing_keys", &["tenant", "kid"], true),
    (
        "invitations_token",
        "invitations",
        &["tenant", "token_hash"],
        true,
    ),
    (
        "refresh_families_user",
        "refresh_families",
        &["tenant", "user_id", "application"],
        false,
    ),
    (
        "refresh_tokens_grant",
        "refresh_tokens",
        &["tenant", "grant_id"],
        false,
    ),
    (
        "auth_events_user",
        "auth_events",
        &["tenant", "user_id", "id"],
        false,
    ),
    // For `purge`, which looks for what is old.
    ("auth_events_at", "auth_events", &["tenant", "at"], false),
    (
        "refresh_families_expires",
        "refresh_families",
        &["tenant", "expires_at"],
        false,
    ),
    (
        "refresh_families_revoked",
        "refresh_families",
        &["tenant", "revoked_at"],
        false,
    ),
];

/// A table whose primary key is its tenant and `key`.
fn table(name: &'static str, key: &[&'static str], columns: Vec<ColumnDef>) -> Named {
    let mut primary = Index::create();
    primary.col("tenant");
    let mut table = Table::create();
    table.table(name).col(string("tenant"));
    for column in key {
        primary.col(*column);
        table.col(string(*column));
    }
    for column in columns {
        table.col(column);
    }
    (name, table.primary_key(&mut primary).to_owned())
}

/// The names of the tables.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    tables().into_iter().map(|(name, _)| name)
}

fn tables() -> Vec<Named> {
    [people(), tokens(), secrets()].concat()
}

fn people() -> Vec<Named> {
    vec![
        table(
            "users",
            &["id"],
            vec![
                string("email"),
                string("email_normalized"),
                boolean("email_verified"),
                string_null("name"),
                string("status"),
                big_integer("created_at"),
                big_integer("updated_at"),
            ],
        ),
        table(
            "passwords",
            &["user_id"],
            vec![text("phc"), big_integer("changed_at")],
        ),
        table(
            "consents",
            &["user_id", "application", "audience"],
            vec![
                text("scopes"),
                integer("version"),
                big_integer("granted_at"),
            ],
        ),
        table(
            "invitations",
            &["user_id"],
            vec![
                string("token_hash"),
                string("email"),
                string("name"),
                string("inviter"),
                string("purpose"),
                boolean("mailed"),
                big_integer("expires_at"),
                big_integer("created_at"),
            ],
        ),
        table(
            "auth_events",
            &["id"],
            vec![
                string("kind"),
                string_null("user_id"),
                string_null("application"),
                big_integer("at"),
            ],
        ),
    ]
}

fn tokens() -> Vec<Named> {
    vec![
        table(
            "refresh_families",
            &["grant_id"],
            vec![
                string("application"),
                string("user_id"),
                text("detail"),
                big_integer("created_at"),
                big_integer("used_at"),
                big_integer("expires_at"),
                big_integer_null("revoked_at"),
            ],
        ),
        table(
            "refresh_tokens",
            &["token_hash"],
            vec![
                string("grant_id"),
                big_integer("created_at"),
                big_integer_null("spent_at"),
                binary_null("successor"),
            ],
        ),
    ]
}

fn secrets() -> Vec<Named> {
    vec![
        table(
            "tenant_secrets",
            &[],
            vec![
                binary("data_key"),
                binary("pepper"),
                big_integer("created_at"),
            ],
        ),
        table(
            "signing_keys",
            &["algorithm", "generation"],
            vec![
                string("kid"),
                binary("private"),
                text("public_jwk"),
                big_integer("created_at"),
            ],
        ),
    ]
}
