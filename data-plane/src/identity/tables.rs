//! The rows, as sea-orm sees them. Private to the store: nothing outside `identity` names these types.

#![allow(
    missing_docs,
    reason = "columns are explained by the domain types they become"
)]

macro_rules! row {
    ($table:ident, $name:literal, [$($key:ident),*], { $($column:ident: $type:ty),* $(,)? }) => {
        pub mod $table {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub tenant: String,
                $(#[sea_orm(primary_key, auto_increment = false)]
                pub $key: String,)*
                $(pub $column: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

row!(users, "users", [id], {
    email: String,
    email_normalized: String,
    email_verified: bool,
    name: Option<String>,
    status: String,
    created_at: i64,
    updated_at: i64,
});
row!(passwords, "passwords", [user_id], { phc: String, changed_at: i64 });
row!(consents, "consents", [user_id, application, audience], {
    scopes: String,
    version: i32,
    granted_at: i64,
});
row!(invitations, "invitations", [user_id], {
    token_hash: String,
    email: String,
    name: String,
    inviter: String,
    purpose: String,
    mailed: bool,
    expires_at: i64,
    created_at: i64,
});
row!(auth_events, "auth_events", [id], {
    kind: String,
    user_id: Option<String>,
    application: Option<String>,
    at: i64,
});
row!(refresh_families, "refresh_families", [grant_id], {
    application: String,
    user_id: String,
    detail: String,
    created_at: i64,
    used_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
});
row!(refresh_tokens, "refresh_tokens", [token_hash], {
    grant_id: String,
    created_at: i64,
    spent_at: Option<i64>,
    successor: Option<Vec<u8>>,
});
row!(tenant_secrets, "tenant_secrets", [], {
    data_key: Vec<u8>,
    pepper: Vec<u8>,
    created_at: i64,
});
row!(signing_keys, "signing_keys", [algorithm, generation], {
    kid: String,
    private: Vec<u8>,
    public_jwk: String,
    created_at: i64,
});
