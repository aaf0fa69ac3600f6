//! Rows of nodes and of what each one said it holds.

use chrono::{DateTime, Utc};
use contract::ids::{NodeId, TenantId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict,
};

use super::{StoreError, Tx, codec};
use crate::nodes::{Holding, Node};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "nodes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub region: String,
        pub software: String,
        pub first_seen_at: DateTime<Utc>,
        pub last_seen_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod holding {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "node_holdings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        pub applied_version: i64,
        pub rejected_version: Option<i64>,
        pub reason: Option<String>,
        pub at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "nodes";
const HOLDINGS: &str = "node_holdings";

impl Tx {
    /// Writes a node that greeted us; keeps when it was first seen.
    pub(crate) async fn put_node(&self, node: &Node) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: Set(node.id.to_string()),
            region: Set(node.region.to_string()),
            software: Set(node.software.clone()),
            first_seen_at: Set(node.first_seen_at),
            last_seen_at: Set(node.last_seen_at),
        };
        row::Entity::insert(row)
            .on_conflict(
                OnConflict::column(row::Column::Id)
                    .update_columns([
                        row::Column::Region,
                        row::Column::Software,
                        row::Column::LastSeenAt,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Remembers that a node said something.
    pub(crate) async fn touch_node(
        &self,
        node: NodeId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: Set(node.to_string()),
            last_seen_at: Set(at),
            ..Default::default()
        };
        row::Entity::update_many()
            .set(row)
            .filter(row::Column::Id.eq(node.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a node.
    pub(crate) async fn find_node(&self, node: NodeId) -> Result<Option<Node>, StoreError> {
        let found = row::Entity::find_by_id(node.to_string())
            .one(&self.db)
            .await?;
        found.map(from_row).transpose()
    }

    /// All nodes, by region and id.
    pub(crate) async fn list_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Region)
            .order_by_asc(row::Column::Id)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Writes what a node said about a tenant.
    pub(crate) async fn put_holding(&self, holding: &Holding) -> Result<(), StoreError> {
        self.put(holding::ActiveModel {
            node_id: Set(holding.node.to_string()),
            tenant_id: Set(holding.tenant.to_string()),
            applied_version: Set(codec::signed(HOLDINGS, holding.applied_version)?),
            rejected_version: Set(holding
                .rejected_version
                .map(|version| codec::signed(HOLDINGS, version))
                .transpose()?),
            reason: Set(holding.reason.clone()),
            at: Set(holding.at),
        })
        .await
    }

    /// What a node said about one tenant.
    pub(crate) async fn find_holding(
        &self,
        node: NodeId,
        tenant: TenantId,
    ) -> Result<Option<Holding>, StoreError> {
        let key = (node.to_string(), tenant.to_string());
        let found = holding::Entity::find_by_id(key).one(&self.db).await?;
        found.map(from_holding).transpose()
    }

    /// What a node said about all tenants.
    pub(crate) async fn list_holdings_of_node(
        &self,
        node: NodeId,
    ) -> Result<Vec<Holding>, StoreError> {
        let rows = holding::Entity::find()
            .filter(holding::Column::NodeId.eq(node.to_string()))
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_holding).collect()
    }

    /// What all nodes said about one tenant.
    pub(crate) async fn list_holdings_of_tenant(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Holding>, StoreError> {
        let rows = holding::Entity::find()
            .filter(holding::Column::TenantId.eq(tenant.to_string()))
            .order_by_asc(holding::Column::NodeId)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_holding).collect()
    }
}

fn from_row(row: row::Model) -> Result<Node, StoreError> {
    Ok(Node {
        id: codec::parse(TABLE, &row.id)?,
        region: codec::parse(TABLE, &row.region)?,
        software: row.software,
        first_seen_at: row.first_seen_at,
        last_seen_at: row.last_seen_at,
    })
}

fn from_holding(row: holding::Model) -> Result<Holding, StoreError> {
    Ok(Holding {
        node: codec::parse(HOLDINGS, &row.node_id)?,
        tenant: codec::parse(HOLDINGS, &row.tenant_id)?,
        applied_version: codec::unsigned(HOLDINGS, row.applied_version)?,
        rejected_version: row
            .rejected_version
            .map(|version| codec::unsigned(HOLDINGS, version))
            .transpose()?,
        reason: row.reason,
        at: row.at,
    })
}
