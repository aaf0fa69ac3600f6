//! Forgets what nobody will ask for again: ended families and their tokens, invitations, events.
//!
//! These tables grow with every sign-in and are never read past a certain age, and what is not kept cannot be
//! stolen (GDPR article 5(1)(e)). One call removes at most [`BATCH`] rows of each kind in transactions of their
//! own, so that no sign-in waits for it; the caller comes back while there is more.
//!
//! It must never remove a spent token of a family that can still be used: its return is how a theft shows
//! (R-RT-01).

use chrono::Duration;
use contract::ids::TenantId;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    IdentityStore, StoreError,
    tables::{
        auth_events as events, invitations, refresh_families as families, refresh_tokens as tokens,
    },
};

/// Most rows of a kind that one call removes.
pub const BATCH: u64 = 500;
/// How long a family is kept after it ended. Whatever comes back of it is refused with or without the row; the
/// days are for whoever looks into a theft.
pub const FAMILY_RETENTION: Duration = Duration::days(7);
/// How long an invitation is kept after it ran out. One that was accepted is gone at once.
pub const INVITATION_RETENTION: Duration = Duration::days(30);
/// How long an event is kept (docs/operations.md).
pub const EVENT_RETENTION: Duration = Duration::days(90);

impl IdentityStore {
    /// Removes some of what is past its time; says whether there may be more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn purge(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let more = [
            self.purge_families(tenant).await?,
            self.purge_invitations(tenant).await?,
            self.purge_events(tenant).await?,
        ];
        Ok(more.contains(&true))
    }

    /// A family goes when its last token has gone, so a large one takes several calls.
    async fn purge_families(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let name = tenant.to_string();
        let before = self.before(FAMILY_RETENTION);
        let ended = Condition::any()
            .add(families::Column::ExpiresAt.lt(before))
            .add(families::Column::RevokedAt.lt(before));
        let transaction = self.begin(tenant).await?;
        let over: Vec<String> = families::Entity::find()
            .select_only()
            .column(families::Column::GrantId)
            .filter(families::Column::Tenant.eq(name.as_str()))
            .filter(ended)
            .order_by_asc(families::Column::GrantId)
            .limit(BATCH)
            .into_tuple()
            .all(&transaction)
            .await?;
        if over.is_empty() {
            return Ok(false);
        }
        let spent: Vec<String> = tokens::Entity::find()
            .select_only()
            .column(tokens::Column::TokenHash)
            .filter(tokens::Column::Tenant.eq(name.as_str()))
            .filter(tokens::Column::GrantId.is_in(over.clone()))
            .order_by_asc(tokens::Column::TokenHash)
            .limit(BATCH)
            .into_tuple()
            .all(&transaction)
            .await?;
        let (tokens_left, full) = (is_full(&spent), is_full(&over));
        tokens::Entity::delete_many()
            .filter(tokens::Column::Tenant.eq(name.as_str()))
            .filter(tokens::Column::TokenHash.is_in(spent))
            .exec(&transaction)
            .await?;
        if !tokens_left {
            families::Entity::delete_many()
                .filter(families::Column::Tenant.eq(name.as_str()))
                .filter(families::Column::GrantId.is_in(over))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(tokens_left || full)
    }

    async fn purge_invitations(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let name = tenant.to_string();
        let before = self.before(INVITATION_RETENTION);
        let transaction = self.begin(tenant).await?;
        let over: Vec<String> = invitations::Entity::find()
            .select_only()
            .column(invitations::Column::UserId)
            .filter(invitations::Column::Tenant.eq(name.as_str()))
            .filter(invitations::Column::ExpiresAt.lt(before))
            .order_by_asc(invitations::Column::UserId)
            .limit(BATCH)
            .into_tuple()
            .all(&transaction)
            .await?;
        let full = is_full(&over);
        invitations::Entity::delete_many()
            .filter(invitations::Column::Tenant.eq(name.as_str()))
            .filter(invitations::Column::UserId.is_in(over))
            // Asked again: it may have been renewed since it was found.
            .filter(invitations::Column::ExpiresAt.lt(before))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(full)
    }

    async fn purge_events(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let name = tenant.to_string();
        let transaction = self.begin(tenant).await?;
        let over: Vec<String> = events::Entity::find()
            .select_only()
            .column(events::Column::Id)
            .filter(events::Column::Tenant.eq(name.as_str()))
            .filter(events::Column::At.lt(self.before(EVENT_RETENTION)))
            .order_by_asc(events::Column::At)
            .limit(BATCH)
            .into_tuple()
            .all(&transaction)
            .await?;
        let full = is_full(&over);
        events::Entity::delete_many()
            .filter(events::Column::Tenant.eq(name.as_str()))
            .filter(events::Column::Id.is_in(over))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(full)
    }

    fn before(&self, retention: Duration) -> i64 {
        super::micros(self.clock.now() - retention)
    }
}

fn is_full(batch: &[String]) -> bool {
    batch.len() as u64 >= BATCH
}
