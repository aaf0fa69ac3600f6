//! Rows of links: which control plane a node is connected to now.
//!
//! A replica that is killed leaves its rows behind, so a link counts only while it is renewed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{ids::NodeId, tenant::Region};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{StoreError, Tx, codec};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "node_links")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        pub region: String,
        pub replica: String,
        pub seen_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "node_links";

impl Tx {
    /// Remembers that a node is connected to `replica`, or still is; the newest connection wins.
    pub(crate) async fn put_node_link(
        &self,
        node: NodeId,
        region: &Region,
        replica: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.put(row::ActiveModel {
            node_id: Set(node.to_string()),
            region: Set(region.to_string()),
            replica: Set(replica.to_owned()),
            seen_at: Set(at),
        })
        .await
    }

    /// Forgets that a node is connected to `replica`, unless it is connected to another one by now.
    pub(crate) async fn drop_node_link(
        &self,
        node: NodeId,
        replica: &str,
    ) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::NodeId.eq(node.to_string()))
            .filter(row::Column::Replica.eq(replica))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The nodes of a region whose connection, to whichever replica, was alive after `since`.
    pub(crate) async fn list_linked_nodes(
        &self,
        region: &Region,
        since: DateTime<Utc>,
    ) -> Result<BTreeSet<NodeId>, StoreError> {
        let ids: Vec<String> = row::Entity::find()
            .select_only()
            .column(row::Column::NodeId)
            .filter(row::Column::Region.eq(region.as_str()))
            .filter(row::Column::SeenAt.gt(since))
            .into_tuple()
            .all(&self.db)
            .await?;
        ids.iter().map(|id| codec::parse(TABLE, id)).collect()
    }
}
