//! The end of a registration by mail: the link proves the address, the password proves who registered.
//!
//! Both are asked for, because a link alone proves too little: a stranger may have registered somebody
//! else's address, and the genuine mail would talk its owner into confirming the stranger's password with
//! one click (account pre-hijacking). So whoever confirms is known to hold both, and can be signed in.
//!
//! Attempts are slowed down like sign-ins, each link apart, so that nobody who guesses at an address keeps its
//! owner from confirming it. Confirming never takes an address away from somebody who has it without proof,
//! as a mailed invitation does: only an invitation says that the person is expected.

use std::net::IpAddr;

use contract::canonical::sha256_hex;

use super::{
    AccountError, Accounts, MAX_PRESENTED_BYTES, SignInError,
    register::{Pending, context, name},
};
use crate::{
    hashing::Match,
    identity::{StoreError, User},
    password,
    releases::TenantRuntime,
    state::{Kind, StateError, StateKey},
    throttle::Caller,
};

/// What a person who opened the link typed.
pub struct Confirmation<'a> {
    /// The link's token.
    pub token: &'a str,
    /// The password they chose when they registered.
    pub password: &'a str,
    /// From where, if that is known.
    pub ip: Option<IpAddr>,
}

/// A registration whose address was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The account.
    pub user: User,
    /// As given in [`super::Registration::resume`].
    pub resume: Option<String>,
}

/// Why a registration is not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The password is not the one; or not now, or not looked at. The link stays as it is.
    #[error(transparent)]
    Password(#[from] SignInError),
    /// The link leads to no account.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

impl Accounts {
    /// The address that a link would prove. Looking spends nothing.
    ///
    /// # Errors
    /// [`AccountError::LinkInvalid`].
    pub async fn pending_address(
        &self,
        tenant: &TenantRuntime,
        token: &str,
    ) -> Result<String, AccountError> {
        let pending = self.pending(tenant, &sha256_hex(token.as_bytes())).await?;
        Ok(pending.email)
    }

    /// Finishes a registration with the token of its link and the password that was chosen. The link is spent
    /// last, so neither a refusal nor a crash burns it; used twice, or on two nodes at once, it finds the
    /// address taken by itself.
    ///
    /// # Errors
    /// [`AccountError::LinkInvalid`]; [`SignInError::Refused`] for another password; with the right one
    /// [`AccountError::EmailTaken`] if somebody was faster.
    pub async fn confirm_registration(
        &self,
        tenant: &TenantRuntime,
        typed: Confirmation<'_>,
    ) -> Result<Confirmed, ConfirmError> {
        let hash = sha256_hex(typed.token.as_bytes());
        let pending = self.pending(tenant, &hash).await?;
        self.check_chosen(tenant, &typed, (&hash, &pending)).await?;
        let user = self.become_user(tenant, &pending, true).await?;
        let place = StateKey::new(Kind::PendingRegistration, tenant.id(), &hash);
        self.state.delete(place).await.map_err(StoreError::from)?;
        Ok(Confirmed {
            user,
            resume: pending.resume,
        })
    }

    /// Compares the password with the one of the registration.
    async fn check_chosen(
        &self,
        tenant: &TenantRuntime,
        typed: &Confirmation<'_>,
        (hash, pending): (&str, &Pending),
    ) -> Result<(), SignInError> {
        if typed.password.len() > MAX_PRESENTED_BYTES {
            return Err(SignInError::Refused);
        }
        let caller = Caller {
            // No address looks like this, so no account shares its counter.
            identifier: &format!("registration:{hash}"),
            device: None,
            ip: typed.ip,
        };
        let attempt = self.begin(tenant, caller).await?;
        match self.is_chosen(tenant, typed.password, pending).await {
            Ok(true) => {
                let settled = self.throttle.succeeded(&attempt).await;
                Ok(settled.map_err(StoreError::from)?)
            }
            Ok(false) => Err(SignInError::Refused),
            Err(error) => {
                self.unlooked_at(&attempt, &error).await;
                Err(error)
            }
        }
    }

    async fn is_chosen(
        &self,
        tenant: &TenantRuntime,
        password: &str,
        pending: &Pending,
    ) -> Result<bool, SignInError> {
        let password = password::normalize(password);
        let pepper = self.identity.secrets(tenant.id()).await?.pepper();
        let found = self
            .hasher
            .verify(tenant.id(), &password, Some(pending.phc.clone()), pepper)
            .await?;
        Ok(found != Match::No)
    }

    /// The registration of a link, by its token's hash.
    async fn pending(&self, tenant: &TenantRuntime, hash: &str) -> Result<Pending, AccountError> {
        let place = StateKey::new(Kind::PendingRegistration, tenant.id(), hash);
        let sealed = self.state.get(place).await.map_err(StoreError::from)?;
        let sealed = sealed.ok_or(AccountError::LinkInvalid)?;
        let secrets = self.identity.secrets(tenant.id()).await?;
        let opened = secrets
            .data_key
            .open(&context(&name(tenant.id()), hash), &sealed)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let pending = serde_json::from_slice(&opened)
            .map_err(|error| StoreError::State(StateError::Unreadable(error)))?;
        Ok(pending)
    }
}
