//! Rows of authentication events: what happened to whom and when, for the person and for replayed drafts.
//!
//! They never hold addresses, names, devices or anything typed into a form.

use contract::ids::{ApplicationId, EventId, TenantId, TypedId, UserId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{IdentityStore, StoreError, parse, tables::auth_events as rows};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthEventKind {
    /// An account came into being.
    Registered,
    /// An invitation was accepted.
    InvitationAccepted,
    /// An account ended, because somebody else proved the address that it had without proof.
    Displaced,
    /// The right password.
    SignedIn,
    /// Not the right password.
    SignInFailed,
    /// A password hash was renewed with current parameters.
    PasswordUpgraded,
    /// A person signed out.
    SignedOut,
    /// A person allowed an application something.
    Consented,
    /// A person took that back.
    ConsentWithdrawn,
    /// An application got the first tokens of a grant. Renewals are not told, they would drown the rest;
    /// a machine's tokens have no person, and their endpoint touches no database (design section 6).
    TokensIssued,
    /// A spent refresh token or code came back, and its grant was killed.
    ReplayDetected,
}

impl AuthEventKind {
    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::InvitationAccepted => "invitation_accepted",
            Self::Displaced => "displaced",
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::PasswordUpgraded => "password_upgraded",
            Self::SignedOut => "signed_out",
            Self::Consented => "consented",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::TokensIssued => "tokens_issued",
            Self::ReplayDetected => "replay_detected",
        }
    }
}

/// An event to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthEvent {
    /// What happened.
    pub kind: AuthEventKind,
    /// To whom, if that is known.
    pub user: Option<UserId>,
    /// Through which application, if one was involved.
    pub application: Option<ApplicationId>,
}

impl IdentityStore {
    /// Records an event.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_event(&self, tenant: TenantId, event: AuthEvent) -> Result<(), StoreError> {
        let now = self.clock.now();
        let row = rows::ActiveModel {
            tenant: Set(tenant.to_string()),
            id: Set(EventId::from_uuid(self.entropy.uuid_v7(now)).to_string()),
            kind: Set(event.kind.as_str().to_owned()),
            user_id: Set(event.user.map(|id| id.to_string())),
            application: Set(event.application.map(|id| id.to_string())),
            at: Set(super::micros(now)),
        };
        let transaction = self.begin(tenant).await?;
        rows::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// The kinds of a user's latest events, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn latest_events(
        &self,
        tenant: TenantId,
        user: UserId,
        limit: u64,
    ) -> Result<Vec<(EventId, String)>, StoreError> {
        let found = rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .filter(rows::Column::UserId.eq(user.to_string()))
            .order_by_desc(rows::Column::Id)
            .limit(limit)
            .all(&self.reads(tenant).await?)
            .await?;
        found
            .into_iter()
            .map(|row| Ok((parse(&row.id, "an event id")?, row.kind)))
            .collect()
    }
}
