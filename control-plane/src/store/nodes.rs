//! Rows of nodes, of their join tokens, and of what each one said it holds.
//!
//! A node's standing is written by whoever decides it, and never by what a node says: greeting and being
//! seen touch columns of their own, so that neither can undo a revocation that happens at the same moment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    enrolment::NodeName,
    ids::{NodeId, TenantId},
    tenant::Region,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{StoreError, Tx, codec};
use crate::nodes::{Holding, JoinRecord, Node, NodeStanding, Ring};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "nodes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub region: String,
        pub ring: String,
        pub standing: String,
        pub software: Option<String>,
        pub first_seen_at: Option<DateTime<Utc>>,
        pub last_seen_at: Option<DateTime<Utc>>,
        pub certificate_ends_at: Option<DateTime<Utc>>,
        pub join_hash: Option<String>,
        pub join_expires_at: Option<DateTime<Utc>>,
        pub join_spent_at: Option<DateTime<Utc>>,
        pub created_at: DateTime<Utc>,
        pub revoked_at: Option<DateTime<Utc>>,
        pub revoked_reason: Option<String>,
        pub version: i64,
        pub updated_at: DateTime<Utc>,
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
    /// Writes a new node.
    pub(crate) async fn insert_node(&self, node: &Node) -> Result<(), StoreError> {
        row::Entity::insert(to_row(node))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Writes a node of this process that greeted us. One that is known keeps its name, its standing and
    /// when it was first seen.
    pub(crate) async fn put_node(&self, node: &Node) -> Result<(), StoreError> {
        let known = OnConflict::column(row::Column::Id)
            .update_columns([
                row::Column::Region,
                row::Column::Software,
                row::Column::LastSeenAt,
            ])
            .to_owned();
        row::Entity::insert(to_row(node))
            .on_conflict(known)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Remembers that a node with a certificate greeted us; `false` if it is not enrolled any more.
    pub(crate) async fn greet_node(
        &self,
        node: NodeId,
        software: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let first = ExprTrait::if_null(Expr::col(row::Column::FirstSeenAt), at);
        let updated = row::Entity::update_many()
            .col_expr(row::Column::Software, Expr::value(software))
            .col_expr(row::Column::FirstSeenAt, first)
            .col_expr(row::Column::LastSeenAt, Expr::value(at))
            .filter(row::Column::Id.eq(node.to_string()))
            .filter(row::Column::Standing.eq(NodeStanding::Enrolled.as_str()))
            .exec(&self.db)
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Remembers that a node said something.
    pub(crate) async fn touch_node(
        &self,
        node: NodeId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::LastSeenAt, Expr::value(at))
            .filter(row::Column::Id.eq(node.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Writes what was decided about a node: its standing and what goes with it.
    pub(crate) async fn decide_node(&self, node: &Node) -> Result<(), StoreError> {
        let decided = row::ActiveModel {
            id: Set(node.id.to_string()),
            ring: Set(node.ring.as_str().to_owned()),
            standing: Set(node.standing.as_str().to_owned()),
            certificate_ends_at: Set(node.certificate_ends_at),
            revoked_at: Set(node.revoked_at),
            revoked_reason: Set(node.revoked_reason.clone()),
            version: Set(node.version),
            updated_at: Set(node.updated_at),
            ..Default::default()
        };
        row::Entity::update(decided)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Writes how long the newest certificate of an enrolled node lasts; `false` if it is not enrolled.
    pub(crate) async fn extend_node(
        &self,
        node: NodeId,
        ends_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::CertificateEndsAt, Expr::value(ends_at))
            .filter(row::Column::Id.eq(node.to_string()))
            .filter(row::Column::Standing.eq(NodeStanding::Enrolled.as_str()))
            .exec(&self.db)
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Removes a node and everything it said.
    pub(crate) async fn delete_node(&self, node: NodeId) -> Result<(), StoreError> {
        holding::Entity::delete_many()
            .filter(holding::Column::NodeId.eq(node.to_string()))
            .exec(&self.db)
            .await?;
        row::Entity::delete_by_id(node.to_string())
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

    /// Finds a node by its name.
    pub(crate) async fn find_node_by_name(
        &self,
        name: &NodeName,
    ) -> Result<Option<Node>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Name.eq(name.as_str()));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// All nodes, by region and name.
    pub(crate) async fn list_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Region)
            .order_by_asc(row::Column::Name)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// The nodes of a region that are somebody, by name: neither revoked nor waiting for a process.
    pub(crate) async fn list_enrolled_nodes(
        &self,
        region: &Region,
    ) -> Result<Vec<Node>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Region.eq(region.as_str()))
            .filter(row::Column::Standing.eq(NodeStanding::Enrolled.as_str()))
            .order_by_asc(row::Column::Name)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// The ring of each node of a region.
    pub(crate) async fn list_rings(
        &self,
        region: &Region,
    ) -> Result<BTreeMap<NodeId, Ring>, StoreError> {
        let rows: Vec<(String, String)> = row::Entity::find()
            .select_only()
            .columns([row::Column::Id, row::Column::Ring])
            .filter(row::Column::Region.eq(region.as_str()))
            .into_tuple()
            .all(&self.db)
            .await?;
        let rings = rows
            .iter()
            .map(|(id, ring)| Ok((codec::parse(TABLE, id)?, codec::parse(TABLE, ring)?)));
        rings.collect()
    }

    /// Writes a node's join token over an earlier one, which is void from then on.
    pub(crate) async fn put_join_token(
        &self,
        node: NodeId,
        sha256: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let token = row::ActiveModel {
            id: Set(node.to_string()),
            join_hash: Set(Some(sha256.to_owned())),
            join_expires_at: Set(Some(expires_at)),
            join_spent_at: Set(None),
            ..Default::default()
        };
        row::Entity::update(token)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a join token, whatever became of it, by the SHA-256 of its secret.
    pub(crate) async fn find_join_token(
        &self,
        sha256: &str,
    ) -> Result<Option<JoinRecord>, StoreError> {
        let query = row::Entity::find().filter(row::Column::JoinHash.eq(sha256));
        let Some(row) = query.one(&self.db).await? else {
            return Ok(None);
        };
        let (Some(sha256), Some(expires_at)) = (row.join_hash.clone(), row.join_expires_at) else {
            return Ok(None);
        };
        Ok(Some(JoinRecord {
            sha256,
            expires_at,
            spent_at: row.join_spent_at,
            node: from_row(row)?,
        }))
    }

    /// Uses a join token up; `false` if it was, or is not the node's any more: of two who use it at once one
    /// succeeds.
    pub(crate) async fn spend_join_token(
        &self,
        token: &JoinRecord,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let spent = row::Entity::update_many()
            .col_expr(row::Column::JoinSpentAt, Expr::value(at))
            .filter(row::Column::Id.eq(token.node.id.to_string()))
            .filter(row::Column::JoinHash.eq(token.sha256.as_str()))
            .filter(row::Column::JoinSpentAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(spent.rows_affected == 1)
    }
}

impl Tx {
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

    /// What a node said about some tenants.
    pub(crate) async fn list_holdings_among(
        &self,
        node: NodeId,
        tenants: impl Iterator<Item = TenantId>,
    ) -> Result<Vec<Holding>, StoreError> {
        let rows = holding::Entity::find()
            .filter(holding::Column::NodeId.eq(node.to_string()))
            .filter(holding::Column::TenantId.is_in(tenants.map(|tenant| tenant.to_string())))
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

fn to_row(node: &Node) -> row::ActiveModel {
    row::ActiveModel {
        id: Set(node.id.to_string()),
        name: Set(node.name.to_string()),
        region: Set(node.region.to_string()),
        ring: Set(node.ring.as_str().to_owned()),
        standing: Set(node.standing.as_str().to_owned()),
        software: Set(node.software.clone()),
        first_seen_at: Set(node.first_seen_at),
        last_seen_at: Set(node.last_seen_at),
        certificate_ends_at: Set(node.certificate_ends_at),
        join_hash: Set(None),
        join_expires_at: Set(None),
        join_spent_at: Set(None),
        created_at: Set(node.created_at),
        revoked_at: Set(node.revoked_at),
        revoked_reason: Set(node.revoked_reason.clone()),
        version: Set(node.version),
        updated_at: Set(node.updated_at),
    }
}

fn from_row(row: row::Model) -> Result<Node, StoreError> {
    Ok(Node {
        id: codec::parse(TABLE, &row.id)?,
        name: codec::parse(TABLE, &row.name)?,
        region: codec::parse(TABLE, &row.region)?,
        ring: codec::parse(TABLE, &row.ring)?,
        standing: codec::parse(TABLE, &row.standing)?,
        software: row.software,
        first_seen_at: row.first_seen_at,
        last_seen_at: row.last_seen_at,
        certificate_ends_at: row.certificate_ends_at,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        revoked_reason: row.revoked_reason,
        version: row.version,
        updated_at: row.updated_at,
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
