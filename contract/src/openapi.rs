//! OpenAPI schemas of the values that travel as one string.
//!
//! Enumerations and records derive their schemas where they are defined. Ids, slugs, addresses and the
//! like are strings with a rule of their own, which no derive can know; their sentences stand here, so
//! that the published document says what the constructors enforce. Compiled only for the admin API
//! (feature `openapi`); nothing else may depend on it.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::ObjectBuilder, schema::Schema, schema::Type},
};

macro_rules! strings {
    ($($type:ty, $pattern:expr, $example:literal, $description:literal;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                string($pattern, $example, $description)
            }
        }

        impl ToSchema for $type {}
    )*};
}

macro_rules! ids {
    ($($type:ident, $prefix:literal, $description:literal;)*) => {
        strings! {$(
            crate::ids::$type, Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
            "", $description;
        )*}
    };
}

fn string(pattern: Option<&str>, example: &str, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(pattern)
        .description(Some(description))
        .examples((!example.is_empty()).then(|| serde_json::Value::from(example)))
        .into()
}

ids! {
    TenantId, "ten", "Identifies a tenant.";
    ApplicationId, "app", "Identifies an application; the `client_id` of OAuth.";
    ApiId, "api", "Identifies an API.";
    ClientGrantId, "cgr", "Identifies a client grant.";
    UserId, "usr", "Identifies a user of one tenant; the `sub` of its tokens.";
    OperatorId, "opr", "Identifies a person who signs in to the console.";
    AssignmentId, "ras", "Identifies one operator's role in one scope.";
    CredentialId, "crd", "Identifies a secret; safe to show and to log.";
    NodeId, "nod", "Identifies a node.";
    SessionId, "ses", "Identifies a browser session; the `sid` of its tokens.";
    ContainmentId, "cnt", "Identifies a containment.";
    RolloutId, "rol", "Identifies a rollout.";
    EventId, "evt", "Identifies an audit event; the text order is the order in time.";
}

strings! {
    crate::tenant::Slug, Some("^[a-z][a-z0-9-]{1,38}[a-z0-9]$"), "acme",
        "A tenant's short name in addresses: 3 to 40 of a-z, 0-9 and single hyphens.";
    crate::tenant::Region, Some("^[a-z][a-z0-9-]{1,31}$"), "eu-central",
        "A place where nodes and identity stores stand.";
    crate::enrolment::NodeName, Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"), "eu-1",
        "A node's name, unique in the installation.";
    crate::tenant::Host, None, "login.acme.example", "A lower-case DNS name that belongs to one tenant.";
    crate::tenant::TenantName, None, "Acme", "A display name of 1 to 100 characters.";
    crate::api::Audience, None, "https://orders.example",
        "An absolute URI without fragment (RFC 8707): the `aud` of the API's tokens.";
    crate::redirect_uri::RedirectUri, None, "https://shop.example/callback",
        "An https URI, loopback http, or a private-use scheme; compared exactly.";
    crate::scope::Scope, None, "orders:read", "One scope token (RFC 6749 section 3.3).";
    crate::permission::Permission, None, "tenant.applications.edit", "A power over something.";
    crate::duty::DutyKey, None, "policy.sign_in", "A duty of the catalogue.";
    crate::containment::KeyId, Some("^[!-~]{1,64}$"), "", "Identifies a key in a tenant's JWKS.";
    crate::section::ContentHash, Some("^[0-9a-f]{64}$"), "",
        "Lower-case hexadecimal SHA-256 of the content.";
    crate::section::SectionName, None, "applications/0a", "One part of a release.";
}
