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
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Select};

use super::{
    StoreError, Stored, Tx, codec,
    kept::{ColumnOf, of_tenant},
    search,
};
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
        pub built_in: bool,
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

impl Stored for ApplicationRecord {
    type Entity = row::Entity;
    const TENANT: ColumnOf<Self> = row::Column::TenantId;
    const ID: ColumnOf<Self> = row::Column::Id;

    /// Without its secrets: hashes have rows of their own.
    fn to_row(&self, tenant: TenantId) -> row::ActiveModel {
        debug_assert!(
            self.application.secrets.is_empty(),
            "hashes have rows of their own"
        );
        row::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            id: Set(self.application.id.to_string()),
            name_folded: Set(self.application.name.to_lowercase()),
            document: Set(codec::to_json(&self.application)),
            built_in: Set(self.built_in),
            version: Set(self.version),
            created_at: Set(self.created_at),
            updated_at: Set(self.updated_at),
        }
    }

    fn from_row(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            application: codec::from_json(TABLE, &row.document)?,
            secrets: Vec::new(),
            built_in: row.built_in,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    async fn complete(
        mut found: Vec<Self>,
        tenant: TenantId,
        tx: &Tx,
    ) -> Result<Vec<Self>, StoreError> {
        let ids = found.iter().map(|record| record.application.id.to_string());
        let query = secrets_of(tenant).filter(secret::Column::ApplicationId.is_in(ids));
        let mut secrets: BTreeMap<String, Vec<SecretRecord>> = BTreeMap::new();
        for row in query.all(&tx.db).await? {
            let secret = to_secret(&row)?;
            secrets.entry(row.application_id).or_default().push(secret);
        }
        for record in &mut found {
            let own = secrets.remove(&record.application.id.to_string());
            record.secrets = own.unwrap_or_default();
        }
        Ok(found)
    }
}

impl Tx {
    /// Lists applications in the order in which they were made; `text` is part of a name or a whole id.
    pub(crate) async fn list_applications(
        &self,
        tenant: TenantId,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ApplicationRecord>, StoreError> {
        let query = of_tenant::<ApplicationRecord>(tenant).filter(search::named(
            row::Column::Id,
            &[row::Column::NameFolded],
            text,
        ));
        self.read_page(tenant, query, page).await
    }

    /// Every application of the tenant with its secrets' hashes: what a release carries.
    pub(crate) async fn list_released_applications(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Application>, StoreError> {
        let rows = of_tenant::<ApplicationRecord>(tenant).all(&self.db).await?;
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

    /// Removes every secret of an application.
    pub(crate) async fn delete_secrets_of(
        &self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<(), StoreError> {
        secret::Entity::delete_many()
            .filter(secret::Column::TenantId.eq(tenant.to_string()))
            .filter(secret::Column::ApplicationId.eq(application.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

/// Oldest first: ids grow with time.
fn secrets_of(tenant: TenantId) -> Select<secret::Entity> {
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
