//! Rows of APIs.

use contract::{
    api::{Api, Audience},
    ids::{ApiId, TenantId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{StoreError, Tx, codec, search};
use crate::{
    apis::ApiRecord,
    page::{Page, PageRequest},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "apis")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name_folded: String,
        pub audience: String,
        pub document: String,
        pub version: i64,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "apis";

impl Tx {
    /// Writes a new API.
    pub(crate) async fn insert_api(
        &self,
        tenant: TenantId,
        record: &ApiRecord,
    ) -> Result<(), StoreError> {
        row::Entity::insert(to_row(tenant, record))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Overwrites an API.
    pub(crate) async fn update_api(
        &self,
        tenant: TenantId,
        record: &ApiRecord,
    ) -> Result<(), StoreError> {
        row::Entity::update(to_row(tenant, record))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes an API.
    pub(crate) async fn delete_api(&self, tenant: TenantId, id: ApiId) -> Result<(), StoreError> {
        row::Entity::delete_by_id((tenant.to_string(), id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds an API.
    pub(crate) async fn find_api(
        &self,
        tenant: TenantId,
        id: ApiId,
    ) -> Result<Option<ApiRecord>, StoreError> {
        row::Entity::find_by_id((tenant.to_string(), id.to_string()))
            .one(&self.db)
            .await?
            .map(from_row)
            .transpose()
    }

    /// Finds an API by the audience of its tokens.
    pub(crate) async fn find_api_by_audience(
        &self,
        tenant: TenantId,
        audience: &Audience,
    ) -> Result<Option<ApiRecord>, StoreError> {
        of_tenant(tenant)
            .filter(row::Column::Audience.eq(audience.as_str()))
            .one(&self.db)
            .await?
            .map(from_row)
            .transpose()
    }

    /// Lists APIs in the order in which they were made; `text` is part of a name or of an audience, or a whole id.
    pub(crate) async fn list_apis(
        &self,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApiRecord>, StoreError> {
        let mut query = of_tenant(tenant).order_by_asc(row::Column::Id);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            query = query.filter(
                Condition::any()
                    .add(search::folded(row::Column::NameFolded, text))
                    .add(search::folded(row::Column::Audience, text))
                    .add(row::Column::Id.eq(text)),
            );
        }
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Id.gt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let records = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(records, |record: &ApiRecord| record.api.id))
    }

    /// How many APIs the tenant has.
    pub(crate) async fn count_apis(&self, tenant: TenantId) -> Result<u64, StoreError> {
        Ok(of_tenant(tenant).count(&self.db).await?)
    }

    /// Every API of the tenant: what a release carries.
    pub(crate) async fn list_released_apis(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Api>, StoreError> {
        let rows = of_tenant(tenant)
            .order_by_asc(row::Column::Id)
            .all(&self.db)
            .await?;
        rows.into_iter()
            .map(|row| from_row(row).map(|record| record.api))
            .collect()
    }
}

fn of_tenant(tenant: TenantId) -> sea_orm::Select<row::Entity> {
    row::Entity::find().filter(row::Column::TenantId.eq(tenant.to_string()))
}

fn to_row(tenant: TenantId, record: &ApiRecord) -> row::ActiveModel {
    row::ActiveModel {
        tenant_id: Set(tenant.to_string()),
        id: Set(record.api.id.to_string()),
        name_folded: Set(record.api.name.to_lowercase()),
        audience: Set(record.api.audience.to_string()),
        document: Set(codec::to_json(&record.api)),
        version: Set(record.version),
        created_at: Set(record.created_at),
        updated_at: Set(record.updated_at),
    }
}

fn from_row(row: row::Model) -> Result<ApiRecord, StoreError> {
    Ok(ApiRecord {
        api: codec::from_json(TABLE, &row.document)?,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
