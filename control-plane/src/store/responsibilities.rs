//! Rows of the responsibility matrix.

use contract::{duty::DutyKey, ids::TenantId, responsibility::Responsibility};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{StoreError, Tx, codec};
use crate::responsibilities::MatrixRow;

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "responsibilities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub duty: String,
        pub accountable: String,
        pub actors: String,
        pub version: i64,
        pub updated_at: DateTime<Utc>,
        pub updated_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "responsibilities";

impl Tx {
    /// Writes the rows a tenant starts with.
    pub(crate) async fn insert_responsibilities(
        &self,
        tenant: TenantId,
        rows: &[MatrixRow],
    ) -> Result<(), StoreError> {
        row::Entity::insert_many(rows.iter().map(|row| to_row(tenant, row)))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Writes one row, over the older one if there is one.
    pub(crate) async fn put_responsibility(
        &self,
        tenant: TenantId,
        row: &MatrixRow,
    ) -> Result<(), StoreError> {
        self.put(to_row(tenant, row)).await
    }

    /// The rows there are, in any order.
    pub(crate) async fn list_responsibilities(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<MatrixRow>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One row of the matrix.
    pub(crate) async fn find_responsibility(
        &self,
        tenant: TenantId,
        duty: DutyKey,
    ) -> Result<Option<MatrixRow>, StoreError> {
        let key = (tenant.to_string(), duty.to_string());
        let found = row::Entity::find_by_id(key).one(&self.db).await?;
        found.map(from_row).transpose()
    }
}

fn to_row(tenant: TenantId, row: &MatrixRow) -> row::ActiveModel {
    row::ActiveModel {
        tenant_id: Set(tenant.to_string()),
        duty: Set(row.responsibility.duty.to_string()),
        accountable: Set(row.responsibility.accountable.to_string()),
        actors: Set(codec::to_json(&row.responsibility.actors)),
        version: Set(row.version),
        updated_at: Set(row.updated_at),
        updated_by: Set(row.updated_by.clone()),
    }
}

fn from_row(row: row::Model) -> Result<MatrixRow, StoreError> {
    Ok(MatrixRow {
        responsibility: Responsibility {
            duty: codec::parse(TABLE, &row.duty)?,
            accountable: codec::parse(TABLE, &row.accountable)?,
            actors: codec::from_json(TABLE, &row.actors)?,
        },
        version: row.version,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
    })
}
