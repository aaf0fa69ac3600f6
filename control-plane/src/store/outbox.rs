//! Rows of the outbox: what was committed here and the other replicas have to hear.
//!
//! A row is written in the transaction of the change that it tells of, so that neither exists without the other.
//! Its number is taken last, because whoever takes it makes every other change wait until the commit.

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, TenantId},
    tenant::Region,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

use super::{StoreError, Tx, codec};
use crate::releases::Reach;

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub kind: String,
        pub subject: Option<String>,
        pub region: Option<String>,
        pub version: Option<i64>,
        pub at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "outbox";
const RELEASE: &str = "release";
const CANARY_RELEASE: &str = "release.canary";
const WIDE_RELEASE: &str = "release.wide";
const NODE: &str = "node";
const AUTHORITIES: &str = "authorities";
const CONTAINMENTS: &str = "containments";
/// Takes the next number, and holds the counter until the transaction ends.
const NEXT: &str = "UPDATE outbox_head SET number = number + 1 WHERE id = 1 RETURNING number";

/// Something that replicas have to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// A tenant has a new version, or more nodes are given it.
    Release {
        /// The tenant.
        tenant: TenantId,
        /// Where it lives.
        region: Region,
        /// The version.
        version: u64,
        /// Whose nodes are given it.
        reach: Reach,
    },
    /// A node may not be admitted any more, or not with the certificate it had.
    Node(NodeId),
    /// The list of authorities changed.
    Authorities,
    /// Something was contained or lifted in a region, or a node of it confirmed that.
    Containments(Region),
    /// Something that newer software tells.
    Unknown(String),
}

impl Tx {
    /// Tells the replicas, once this is committed. The last thing a transaction does.
    pub(crate) async fn put_news(&self, news: &News, at: DateTime<Utc>) -> Result<(), StoreError> {
        let next = Statement::from_string(self.db.get_database_backend(), NEXT);
        let taken = self.db.query_one_raw(next).await?;
        let number: i64 = taken
            .ok_or_else(|| DbErr::RecordNotFound("the counter of the outbox".to_owned()))?
            .try_get_by_index(0)?;
        let empty = row::ActiveModel {
            number: Set(number),
            subject: Set(None),
            region: Set(None),
            version: Set(None),
            at: Set(at),
            ..Default::default()
        };
        let row = match news {
            News::Release {
                tenant,
                region,
                version,
                reach,
            } => row::ActiveModel {
                kind: Set(kind_of(*reach).to_owned()),
                subject: Set(Some(tenant.to_string())),
                region: Set(Some(region.to_string())),
                version: Set(Some(codec::signed(TABLE, *version)?)),
                ..empty
            },
            News::Node(node) => row::ActiveModel {
                kind: Set(NODE.to_owned()),
                subject: Set(Some(node.to_string())),
                ..empty
            },
            News::Authorities => row::ActiveModel {
                kind: Set(AUTHORITIES.to_owned()),
                ..empty
            },
            News::Containments(region) => row::ActiveModel {
                kind: Set(CONTAINMENTS.to_owned()),
                region: Set(Some(region.to_string())),
                ..empty
            },
            News::Unknown(kind) => row::ActiveModel {
                kind: Set(kind.clone()),
                ..empty
            },
        };
        row::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// The number of the newest news; 0 if there never were any.
    pub(crate) async fn newest_news(&self) -> Result<u64, StoreError> {
        let newest: Option<i64> = row::Entity::find()
            .select_only()
            .column(row::Column::Number)
            .order_by_desc(row::Column::Number)
            .limit(1)
            .into_tuple()
            .one(&self.db)
            .await?;
        codec::unsigned(TABLE, newest.unwrap_or(0))
    }

    /// What came after `number`, oldest first, at most `most` of it.
    pub(crate) async fn list_news(
        &self,
        number: u64,
        most: u64,
    ) -> Result<Vec<(u64, News)>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Number.gt(codec::signed(TABLE, number)?))
            .order_by_asc(row::Column::Number)
            .limit(most)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Forgets what is older; every replica has heard it, or compares states when it is back.
    pub(crate) async fn trim_news(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = row::Entity::delete_many()
            .filter(row::Column::At.lt(before))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}

fn kind_of(reach: Reach) -> &'static str {
    match reach {
        Reach::Everybody => RELEASE,
        Reach::Canary => CANARY_RELEASE,
        Reach::Wide => WIDE_RELEASE,
    }
}

fn from_row(row: row::Model) -> Result<(u64, News), StoreError> {
    let missing = |column: &str| StoreError::Unreadable {
        table: TABLE,
        reason: format!("{column} is missing"),
    };
    let subject = row.subject.ok_or_else(|| missing("subject"));
    let region = row.region.ok_or_else(|| missing("region"));
    let news = match row.kind.as_str() {
        kind @ (RELEASE | CANARY_RELEASE | WIDE_RELEASE) => News::Release {
            tenant: codec::parse(TABLE, &subject?)?,
            region: codec::parse(TABLE, &region?)?,
            version: codec::unsigned(TABLE, row.version.ok_or_else(|| missing("version"))?)?,
            reach: match kind {
                CANARY_RELEASE => Reach::Canary,
                WIDE_RELEASE => Reach::Wide,
                _ => Reach::Everybody,
            },
        },
        NODE => News::Node(codec::parse(TABLE, &subject?)?),
        AUTHORITIES => News::Authorities,
        CONTAINMENTS => News::Containments(codec::parse(TABLE, &region?)?),
        _ => News::Unknown(row.kind),
    };
    Ok((codec::unsigned(TABLE, row.number)?, news))
}
