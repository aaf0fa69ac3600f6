//! Rows of invitations: one open invitation per user to be, found by the hash of its token.

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{TenantId, UserId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::OnConflict,
};

use super::{
    IdentityStore, NewUser, StoreError, User, micros, parse,
    tables::invitations as rows,
    time,
    users::{displace, insert_user},
};

/// An open invitation.
pub struct InvitationRow {
    /// The id the account will have.
    pub user: UserId,
    /// To which address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// Who invites.
    pub inviter: String,
    /// What the person is invited to be.
    pub purpose: String,
    /// Whether the link went to the address, so that using it proves the address.
    pub mailed: bool,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Whether an invitation could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// It was; an earlier one for the same user is void.
    Open,
    /// There is such a user already.
    AccountExists,
    /// Another user has the address, with proof, or with as little proof as the link would be.
    EmailTaken,
}

/// What becomes of somebody who has the invited address without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// They lose it, with the account, to whoever proves it by a mailed link.
    Yields,
    /// They keep it, and the invitation fails.
    Stays,
}

/// What became of an acceptance.
pub enum Accept {
    /// The account exists now.
    Done {
        /// Its user.
        user: User,
        /// Who had the address without proof, and lost it with the account.
        displaced: Option<UserId>,
    },
    /// The link is unknown, used or over.
    LinkInvalid,
    /// Somebody proved the address meanwhile, or the link proves nothing; the invitation stays open.
    EmailTaken,
}

impl IdentityStore {
    /// Whether an invitation could be opened now. Somebody who has the address without proof and yields does
    /// not stand in the way of a mailed one, which proves it when it is used.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn check_invitable(
        &self,
        tenant: TenantId,
        invitation: &InvitationRow,
        holder: Holder,
    ) -> Result<Invited, StoreError> {
        if self.find_user(tenant, invitation.user).await?.is_some() {
            return Ok(Invited::AccountExists);
        }
        let yields = invitation.mailed && holder == Holder::Yields;
        let there = self
            .find_user_by_identifier(tenant, &invitation.email)
            .await?;
        Ok(match there {
            Some(user) if user.email_verified || !yields => Invited::EmailTaken,
            _ => Invited::Open,
        })
    }

    /// Ends an earlier invitation of the same user whose link went another way: to an address that was
    /// wrong, or through other hands.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_misdirected(
        &self,
        tenant: TenantId,
        invitation: &InvitationRow,
    ) -> Result<(), StoreError> {
        let elsewhere = Condition::any()
            .add(rows::Column::Email.ne(invitation.email.as_str()))
            .add(rows::Column::Mailed.ne(invitation.mailed));
        let transaction = self.begin(tenant).await?;
        rows::Entity::delete_many()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::UserId.eq(invitation.user.to_string()))
            .filter(elsewhere)
            .exec(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Opens an invitation whose link carries `token`, in place of an earlier one for the same user.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_invitation(
        &self,
        tenant: TenantId,
        invitation: &InvitationRow,
        token: &str,
        holder: Holder,
    ) -> Result<Invited, StoreError> {
        let free = self.check_invitable(tenant, invitation, holder).await?;
        if free != Invited::Open {
            return Ok(free);
        }
        let row = rows::ActiveModel {
            tenant: Set(tenant.to_string()),
            user_id: Set(invitation.user.to_string()),
            token_hash: Set(sha256_hex(token.as_bytes())),
            email: Set(invitation.email.clone()),
            name: Set(invitation.name.clone()),
            inviter: Set(invitation.inviter.clone()),
            purpose: Set(invitation.purpose.clone()),
            mailed: Set(invitation.mailed),
            expires_at: Set(micros(invitation.expires_at)),
            created_at: Set(self.now()),
        };
        let key = [rows::Column::Tenant, rows::Column::UserId];
        let rest = [
            rows::Column::TokenHash,
            rows::Column::Email,
            rows::Column::Name,
            rows::Column::Inviter,
            rows::Column::Purpose,
            rows::Column::Mailed,
            rows::Column::ExpiresAt,
            rows::Column::CreatedAt,
        ];
        let transaction = self.begin(tenant).await?;
        rows::Entity::insert(row)
            .on_conflict(OnConflict::columns(key).update_columns(rest).to_owned())
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(Invited::Open)
    }

    /// The open invitation of a token.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find_invitation(
        &self,
        tenant: TenantId,
        token: &str,
    ) -> Result<Option<InvitationRow>, StoreError> {
        let row = rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::TokenHash.eq(sha256_hex(token.as_bytes())))
            .filter(rows::Column::ExpiresAt.gt(self.now()))
            .one(&self.reads(tenant).await?)
            .await?;
        row.map(read).transpose()
    }

    /// Uses an invitation up and makes its user, in one transaction: of many callers one succeeds. Having
    /// had the mail proves the address, which outranks whoever has it without proof and yields.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn accept_invitation(
        &self,
        tenant: TenantId,
        token: &str,
        phc: &str,
        holder: Holder,
    ) -> Result<Accept, StoreError> {
        let Some(invitation) = self.find_invitation(tenant, token).await? else {
            return Ok(Accept::LinkInvalid);
        };
        let transaction = self.begin(tenant).await?;
        let used = rows::Entity::delete_many()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::TokenHash.eq(sha256_hex(token.as_bytes())))
            .exec(&transaction)
            .await?;
        if used.rows_affected == 0 {
            transaction.rollback().await?;
            return Ok(Accept::LinkInvalid);
        }
        let now = self.now();
        let displaced = if invitation.mailed && holder == Holder::Yields {
            displace(&transaction, tenant, &invitation.email, now).await?
        } else {
            None
        };
        let user = NewUser {
            id: invitation.user,
            email: &invitation.email,
            email_verified: invitation.mailed,
            name: Some(&invitation.name),
            phc,
        };
        match insert_user(&transaction, tenant, user, now).await? {
            Some(user) => {
                transaction.commit().await?;
                Ok(Accept::Done { user, displaced })
            }
            None => {
                transaction.rollback().await?;
                Ok(Accept::EmailTaken)
            }
        }
    }
}

fn read(row: rows::Model) -> Result<InvitationRow, StoreError> {
    Ok(InvitationRow {
        user: parse(&row.user_id, "a user id")?,
        email: row.email,
        name: row.name,
        inviter: row.inviter,
        purpose: row.purpose,
        mailed: row.mailed,
        expires_at: time(row.expires_at)?,
    })
}
