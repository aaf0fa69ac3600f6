//! Rows of tenants.

use std::collections::BTreeMap;

use contract::{
    ids::TenantId,
    section::ContentHash,
    tenant::{Host, Region, Slug, TenantStatus},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{StoreError, Tx, codec, search::folded};
use crate::{
    nodes::Ring,
    page::{Page, PageRequest},
    tenants::Tenant,
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tenants")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub slug: String,
        pub name: String,
        pub environment: String,
        pub region: String,
        pub host: Option<String>,
        /// Slug, name and host, folded for searching.
        pub search: String,
        pub status: String,
        pub version: i64,
        pub matrix_version: i64,
        pub release_version: i64,
        pub manifest_hash: Option<String>,
        pub created_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "tenants";

impl Tx {
    /// Writes a new tenant.
    pub(crate) async fn insert_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        row::Entity::insert(to_row(tenant)?)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Overwrites a tenant's own members and counters.
    pub(crate) async fn update_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        row::Entity::update(to_row(tenant)?).exec(&self.db).await?;
        Ok(())
    }

    /// Remembers which release is the tenant's current one.
    pub(crate) async fn point_tenant_at_release(
        &self,
        tenant: TenantId,
        version: u64,
        manifest: &ContentHash,
    ) -> Result<(), StoreError> {
        let pointer = row::ActiveModel {
            id: Set(tenant.to_string()),
            release_version: Set(codec::signed(TABLE, version)?),
            manifest_hash: Set(Some(manifest.to_string())),
            ..Default::default()
        };
        row::Entity::update(pointer).exec(&self.db).await?;
        Ok(())
    }

    /// Finds a tenant.
    pub(crate) async fn find_tenant(&self, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
        from_rows(
            row::Entity::find_by_id(tenant.to_string())
                .one(&self.db)
                .await?,
        )
    }

    /// Finds a tenant and keeps every other writer away from it until the transaction ends, so that its
    /// release versions and audit numbers are given one after the other.
    pub(crate) async fn lock_tenant(&self, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
        let query = row::Entity::find_by_id(tenant.to_string()).lock_exclusive();
        from_rows(query.one(&self.db).await?)
    }

    /// Finds a tenant by its short name.
    pub(crate) async fn find_tenant_by_slug(
        &self,
        slug: &Slug,
    ) -> Result<Option<Tenant>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Slug.eq(slug.as_str()));
        from_rows(query.one(&self.db).await?)
    }

    /// Finds a tenant by its host.
    pub(crate) async fn find_tenant_by_host(
        &self,
        host: &Host,
    ) -> Result<Option<Tenant>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Host.eq(host.as_str()));
        from_rows(query.one(&self.db).await?)
    }

    /// Lists tenants by slug; `text` must occur in slug, name or host; `only` limits to those ids.
    pub(crate) async fn list_tenants(
        &self,
        text: Option<&str>,
        only: Option<&[TenantId]>,
        page: &PageRequest,
    ) -> Result<Page<Tenant>, StoreError> {
        let mut query = row::Entity::find().order_by_asc(row::Column::Slug);
        if let Some(only) = only {
            query = query.filter(row::Column::Id.is_in(only.iter().map(ToString::to_string)));
        }
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            query = query.filter(folded(row::Column::Search, text));
        }
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Slug.gt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let tenants = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(tenants, |tenant: &Tenant| tenant.slug.to_string()))
    }

    /// How many tenants live in a region.
    pub(crate) async fn count_tenants(&self, region: &Region) -> Result<u64, StoreError> {
        let there = row::Entity::find().filter(row::Column::Region.eq(region.as_str()));
        Ok(there.count(&self.db).await?)
    }

    /// Where tenants live.
    pub(crate) async fn list_tenant_regions(&self) -> Result<Vec<Region>, StoreError> {
        let regions: Vec<String> = row::Entity::find()
            .select_only()
            .column(row::Column::Region)
            .distinct()
            .into_tuple()
            .all(&self.db)
            .await?;
        let parsed = regions.iter().map(|region| codec::parse(TABLE, region));
        parsed.collect()
    }

    /// Ids of the tenants of a region, in the order in which they were made.
    pub(crate) async fn list_tenant_ids(
        &self,
        region: &Region,
    ) -> Result<Vec<TenantId>, StoreError> {
        let ids: Vec<String> = row::Entity::find()
            .filter(row::Column::Region.eq(region.as_str()))
            .select_only()
            .column(row::Column::Id)
            .order_by_asc(row::Column::Id)
            .into_tuple()
            .all(&self.db)
            .await?;
        ids.iter().map(|id| codec::parse(TABLE, id)).collect()
    }

    /// What the nodes of a ring of `region` should hold: version and manifest hash by tenant. While a rollout is
    /// open, the wide ring keeps the version before.
    pub(crate) async fn list_current_releases(
        &self,
        region: &Region,
        ring: Ring,
    ) -> Result<Vec<(TenantId, u64, ContentHash)>, StoreError> {
        let open = match ring {
            Ring::Canary => Vec::new(),
            Ring::Wide => self.list_open_rollouts(Some(region)).await?,
        };
        let mut kept: BTreeMap<TenantId, (u64, ContentHash)> = open
            .into_iter()
            .map(|open| (open.tenant, (open.base_version, open.base_manifest)))
            .collect();
        let rows: Vec<(String, i64, Option<String>)> = row::Entity::find()
            .select_only()
            .columns([
                row::Column::Id,
                row::Column::ReleaseVersion,
                row::Column::ManifestHash,
            ])
            .filter(row::Column::Region.eq(region.as_str()))
            .order_by_asc(row::Column::Id)
            .into_tuple()
            .all(&self.db)
            .await?;
        rows.into_iter()
            .filter_map(|(id, version, manifest)| Some((id, version, manifest?)))
            .map(|(id, version, manifest)| {
                let tenant = codec::parse(TABLE, &id)?;
                if let Some((version, manifest)) = kept.remove(&tenant) {
                    return Ok((tenant, version, manifest));
                }
                let version = codec::unsigned(TABLE, version)?;
                Ok((tenant, version, codec::parse(TABLE, &manifest)?))
            })
            .collect()
    }
}

fn to_row(tenant: &Tenant) -> Result<row::ActiveModel, StoreError> {
    Ok(row::ActiveModel {
        id: Set(tenant.id.to_string()),
        slug: Set(tenant.slug.to_string()),
        name: Set(tenant.name.to_string()),
        environment: Set(tenant.environment.as_str().to_owned()),
        region: Set(tenant.region.to_string()),
        host: Set(tenant.host.as_ref().map(ToString::to_string)),
        search: Set(searched(tenant)),
        status: Set(tenant.status.as_str().to_owned()),
        version: Set(tenant.version),
        matrix_version: Set(tenant.matrix_version),
        release_version: Set(codec::signed(TABLE, tenant.release_version)?),
        created_at: Set(tenant.created_at),
        ..Default::default()
    })
}

fn searched(tenant: &Tenant) -> String {
    let host = tenant.host.as_ref().map_or("", Host::as_str);
    format!("{} {} {host}", tenant.slug, tenant.name).to_lowercase()
}

fn from_rows(row: Option<row::Model>) -> Result<Option<Tenant>, StoreError> {
    row.map(from_row).transpose()
}

fn from_row(row: row::Model) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: codec::parse(TABLE, &row.id)?,
        slug: codec::parse(TABLE, &row.slug)?,
        name: codec::parse(TABLE, &row.name)?,
        environment: codec::parse(TABLE, &row.environment)?,
        region: codec::parse(TABLE, &row.region)?,
        host: row
            .host
            .as_deref()
            .map(|host| codec::parse(TABLE, host))
            .transpose()?,
        status: match row.status.as_str() {
            "active" => TenantStatus::Active,
            "suspended" => TenantStatus::Suspended,
            _ => {
                return Err(StoreError::Unreadable {
                    table: TABLE,
                    reason: "its status is not known".to_owned(),
                });
            }
        },
        version: row.version,
        matrix_version: row.matrix_version,
        release_version: codec::unsigned(TABLE, row.release_version)?,
        created_at: row.created_at,
    })
}
