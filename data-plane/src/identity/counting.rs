//! Counting what is alive in a tenant, for whoever is about to stop some of it. Numbers only.

use contract::{containment::Subject, ids::TenantId};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QuerySelect, sea_query::Expr,
};

use super::{
    IdentityStore, StoreError,
    tables::{refresh_families as families, users},
};

/// What is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveCount {
    /// People.
    pub users: u64,
    /// Grants whose refresh tokens can be used.
    pub grants: u64,
}

impl IdentityStore {
    /// Counts what a containment of `subject` would hit.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count_live(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<LiveCount, StoreError> {
        let reads = self.reads(tenant).await?;
        let people = users::Entity::find().filter(users::Column::Tenant.eq(tenant.to_string()));
        let live = families::Entity::find()
            .filter(families::Column::Tenant.eq(tenant.to_string()))
            .filter(families::Column::RevokedAt.is_null())
            .filter(families::Column::ExpiresAt.gt(self.now()));
        Ok(match subject {
            Subject::Tenant {} => LiveCount {
                users: people.count(&reads).await?,
                grants: live.count(&reads).await?,
            },
            Subject::User { user } => LiveCount {
                users: people
                    .filter(users::Column::Id.eq(user.to_string()))
                    .count(&reads)
                    .await?,
                grants: live
                    .filter(families::Column::UserId.eq(user.to_string()))
                    .count(&reads)
                    .await?,
            },
            Subject::Application { application } => {
                let live = live.filter(families::Column::Application.eq(application.to_string()));
                let distinct: Option<i64> = live
                    .clone()
                    .select_only()
                    .column_as(
                        Expr::col(families::Column::UserId).count_distinct(),
                        "people",
                    )
                    .into_tuple()
                    .one(&reads)
                    .await?;
                LiveCount {
                    users: u64::try_from(distinct.unwrap_or(0)).unwrap_or(0),
                    grants: live.count(&reads).await?,
                }
            }
            // A grant names its session inside what is stored of it, and an id occurs nowhere else.
            Subject::Session { session } => LiveCount {
                users: 0,
                grants: live
                    .filter(families::Column::Detail.contains(session.to_string()))
                    .count(&reads)
                    .await?,
            },
            Subject::SigningKey { .. } => LiveCount {
                users: 0,
                grants: 0,
            },
        })
    }
}
