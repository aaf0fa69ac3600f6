//! Rows of client grants.

use contract::{
    client_grant::ClientGrant,
    ids::{ApiId, ApplicationId, ClientGrantId, TenantId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{StoreError, Tx, codec};
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

impl Tx {
    /// Writes a new grant.
    pub(crate) async fn insert_client_grant(
        &self,
        tenant: TenantId,
        record: &ClientGrantRecord,
    ) -> Result<(), StoreError> {
        row::Entity::insert(to_row(tenant, record))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Overwrites a grant.
    pub(crate) async fn update_client_grant(
        &self,
        tenant: TenantId,
        record: &ClientGrantRecord,
    ) -> Result<(), StoreError> {
        row::Entity::update(to_row(tenant, record))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes a grant.
    pub(crate) async fn delete_client_grant(
        &self,
        tenant: TenantId,
        id: ClientGrantId,
    ) -> Result<(), StoreError> {
        row::Entity::delete_by_id((tenant.to_string(), id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

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

    /// Finds a grant.
    pub(crate) async fn find_client_grant(
        &self,
        tenant: TenantId,
        id: ClientGrantId,
    ) -> Result<Option<ClientGrantRecord>, StoreError> {
        row::Entity::find_by_id((tenant.to_string(), id.to_string()))
            .one(&self.db)
            .await?
            .map(from_row)
            .transpose()
    }

    /// Lists grants in the order in which they were made.
    pub(crate) async fn list_client_grants(
        &self,
        tenant: TenantId,
        filter: ClientGrantFilter,
        page: &PageRequest,
    ) -> Result<Page<ClientGrantRecord>, StoreError> {
        let mut query = matching(tenant, filter).order_by_asc(row::Column::Id);
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Id.gt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let records = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(records, |record: &ClientGrantRecord| record.grant.id))
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
        grants(
            matching(
                tenant,
                ClientGrantFilter {
                    api: Some(api),
                    application: None,
                },
            )
            .all(&self.db)
            .await?,
        )
    }

    /// Every grant of the tenant: what a release carries.
    pub(crate) async fn list_released_client_grants(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<ClientGrant>, StoreError> {
        let query = matching(tenant, ClientGrantFilter::default()).order_by_asc(row::Column::Id);
        grants(query.all(&self.db).await?)
    }
}

fn matching(tenant: TenantId, filter: ClientGrantFilter) -> sea_orm::Select<row::Entity> {
    let mut query = row::Entity::find().filter(row::Column::TenantId.eq(tenant.to_string()));
    if let Some(application) = filter.application {
        query = query.filter(row::Column::ApplicationId.eq(application.to_string()));
    }
    if let Some(api) = filter.api {
        query = query.filter(row::Column::ApiId.eq(api.to_string()));
    }
    query
}

fn grants(rows: Vec<row::Model>) -> Result<Vec<ClientGrant>, StoreError> {
    rows.into_iter()
        .map(|row| from_row(row).map(|record| record.grant))
        .collect()
}

fn to_row(tenant: TenantId, record: &ClientGrantRecord) -> row::ActiveModel {
    row::ActiveModel {
        tenant_id: Set(tenant.to_string()),
        id: Set(record.grant.id.to_string()),
        application_id: Set(record.grant.application.to_string()),
        api_id: Set(record.grant.api.to_string()),
        scopes: Set(codec::to_json(&record.grant.scopes)),
        version: Set(record.version),
        created_at: Set(record.created_at),
        updated_at: Set(record.updated_at),
    }
}

fn from_row(row: row::Model) -> Result<ClientGrantRecord, StoreError> {
    Ok(ClientGrantRecord {
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
