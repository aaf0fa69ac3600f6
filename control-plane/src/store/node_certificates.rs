//! Rows of the ledger: each certificate that a node was ever given, by its fingerprint.
//!
//! A certificate that is not here lets nobody in, whoever signed it. Rows are kept for a while after the
//! certificate's end, also those of a node that was deleted, because they are what an incident is
//! reconstructed from.

use chrono::{DateTime, Utc};
use contract::{enrolment::Der, ids::NodeId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, Query},
};

use super::{StoreError, Tx, codec};
use crate::nodes::NodeCertificate;

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "node_certificates")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub fingerprint: String,
        pub certificate: String,
        pub node_id: String,
        pub key_sha256: String,
        pub issued_at: DateTime<Utc>,
        pub ends_at: DateTime<Utc>,
        pub revoked_at: Option<DateTime<Utc>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "node_certificates";

impl Tx {
    /// Writes a certificate that was issued.
    pub(crate) async fn insert_node_certificate(
        &self,
        issued: &NodeCertificate,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            fingerprint: Set(issued.fingerprint.clone()),
            certificate: Set(issued.certificate.clone().into()),
            node_id: Set(issued.node.to_string()),
            key_sha256: Set(issued.key_sha256.clone()),
            issued_at: Set(issued.issued_at),
            ends_at: Set(issued.ends_at),
            revoked_at: Set(issued.revoked_at),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a certificate by the SHA-256 of its bytes.
    pub(crate) async fn find_node_certificate(
        &self,
        fingerprint: &str,
    ) -> Result<Option<NodeCertificate>, StoreError> {
        let found = row::Entity::find_by_id(fingerprint).one(&self.db).await?;
        found.map(from_row).transpose()
    }

    /// Finds the one certificate that a key was ever in, as far as the ledger goes back.
    pub(crate) async fn find_node_certificate_of_key(
        &self,
        key_sha256: &str,
    ) -> Result<Option<NodeCertificate>, StoreError> {
        let query = row::Entity::find().filter(row::Column::KeySha256.eq(key_sha256));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// How many certificates of a node are good now.
    pub(crate) async fn count_node_certificates(
        &self,
        node: NodeId,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::NodeId.eq(node.to_string()))
            .filter(row::Column::EndsAt.gt(now))
            .filter(row::Column::RevokedAt.is_null());
        Ok(query.count(&self.db).await?)
    }

    /// Voids every certificate of a node; says how many were good until now.
    pub(crate) async fn revoke_node_certificates(
        &self,
        node: NodeId,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let voided = self.count_node_certificates(node, at).await?;
        row::Entity::update_many()
            .col_expr(row::Column::RevokedAt, Expr::value(at))
            .filter(row::Column::NodeId.eq(node.to_string()))
            .filter(row::Column::RevokedAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(voided)
    }

    /// Forgets certificates that ended before `end` and whose node was deleted.
    pub(crate) async fn sweep_certificates_of_no_node(
        &self,
        end: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let nodes = Query::select().column("id").from("nodes").take();
        row::Entity::delete_many()
            .filter(row::Column::EndsAt.lt(end))
            .filter(row::Column::NodeId.not_in_subquery(nodes))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets certificates of a node that ended before `end`.
    pub(crate) async fn sweep_node_certificates(
        &self,
        node: NodeId,
        end: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::NodeId.eq(node.to_string()))
            .filter(row::Column::EndsAt.lt(end))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

fn from_row(row: row::Model) -> Result<NodeCertificate, StoreError> {
    let certificate = Der::try_from(row.certificate).map_err(|error| StoreError::Unreadable {
        table: TABLE,
        reason: error.to_string(),
    })?;
    Ok(NodeCertificate {
        certificate,
        fingerprint: row.fingerprint,
        node: codec::parse(TABLE, &row.node_id)?,
        key_sha256: row.key_sha256,
        issued_at: row.issued_at,
        ends_at: row.ends_at,
        revoked_at: row.revoked_at,
    })
}
