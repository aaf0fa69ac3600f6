//! Rows of containments: each with its newest revision, as it was signed; and every revision there was, which is
//! what earlier receipts are about.
//!
//! The rows of those that nodes have forgotten stay, for the record. A region's number is taken by whoever
//! changes one of them, and holds up every other change there until the commit: numbers have no gaps.

use chrono::{DateTime, Utc};
use contract::{
    containment::Subject,
    ids::{ContainmentId, TenantId},
    receipt::Impact,
    tenant::Region,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement,
    sea_query::{Expr, Query},
};

use super::{StoreError, Tx, codec};
use crate::{
    containments::{ContainmentRecord, RevisionRecord},
    page::{Page, PageRequest},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "containments")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub tenant_id: String,
        pub region: String,
        pub subject_kind: String,
        /// Empty for the tenant itself.
        pub subject_id: String,
        pub revision: i64,
        pub sequence: i64,
        pub containment: String,
        pub document: String,
        pub ends_at: DateTime<Utc>,
        pub forgotten_at: DateTime<Utc>,
        pub accepted_at: DateTime<Utc>,
        pub reason: String,
        pub actor: String,
        pub actor_name: String,
        pub revised_by: String,
        pub lifted_reason: Option<String>,
        pub lifted_by: Option<String>,
        pub impact: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod revision {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "containment_revisions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub containment_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        pub document: String,
        pub accepted_at: DateTime<Utc>,
        pub reason: String,
        pub actor: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod feed {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "containment_feeds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub region: String,
        pub sequence: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod end {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "containment_ends")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub containment_id: String,
        pub told_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "containments";
const REVISIONS: &str = "containment_revisions";
const FEEDS: &str = "containment_feeds";
/// Takes a region's next number, and holds its counter until the transaction ends.
const NEXT: &str = "INSERT INTO containment_feeds (region, sequence) VALUES ($1, 1) \
                    ON CONFLICT (region) DO UPDATE SET sequence = containment_feeds.sequence + 1 \
                    RETURNING sequence";

impl Tx {
    /// Takes the next number of a region.
    pub(crate) async fn next_containment_sequence(
        &self,
        region: &Region,
    ) -> Result<u64, StoreError> {
        let backend = self.db.get_database_backend();
        let next = Statement::from_sql_and_values(backend, NEXT, [region.to_string().into()]);
        let taken = self.db.query_one_raw(next).await?;
        let number: i64 = taken
            .ok_or_else(|| DbErr::RecordNotFound("the counter of a region".to_owned()))?
            .try_get_by_index(0)?;
        codec::unsigned(FEEDS, number)
    }

    /// The number of a region's newest change; 0 if there never was any.
    pub(crate) async fn containment_sequence(&self, region: &Region) -> Result<u64, StoreError> {
        let found = feed::Entity::find_by_id(region.to_string());
        let found = found.one(&self.db).await?;
        codec::unsigned(FEEDS, found.map_or(0, |feed| feed.sequence))
    }

    /// Writes a containment over its earlier revision, if it has one.
    pub(crate) async fn put_containment(
        &self,
        record: &ContainmentRecord,
    ) -> Result<(), StoreError> {
        self.put(to_row(record)?).await?;
        let revision = revision::ActiveModel {
            containment_id: Set(record.containment.id.to_string()),
            revision: Set(i64::from(record.containment.revision)),
            document: Set(record.document.clone()),
            accepted_at: Set(record.accepted_at),
            reason: Set(record.revision_reason().to_owned()),
            actor: Set(record.revised_by.to_string()),
        };
        revision::Entity::insert(revision)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a revision of a containment, the newest or an earlier one.
    pub(crate) async fn find_containment_revision(
        &self,
        id: ContainmentId,
        number: u32,
    ) -> Result<Option<RevisionRecord>, StoreError> {
        let key = (id.to_string(), i64::from(number));
        let found = revision::Entity::find_by_id(key).one(&self.db).await?;
        found
            .map(|row| {
                Ok(RevisionRecord {
                    document: row.document,
                    accepted_at: row.accepted_at,
                    reason: row.reason,
                    actor: codec::parse(REVISIONS, &row.actor)?,
                })
            })
            .transpose()
    }

    /// Writes down when a revision was accepted, once the commit is over.
    pub(crate) async fn accept_containment(
        &self,
        id: ContainmentId,
        revision: u32,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        revision::Entity::update_many()
            .col_expr(revision::Column::AcceptedAt, Expr::value(at))
            .filter(revision::Column::ContainmentId.eq(id.to_string()))
            .filter(revision::Column::Revision.eq(i64::from(revision)))
            .exec(&self.db)
            .await?;
        row::Entity::update_many()
            .col_expr(row::Column::AcceptedAt, Expr::value(at))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::Revision.eq(i64::from(revision)))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Writes down what a containment hits, once the region has told.
    pub(crate) async fn count_containment(
        &self,
        id: ContainmentId,
        impact: &Impact,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::Impact, Expr::value(codec::to_json(impact)))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a containment of a tenant.
    pub(crate) async fn find_containment(
        &self,
        tenant: TenantId,
        id: ContainmentId,
    ) -> Result<Option<ContainmentRecord>, StoreError> {
        let query = row::Entity::find_by_id(id.to_string())
            .filter(row::Column::TenantId.eq(tenant.to_string()));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// Finds what contains a subject at a time.
    pub(crate) async fn find_contained(
        &self,
        tenant: TenantId,
        subject: &Subject,
        now: DateTime<Utc>,
    ) -> Result<Option<ContainmentRecord>, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .filter(row::Column::SubjectKind.eq(subject.kind()))
            .filter(row::Column::SubjectId.eq(subject.id().unwrap_or_default()))
            .filter(row::Column::EndsAt.gt(now))
            .order_by_desc(row::Column::Id);
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// A tenant's containments, newest first.
    pub(crate) async fn list_containments(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<ContainmentRecord>, StoreError> {
        let mut query = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .order_by_desc(row::Column::Id);
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Id.lt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let records = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(records, |record: &ContainmentRecord| record.containment.id))
    }

    /// What is in force at a time, newest first; `only` limits to those tenants.
    pub(crate) async fn list_in_force(
        &self,
        only: Option<&[TenantId]>,
        now: DateTime<Utc>,
        most: u64,
    ) -> Result<Vec<ContainmentRecord>, StoreError> {
        let mut query = row::Entity::find()
            .filter(row::Column::EndsAt.gt(now))
            .order_by_desc(row::Column::Id)
            .limit(most);
        if let Some(only) = only {
            query = query.filter(row::Column::TenantId.is_in(only.iter().map(ToString::to_string)));
        }
        let rows = query.all(&self.db).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// What ended by itself before a time and was not told of yet, oldest first.
    pub(crate) async fn list_ended_untold(
        &self,
        now: DateTime<Utc>,
        most: u64,
    ) -> Result<Vec<ContainmentRecord>, StoreError> {
        let told = Query::select()
            .column(end::Column::ContainmentId)
            .from(end::Entity)
            .to_owned();
        let rows = row::Entity::find()
            .filter(row::Column::EndsAt.lte(now))
            .filter(row::Column::LiftedReason.is_null())
            .filter(row::Column::Id.not_in_subquery(told))
            .order_by_asc(row::Column::EndsAt)
            .limit(most)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Writes down that the end of a containment was told; fails if it was told before.
    pub(crate) async fn put_containment_end(
        &self,
        id: ContainmentId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let told = end::ActiveModel {
            containment_id: Set(id.to_string()),
            told_at: Set(at),
        };
        end::Entity::insert(told)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// What nodes of a region could still hold at a time, of the changes after `sequence`, in their order.
    pub(crate) async fn list_containments_after(
        &self,
        region: &Region,
        sequence: u64,
        at: DateTime<Utc>,
    ) -> Result<Vec<ContainmentRecord>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Region.eq(region.as_str()))
            .filter(row::Column::Sequence.gt(codec::signed(TABLE, sequence)?))
            .filter(row::Column::ForgottenAt.gt(at))
            .order_by_asc(row::Column::Sequence)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// How many containments nodes of a region may still hold at a time.
    pub(crate) async fn count_remembered_containments(
        &self,
        region: &Region,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let query = row::Entity::find()
            .filter(row::Column::Region.eq(region.as_str()))
            .filter(row::Column::ForgottenAt.gt(now));
        Ok(query.count(&self.db).await?)
    }
}

fn to_row(record: &ContainmentRecord) -> Result<row::ActiveModel, StoreError> {
    let containment = &record.containment;
    Ok(row::ActiveModel {
        id: Set(containment.id.to_string()),
        tenant_id: Set(containment.tenant.to_string()),
        region: Set(containment.region.to_string()),
        subject_kind: Set(containment.subject.kind().to_owned()),
        subject_id: Set(containment.subject.id().unwrap_or_default()),
        revision: Set(i64::from(containment.revision)),
        sequence: Set(codec::signed(TABLE, containment.sequence)?),
        containment: Set(codec::to_json(containment)),
        document: Set(record.document.clone()),
        ends_at: Set(containment.ends_at()),
        forgotten_at: Set(containment.forgotten_at()),
        accepted_at: Set(record.accepted_at),
        reason: Set(record.reason.clone()),
        actor: Set(record.actor.to_string()),
        actor_name: Set(record.actor_name.clone()),
        revised_by: Set(record.revised_by.to_string()),
        lifted_reason: Set(record.lifted_reason.clone()),
        lifted_by: Set(record.lifted_by.clone()),
        impact: Set(record.impact.as_ref().map(codec::to_json)),
    })
}

fn from_row(row: row::Model) -> Result<ContainmentRecord, StoreError> {
    let impact = row.impact.as_deref();
    Ok(ContainmentRecord {
        containment: codec::from_json(TABLE, &row.containment)?,
        impact: impact
            .map(|text| codec::from_json(TABLE, text))
            .transpose()?,
        document: row.document,
        accepted_at: row.accepted_at,
        reason: row.reason,
        actor: codec::parse(TABLE, &row.actor)?,
        actor_name: row.actor_name,
        revised_by: codec::parse(TABLE, &row.revised_by)?,
        lifted_reason: row.lifted_reason,
        lifted_by: row.lifted_by,
    })
}
