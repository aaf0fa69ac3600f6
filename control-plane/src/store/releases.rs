//! Rows of releases and of the sections they consist of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId},
    section::ContentHash,
    tenant::Region,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
    sea_query::{Alias, Expr, ExprTrait, OnConflict, Query},
};

use super::{StoreError, Tx, codec};
use crate::{
    nodes::Ring,
    page::{Page, PageRequest},
};

mod section {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sections")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        pub body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "releases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub manifest: String,
        pub manifest_hash: String,
        pub content: String,
        pub issued_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "releases";
/// Releases that one question asks about.
const AT_ONCE: usize = 200;
/// The current releases of a region that a node is not remembered to serve, or is remembered to have refused.
const UNCONFIRMED: &str = "SELECT t.id FROM tenants t \
    LEFT JOIN node_holdings h ON h.node_id = $1 AND h.tenant_id = t.id \
    WHERE t.region = $2 AND t.manifest_hash IS NOT NULL AND (h.applied_version IS NULL \
    OR h.applied_version <> t.release_version OR h.rejected_version IS NOT NULL)";
/// The same for a node of the wide ring, which keeps the version before while a rollout is open.
const UNCONFIRMED_WIDE: &str = "SELECT t.id FROM tenants t \
    LEFT JOIN node_holdings h ON h.node_id = $1 AND h.tenant_id = t.id \
    LEFT JOIN rollouts r ON r.tenant_id = t.id AND r.state IN ('baking', 'held') \
    WHERE t.region = $2 AND t.manifest_hash IS NOT NULL AND (h.applied_version IS NULL \
    OR h.applied_version <> COALESCE(r.base_version, t.release_version) \
    OR h.rejected_version IS NOT NULL)";
/// The tenants of a region that were released and whose keys nobody reported.
const UNREPORTED: &str = "SELECT t.id FROM tenants t WHERE t.region = $1 \
    AND t.manifest_hash IS NOT NULL \
    AND NOT EXISTS (SELECT 1 FROM tenant_keys k WHERE k.tenant_id = t.id)";

/// A release as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredRelease {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Which one.
    pub(crate) version: u64,
    /// The signed manifest.
    pub(crate) manifest: String,
    /// Its name.
    pub(crate) manifest_hash: ContentHash,
    /// What decides whether a later one differs: status, region and section hashes, in canonical form.
    pub(crate) content: String,
    /// When it was signed.
    pub(crate) issued_at: DateTime<Utc>,
}

impl Tx {
    /// When releases were signed, one of a tenant.
    pub(crate) async fn list_issued_at(
        &self,
        releases: &[(TenantId, u64)],
    ) -> Result<BTreeMap<TenantId, DateTime<Utc>>, StoreError> {
        let mut issued = BTreeMap::new();
        for some in releases.chunks(AT_ONCE) {
            let mut one_of_them = Condition::any();
            for (tenant, version) in some {
                let this = Condition::all()
                    .add(row::Column::TenantId.eq(tenant.to_string()))
                    .add(row::Column::Version.eq(codec::signed(TABLE, *version)?));
                one_of_them = one_of_them.add(this);
            }
            let rows: Vec<(String, DateTime<Utc>)> = row::Entity::find()
                .select_only()
                .columns([row::Column::TenantId, row::Column::IssuedAt])
                .filter(one_of_them)
                .into_tuple()
                .all(&self.db)
                .await?;
            for (tenant, at) in rows {
                issued.insert(codec::parse(TABLE, &tenant)?, at);
            }
        }
        Ok(issued)
    }

    /// Writes a release and those of its sections that are not there yet.
    pub(crate) async fn insert_release(
        &self,
        release: &StoredRelease,
        sections: &BTreeMap<ContentHash, String>,
    ) -> Result<(), StoreError> {
        for (hash, body) in sections {
            let row = section::ActiveModel {
                tenant_id: Set(release.tenant.to_string()),
                hash: Set(hash.to_string()),
                body: Set(body.clone()),
            };
            section::Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([section::Column::TenantId, section::Column::Hash])
                        .do_nothing()
                        .to_owned(),
                )
                .exec_without_returning(&self.db)
                .await?;
        }
        let row = row::ActiveModel {
            tenant_id: Set(release.tenant.to_string()),
            version: Set(codec::signed(TABLE, release.version)?),
            manifest: Set(release.manifest.clone()),
            manifest_hash: Set(release.manifest_hash.to_string()),
            content: Set(release.content.clone()),
            issued_at: Set(release.issued_at),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        self.point_tenant_at_release(release.tenant, release.version, &release.manifest_hash)
            .await
    }

    /// Finds one version.
    pub(crate) async fn find_release(
        &self,
        tenant: TenantId,
        version: u64,
    ) -> Result<Option<StoredRelease>, StoreError> {
        // Callers and nodes name versions too: one that no column can hold was never given.
        let Ok(version) = i64::try_from(version) else {
            return Ok(None);
        };
        let key = (tenant.to_string(), version);
        let found = row::Entity::find_by_id(key).one(&self.db).await?;
        found.map(from_row).transpose()
    }

    /// Finds the newest version.
    pub(crate) async fn find_latest_release(
        &self,
        tenant: TenantId,
    ) -> Result<Option<StoredRelease>, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .order_by_desc(row::Column::Version)
            .limit(1)
            .one(&self.db)
            .await?;
        found.map(from_row).transpose()
    }

    /// Lists versions, newest first.
    pub(crate) async fn list_releases(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<StoredRelease>, StoreError> {
        let mut query = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .order_by_desc(row::Column::Version);
        if let Some(after) = page.after_number() {
            query = query.filter(row::Column::Version.lt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let releases = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(releases, |release: &StoredRelease| release.version))
    }

    /// When the newest release of a region was signed, current or not.
    pub(crate) async fn newest_release_at(
        &self,
        region: &Region,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let tenants = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new("tenants"))
            .and_where(Expr::col(Alias::new("region")).eq(region.as_str()))
            .to_owned();
        let newest = row::Entity::find()
            .select_only()
            .column(row::Column::IssuedAt)
            .filter(row::Column::TenantId.in_subquery(tenants))
            .order_by_desc(row::Column::IssuedAt)
            .limit(1)
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(newest)
    }

    /// The tenants of a region of which we do not remember that the node serves the current release and
    /// refused none since.
    pub(crate) async fn list_unconfirmed(
        &self,
        node: NodeId,
        (region, ring): (&Region, Ring),
    ) -> Result<Vec<TenantId>, StoreError> {
        let sql = match ring {
            Ring::Canary => UNCONFIRMED,
            Ring::Wide => UNCONFIRMED_WIDE,
        };
        self.list_tenants_by(sql, [node.to_string().into(), region.to_string().into()])
            .await
    }

    /// The tenants of a region that have a release and no keys that a node reported.
    pub(crate) async fn list_unreported(
        &self,
        region: &Region,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.list_tenants_by(UNREPORTED, [region.to_string().into()])
            .await
    }

    async fn list_tenants_by(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let backend = self.db.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = self.db.query_all_raw(statement).await?;
        rows.iter()
            .map(|row| codec::parse("tenants", &row.try_get_by_index::<String>(0)?))
            .collect()
    }

    /// Reads the bodies of sections.
    pub(crate) async fn list_sections(
        &self,
        tenant: TenantId,
        hashes: &[ContentHash],
    ) -> Result<BTreeMap<ContentHash, String>, StoreError> {
        let rows = section::Entity::find()
            .filter(section::Column::TenantId.eq(tenant.to_string()))
            .filter(section::Column::Hash.is_in(hashes.iter().map(ContentHash::as_str)))
            .all(&self.db)
            .await?;
        rows.into_iter()
            .map(|row| Ok((codec::parse("sections", &row.hash)?, row.body)))
            .collect()
    }
}

fn from_row(row: row::Model) -> Result<StoredRelease, StoreError> {
    Ok(StoredRelease {
        tenant: codec::parse(TABLE, &row.tenant_id)?,
        version: codec::unsigned(TABLE, row.version)?,
        manifest: row.manifest,
        manifest_hash: codec::parse(TABLE, &row.manifest_hash)?,
        content: row.content,
        issued_at: row.issued_at,
    })
}
