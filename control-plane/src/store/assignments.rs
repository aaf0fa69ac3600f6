//! Rows of role assignments.

use contract::ids::{AssignmentId, OperatorId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{StoreError, Tx, codec};
use crate::{
    assignments::{Assignment, Member},
    caller::Scope,
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "assignments")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub operator_id: String,
        pub role: String,
        pub scope: String,
        pub created_at: DateTime<Utc>,
        pub created_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "assignments";
const PLATFORM: &str = "platform";

impl Tx {
    /// Gives a role.
    pub(crate) async fn insert_assignment(
        &self,
        assignment: &Assignment,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: Set(assignment.id.to_string()),
            operator_id: Set(assignment.operator.to_string()),
            role: Set(assignment.role.to_string()),
            scope: Set(scope_text(assignment.scope)),
            created_at: Set(assignment.created_at),
            created_by: Set(assignment.created_by.clone()),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Takes a role.
    pub(crate) async fn delete_assignment(&self, id: AssignmentId) -> Result<(), StoreError> {
        row::Entity::delete_by_id(id.to_string())
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Everything one operator holds.
    pub(crate) async fn list_assignments_of(
        &self,
        operator: OperatorId,
    ) -> Result<Vec<Assignment>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::OperatorId.eq(operator.to_string()))
            .order_by_asc(row::Column::Id)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Everyone who holds something in one scope.
    pub(crate) async fn list_members(&self, scope: Scope) -> Result<Vec<Member>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Scope.eq(scope_text(scope)))
            .order_by_asc(row::Column::Id)
            .all(&self.db)
            .await?;
        let assignments = rows
            .into_iter()
            .map(from_row)
            .collect::<Result<Vec<_>, _>>()?;
        let ids = assignments.iter().map(|held| held.operator.to_string());
        let people = super::operators::row::Entity::find()
            .filter(super::operators::row::Column::Id.is_in(ids))
            .all(&self.db)
            .await?
            .into_iter()
            .map(super::operators::from_row)
            .collect::<Result<Vec<_>, _>>()?;
        let mut members: Vec<Member> = people
            .into_iter()
            .map(|operator| Member {
                roles: assignments
                    .iter()
                    .filter(|held| held.operator == operator.id)
                    .cloned()
                    .collect(),
                operator,
            })
            .collect();
        members.sort_by(|a, b| {
            a.operator
                .name
                .cmp(&b.operator.name)
                .then(a.operator.id.cmp(&b.operator.id))
        });
        Ok(members)
    }
}

fn scope_text(scope: Scope) -> String {
    match scope {
        Scope::Platform => PLATFORM.to_owned(),
        Scope::Tenant(tenant) => tenant.to_string(),
    }
}

fn from_row(row: row::Model) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        id: codec::parse(TABLE, &row.id)?,
        operator: codec::parse(TABLE, &row.operator_id)?,
        role: codec::parse(TABLE, &row.role)?,
        scope: match row.scope.as_str() {
            PLATFORM => Scope::Platform,
            tenant => Scope::Tenant(codec::parse(TABLE, tenant)?),
        },
        created_at: row.created_at,
        created_by: row.created_by,
    })
}
