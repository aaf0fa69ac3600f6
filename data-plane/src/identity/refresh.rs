//! Rows of refresh-token families and tokens. The rules of rotation are in [`crate::grants`].
//!
//! A family is one sign-in's worth of refresh tokens, of which at most one is unspent. Spending is a
//! conditional update inside a transaction that first locks the family's row, so of any number of nodes
//! one wins (R-RT-05). Tokens are stored as hashes; the successor of a spent token is kept sealed, to be
//! repeated during the grace (R-RT-03).

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{ApplicationId, TenantId, UserId},
};
use host::SealContext;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr,
};

use super::{
    IdentityStore, StoreError, corrupt, micros, parse,
    tables::{refresh_families as families, refresh_tokens as tokens},
    time,
};
use crate::grants::{GrantId, RefreshGrant};

/// A family as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What its tokens stand for.
    pub grant: RefreshGrant,
    /// When it was last used.
    pub used_at: DateTime<Utc>,
    /// When it ends in any case.
    pub expires_at: DateTime<Utc>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A grant with a family that can still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGrant {
    /// What its tokens stand for.
    pub grant: RefreshGrant,
    /// When the family began.
    pub since: DateTime<Utc>,
}

/// A token as it stands.
pub struct Token {
    /// Its family.
    pub grant: GrantId,
    /// When it was spent, if it was.
    pub spent_at: Option<DateTime<Utc>>,
    /// The token that replaced it.
    pub successor: Option<String>,
}

/// What became of spending a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// It was unspent, and its successor is valid now.
    Done,
    /// Somebody was faster.
    AlreadySpent,
    /// The family is revoked.
    Revoked,
}

impl IdentityStore {
    /// Begins a family with its first token.
    pub(crate) async fn begin_family(
        &self,
        tenant: TenantId,
        grant: &RefreshGrant,
        token: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let transaction = self.begin(tenant).await?;
        let family = families::ActiveModel {
            tenant: Set(tenant.to_string()),
            grant_id: Set(grant.grant.to_string()),
            application: Set(grant.application.to_string()),
            user_id: Set(grant.user.to_string()),
            detail: Set(serde_json::to_string(grant).map_err(|_| corrupt("a grant"))?),
            created_at: Set(now),
            used_at: Set(now),
            expires_at: Set(micros(expires_at)),
            revoked_at: Set(None),
        };
        families::Entity::insert(family)
            .exec_without_returning(&transaction)
            .await?;
        let token = fresh(tenant, grant.grant, token, now);
        tokens::Entity::insert(token)
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// A family.
    pub(crate) async fn find_family(
        &self,
        tenant: TenantId,
        grant: GrantId,
    ) -> Result<Option<Family>, StoreError> {
        let key = (tenant.to_string(), grant.to_string());
        let Some(row) = families::Entity::find_by_id(key)
            .one(&self.reads(tenant).await?)
            .await?
        else {
            return Ok(None);
        };
        Ok(Some(Family {
            grant: serde_json::from_str(&row.detail).map_err(|_| corrupt("a grant"))?,
            used_at: time(row.used_at)?,
            expires_at: time(row.expires_at)?,
            revoked: row.revoked_at.is_some(),
        }))
    }

    /// The user's grants whose families are neither revoked nor expired and were used after this time, the
    /// latest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn live_grants(
        &self,
        tenant: TenantId,
        user: UserId,
        used_after: DateTime<Utc>,
    ) -> Result<Vec<LiveGrant>, StoreError> {
        let rows = families::Entity::find()
            .filter(families::Column::Tenant.eq(tenant.to_string()))
            .filter(families::Column::UserId.eq(user.to_string()))
            .filter(families::Column::RevokedAt.is_null())
            .filter(families::Column::ExpiresAt.gt(self.now()))
            .filter(families::Column::UsedAt.gt(micros(used_after)))
            .order_by_desc(families::Column::CreatedAt)
            .all(&self.reads(tenant).await?)
            .await?;
        let live = |row: families::Model| {
            Ok(LiveGrant {
                grant: serde_json::from_str(&row.detail).map_err(|_| corrupt("a grant"))?,
                since: time(row.created_at)?,
            })
        };
        rows.into_iter().map(live).collect()
    }

    /// A token.
    pub(crate) async fn find_token(
        &self,
        tenant: TenantId,
        token: &str,
    ) -> Result<Option<Token>, StoreError> {
        let key = (tenant.to_string(), sha256_hex(token.as_bytes()));
        let Some(row) = tokens::Entity::find_by_id(key)
            .one(&self.reads(tenant).await?)
            .await?
        else {
            return Ok(None);
        };
        let successor = match &row.successor {
            Some(sealed) => Some(self.open_successor(tenant, &row, sealed).await?),
            None => None,
        };
        Ok(Some(Token {
            grant: parse(&row.grant_id, "a grant id")?,
            spent_at: row.spent_at.map(time).transpose()?,
            successor,
        }))
    }

    /// Replaces `token` by `successor`, unless somebody else did or the family is revoked.
    pub(crate) async fn spend_token(
        &self,
        tenant: TenantId,
        grant: GrantId,
        token: &str,
        successor: &str,
    ) -> Result<Spend, StoreError> {
        let secrets = self.secrets(tenant).await?;
        let (name, hash, now) = (tenant.to_string(), sha256_hex(token.as_bytes()), self.now());
        let sealed =
            secrets
                .data_key
                .seal(&self.entropy, &place(&name, &hash), successor.as_bytes());
        let transaction = self.begin(tenant).await?;
        let family = families::Entity::update_many()
            .col_expr(families::Column::UsedAt, Expr::value(now))
            .filter(families::Column::Tenant.eq(name.as_str()))
            .filter(families::Column::GrantId.eq(grant.to_string()))
            .filter(families::Column::RevokedAt.is_null())
            .exec(&transaction)
            .await?;
        if family.rows_affected == 0 {
            transaction.rollback().await?;
            return Ok(Spend::Revoked);
        }
        let spent = tokens::Entity::update_many()
            .col_expr(tokens::Column::SpentAt, Expr::value(now))
            .col_expr(tokens::Column::Successor, Expr::value(sealed))
            .filter(tokens::Column::Tenant.eq(name.as_str()))
            .filter(tokens::Column::TokenHash.eq(hash.as_str()))
            .filter(tokens::Column::SpentAt.is_null())
            .exec(&transaction)
            .await?;
        if spent.rows_affected == 0 {
            transaction.rollback().await?;
            return Ok(Spend::AlreadySpent);
        }
        tokens::Entity::insert(fresh(tenant, grant, successor, now))
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(Spend::Done)
    }

    /// Revokes one family; says whether a live one was there.
    pub(crate) async fn revoke_family(
        &self,
        tenant: TenantId,
        grant: GrantId,
    ) -> Result<bool, StoreError> {
        let only = Condition::all().add(families::Column::GrantId.eq(grant.to_string()));
        Ok(self.revoke_where(tenant, only).await? > 0)
    }

    /// Revokes every family that a user has at an application.
    pub(crate) async fn revoke_families(
        &self,
        tenant: TenantId,
        user: UserId,
        application: ApplicationId,
    ) -> Result<(), StoreError> {
        let at = Condition::all()
            .add(families::Column::UserId.eq(user.to_string()))
            .add(families::Column::Application.eq(application.to_string()));
        self.revoke_where(tenant, at).await?;
        Ok(())
    }

    async fn revoke_where(&self, tenant: TenantId, which: Condition) -> Result<u64, StoreError> {
        let transaction = self.begin(tenant).await?;
        let revoked = families::Entity::update_many()
            .col_expr(families::Column::RevokedAt, Expr::value(self.now()))
            .filter(families::Column::Tenant.eq(tenant.to_string()))
            .filter(families::Column::RevokedAt.is_null())
            .filter(which)
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(revoked.rows_affected)
    }

    async fn open_successor(
        &self,
        tenant: TenantId,
        row: &tokens::Model,
        sealed: &[u8],
    ) -> Result<String, StoreError> {
        let secrets = self.secrets(tenant).await?;
        let opened = secrets
            .data_key
            .open(&place(&row.tenant, &row.token_hash), sealed)
            .map_err(|error| corrupt(format!("a token's successor: {error}")))?;
        String::from_utf8(opened.to_vec()).map_err(|_| corrupt("a token's successor"))
    }
}

fn fresh(tenant: TenantId, grant: GrantId, token: &str, now: i64) -> tokens::ActiveModel {
    tokens::ActiveModel {
        tenant: Set(tenant.to_string()),
        token_hash: Set(sha256_hex(token.as_bytes())),
        grant_id: Set(grant.to_string()),
        created_at: Set(now),
        spent_at: Set(None),
        successor: Set(None),
    }
}

fn place<'a>(tenant: &'a str, hash: &'a str) -> SealContext<'a> {
    SealContext {
        tenant,
        table: "refresh_tokens",
        column: "successor",
        row: hash,
    }
}
