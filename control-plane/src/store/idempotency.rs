//! Rows of requests that may come again.
//!
//! Each write names the claim it acts under and tells whether it hit: of two processes that believe to hold
//! the same key, the database decides which one does.

use chrono::{DateTime, Utc};
use contract::{ids::TenantId, permission::Permission};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, Select, UpdateMany,
    sea_query::OnConflict,
};

use super::{StoreError, Tx, codec};
use crate::idempotency::{Claim, Place};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub operator_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_sha256: String,
        pub fingerprint: String,
        pub claim: String,
        pub claimed_at: DateTime<Utc>,
        pub acted_in: Option<String>,
        pub permissions: Option<String>,
        pub answer: Option<Vec<u8>>,
        pub expires_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "idempotency_keys";

/// A request as it is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    /// What it asked.
    pub(crate) fingerprint: String,
    /// Who carries it out: the token of a [`Claim`].
    pub(crate) claim: String,
    /// Since when.
    pub(crate) claimed_at: DateTime<Utc>,
    /// Where it was carried out and with which permissions, if it was.
    pub(crate) acted: Option<(TenantId, Vec<Permission>)>,
    /// The sealed answer, once there is one.
    pub(crate) answer: Option<Vec<u8>>,
}

impl Tx {
    /// Finds what is remembered under a key.
    pub(crate) async fn find_idempotency(
        &self,
        place: &Place,
    ) -> Result<Option<Remembered>, StoreError> {
        let found = at(place).one(&self.db).await?;
        found.map(from_row).transpose()
    }

    /// Remembers a request that is about to be carried out; `false` if another one took the key meanwhile.
    pub(crate) async fn insert_idempotency(
        &self,
        claim: &Claim,
        fingerprint: &str,
        claimed_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let row = row::ActiveModel {
            scope: Set(claim.place.scope.clone()),
            operator_id: Set(claim.place.operator.to_string()),
            key_sha256: Set(claim.place.key_sha256.clone()),
            fingerprint: Set(fingerprint.to_owned()),
            claim: Set(claim.token.clone()),
            claimed_at: Set(claimed_at),
            expires_at: Set(expires_at),
            ..Default::default()
        };
        let key = [
            row::Column::Scope,
            row::Column::OperatorId,
            row::Column::KeySha256,
        ];
        let inserted = row::Entity::insert(row)
            .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
            .exec_without_returning(&self.db)
            .await?;
        Ok(inserted == 1)
    }

    /// Takes over a request from somebody who gave no sign of life; `false` if another one did so first.
    pub(crate) async fn retake_idempotency(
        &self,
        claim: &Claim,
        from: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let row = row::ActiveModel {
            claim: Set(claim.token.clone()),
            claimed_at: Set(at),
            ..Default::default()
        };
        let stale = Claim {
            place: claim.place.clone(),
            token: from.to_owned(),
        };
        let taken = held(&stale, row)
            .filter(row::Column::ActedIn.is_null())
            .exec(&self.db)
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Writes, together with a change, that the change was made; `false` if somebody else holds the key now.
    pub(crate) async fn mark_idempotency_acted(
        &self,
        claim: &Claim,
        tenant: TenantId,
        permissions: &[Permission],
    ) -> Result<bool, StoreError> {
        let keys: Vec<String> = permissions.iter().map(|one| one.key()).collect();
        let row = row::ActiveModel {
            acted_in: Set(Some(tenant.to_string())),
            permissions: Set(Some(keys.join(" "))),
            ..Default::default()
        };
        let marked = held(claim, row).exec(&self.db).await?;
        Ok(marked.rows_affected == 1)
    }

    /// Keeps the sealed answer of a request that changed something; `false` if it changed nothing.
    pub(crate) async fn put_idempotency_answer(
        &self,
        claim: &Claim,
        sealed: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let row = row::ActiveModel {
            answer: Set(Some(sealed)),
            ..Default::default()
        };
        let kept = held(claim, row)
            .filter(row::Column::ActedIn.is_not_null())
            .exec(&self.db)
            .await?;
        Ok(kept.rows_affected == 1)
    }

    /// Forgets a request that changed nothing.
    pub(crate) async fn delete_idempotency(&self, claim: &Claim) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::Scope.eq(claim.place.scope.as_str()))
            .filter(row::Column::OperatorId.eq(claim.place.operator.to_string()))
            .filter(row::Column::KeySha256.eq(claim.place.key_sha256.as_str()))
            .filter(row::Column::Claim.eq(claim.token.as_str()))
            .filter(row::Column::ActedIn.is_null())
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets what has expired.
    pub(crate) async fn purge_idempotency(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::ExpiresAt.lte(now))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

fn at(place: &Place) -> Select<row::Entity> {
    row::Entity::find_by_id((
        place.scope.clone(),
        place.operator.to_string(),
        place.key_sha256.clone(),
    ))
}

/// An update of the row that `claim` holds, and of no other.
fn held(claim: &Claim, row: row::ActiveModel) -> UpdateMany<row::Entity> {
    row::Entity::update_many()
        .set(row)
        .filter(row::Column::Scope.eq(claim.place.scope.as_str()))
        .filter(row::Column::OperatorId.eq(claim.place.operator.to_string()))
        .filter(row::Column::KeySha256.eq(claim.place.key_sha256.as_str()))
        .filter(row::Column::Claim.eq(claim.token.as_str()))
}

fn from_row(row: row::Model) -> Result<Remembered, StoreError> {
    let acted = match (row.acted_in, row.permissions) {
        (Some(tenant), Some(permissions)) => Some((
            codec::parse(TABLE, &tenant)?,
            permissions
                .split(' ')
                .map(|permission| codec::parse(TABLE, permission))
                .collect::<Result<_, _>>()?,
        )),
        _ => None,
    };
    Ok(Remembered {
        fingerprint: row.fingerprint,
        claim: row.claim,
        claimed_at: row.claimed_at,
        acted,
        answer: row.answer,
    })
}
