//! Rows of client grants.

use contract::{
    client_grant::ClientGrant,
    ids::{ApiId, ApplicationId, TenantId},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Select};

use super::{
    StoreError, Stored, Tx, codec,
    kept::{ColumnOf, of_tenant},
};
use crate::{
    client_grants::{ClientGrantFilter, ClientGrantRecord},
    page::{Page, PageRequest},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "client_grants")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub application_id: String,
        pub api_id: String,
        pub scopes: String,
        pub version: i64,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "client_grants";

impl Stored for ClientGrantRecord {
    type Entity = row::Entity;
    const TENANT: ColumnOf<Self> = row::Column::TenantId;
    const ID: ColumnOf<Self> = row::Column::Id;

    fn to_row(&self, tenant: TenantId) -> row::ActiveModel {
        row::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            id: Set(self.grant.id.to_string()),
            application_id: Set(self.grant.application.to_string()),
            api_id: Set(self.grant.api.to_string()),
            scopes: Set(codec::to_json(&self.grant.scopes)),
            version: Set(self.version),
            created_at: Set(self.created_at),
            updated_at: Set(self.updated_at),
        }
    }

    fn from_row(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            grant: ClientGrant {
                id: codec::parse(TABLE, &row.id)?,
                application: codec::parse(TABLE, &row.application_id)?,
                api: codec::parse(TABLE, &row.api_id)?,
                scopes: codec::from_json(TABLE, &row.scopes)?,
            },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl Tx {
    /// Removes every grant of an application.
    pub(crate) async fn delete_client_grants_of(
        &self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .filter(row::Column::ApplicationId.eq(application.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Lists grants in the order in which they were made.
    pub(crate) async fn list_client_grants(
        &self,
        tenant: TenantId,
        filter: ClientGrantFilter,
        page: &PageRequest,
    ) -> Result<Page<ClientGrantRecord>, StoreError> {
        self.read_page(tenant, matching(tenant, filter), page).await
    }

    /// How many grants match.
    pub(crate) async fn count_client_grants(
        &self,
        tenant: TenantId,
        filter: ClientGrantFilter,
    ) -> Result<u64, StoreError> {
        Ok(matching(tenant, filter).count(&self.db).await?)
    }

    /// Every grant for one API, to check a change of its scopes.
    pub(crate) async fn client_grants_for_api(
        &self,
        tenant: TenantId,
        api: ApiId,
    ) -> Result<Vec<ClientGrant>, StoreError> {
        self.grants(tenant, ClientGrantFilter::for_api(api)).await
    }

    /// Every grant of the tenant: what a release carries.
    pub(crate) async fn list_released_client_grants(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<ClientGrant>, StoreError> {
        self.grants(tenant, ClientGrantFilter::default()).await
    }

    async fn grants(
        &self,
        tenant: TenantId,
        filter: ClientGrantFilter,
    ) -> Result<Vec<ClientGrant>, StoreError> {
        let found: Vec<ClientGrantRecord> = self.read(tenant, matching(tenant, filter)).await?;
        Ok(found.into_iter().map(|record| record.grant).collect())
    }
}

fn matching(tenant: TenantId, filter: ClientGrantFilter) -> Select<row::Entity> {
    let mut query = of_tenant::<ClientGrantRecord>(tenant);
    if let Some(application) = filter.application {
        query = query.filter(row::Column::ApplicationId.eq(application.to_string()));
    }
    if let Some(api) = filter.api {
        query = query.filter(row::Column::ApiId.eq(api.to_string()));
    }
    query
}
