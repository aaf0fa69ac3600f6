//! Rows of authorities. That only one signs, and only one comes next, is the database's rule: each has a
//! slot of which there is one.

use std::cmp::Reverse;

use contract::enrolment::Der;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict,
};

use super::{StoreError, Tx};
use crate::authorities::{Authority, AuthorityStanding};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "authorities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub fingerprint: String,
        pub slot: Option<String>,
        pub certificate: Vec<u8>,
        pub key_sealed: Option<Vec<u8>>,
        pub created_at: DateTime<Utc>,
        pub signing_since: Option<DateTime<Utc>>,
        pub retiring_since: Option<DateTime<Utc>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "authorities";
const NEXT: &str = "next";
const SIGNING: &str = "signing";

impl Tx {
    /// All authorities, in the order in which they were made: those that retire, the one that signs, the next.
    pub(crate) async fn list_authorities(&self) -> Result<Vec<Authority>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::CreatedAt)
            .all(&self.db)
            .await?;
        let all: Result<Vec<_>, _> = rows.into_iter().map(from_row).collect();
        let mut all = all?;
        // Two that were made at the same moment are told apart by how far they have come.
        all.sort_by_key(|authority| Reverse(authority.standing));
        Ok(all)
    }

    /// The one that signs.
    pub(crate) async fn find_signing_authority(&self) -> Result<Option<Authority>, StoreError> {
        let query = row::Entity::find().filter(row::Column::Slot.eq(SIGNING));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// Writes an authority unless there is another one in its place; look after the commit which one it is.
    pub(crate) async fn offer_authority(&self, new: &Authority) -> Result<(), StoreError> {
        let taken = OnConflict::column(row::Column::Slot)
            .do_nothing()
            .to_owned();
        row::Entity::insert(to_row(new))
            .on_conflict(taken)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Writes an authority, over what is known of it.
    pub(crate) async fn put_authority(&self, authority: &Authority) -> Result<(), StoreError> {
        self.put(to_row(authority)).await
    }

    /// Forgets an authority.
    pub(crate) async fn delete_authority(&self, fingerprint: &str) -> Result<(), StoreError> {
        row::Entity::delete_by_id(fingerprint)
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

fn to_row(authority: &Authority) -> row::ActiveModel {
    let slot = match authority.standing {
        AuthorityStanding::Next => Some(NEXT),
        AuthorityStanding::Signing => Some(SIGNING),
        AuthorityStanding::Retiring => None,
    };
    row::ActiveModel {
        fingerprint: Set(authority.certificate.fingerprint()),
        slot: Set(slot.map(ToOwned::to_owned)),
        certificate: Set(authority.certificate.as_bytes().to_vec()),
        key_sealed: Set(authority.key_sealed.clone()),
        created_at: Set(authority.created_at),
        signing_since: Set(authority.signing_since),
        retiring_since: Set(authority.retiring_since),
    }
}

fn from_row(row: row::Model) -> Result<Authority, StoreError> {
    let unreadable = |reason: String| StoreError::Unreadable {
        table: TABLE,
        reason,
    };
    let standing = match row.slot.as_deref() {
        Some(NEXT) => AuthorityStanding::Next,
        Some(SIGNING) => AuthorityStanding::Signing,
        None => AuthorityStanding::Retiring,
        Some(other) => return Err(unreadable(format!("{other} is no slot"))),
    };
    let certificate = Der::new(row.certificate).map_err(|error| unreadable(error.to_string()))?;
    Ok(Authority {
        standing,
        certificate,
        key_sealed: row.key_sealed,
        created_at: row.created_at,
        signing_since: row.signing_since,
        retiring_since: row.retiring_since,
    })
}
