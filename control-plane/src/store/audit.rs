//! Rows of the audit log: appended and read, never changed.

use contract::{
    ids::{EventId, TenantId},
    section::ContentHash,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use super::{
    StoreError, Tx, codec,
    search::{folded, sought},
};
use crate::{
    audit::{AuditEvent, AuditFilter, AuditRecord},
    page::{Page, PageRequest},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub id: String,
        pub at: DateTime<Utc>,
        pub actor_id: String,
        pub action: String,
        pub object_kind: String,
        pub object_id: String,
        pub outcome: String,
        /// Sentence, actor and object, folded for searching.
        pub search: String,
        pub document: String,
        pub previous_hash: String,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "audit_events";

impl Tx {
    /// Appends an event.
    pub(crate) async fn insert_audit(&self, record: &AuditRecord) -> Result<(), StoreError> {
        let event = &record.event;
        let object = event.object.as_ref();
        let row = row::ActiveModel {
            tenant_id: Set(event.tenant.to_string()),
            seq: Set(codec::signed(TABLE, event.seq)?),
            id: Set(event.id.to_string()),
            at: Set(event.at),
            actor_id: Set(event.actor.operator.to_string()),
            action: Set(event.action.clone()),
            object_kind: Set(object.map(|object| object.kind.clone()).unwrap_or_default()),
            object_id: Set(object.map(|object| object.id.clone()).unwrap_or_default()),
            outcome: Set(event.outcome.as_str().to_owned()),
            search: Set(searched(event)),
            document: Set(AuditRecord::document(event)),
            previous_hash: Set(event.previous.to_string()),
            hash: Set(record.hash.to_string()),
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// The last event's position and hash.
    pub(crate) async fn find_audit_head(
        &self,
        tenant: TenantId,
    ) -> Result<Option<(u64, ContentHash)>, StoreError> {
        let last: Option<(i64, String)> = of(tenant)
            .select_only()
            .columns([row::Column::Seq, row::Column::Hash])
            .order_by_desc(row::Column::Seq)
            .limit(1)
            .into_tuple()
            .one(&self.db)
            .await?;
        last.map(|(seq, hash)| Ok((codec::unsigned(TABLE, seq)?, codec::parse(TABLE, &hash)?)))
            .transpose()
    }

    /// Finds an event of a tenant.
    pub(crate) async fn find_audit(
        &self,
        tenant: TenantId,
        id: EventId,
    ) -> Result<Option<AuditRecord>, StoreError> {
        let query = of(tenant).filter(row::Column::Id.eq(id.to_string()));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// Lists a tenant's events, newest first.
    pub(crate) async fn list_audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        let mut query = filtered(of(tenant), filter).order_by_desc(row::Column::Seq);
        if let Some(after) = page.after_number() {
            query = query.filter(row::Column::Seq.lt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let records = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(records, |record: &AuditRecord| record.event.seq))
    }

    /// Reads the chain from after `seq` on.
    pub(crate) async fn read_audit_chain(
        &self,
        tenant: TenantId,
        seq: u64,
        limit: u64,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = of(tenant)
            .filter(row::Column::Seq.gt(codec::signed(TABLE, seq)?))
            .order_by_asc(row::Column::Seq)
            .limit(limit)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }
}

fn searched(event: &AuditEvent) -> String {
    let label = event
        .object
        .as_ref()
        .map_or("", |object| object.label.as_str());
    format!("{} {} {label}", event.sentence, event.actor.name).to_lowercase()
}

fn of(tenant: TenantId) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::TenantId.eq(tenant.to_string()))
}

fn filtered(mut query: Select<row::Entity>, filter: &AuditFilter) -> Select<row::Entity> {
    if let Some(actor) = filter.actor {
        query = query.filter(row::Column::ActorId.eq(actor.to_string()));
    }
    if let Some(action) = &filter.action {
        let action = sought(action);
        query = match action.ends_with('.') {
            true => query.filter(begins(&action)),
            false => query.filter(row::Column::Action.eq(action.as_str())),
        };
    }
    if let Some(object) = &filter.object {
        query = query.filter(row::Column::ObjectId.eq(sought(object)));
    }
    if let Some(outcome) = filter.outcome {
        query = query.filter(row::Column::Outcome.eq(outcome.as_str()));
    }
    if let Some(since) = filter.since {
        query = query.filter(row::Column::At.gte(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(row::Column::At.lt(until));
    }
    if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
        query = query.filter(folded(row::Column::Search, text));
    }
    query
}

/// Done under this beginning, or refused under it: the action of a refused attempt is the permission that
/// was missing, which names its scope first.
fn begins(action: &str) -> Condition {
    ["", "tenant.", "platform."]
        .into_iter()
        .map(|scope| row::Column::Action.starts_with(format!("{scope}{action}")))
        .fold(Condition::any(), Condition::add)
}

fn from_row(row: row::Model) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        event: codec::from_json(TABLE, &row.document)?,
        hash: codec::parse(TABLE, &row.hash)?,
    })
}
