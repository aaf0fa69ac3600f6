//! Rows of policies: every version that was in force, and drafts.

use contract::{ids::TenantId, policies::PolicyKind};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::Expr,
};

use super::{StoreError, Tx, codec};
use crate::{
    page::{Page, PageRequest},
    policies::{PolicyDraft, PublishedPolicy},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "policies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub document: String,
        pub hash: String,
        pub published_at: DateTime<Utc>,
        pub published_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod draft {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "policy_drafts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        /// Nothing where a draft once was: its version must not come back (R-ADM-07).
        pub document: Option<String>,
        pub base_version: i64,
        pub version: i64,
        pub updated_at: DateTime<Utc>,
        pub updated_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "policies";

impl Tx {
    /// Puts a version into force.
    pub(crate) async fn insert_policy(
        &self,
        tenant: TenantId,
        policy: &PublishedPolicy,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            kind: Set(policy.document.kind().to_string()),
            version: Set(policy.version),
            document: Set(codec::to_json(&policy.document)),
            hash: Set(policy.hash.to_string()),
            published_at: Set(policy.published_at),
            published_by: Set(policy.published_by.clone()),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// What is in force, for one kind.
    pub(crate) async fn find_published_policy(
        &self,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<Option<PublishedPolicy>, StoreError> {
        let query = versions(tenant, kind).limit(1);
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// What is in force, for each kind that has documents.
    pub(crate) async fn list_published_policies(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<PublishedPolicy>, StoreError> {
        let mut published = Vec::new();
        for kind in contract::policies::Policy::WRITABLE {
            published.extend(self.find_published_policy(tenant, kind).await?);
        }
        Ok(published)
    }

    /// The versions of one kind, newest first.
    pub(crate) async fn list_policy_versions(
        &self,
        tenant: TenantId,
        kind: PolicyKind,
        page: &PageRequest,
    ) -> Result<Page<PublishedPolicy>, StoreError> {
        let mut query = versions(tenant, kind);
        if let Some(after) = page.after_number() {
            query = query.filter(row::Column::Version.lt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let found = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(found, |policy: &PublishedPolicy| policy.version))
    }

    /// Writes a draft, over the older one if there is one.
    pub(crate) async fn put_policy_draft(
        &self,
        tenant: TenantId,
        draft: &PolicyDraft,
    ) -> Result<(), StoreError> {
        self.put(draft::ActiveModel {
            tenant_id: Set(tenant.to_string()),
            kind: Set(draft.document.kind().to_string()),
            document: Set(Some(codec::to_json(&draft.document))),
            base_version: Set(draft.base_version),
            version: Set(draft.version),
            updated_at: Set(draft.updated_at),
            updated_by: Set(draft.updated_by.clone()),
        })
        .await
    }

    /// Removes a draft; its version stays used.
    pub(crate) async fn delete_policy_draft(
        &self,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<(), StoreError> {
        draft::Entity::update_many()
            .col_expr(draft::Column::Document, Expr::value(None::<String>))
            .filter(draft::Column::TenantId.eq(tenant.to_string()))
            .filter(draft::Column::Kind.eq(kind.as_str()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The version of the last draft of one kind there ever was; 0 before the first.
    pub(crate) async fn last_draft_version(
        &self,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<i64, StoreError> {
        let key = (tenant.to_string(), kind.to_string());
        let found = draft::Entity::find_by_id(key).one(&self.db).await?;
        Ok(found.map_or(0, |row| row.version))
    }

    /// The draft of one kind.
    pub(crate) async fn find_policy_draft(
        &self,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<Option<PolicyDraft>, StoreError> {
        let key = (tenant.to_string(), kind.to_string());
        let found = draft::Entity::find_by_id(key).one(&self.db).await?;
        Ok(found.map(from_draft).transpose()?.flatten())
    }

    /// All drafts.
    pub(crate) async fn list_policy_drafts(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<PolicyDraft>, StoreError> {
        let rows = draft::Entity::find()
            .filter(draft::Column::TenantId.eq(tenant.to_string()))
            .all(&self.db)
            .await?;
        let drafts: Vec<_> = rows.into_iter().map(from_draft).collect::<Result<_, _>>()?;
        Ok(drafts.into_iter().flatten().collect())
    }
}

fn versions(tenant: TenantId, kind: PolicyKind) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::TenantId.eq(tenant.to_string()))
        .filter(row::Column::Kind.eq(kind.as_str()))
        .order_by_desc(row::Column::Version)
}

fn from_row(row: row::Model) -> Result<PublishedPolicy, StoreError> {
    Ok(PublishedPolicy {
        document: codec::from_json(TABLE, &row.document)?,
        version: row.version,
        hash: codec::parse(TABLE, &row.hash)?,
        published_at: row.published_at,
        published_by: row.published_by,
    })
}

fn from_draft(row: draft::Model) -> Result<Option<PolicyDraft>, StoreError> {
    let Some(document) = &row.document else {
        return Ok(None);
    };
    Ok(Some(PolicyDraft {
        document: codec::from_json("policy_drafts", document)?,
        base_version: row.base_version,
        version: row.version,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
    }))
}
