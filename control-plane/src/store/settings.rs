//! Rows of settings: the few single values the control plane keeps about itself.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict,
};

use super::{StoreError, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Tx {
    /// Reads a setting.
    pub(crate) async fn find_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let found = row::Entity::find_by_id(name).one(&self.db).await?;
        Ok(found.map(|row| row.value))
    }

    /// The settings of a family, `family:member` each, by name.
    pub(crate) async fn list_settings(
        &self,
        family: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Name.starts_with(format!("{family}:")))
            .order_by_asc(row::Column::Name)
            .all(&self.db)
            .await?;
        let pairs = rows.into_iter().map(|row| (row.name, row.value));
        Ok(pairs.collect())
    }

    /// Writes a setting, over an older value if there is one.
    pub(crate) async fn put_setting(&self, name: &str, value: String) -> Result<(), StoreError> {
        self.put(row::ActiveModel {
            name: Set(name.to_owned()),
            value: Set(value),
        })
        .await
    }

    /// Writes a setting if there is none yet; read it after the commit to see which one it is.
    pub(crate) async fn offer_setting(&self, name: &str, value: String) -> Result<(), StoreError> {
        row::Entity::insert(row::ActiveModel {
            name: Set(name.to_owned()),
            value: Set(value),
        })
        .on_conflict(
            OnConflict::column(row::Column::Name)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&self.db)
        .await?;
        Ok(())
    }

    /// Removes a setting; says whether it was there, so that of two removers exactly one succeeds.
    pub(crate) async fn take_setting(&self, name: &str) -> Result<bool, StoreError> {
        let gone = row::Entity::delete_by_id(name).exec(&self.db).await?;
        Ok(gone.rows_affected == 1)
    }
}
