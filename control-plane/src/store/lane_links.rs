//! Rows of lanes: which nodes hear of containments, at which replica.
//!
//! A replica knows its own lanes at first hand and to the second; what stands here is for the others. One that is
//! killed leaves its rows behind, so a row counts only while it is renewed.

use contract::tenant::Region;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};

use super::{StoreError, Tx, codec};
use crate::containments::LaneLink;

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "lane_links")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        pub region: String,
        pub replica: String,
        pub connected: bool,
        pub heard_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "lane_links";
/// Rows that one statement writes.
const ROWS: usize = 500;

impl Tx {
    /// Writes what became of lanes, one of a node. The newest connection wins, and only its replica can say
    /// that it is over.
    pub(crate) async fn put_lane_links(&self, links: &[LaneLink]) -> Result<(), StoreError> {
        let (here, gone): (Vec<&LaneLink>, Vec<&LaneLink>) =
            links.iter().partition(|link| link.connected);
        let renewed = OnConflict::column(row::Column::NodeId)
            .update_columns([
                row::Column::Region,
                row::Column::Replica,
                row::Column::Connected,
                row::Column::HeardAt,
            ])
            .to_owned();
        for some in here.chunks(ROWS) {
            row::Entity::insert_many(some.iter().map(|link| to_row(link)))
                .on_conflict(renewed.clone())
                .exec_without_returning(&self.db)
                .await?;
        }
        for link in gone {
            row::Entity::update_many()
                .col_expr(row::Column::Connected, Expr::value(false))
                .col_expr(row::Column::HeardAt, Expr::value(link.heard_at))
                .filter(row::Column::NodeId.eq(link.node.to_string()))
                .filter(row::Column::Replica.eq(link.replica.as_str()))
                .exec(&self.db)
                .await?;
        }
        Ok(())
    }

    /// What is known of the lanes of a region's nodes.
    pub(crate) async fn list_lane_links(
        &self,
        region: &Region,
    ) -> Result<Vec<LaneLink>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Region.eq(region.as_str()))
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }
}

fn to_row(link: &LaneLink) -> row::ActiveModel {
    row::ActiveModel {
        node_id: Set(link.node.to_string()),
        region: Set(link.region.to_string()),
        replica: Set(link.replica.clone()),
        connected: Set(link.connected),
        heard_at: Set(link.heard_at),
    }
}

fn from_row(row: row::Model) -> Result<LaneLink, StoreError> {
    Ok(LaneLink {
        node: codec::parse(TABLE, &row.node_id)?,
        region: codec::parse(TABLE, &row.region)?,
        replica: row.replica,
        connected: row.connected,
        heard_at: row.heard_at,
    })
}
