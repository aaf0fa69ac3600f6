//! Rows of leases: which replica does a job, and how often that changed (F-11).

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    EntityTrait, QuerySelect,
    sea_query::{LockBehavior, LockType, OnConflict},
};

use super::{StoreError, Tx, codec};
use crate::{
    Refusal,
    jobs::{Claim, Lease, LeaseRecord},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_leases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub holder: String,
        pub fence: i64,
        pub until: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "job_leases";

impl Tx {
    /// Who has a job.
    pub(crate) async fn find_lease(&self, name: &str) -> Result<Option<LeaseRecord>, StoreError> {
        let found = row::Entity::find_by_id(name).one(&self.db).await?;
        found.map(from_row).transpose()
    }

    /// Gives a job to `replica` if nobody else has it. A row that another transaction holds at this moment is
    /// left alone: that one claims it, or works under it.
    pub(crate) async fn claim_lease(
        &self,
        name: &str,
        replica: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Lease>, StoreError> {
        let nobody = row::ActiveModel {
            name: Set(name.to_owned()),
            holder: Set(String::new()),
            fence: Set(0),
            until: Set(DateTime::UNIX_EPOCH),
        };
        let known = OnConflict::column(row::Column::Name)
            .do_nothing()
            .to_owned();
        row::Entity::insert(nobody)
            .on_conflict(known)
            .exec_without_returning(&self.db)
            .await?;
        // SQLite has one writer at a time and no such clause; sea-query leaves it out there.
        let free = row::Entity::find_by_id(name)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&self.db)
            .await?;
        let Some(known) = free.map(from_row).transpose()? else {
            return Ok(None);
        };
        match known.claim_of(replica, now) {
            Claim::Leave => return Ok(None),
            Claim::Have => return Ok(Some(Lease::new(name.to_owned(), known.fence))),
            Claim::Take => {}
        }
        let taken = known.taken_by(replica, now);
        let row = row::ActiveModel {
            name: Set(name.to_owned()),
            holder: Set(taken.holder),
            fence: Set(codec::signed(TABLE, taken.fence)?),
            until: Set(taken.until),
        };
        row::Entity::update(row)
            .exec_without_returning(&self.db)
            .await?;
        Ok(Some(Lease::new(name.to_owned(), taken.fence)))
    }

    /// Refuses to go on for a replica that has lost its job. Until this transaction ends nobody can take the job.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] (`lost_lease`).
    pub(crate) async fn check_fence(&self, lease: &Lease) -> Result<(), Refusal> {
        let query = row::Entity::find_by_id(lease.name()).lock_exclusive();
        let known = query.one(&self.db).await?;
        let known = known.map(from_row).transpose()?;
        if known.is_some_and(|known| known.fence == lease.fence()) {
            return Ok(());
        }
        Err(Refusal::conflict(
            "lost_lease",
            "Another control plane does this work now.",
        ))
    }
}

fn from_row(row: row::Model) -> Result<LeaseRecord, StoreError> {
    Ok(LeaseRecord {
        holder: row.holder,
        fence: codec::unsigned(TABLE, row.fence)?,
        until: row.until,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_replica_that_lost_a_job_changes_nothing_for_it_f_11() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::days(1) + TimeDelta::seconds(second);
        let claim = async |replica: &str, second| {
            let tx = store.begin().await.unwrap();
            let lease = tx.claim_lease("work", replica, at(second)).await.unwrap();
            tx.commit().await.unwrap();
            lease
        };
        let first = claim("one", 0).await.unwrap();
        assert_eq!(claim("two", 9).await, None, "the first one has it");
        assert_eq!(claim("one", 9).await, Some(first.clone()), "renewed");
        assert_eq!(claim("two", 18).await, None, "renewed in time");
        // The first one is frozen; the second one takes over, and the first one wakes.
        let second = claim("two", 19).await.unwrap();
        assert!(second.fence() > first.fence());
        let tx = store.begin().await.unwrap();
        let refused = tx.check_fence(&first).await.unwrap_err();
        assert!(refused.is_conflict("lost_lease"), "{refused}");
        tx.check_fence(&second).await.unwrap();
        let nobody = Lease::new("other".to_owned(), 1);
        assert!(tx.check_fence(&nobody).await.is_err());
    }
}
