//! Rows of tenants' public signing keys, as nodes report them.

use contract::{frames::PublicKey, ids::TenantId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{StoreError, Tx, codec};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tenant_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kid: String,
        pub alg: String,
        pub jwk: String,
        pub created_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "tenant_keys";

impl Tx {
    /// Replaces a tenant's keys by what a node reports: the region is the one that knows.
    pub(crate) async fn replace_tenant_keys(
        &self,
        tenant: TenantId,
        keys: &[PublicKey],
    ) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .exec(&self.db)
            .await?;
        for key in keys {
            let row = row::ActiveModel {
                tenant_id: Set(tenant.to_string()),
                kid: Set(key.kid.clone()),
                alg: Set(key.alg.as_str().to_owned()),
                jwk: Set(codec::to_json(&key.jwk)),
                created_at: Set(key.created_at),
            };
            row::Entity::insert(row)
                .exec_without_returning(&self.db)
                .await?;
        }
        Ok(())
    }

    /// A tenant's keys, oldest first.
    pub(crate) async fn list_tenant_keys(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<PublicKey>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .order_by_asc(row::Column::CreatedAt)
            .order_by_asc(row::Column::Kid)
            .all(&self.db)
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(PublicKey {
                    kid: row.kid,
                    alg: codec::parse(TABLE, &row.alg)?,
                    jwk: codec::from_json(TABLE, &row.jwk)?,
                    created_at: row.created_at,
                })
            })
            .collect()
    }
}
