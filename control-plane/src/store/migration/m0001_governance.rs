//! Step 1: tenants, operators, responsibilities, policies, releases, nodes and their authorities, the audit log.
//!
//! Types are those both databases share: ids and JSON as text, counts as 64-bit integers, times with time
//! zone. Tables that grow without end are keyed by tenant first, so that a tenant's rows lie together.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, blob, blob_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null,
    },
};

use super::tables::{NamedIndex, create, table};

/// The step.
pub(in crate::store) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0001_governance"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = tenant_tables()
            .into_iter()
            .chain(operator_tables())
            .chain(policy_tables())
            .chain(release_tables())
            .chain(node_tables())
            .chain(certificate_tables())
            .chain(record_tables());
        create(manager, tables, UNIQUE, SEARCHED).await
    }
}

const UNIQUE: &[NamedIndex] = &[
    ("tenants_by_slug", "tenants", &["slug"]),
    ("tenants_by_host", "tenants", &["host"]),
    ("operators_by_subject", "operators", &["subject"]),
    ("operators_by_email", "operators", &["email"]),
    (
        "assignments_once",
        "assignments",
        &["operator_id", "role", "scope"],
    ),
    ("nodes_by_name", "nodes", &["name"]),
    ("nodes_by_join_token", "nodes", &["join_hash"]),
    (
        "node_certificates_by_key",
        "node_certificates",
        &["key_sha256"],
    ),
    ("authorities_by_slot", "authorities", &["slot"]),
    ("audit_events_by_id", "audit_events", &["id"]),
];

const SEARCHED: &[NamedIndex] = &[
    ("tenants_by_region", "tenants", &["region"]),
    ("assignments_by_scope", "assignments", &["scope"]),
    ("node_holdings_by_tenant", "node_holdings", &["tenant_id"]),
    (
        "node_certificates_by_node",
        "node_certificates",
        &["node_id"],
    ),
];

fn tenant_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "tenants",
            &["id"],
            vec![
                text("id"),
                text("slug"),
                text("name"),
                text("environment"),
                text("region"),
                text_null("host"),
                text("search"),
                text("status"),
                big_integer("version"),
                big_integer("matrix_version"),
                big_integer("release_version"),
                text_null("manifest_hash"),
                timestamp_with_time_zone("created_at"),
            ],
        ),
        table(
            "responsibilities",
            &["tenant_id", "duty"],
            vec![
                text("tenant_id"),
                text("duty"),
                text("accountable"),
                text("actors"),
                big_integer("version"),
                timestamp_with_time_zone("updated_at"),
                text("updated_by"),
            ],
        ),
    ]
}

fn operator_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "operators",
            &["id"],
            vec![
                text("id"),
                text("subject"),
                text("email"),
                text("name"),
                text("party"),
                text("kind"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone_null("accepted_at"),
            ],
        ),
        table(
            "assignments",
            &["id"],
            vec![
                text("id"),
                text("operator_id"),
                text("role"),
                text("scope"),
                timestamp_with_time_zone("created_at"),
                text("created_by"),
            ],
        ),
    ]
}

fn policy_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "policies",
            &["tenant_id", "kind", "version"],
            vec![
                text("tenant_id"),
                text("kind"),
                big_integer("version"),
                text("document"),
                text("hash"),
                timestamp_with_time_zone("published_at"),
                text("published_by"),
            ],
        ),
        table(
            "policy_drafts",
            &["tenant_id", "kind"],
            vec![
                text("tenant_id"),
                text("kind"),
                text_null("document"),
                big_integer("base_version"),
                big_integer("version"),
                timestamp_with_time_zone("updated_at"),
                text("updated_by"),
            ],
        ),
    ]
}

fn release_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "sections",
            &["tenant_id", "hash"],
            vec![text("tenant_id"), text("hash"), text("body")],
        ),
        table(
            "releases",
            &["tenant_id", "version"],
            vec![
                text("tenant_id"),
                big_integer("version"),
                text("manifest"),
                text("manifest_hash"),
                text("content"),
                timestamp_with_time_zone("issued_at"),
            ],
        ),
        table(
            "tenant_keys",
            &["tenant_id", "kid"],
            vec![
                text("tenant_id"),
                text("kid"),
                text("alg"),
                text("jwk"),
                timestamp_with_time_zone("created_at"),
            ],
        ),
    ]
}

fn node_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "nodes",
            &["id"],
            vec![
                text("id"),
                text("name"),
                text("region"),
                text("standing"),
                text_null("software"),
                timestamp_with_time_zone_null("first_seen_at"),
                timestamp_with_time_zone_null("last_seen_at"),
                timestamp_with_time_zone_null("certificate_ends_at"),
                // Of the join token: its hash stays after it was used, so that a second use is known as one.
                text_null("join_hash"),
                timestamp_with_time_zone_null("join_expires_at"),
                timestamp_with_time_zone_null("join_spent_at"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone_null("revoked_at"),
                text_null("revoked_reason"),
                big_integer("version"),
                timestamp_with_time_zone("updated_at"),
            ],
        ),
        table(
            "node_holdings",
            &["node_id", "tenant_id"],
            vec![
                text("node_id"),
                text("tenant_id"),
                big_integer("applied_version"),
                big_integer_null("rejected_version"),
                text_null("reason"),
                timestamp_with_time_zone("at"),
            ],
        ),
    ]
}

fn certificate_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "node_certificates",
            &["fingerprint"],
            vec![
                text("fingerprint"),
                // The whole of it, in base64: a node whose answer was lost gets the same one again.
                text("certificate"),
                text("node_id"),
                text("key_sha256"),
                timestamp_with_time_zone("issued_at"),
                timestamp_with_time_zone("ends_at"),
                timestamp_with_time_zone_null("revoked_at"),
            ],
        ),
        table(
            "authorities",
            &["fingerprint"],
            vec![
                text("fingerprint"),
                // `next` or `signing`, each at most once; none for one that retires.
                text_null("slot"),
                blob("certificate"),
                // Sealed; destroyed when the authority stops signing.
                blob_null("key_sealed"),
                timestamp_with_time_zone("created_at"),
                timestamp_with_time_zone_null("signing_since"),
                timestamp_with_time_zone_null("retiring_since"),
            ],
        ),
    ]
}

fn record_tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "audit_events",
            &["tenant_id", "seq"],
            vec![
                text("tenant_id"),
                big_integer("seq"),
                text("id"),
                timestamp_with_time_zone("at"),
                text("actor_id"),
                text("action"),
                text("object_kind"),
                text("object_id"),
                text("outcome"),
                text("search"),
                // The whole event in canonical form: what the hash is of.
                text("document"),
                text("previous_hash"),
                text("hash"),
            ],
        ),
        table("settings", &["name"], vec![text("name"), text("value")]),
    ]
}
