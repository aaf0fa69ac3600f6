//! Rows of what nodes said about containments: that they apply a revision, or why they do not.
//!
//! The first confirmation of a revision stands, whatever the node says later: it is what the receipt is about. A
//! refusal stands until the node confirms after all.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{
    ids::{ContainmentId, NodeId},
    receipt::Proof,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{StoreError, Tx, codec};
use crate::containments::{Said, Word};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "containment_confirmations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub containment_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        pub heard_at: DateTime<Utc>,
        /// The node's signed word; nothing if it refused.
        pub statement: Option<String>,
        /// Whose key that is.
        pub proof: Option<String>,
        /// Why it refused.
        pub reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "containment_confirmations";
/// Rows that one statement writes, far below what a database takes.
const ROWS: usize = 500;

/// A row without the proof, which is most of its size.
type Short = (
    String,
    i64,
    String,
    DateTime<Utc>,
    Option<String>,
    Option<String>,
);

impl Tx {
    /// Writes what nodes said. No two of the words are of one node about one revision.
    pub(crate) async fn put_words(&self, words: &[Word]) -> Result<(), StoreError> {
        let (confirmed, refused): (Vec<&Word>, Vec<&Word>) = words
            .iter()
            .partition(|word| matches!(word.said, Said::Confirmed { .. }));
        let key = [
            row::Column::ContainmentId,
            row::Column::Revision,
            row::Column::NodeId,
        ];
        let said = [
            row::Column::HeardAt,
            row::Column::Statement,
            row::Column::Proof,
            row::Column::Reason,
        ];
        let refused_before = Expr::col((row::Entity, row::Column::Statement)).is_null();
        let after_all = OnConflict::columns(key)
            .update_columns(said)
            .action_and_where(refused_before)
            .to_owned();
        for some in confirmed.chunks(ROWS) {
            row::Entity::insert_many(some.iter().map(|word| to_row(word)))
                .on_conflict(after_all.clone())
                .exec_without_returning(&self.db)
                .await?;
        }
        let not_again = OnConflict::columns(key).do_nothing().to_owned();
        for some in refused.chunks(ROWS) {
            row::Entity::insert_many(some.iter().map(|word| to_row(word)))
                .on_conflict(not_again.clone())
                .exec_without_returning(&self.db)
                .await?;
        }
        Ok(())
    }

    /// What nodes said about these containments, any revision, in no order and without the proofs.
    pub(crate) async fn list_words(
        &self,
        containments: &[ContainmentId],
    ) -> Result<Vec<Word>, StoreError> {
        let rows: Vec<Short> = row::Entity::find()
            .select_only()
            .columns([
                row::Column::ContainmentId,
                row::Column::Revision,
                row::Column::NodeId,
                row::Column::HeardAt,
                row::Column::Statement,
                row::Column::Reason,
            ])
            .filter(row::Column::ContainmentId.is_in(containments.iter().map(ToString::to_string)))
            .into_tuple()
            .all(&self.db)
            .await?;
        let whole = |(containment_id, revision, node_id, heard_at, statement, reason)| row::Model {
            containment_id,
            revision,
            node_id,
            heard_at,
            statement,
            proof: None,
            reason,
        };
        let rows = rows.into_iter().map(whole);
        rows.map(from_row).collect()
    }

    /// What nodes said about one revision, with the proofs.
    pub(crate) async fn list_proven_words(
        &self,
        containment: ContainmentId,
        revision: u32,
    ) -> Result<Vec<Word>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::ContainmentId.eq(containment.to_string()))
            .filter(row::Column::Revision.eq(i64::from(revision)))
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Which nodes said something about one revision, whatever it was.
    pub(crate) async fn list_answered(
        &self,
        containment: ContainmentId,
        revision: u32,
    ) -> Result<Vec<NodeId>, StoreError> {
        let ids: Vec<String> = row::Entity::find()
            .select_only()
            .column(row::Column::NodeId)
            .filter(row::Column::ContainmentId.eq(containment.to_string()))
            .filter(row::Column::Revision.eq(i64::from(revision)))
            .into_tuple()
            .all(&self.db)
            .await?;
        ids.iter().map(|id| codec::parse(TABLE, id)).collect()
    }

    /// Which revisions of these containments a node confirmed.
    pub(crate) async fn list_confirmed_by(
        &self,
        node: NodeId,
        containments: &[ContainmentId],
    ) -> Result<BTreeSet<(ContainmentId, u32)>, StoreError> {
        let mut confirmed = BTreeSet::new();
        for some in containments.chunks(ROWS) {
            let rows: Vec<(String, i64)> = row::Entity::find()
                .select_only()
                .columns([row::Column::ContainmentId, row::Column::Revision])
                .filter(row::Column::ContainmentId.is_in(some.iter().map(ToString::to_string)))
                .filter(row::Column::NodeId.eq(node.to_string()))
                .filter(row::Column::Statement.is_not_null())
                .into_tuple()
                .all(&self.db)
                .await?;
            for (id, number) in rows {
                confirmed.insert((codec::parse(TABLE, &id)?, revision(number)?));
            }
        }
        Ok(confirmed)
    }
}

fn to_row(word: &Word) -> row::ActiveModel {
    let (statement, proof, reason) = match &word.said {
        Said::Confirmed { statement, proof } => (
            Some(statement.clone()),
            proof.as_ref().map(codec::to_json),
            None,
        ),
        Said::Refused { reason } => (None, None, Some(reason.clone())),
    };
    row::ActiveModel {
        containment_id: Set(word.containment.to_string()),
        revision: Set(i64::from(word.revision)),
        node_id: Set(word.node.to_string()),
        heard_at: Set(word.heard_at),
        statement: Set(statement),
        proof: Set(proof),
        reason: Set(reason),
    }
}

fn from_row(row: row::Model) -> Result<Word, StoreError> {
    let said = match row.statement {
        Some(statement) => Said::Confirmed {
            statement,
            proof: row
                .proof
                .map(|text| codec::from_json::<Proof>(TABLE, &text))
                .transpose()?,
        },
        None => Said::Refused {
            reason: row.reason.unwrap_or_default(),
        },
    };
    Ok(Word {
        containment: codec::parse(TABLE, &row.containment_id)?,
        revision: revision(row.revision)?,
        node: codec::parse(TABLE, &row.node_id)?,
        heard_at: row.heard_at,
        said,
    })
}

fn revision(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::Unreadable {
        table: TABLE,
        reason: error.to_string(),
    })
}
