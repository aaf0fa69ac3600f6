//! Rows of operators.

use chrono::{DateTime, Utc};
use contract::ids::{OperatorId, UserId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{StoreError, Tx, codec};
use crate::operators::Operator;

pub(super) mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "operators")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub subject: String,
        pub email: String,
        pub name: String,
        pub party: String,
        pub kind: String,
        pub created_at: DateTime<Utc>,
        pub accepted_at: Option<DateTime<Utc>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "operators";

impl Tx {
    /// Writes a new operator.
    pub(crate) async fn insert_operator(&self, operator: &Operator) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: Set(operator.id.to_string()),
            subject: Set(operator.subject.to_string()),
            email: Set(operator.email.clone()),
            name: Set(operator.name.clone()),
            party: Set(operator.party.to_string()),
            kind: Set(operator.kind.as_str().to_owned()),
            created_at: Set(operator.created_at),
            accepted_at: Set(operator.accepted_at),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Remembers that somebody came with the account for the first time; `false` for a later time, which
    /// changes nothing.
    pub(crate) async fn accept_operator(
        &self,
        id: OperatorId,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let accepted = row::Entity::update_many()
            .col_expr(row::Column::AcceptedAt, Expr::value(at))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::AcceptedAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(accepted.rows_affected == 1)
    }

    /// Gives an operator another address, in its normal form.
    pub(crate) async fn readdress_operator(
        &self,
        id: OperatorId,
        email: &str,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::Email, Expr::value(email))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds an operator.
    pub(crate) async fn find_operator(
        &self,
        id: OperatorId,
    ) -> Result<Option<Operator>, StoreError> {
        let found = row::Entity::find_by_id(id.to_string())
            .one(&self.db)
            .await?;
        found.map(from_row).transpose()
    }

    /// Finds an operator by the account they sign in with.
    pub(crate) async fn find_operator_by_subject(
        &self,
        subject: UserId,
    ) -> Result<Option<Operator>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Subject.eq(subject.to_string()));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// Finds an operator by address; addresses are kept in their normal form.
    pub(crate) async fn find_operator_by_email(
        &self,
        email: &str,
    ) -> Result<Option<Operator>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Email.eq(email));
        query.one(&self.db).await?.map(from_row).transpose()
    }
}

pub(super) fn from_row(row: row::Model) -> Result<Operator, StoreError> {
    Ok(Operator {
        id: codec::parse(TABLE, &row.id)?,
        subject: codec::parse(TABLE, &row.subject)?,
        email: row.email,
        name: row.name,
        party: codec::parse(TABLE, &row.party)?,
        kind: codec::parse(TABLE, &row.kind)?,
        created_at: row.created_at,
        accepted_at: row.accepted_at,
    })
}
