//! Accounts: signing in, registering, being invited.
//!
//! Here the identity store, the password rules, the hashing pool, the throttle and the mail meet, so that
//! pages and commands cannot forget one of them. Every path does the same work for known and unknown
//! addresses (R-ENUM-01). It never logs an address, a name, a password or a link.

mod invite;
mod register;

use std::{net::IpAddr, sync::Arc, time::Duration};

use contract::{
    Invalid,
    ids::{TenantId, TypedId, UserId},
};
use host::{Clock, Entropy};

pub use self::{
    invite::{Invitation, NewInvitation},
    register::{Registered, Registration},
};
use crate::{
    hashing::{Busy, Hasher, Match},
    identity::{
        AuthEvent, AuthEventKind, IdentityStore, NewUser, StoreError, User, UserStatus,
        normalize_email,
    },
    mailer::{MailError, Mailer},
    metrics::NodeMetrics,
    password::{self, PasswordContext, PasswordFault},
    releases::TenantRuntime,
    state::StateStore,
    throttle::{FAILURES_PER_ADDRESS, Throttle, Verdict, ip_key},
};

/// Longer input is nobody's password and is refused before it costs a hash.
const MAX_PRESENTED_BYTES: usize = 4096;
const FAILURES: &str = "failures";

/// One attempt to sign in.
pub struct SignIn<'a> {
    /// What was typed as the account's name.
    pub identifier: &'a str,
    /// What was typed as its password.
    pub password: &'a str,
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

/// Why an account does not come into being.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The password is not acceptable, for these reasons.
    #[error("the password is not acceptable")]
    Password(Vec<PasswordFault>),
    /// Not an address.
    #[error(transparent)]
    Email(Invalid),
    /// Not a name.
    #[error("{0}")]
    Name(Invalid),
    /// Another account has the address.
    #[error("the address has an account already")]
    EmailTaken,
    /// The tenant accepts other domains only.
    #[error("addresses of this domain are not accepted")]
    DomainNotAllowed,
    /// The tenant lets nobody register.
    #[error("registration is by invitation only")]
    RegistrationClosed,
    /// The link is unknown, used or over.
    #[error("the link is not valid any more")]
    LinkInvalid,
    /// The mail was not handed over; nothing was promised to anyone.
    #[error(transparent)]
    Mail(#[from] MailError),
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

impl From<Busy> for AccountError {
    fn from(Busy { retry_after }: Busy) -> Self {
        Self::Busy { retry_after }
    }
}

/// A user to be, chosen by an operator instead of a form.
pub struct SeedUser<'a> {
    /// The address; taken as proven.
    pub email: &'a str,
    /// The name.
    pub name: &'a str,
    /// The password; the tenant's policy applies.
    pub password: &'a str,
}

/// The accounts of all tenants.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) identity: IdentityStore,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Throttle,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) metrics: NodeMetrics,
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
        attempt: &SignIn<'_>,
    ) -> Result<User, SignInError> {
        if attempt.password.len() > MAX_PRESENTED_BYTES {
            return Err(SignInError::Refused);
        }
        let identifier = normalize_email(attempt.identifier);
        self.may_try(tenant, &identifier, attempt.ip).await?;
        let found = self
            .identity
            .find_user_by_identifier(tenant.id(), &identifier)
            .await?;
        // Asked for unknown accounts too, so that both kinds cost the same queries.
        let user_id = found
            .as_ref()
            .map_or(UserId::from_uuid(uuid::Uuid::nil()), |user| user.id);
        let stored = self.identity.password(tenant.id(), user_id).await?;
        let pepper = self.identity.secrets(tenant.id()).await?.pepper();
        let normalized = password::normalize(attempt.password);
        let matched = self
            .hasher
            .verify(&normalized, stored.clone(), pepper)
            .await?;
        match found {
            Some(user) if matched != Match::No && user.status == UserStatus::Active => {
                self.throttle
                    .succeeded(tenant.id(), &identifier)
                    .await
                    .map_err(StoreError::from)?;
                if let (Match::Outdated, Some(old)) = (matched, stored) {
                    self.upgrade(&user, &old, &normalized).await?;
                }
                self.record(&user, AuthEventKind::SignedIn).await?;
                Ok(user)
            }
            found => {
                self.failed(tenant, attempt.ip, found).await?;
                Err(SignInError::Refused)
            }
        }
    }

    async fn may_try(
        &self,
        tenant: &TenantRuntime,
        identifier: &str,
        ip: Option<IpAddr>,
    ) -> Result<(), SignInError> {
        let mut verdict = Verdict::Allowed;
        if let Some(ip) = ip {
            verdict = self
                .throttle
                .within(tenant.id(), FAILURES, &ip_key(ip), FAILURES_PER_ADDRESS)
                .await
                .map_err(StoreError::from)?;
        }
        if verdict == Verdict::Allowed {
            let policy = &tenant.policies().authentication;
            verdict = self
                .throttle
                .begin(tenant.id(), identifier, policy)
                .await
                .map_err(StoreError::from)?;
        }
        match verdict {
            Verdict::Allowed => Ok(()),
            Verdict::Wait { retry_after } => Err(SignInError::Wait { retry_after }),
        }
    }

    async fn failed(
        &self,
        tenant: &TenantRuntime,
        ip: Option<IpAddr>,
        user: Option<User>,
    ) -> Result<(), StoreError> {
        if let Some(ip) = ip {
            self.throttle
                .limit(tenant.id(), FAILURES, &ip_key(ip), FAILURES_PER_ADDRESS)
                .await?;
        }
        let event = AuthEvent {
            kind: AuthEventKind::SignInFailed,
            user: user.map(|user| user.id),
            application: None,
        };
        self.identity.record_event(tenant.id(), event).await
    }

    async fn upgrade(&self, user: &User, old: &str, password: &str) -> Result<(), SignInError> {
        let pepper = self.identity.secrets(user.tenant).await?.pepper();
        let new = self.hasher.hash(password, pepper).await?;
        let whose = (user.tenant, user.id);
        self.identity.upgrade_password(whose, old, &new).await?;
        Ok(self.record(user, AuthEventKind::PasswordUpgraded).await?)
    }

    /// Makes a user whose address is taken as proven, without mail or invitation; repeating it returns
    /// the user that is there.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn seed(
        &self,
        tenant: &TenantRuntime,
        id: UserId,
        user: SeedUser<'_>,
    ) -> Result<User, AccountError> {
        if let Some(there) = self.identity.find_user(tenant.id(), id).await? {
            return Ok(there);
        }
        contract::text::check_email("email", user.email).map_err(AccountError::Email)?;
        contract::text::check_name("name", user.name).map_err(AccountError::Name)?;
        let words = [user.email, user.name];
        let phc = self.acceptable_hash(tenant, user.password, &words).await?;
        let new = NewUser {
            id,
            email: user.email,
            email_verified: true,
            name: Some(user.name),
            phc: &phc,
        };
        let made = self.identity.create_user(tenant.id(), new).await?;
        made.ok_or(AccountError::EmailTaken)
    }

    /// Hashes a password the tenant's policy accepts; `words` are what the person is known by.
    async fn acceptable_hash(
        &self,
        tenant: &TenantRuntime,
        password: &str,
        words: &[&str],
    ) -> Result<String, AccountError> {
        if password.len() > MAX_PRESENTED_BYTES {
            return Err(AccountError::Password(vec![PasswordFault::TooLong]));
        }
        let normalized = password::normalize(password);
        let service = [tenant.name(), tenant.slug().as_str()];
        let context = PasswordContext::new(service.into_iter().chain(words.iter().copied()));
        let faults = password::faults(&normalized, &tenant.policies().password, &context);
        if !faults.is_empty() {
            return Err(AccountError::Password(faults));
        }
        let pepper = self.identity.secrets(tenant.id()).await?.pepper();
        Ok(self.hasher.hash(&normalized, pepper).await?)
    }

    async fn record(&self, user: &User, kind: AuthEventKind) -> Result<(), StoreError> {
        let event = AuthEvent {
            kind,
            user: Some(user.id),
            application: None,
        };
        self.identity.record_event(user.tenant, event).await
    }

    fn new_user_id(&self) -> UserId {
        UserId::from_uuid(self.entropy.uuid_v7(self.clock.now()))
    }
}

/// The link to a page of the tenant that ends an errand begun by mail.
fn link(tenant: &TenantRuntime, page: &str, token: &str) -> String {
    format!(
        "{}/{page}?token={token}",
        tenant.issuer().trim_end_matches('/')
    )
}

/// Binds a sealed value to its tenant and token.
fn sealed_for<'a>(tenant: &'a str, row: &'a str) -> host::SealContext<'a> {
    host::SealContext {
        tenant,
        table: "pending_registrations",
        column: "value",
        row,
    }
}

fn tenant_name(tenant: TenantId) -> String {
    tenant.to_string()
}
