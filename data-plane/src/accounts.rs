//! Accounts: signing in, registering, being invited.
//!
//! Here the identity store, the password rules, the hashing pool, the throttle and the mail meet, so that
//! pages and commands cannot forget one of them. Every path does the same work for known and unknown
//! addresses (R-ENUM-01). It never logs an address, a name, a password or a link.

mod confirm;
mod device;
mod invite;
mod mail_budget;
mod register;
mod sign_in;

use std::{sync::Arc, time::Duration};

use contract::{
    Invalid,
    ids::{TypedId, UserId},
};
use host::{Clock, Entropy};

pub use self::{
    confirm::{ConfirmError, Confirmation, Confirmed},
    device::MARK_DAYS,
    invite::{Invitation, NewInvitation},
    register::{Registered, Registration},
    sign_in::{SignIn, SignInError},
};
use crate::{
    hashing::{Busy, Hasher},
    identity::{AuthEvent, AuthEventKind, IdentityStore, NewUser, StoreError, User},
    mailer::{MailError, Mailer},
    metrics::NodeMetrics,
    password::{self, PasswordContext, PasswordFault},
    releases::TenantRuntime,
    sessions::Sessions,
    state::StateStore,
    throttle::Throttle,
};

/// Longer input is nobody's password and is refused before it costs a hash.
const MAX_PRESENTED_BYTES: usize = 4096;

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
    /// The tenant or the recipient had enough mail for the moment.
    #[error("too many mails at once")]
    TooManyMails {
        /// When it is worth trying again.
        retry_after: Duration,
    },
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
    pub(crate) sessions: Sessions,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) metrics: NodeMetrics,
}

impl Accounts {
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
        Ok(self.hasher.hash(tenant.id(), &normalized, pepper).await?)
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
