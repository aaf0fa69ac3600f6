//! Rows of consents: what a person allowed an application, in which version and when (R-CONS-01).
//!
//! The audience is part of the key, because two APIs may use one scope word for different things; what the
//! tenant itself tells about the person (`openid`, `email`, …) has no audience.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{
    api::Audience,
    ids::{ApplicationId, TenantId, UserId},
    scope::{Scope, join_scopes, parse_scopes},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend,
    EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Statement, sea_query::OnConflict,
};

use super::{IdentityStore, StoreError, corrupt, parse, tables::consents as rows, time};

/// A lock with a name, held until the transaction ends. Two names with one hash wait for each other in vain,
/// which costs a moment and nothing else.
const TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// Something a person may allow: scopes of the tenant itself, or of one API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The API; `None` for what the tenant tells about the person.
    pub audience: Option<Audience>,
    /// The scopes.
    pub scopes: BTreeSet<Scope>,
}

impl Allowance {
    /// Whether it includes all of `wanted`.
    pub fn covers(&self, wanted: &Self) -> bool {
        self.audience == wanted.audience && wanted.scopes.is_subset(&self.scopes)
    }

    /// The audience as it is stored: no audience is called "".
    fn audience_key(&self) -> String {
        self.audience
            .as_ref()
            .map_or_else(String::new, ToString::to_string)
    }
}

/// What a person allowed an application, here or at one API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The application.
    pub application: ApplicationId,
    /// What it may do.
    pub allowed: Allowance,
    /// How often it was given or widened.
    pub version: u32,
    /// When it was last given.
    pub granted_at: DateTime<Utc>,
}

impl IdentityStore {
    /// Everything the user allowed, by application and audience.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn consents(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Vec<Consent>, StoreError> {
        self.consents_where(tenant, of(user)).await
    }

    /// What the user allowed the application.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn consents_to(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<Vec<Consent>, StoreError> {
        self.consents_where(tenant, to(user, application)).await
    }

    /// Adds to what a user allowed an application.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_consent(
        &self,
        tenant: TenantId,
        (user, application): (UserId, ApplicationId),
        allowed: &[Allowance],
    ) -> Result<(), StoreError> {
        let now = self.now();
        let transaction = self.begin(tenant).await?;
        in_turn(&transaction, tenant, (user, application)).await?;
        for allowance in allowed {
            let mut row = rows::Model {
                tenant: tenant.to_string(),
                user_id: user.to_string(),
                application: application.to_string(),
                audience: allowance.audience_key(),
                scopes: join_scopes(&allowance.scopes),
                version: 1,
                granted_at: now,
            };
            let key = (
                row.tenant.clone(),
                row.user_id.clone(),
                row.application.clone(),
                row.audience.clone(),
            );
            let earlier = rows::Entity::find_by_id(key).one(&transaction).await?;
            if let Some(earlier) = earlier {
                let known = parse_scopes(&earlier.scopes);
                let mut all = known.map_err(|_| corrupt("consented scopes"))?;
                all.extend(allowance.scopes.iter().cloned());
                row.scopes = join_scopes(&all);
                row.version = earlier.version.saturating_add(1);
            }
            upsert(&transaction, row).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets what the user allowed the application; says whether there was anything. The caller kills the
    /// grants (R-CONS-02).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn withdraw_consent(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin(tenant).await?;
        in_turn(&transaction, tenant, (user, application)).await?;
        let gone = rows::Entity::delete_many()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(to(user, application))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(gone.rows_affected > 0)
    }

    async fn consents_where(
        &self,
        tenant: TenantId,
        which: Condition,
    ) -> Result<Vec<Consent>, StoreError> {
        let found = rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(which)
            .order_by_asc(rows::Column::Application)
            .order_by_asc(rows::Column::Audience)
            .all(&self.reads(tenant).await?)
            .await?;
        found.into_iter().map(read).collect()
    }
}

/// Waits until nobody else changes what this user allowed this application. Adding reads before it writes, and
/// the rows it would lock may not be there yet. On SQLite a transaction that writes is alone anyway.
async fn in_turn(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    (user, application): (UserId, ApplicationId),
) -> Result<(), StoreError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let name = format!("consents {tenant} {user} {application}");
    let turn = Statement::from_sql_and_values(DbBackend::Postgres, TURN, [name.into()]);
    transaction.query_one_raw(turn).await?;
    Ok(())
}

fn of(user: UserId) -> Condition {
    Condition::all().add(rows::Column::UserId.eq(user.to_string()))
}

fn to(user: UserId, application: ApplicationId) -> Condition {
    of(user).add(rows::Column::Application.eq(application.to_string()))
}

async fn upsert(transaction: &DatabaseTransaction, row: rows::Model) -> Result<(), StoreError> {
    let keys = [
        rows::Column::Tenant,
        rows::Column::UserId,
        rows::Column::Application,
        rows::Column::Audience,
    ];
    let changed = [
        rows::Column::Scopes,
        rows::Column::Version,
        rows::Column::GrantedAt,
    ];
    let row = row.into_active_model().reset_all();
    rows::Entity::insert(row)
        .on_conflict(OnConflict::columns(keys).update_columns(changed).to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

fn read(row: rows::Model) -> Result<Consent, StoreError> {
    let audience = match row.audience.as_str() {
        "" => None,
        audience => Some(parse(audience, "a consent's audience")?),
    };
    Ok(Consent {
        application: parse(&row.application, "a consent's application")?,
        allowed: Allowance {
            audience,
            scopes: parse_scopes(&row.scopes).map_err(|_| corrupt("consented scopes"))?,
        },
        version: u32::try_from(row.version).map_err(|_| corrupt("a consent version"))?,
        granted_at: time(row.granted_at)?,
    })
}
