//! Signing in by password: admitted, looked up, compared, settled.
//!
//! Nothing is looked up before the throttle admits the attempt, and unknown, blocked and wrong cost the
//! same (R-ENUM-01). An attempt that ends without a verdict, because a worker or a store was not to be
//! had, is given back: people do not pay for our outages. Only an address pays for finding every worker busy.

use std::{net::IpAddr, time::Duration};

use contract::{
    ids::{TypedId, UserId},
    text::normalize_email,
};
use uuid::Uuid;

use super::{Accounts, MAX_PRESENTED_BYTES};
use crate::{
    hashing::{Busy, Match},
    identity::{AuthEvent, AuthEventKind, StoreError, User, UserStatus},
    password,
    releases::TenantRuntime,
    throttle::{Attempt, Begun, Caller},
};

/// One attempt to sign in.
pub struct SignIn<'a> {
    /// What was typed as the account's name.
    pub identifier: &'a str,
    /// What was typed as its password.
    pub password: &'a str,
    /// The device mark the browser presented, if any ([`Accounts::mark_device`]).
    pub device: Option<&'a str>,
    /// From where, if that is known.
    pub ip: Option<IpAddr>,
}

/// Why an attempt fails.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Not this account's password; or no such account, or a blocked one.
    #[error("the sign-in is refused")]
    Refused,
    /// Too many failures: whatever the password, not now.
    #[error("too many failed attempts")]
    Wait {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Every hashing worker is busy.
    #[error("too many sign-ins at once")]
    Busy {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A store does not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl From<Busy> for SignInError {
    fn from(Busy { retry_after }: Busy) -> Self {
        Self::Busy { retry_after }
    }
}

/// What comparing found.
struct Compared {
    user: Option<User>,
    stored: Option<String>,
    matched: Match,
}

impl Accounts {
    /// Signs a person in by password.
    ///
    /// # Errors
    /// See [`SignInError`]; unknown, blocked and wrong look the same and take the same time.
    pub async fn sign_in(
        &self,
        tenant: &TenantRuntime,
        attempt: SignIn<'_>,
    ) -> Result<User, SignInError> {
        let outcome = self.try_sign_in(tenant, &attempt).await;
        match &outcome {
            // Whoever is slowed down was not compared with anything.
            Err(SignInError::Wait { .. }) => {}
            compared => tenant.counts().signed_in(compared.is_ok()),
        }
        self.metrics.sign_in(match &outcome {
            Ok(_) => "accepted",
            Err(SignInError::Refused) => "refused",
            Err(SignInError::Wait { .. }) => "throttled",
            Err(SignInError::Busy { .. }) => "busy",
            Err(SignInError::Unavailable(_)) => "unavailable",
        });
        outcome
    }

    async fn try_sign_in(
        &self,
        tenant: &TenantRuntime,
        typed: &SignIn<'_>,
    ) -> Result<User, SignInError> {
        if typed.password.len() > MAX_PRESENTED_BYTES {
            return Err(SignInError::Refused);
        }
        let identifier = normalize_email(typed.identifier);
        let password = password::normalize(typed.password);
        let attempt = self.admit(tenant, &identifier, typed).await?;
        match self.compare(tenant, &identifier, &password).await {
            Ok(Compared {
                user: Some(user),
                stored,
                matched: matched @ (Match::Yes | Match::Outdated),
            }) if user.status == UserStatus::Active => {
                let settled = self.throttle.succeeded(&attempt).await;
                settled.map_err(StoreError::from)?;
                if let (Match::Outdated, Some(old)) = (matched, stored) {
                    self.upgrade(&user, &old, &password).await?;
                }
                self.record(&user, AuthEventKind::SignedIn).await?;
                Ok(user)
            }
            Ok(compared) => {
                self.failed(tenant, compared.user).await?;
                Err(SignInError::Refused)
            }
            Err(error) => {
                self.unlooked_at(&attempt, &error).await;
                Err(error)
            }
        }
    }

    /// Gives an attempt back that ended without a verdict.
    pub(super) async fn unlooked_at(&self, attempt: &Attempt, error: &SignInError) {
        let given_back = match error {
            SignInError::Busy { .. } => self.throttle.turned_away(attempt).await,
            _ => self.throttle.without_verdict(attempt).await,
        };
        // If this fails too, the attempt stays counted, and the first error is the one to tell.
        drop(given_back);
    }

    async fn admit(
        &self,
        tenant: &TenantRuntime,
        identifier: &str,
        typed: &SignIn<'_>,
    ) -> Result<Attempt, SignInError> {
        let device = self
            .known_device(tenant.id(), identifier, typed.device)
            .await?;
        let caller = Caller {
            identifier,
            device: device.as_deref(),
            ip: typed.ip,
        };
        self.begin(tenant, caller).await
    }

    pub(super) async fn begin(
        &self,
        tenant: &TenantRuntime,
        caller: Caller<'_>,
    ) -> Result<Attempt, SignInError> {
        let policy = &tenant.policies().authentication;
        let begun = self.throttle.begin(tenant.id(), caller, policy).await;
        match begun.map_err(StoreError::from)? {
            Begun::Admitted(attempt) => Ok(attempt),
            Begun::Wait { retry_after } => Err(SignInError::Wait { retry_after }),
        }
    }

    async fn compare(
        &self,
        tenant: &TenantRuntime,
        identifier: &str,
        password: &str,
    ) -> Result<Compared, SignInError> {
        let user = self
            .identity
            .find_user_by_identifier(tenant.id(), identifier)
            .await?;
        // Asked for unknown accounts too, so that both kinds cost the same queries.
        let nobody = || UserId::from_uuid(Uuid::nil());
        let id = user.as_ref().map_or_else(nobody, |user| user.id);
        let stored = self.identity.password(tenant.id(), id).await?;
        let pepper = self.identity.secrets(tenant.id()).await?.pepper();
        let matched = self
            .hasher
            .verify(tenant.id(), password, stored.clone(), pepper)
            .await?;
        Ok(Compared {
            user,
            stored,
            matched,
        })
    }

    async fn failed(&self, tenant: &TenantRuntime, user: Option<User>) -> Result<(), StoreError> {
        let event = AuthEvent {
            kind: AuthEventKind::SignInFailed,
            user: user.map(|user| user.id),
            application: None,
        };
        self.identity.record_event(tenant.id(), event).await
    }

    /// Renews a hash. A full pool postpones that to the next sign-in; the password was right.
    async fn upgrade(&self, user: &User, old: &str, password: &str) -> Result<(), StoreError> {
        let pepper = self.identity.secrets(user.tenant).await?.pepper();
        let Ok(new) = self.hasher.hash(user.tenant, password, pepper).await else {
            return Ok(());
        };
        let whose = (user.tenant, user.id);
        self.identity.upgrade_password(whose, old, &new).await?;
        self.record(user, AuthEventKind::PasswordUpgraded).await
    }
}
