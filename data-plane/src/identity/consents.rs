//! Rows of consents: what a person allowed an application, in which version and when (R-CONS-01).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::{
    ids::{ApplicationId, TenantId, UserId},
    scope::{Scope, join_scopes, parse_scopes},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};

use super::{IdentityStore, StoreError, corrupt, tables::consents as rows, time};

/// What a person allowed an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The scopes.
    pub scopes: BTreeSet<Scope>,
    /// How often it was given or widened.
    pub version: u32,
    /// When it was last given.
    pub granted_at: DateTime<Utc>,
}

impl IdentityStore {
    /// What the user allowed the application, if anything.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn consent(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<Option<Consent>, StoreError> {
        let row = rows::Entity::find_by_id(key(tenant, user, application))
            .one(&self.db)
            .await?;
        row.map(read).transpose()
    }

    /// Adds `scopes` to what the user allowed the application.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_consent(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
        scopes: &BTreeSet<Scope>,
    ) -> Result<Consent, StoreError> {
        let transaction = self.begin().await?;
        let earlier = rows::Entity::find_by_id(key(tenant, user, application))
            .one(&transaction)
            .await?
            .map(read)
            .transpose()?;
        let version = earlier.as_ref().map_or(0, |consent| consent.version) + 1;
        let mut all = earlier.map(|consent| consent.scopes).unwrap_or_default();
        all.extend(scopes.iter().cloned());
        let row = rows::Model {
            tenant: tenant.to_string(),
            user_id: user.to_string(),
            application: application.to_string(),
            scopes: join_scopes(&all),
            version: i32::try_from(version).map_err(|_| corrupt("a consent version"))?,
            granted_at: self.now(),
        };
        let columns = [
            rows::Column::Scopes,
            rows::Column::Version,
            rows::Column::GrantedAt,
        ];
        let keys = [
            rows::Column::Tenant,
            rows::Column::UserId,
            rows::Column::Application,
        ];
        rows::Entity::insert(active(row.clone()))
            .on_conflict(OnConflict::columns(keys).update_columns(columns).to_owned())
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        read(row)
    }

    /// Forgets a consent; says whether there was one. The caller kills the grants (R-CONS-02).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn withdraw_consent(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<bool, StoreError> {
        let gone = rows::Entity::delete_many()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::UserId.eq(user.to_string()))
            .filter(rows::Column::Application.eq(application.to_string()))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected > 0)
    }
}

fn key(tenant: TenantId, user: UserId, application: ApplicationId) -> (String, String, String) {
    (
        tenant.to_string(),
        user.to_string(),
        application.to_string(),
    )
}

fn active(row: rows::Model) -> rows::ActiveModel {
    rows::ActiveModel {
        tenant: Set(row.tenant),
        user_id: Set(row.user_id),
        application: Set(row.application),
        scopes: Set(row.scopes),
        version: Set(row.version),
        granted_at: Set(row.granted_at),
    }
}

fn read(row: rows::Model) -> Result<Consent, StoreError> {
    Ok(Consent {
        scopes: parse_scopes(&row.scopes).map_err(|_| corrupt("consented scopes"))?,
        version: u32::try_from(row.version).map_err(|_| corrupt("a consent version"))?,
        granted_at: time(row.granted_at)?,
    })
}
