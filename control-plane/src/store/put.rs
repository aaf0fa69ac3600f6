//! Writing a row whether or not there is one already with its key.

use sea_orm::{
    ActiveModelTrait, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, sea_query::OnConflict,
};

use super::{StoreError, Tx};

type KeyOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::PrimaryKey;
type ColumnOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

impl Tx {
    /// Writes a row, all of it, over the older one with the same key if there is one.
    pub(super) async fn put<A>(&self, row: A) -> Result<(), StoreError>
    where
        A: ActiveModelTrait + Send,
    {
        let key: Vec<ColumnOf<A>> = KeyOf::<A>::iter()
            .map(PrimaryKeyToColumn::into_column)
            .collect();
        let is_key = |column: &ColumnOf<A>| key.iter().any(|part| part.as_str() == column.as_str());
        let rest = ColumnOf::<A>::iter().filter(|column| !is_key(column));
        let over = OnConflict::columns(key.iter().copied())
            .update_columns(rest)
            .to_owned();
        A::Entity::insert(row)
            .on_conflict(over)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }
}
