//! Rows of what nodes proved to hold beyond what this database knows.
//!
//! A row counts as long as its version is not below what is released: a release above it overtakes it, and nobody has
//! to remove it.

use chrono::{DateTime, Utc};
use contract::ids::{NodeId, TenantId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

use super::{StoreError, Tx, codec};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "fleet_ahead")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        pub version: i64,
        pub accepted: bool,
        pub at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "fleet_ahead";

/// A version of a tenant that a node holds and this database does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Which node proved it.
    pub(crate) node: NodeId,
    /// Which one.
    pub(crate) version: u64,
    /// When it did.
    pub(crate) at: DateTime<Utc>,
}

impl Tx {
    /// Writes down what a node proved.
    pub(crate) async fn put_ahead(&self, ahead: &Ahead) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            tenant_id: Set(ahead.tenant.to_string()),
            node_id: Set(ahead.node.to_string()),
            version: Set(codec::signed(TABLE, ahead.version)?),
            accepted: Set(false),
            at: Set(ahead.at),
        };
        let key = [row::Column::TenantId, row::Column::NodeId];
        let newer = OnConflict::columns(key)
            .update_columns([row::Column::Version, row::Column::Accepted, row::Column::At])
            .to_owned();
        row::Entity::insert(row)
            .on_conflict(newer)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// What nodes proved to hold of a tenant from `released` on, the highest first.
    pub(crate) async fn list_ahead(
        &self,
        tenant: TenantId,
        released: u64,
    ) -> Result<Vec<Ahead>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .filter(row::Column::Version.gte(codec::signed(TABLE, released)?))
            .order_by_desc(row::Column::Version)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// What a node proved to hold, whether or not a release overtook it.
    pub(crate) async fn list_ahead_of_node(&self, node: NodeId) -> Result<Vec<Ahead>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::NodeId.eq(node.to_string()))
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Somebody decided that the tenant goes on above what nodes hold.
    pub(crate) async fn accept_ahead(&self, tenant: TenantId) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::Accepted, Expr::value(true))
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The version above which the tenant's next release must be, because somebody decided so; none if the last
    /// release is above it already.
    pub(crate) async fn find_floor(
        &self,
        tenant: TenantId,
        released: u64,
    ) -> Result<Option<u64>, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .filter(row::Column::Accepted.eq(true))
            .filter(row::Column::Version.gte(codec::signed(TABLE, released)?))
            .order_by_desc(row::Column::Version)
            .one(&self.db)
            .await?;
        found
            .map(|row| codec::unsigned(TABLE, row.version))
            .transpose()
    }
}

fn from_row(row: row::Model) -> Result<Ahead, StoreError> {
    Ok(Ahead {
        tenant: codec::parse(TABLE, &row.tenant_id)?,
        node: codec::parse(TABLE, &row.node_id)?,
        version: codec::unsigned(TABLE, row.version)?,
        at: row.at,
    })
}
