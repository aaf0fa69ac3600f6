//! Rows of users and their passwords.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use contract::{
    Invalid,
    ids::{TenantId, UserId},
    text::normalize_email,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, SqlErr,
    sea_query::Expr,
};

use super::{
    IdentityStore, StoreError, parse,
    tables::{consents, passwords, refresh_families, users as rows},
    time,
};

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// May.
    Active,
    /// May not, until unblocked.
    Blocked,
}

impl UserStatus {
    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
        }
    }
}

impl FromStr for UserStatus {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "active" => Ok(Self::Active),
            "blocked" => Ok(Self::Blocked),
            _ => Err(Invalid::new("status", "must be active or blocked")),
        }
    }
}

/// A person at one tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Their `sub`.
    pub id: UserId,
    /// Whose user.
    pub tenant: TenantId,
    /// Their address as they wrote it.
    pub email: String,
    /// Whether they proved that it is theirs.
    pub email_verified: bool,
    /// Their name, if they gave one.
    pub name: Option<String>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When anything above last changed.
    pub updated_at: DateTime<Utc>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Personal data stays out of logs, whoever logs.
        write!(f, "User({})", self.id)
    }
}

/// A user to be.
pub struct NewUser<'a> {
    /// Their id.
    pub id: UserId,
    /// Their address as they wrote it.
    pub email: &'a str,
    /// Whether it is proven.
    pub email_verified: bool,
    /// Their name.
    pub name: Option<&'a str>,
    /// Their hashed password.
    pub phc: &'a str,
}

impl IdentityStore {
    /// Makes a user with a password, unless the address (or the id) is taken: then `None`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_user(
        &self,
        tenant: TenantId,
        user: NewUser<'_>,
    ) -> Result<Option<User>, StoreError> {
        let transaction = self.begin(tenant).await?;
        let made = insert_user(&transaction, tenant, user, self.now()).await?;
        if made.is_some() {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(made)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_user(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<User>, StoreError> {
        let key = (tenant.to_string(), user.to_string());
        rows::Entity::find_by_id(key)
            .one(&self.reads(tenant).await?)
            .await?
            .map(read)
            .transpose()
    }

    /// The user with this address, however it is written.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_user_by_identifier(
        &self,
        tenant: TenantId,
        identifier: &str,
    ) -> Result<Option<User>, StoreError> {
        rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::EmailNormalized.eq(normalize_email(identifier)))
            .one(&self.reads(tenant).await?)
            .await?
            .map(read)
            .transpose()
    }

    /// The user's hashed password.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn password(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, StoreError> {
        let key = (tenant.to_string(), user.to_string());
        let row = passwords::Entity::find_by_id(key)
            .one(&self.reads(tenant).await?)
            .await?;
        Ok(row.map(|row| row.phc))
    }

    /// Replaces a hash by a better one of the same password, unless the password changed meanwhile.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn upgrade_password(
        &self,
        (tenant, user): (TenantId, UserId),
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let transaction = self.begin(tenant).await?;
        passwords::Entity::update_many()
            .col_expr(passwords::Column::Phc, Expr::value(new))
            .filter(passwords::Column::Tenant.eq(tenant.to_string()))
            .filter(passwords::Column::UserId.eq(user.to_string()))
            .filter(passwords::Column::Phc.eq(old))
            .exec(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Blocks or unblocks a user; says whether there is such a user.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_status(
        &self,
        tenant: TenantId,
        user: UserId,
        status: UserStatus,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin(tenant).await?;
        let changed = rows::Entity::update_many()
            .col_expr(rows::Column::Status, Expr::value(status.as_str()))
            .col_expr(rows::Column::UpdatedAt, Expr::value(self.now()))
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::Id.eq(user.to_string()))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected > 0)
    }
}

/// Inserts a user and a password inside a transaction; `None` if the address or the id is taken, and
/// then the transaction can only be rolled back.
pub(super) async fn insert_user(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    user: NewUser<'_>,
    now: i64,
) -> Result<Option<User>, StoreError> {
    let model = rows::Model {
        tenant: tenant.to_string(),
        id: user.id.to_string(),
        email: user.email.to_owned(),
        email_normalized: normalize_email(user.email),
        email_verified: user.email_verified,
        name: user.name.map(str::to_owned),
        status: UserStatus::Active.as_str().to_owned(),
        created_at: now,
        updated_at: now,
    };
    let written = rows::Entity::insert(rows::ActiveModel::from(model.clone()))
        .exec_without_returning(db)
        .await;
    match written {
        Ok(_) => {}
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    let password = password_row(&model.tenant, &model.id, user.phc, now);
    passwords::Entity::insert(password)
        .exec_without_returning(db)
        .await?;
    read(model).map(Some)
}

/// Ends, inside a transaction, the account of whoever has this address without proof: the address is free
/// afterwards, credentials and consents are gone, and refresh tokens give nothing any more. Sessions, and
/// access tokens at our own endpoints, are nobody's without the row of their user; an API that verifies access
/// tokens by itself accepts them until they expire.
pub(super) async fn displace(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    email: &str,
    now: i64,
) -> Result<Option<UserId>, StoreError> {
    let holder = rows::Entity::find()
        .filter(rows::Column::Tenant.eq(tenant.to_string()))
        .filter(rows::Column::EmailNormalized.eq(normalize_email(email)))
        .filter(rows::Column::EmailVerified.eq(false))
        .one(db)
        .await?;
    let Some(rows::Model { tenant, id, .. }) = holder else {
        return Ok(None);
    };
    let key = (tenant.clone(), id.clone());
    rows::Entity::delete_by_id(key.clone()).exec(db).await?;
    passwords::Entity::delete_by_id(key).exec(db).await?;
    consents::Entity::delete_many()
        .filter(consents::Column::Tenant.eq(tenant.as_str()))
        .filter(consents::Column::UserId.eq(id.as_str()))
        .exec(db)
        .await?;
    refresh_families::Entity::update_many()
        .col_expr(refresh_families::Column::RevokedAt, Expr::value(now))
        .filter(refresh_families::Column::Tenant.eq(tenant.as_str()))
        .filter(refresh_families::Column::UserId.eq(id.as_str()))
        .filter(refresh_families::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    parse(&id, "a user id").map(Some)
}

fn password_row(tenant: &str, user: &str, phc: &str, now: i64) -> passwords::ActiveModel {
    passwords::ActiveModel {
        tenant: Set(tenant.to_owned()),
        user_id: Set(user.to_owned()),
        phc: Set(phc.to_owned()),
        changed_at: Set(now),
    }
}

fn read(row: rows::Model) -> Result<User, StoreError> {
    Ok(User {
        id: parse(&row.id, "a user id")?,
        tenant: parse(&row.tenant, "a tenant id")?,
        email: row.email,
        email_verified: row.email_verified,
        name: row.name,
        status: parse(&row.status, "a user status")?,
        created_at: time(row.created_at)?,
        updated_at: time(row.updated_at)?,
    })
}
