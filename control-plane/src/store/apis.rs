//! Rows of APIs.

use contract::{
    api::{Api, Audience},
    ids::TenantId,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, QueryFilter};

use super::{
    StoreError, Stored, Tx, codec,
    kept::{ColumnOf, of_tenant},
    search,
};
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

impl Stored for ApiRecord {
    type Entity = row::Entity;
    const TENANT: ColumnOf<Self> = row::Column::TenantId;
    const ID: ColumnOf<Self> = row::Column::Id;

    fn to_row(&self, tenant: TenantId) -> row::ActiveModel {
        row::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            id: Set(self.api.id.to_string()),
            name_folded: Set(self.api.name.to_lowercase()),
            audience: Set(self.api.audience.to_string()),
            document: Set(codec::to_json(&self.api)),
            version: Set(self.version),
            created_at: Set(self.created_at),
            updated_at: Set(self.updated_at),
        }
    }

    fn from_row(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            api: codec::from_json(TABLE, &row.document)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl Tx {
    /// Finds an API by the audience of its tokens.
    pub(crate) async fn find_api_by_audience(
        &self,
        tenant: TenantId,
        audience: &Audience,
    ) -> Result<Option<ApiRecord>, StoreError> {
        let query =
            of_tenant::<ApiRecord>(tenant).filter(row::Column::Audience.eq(audience.as_str()));
        Ok(self.read(tenant, query).await?.pop())
    }

    /// Lists APIs in the order in which they were made; `text` is part of a name or of an audience, or a whole id.
    pub(crate) async fn list_apis(
        &self,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApiRecord>, StoreError> {
        let parts = [row::Column::NameFolded, row::Column::Audience];
        let query =
            of_tenant::<ApiRecord>(tenant).filter(search::named(row::Column::Id, &parts, text));
        self.read_page(tenant, query, page).await
    }

    /// Every API of the tenant: what a release carries.
    pub(crate) async fn list_released_apis(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Api>, StoreError> {
        let found: Vec<ApiRecord> = self.read(tenant, of_tenant::<ApiRecord>(tenant)).await?;
        Ok(found.into_iter().map(|record| record.api).collect())
    }
}
