//! Rows of applications and of their secrets' hashes.
//!
//! A hash is written here and read only for a release ([`Tx::list_released_applications`]); every other method gives
//! an application without it, so that it cannot reach an answer or the audit log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    application::Application,
    ids::{ApplicationId, CredentialId, TenantId},
    secret::SecretHash,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{StoreError, Tx, codec, search};
use crate::{
    applications::{ApplicationRecord, SecretRecord},
    page::{Page, PageRequest},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "applications")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name_folded: String,
        pub document: String,
        pub version: i64,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod secret {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "application_secrets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub application_id: String,
        pub sha256: String,
        pub created_at: DateTime<Utc>,
        pub not_after: Option<DateTime<Utc>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "applications";

impl Tx {
    /// Writes a new application, without secrets.
    pub(crate) async fn insert_application(
        &self,
        tenant: TenantId,
        record: &ApplicationRecord,
    ) -> Result<(), StoreError> {
        row::Entity::insert(to_row(tenant, record))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Overwrites an application; its secrets stay as they are.
    pub(crate) async fn update_application(
        &self,
        tenant: TenantId,
        record: &ApplicationRecord,
    ) -> Result<(), StoreError> {
        row::Entity::update(to_row(tenant, record))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes an application and its secrets.
    pub(crate) async fn delete_application(
        &self,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<(), StoreError> {
        secret::Entity::delete_many()
            .filter(secret::Column::TenantId.eq(tenant.to_string()))
            .filter(secret::Column::ApplicationId.eq(id.to_string()))
            .exec(&self.db)
            .await?;
        row::Entity::delete_by_id((tenant.to_string(), id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds an application.
    pub(crate) async fn find_application(
        &self,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<Option<ApplicationRecord>, StoreError> {
        let row = row::Entity::find_by_id((tenant.to_string(), id.to_string()))
            .one(&self.db)
            .await?;
        let records = self.with_secrets(tenant, row.into_iter().collect()).await?;
        Ok(records.into_iter().next())
    }

    /// Lists applications in the order in which they were made; `text` is part of a name or a whole id.
    pub(crate) async fn list_applications(
        &self,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApplicationRecord>, StoreError> {
        let mut query = of_tenant(tenant).order_by_asc(row::Column::Id);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            query = query.filter(
                Condition::any()
                    .add(search::folded(row::Column::NameFolded, text))
                    .add(row::Column::Id.eq(text)),
            );
        }
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Id.gt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let records = self.with_secrets(tenant, rows).await?;
        Ok(page.page(records, |record| record.application.id))
    }

    /// How many applications the tenant has.
    pub(crate) async fn count_applications(&self, tenant: TenantId) -> Result<u64, StoreError> {
        Ok(of_tenant(tenant).count(&self.db).await?)
    }

    /// Every application of the tenant with its secrets' hashes: what a release carries.
    pub(crate) async fn list_released_applications(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Application>, StoreError> {
        let rows = of_tenant(tenant)
            .order_by_asc(row::Column::Id)
            .all(&self.db)
            .await?;
        let secrets = secrets_of(tenant).all(&self.db).await?;
        let mut hashes: BTreeMap<String, Vec<SecretHash>> = BTreeMap::new();
        for row in secrets {
            let hash = SecretHash {
                id: codec::parse(TABLE, &row.id)?,
                sha256: row.sha256,
                not_after: row.not_after,
            };
            hashes.entry(row.application_id).or_default().push(hash);
        }
        rows.into_iter()
            .map(|row| {
                let mut application: Application = codec::from_json(TABLE, &row.document)?;
                application.secrets = hashes.remove(&row.id).unwrap_or_default();
                Ok(application)
            })
            .collect()
    }

    /// Writes a new secret's hash.
    pub(crate) async fn insert_secret(
        &self,
        tenant: TenantId,
        application: ApplicationId,
        hash: &SecretHash,
        created_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        secret::Entity::insert(secret::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            id: Set(hash.id.to_string()),
            application_id: Set(application.to_string()),
            sha256: Set(hash.sha256.clone()),
            created_at: Set(created_at),
            not_after: Set(hash.not_after),
        })
        .exec_without_returning(&self.db)
        .await?;
        Ok(())
    }

    /// Sets when a secret stops working.
    pub(crate) async fn end_secret(
        &self,
        tenant: TenantId,
        id: CredentialId,
        not_after: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        secret::Entity::update(secret::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            id: Set(id.to_string()),
            not_after: Set(Some(not_after)),
            ..Default::default()
        })
        .exec(&self.db)
        .await?;
        Ok(())
    }

    /// Removes a secret.
    pub(crate) async fn delete_secret(
        &self,
        tenant: TenantId,
        id: CredentialId,
    ) -> Result<(), StoreError> {
        secret::Entity::delete_by_id((tenant.to_string(), id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    async fn with_secrets(
        &self,
        tenant: TenantId,
        rows: Vec<row::Model>,
    ) -> Result<Vec<ApplicationRecord>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let secrets = secrets_of(tenant)
            .filter(secret::Column::ApplicationId.is_in(rows.iter().map(|row| row.id.as_str())))
            .all(&self.db)
            .await?;
        rows.into_iter()
            .map(|row| {
                let own = secrets
                    .iter()
                    .filter(|secret| secret.application_id == row.id);
                let secrets = own.map(to_secret).collect::<Result<_, _>>()?;
                Ok(ApplicationRecord {
                    application: codec::from_json(TABLE, &row.document)?,
                    secrets,
                    version: row.version,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                })
            })
            .collect()
    }
}

fn of_tenant(tenant: TenantId) -> sea_orm::Select<row::Entity> {
    row::Entity::find().filter(row::Column::TenantId.eq(tenant.to_string()))
}

/// Oldest first: ids grow with time.
fn secrets_of(tenant: TenantId) -> sea_orm::Select<secret::Entity> {
    secret::Entity::find()
        .filter(secret::Column::TenantId.eq(tenant.to_string()))
        .order_by_asc(secret::Column::Id)
}

fn to_secret(row: &secret::Model) -> Result<SecretRecord, StoreError> {
    Ok(SecretRecord {
        id: codec::parse(TABLE, &row.id)?,
        created_at: row.created_at,
        not_after: row.not_after,
    })
}

fn to_row(tenant: TenantId, record: &ApplicationRecord) -> row::ActiveModel {
    debug_assert!(
        record.application.secrets.is_empty(),
        "hashes have rows of their own"
    );
    row::ActiveModel {
        tenant_id: Set(tenant.to_string()),
        id: Set(record.application.id.to_string()),
        name_folded: Set(record.application.name.to_lowercase()),
        document: Set(codec::to_json(&record.application)),
        version: Set(record.version),
        created_at: Set(record.created_at),
        updated_at: Set(record.updated_at),
    }
}
