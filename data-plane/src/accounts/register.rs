//! Registration by the person: after proof of the address, or at once where the tenant wants it so.
//!
//! Where a tenant wants proof, nothing is written for an unproven address: the registration waits sealed in
//! the state store and becomes an account by its link ([`super::confirm`]). So nobody can squat on another's
//! address, and the answer is the same whether it was known or not (R-ENUM-01); a known address is told by
//! mail instead.

use chrono::Duration;
use contract::{
    canonical::sha256_hex,
    ids::TenantId,
    policies::{RegistrationMode, RegistrationPolicy},
    text,
};
use host::SealContext;
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts, link, mail_budget::Errand};
use crate::{
    identity::{AuthEventKind, NewUser, StoreError, User},
    mailer::Mail,
    releases::TenantRuntime,
    state::{Kind, StateError, StateKey},
};

/// How long a link that proves an address works (R-REC-02).
const LINK_LIFE: Duration = Duration::minutes(30);

/// What a person typed.
pub struct Registration<'a> {
    /// Their address.
    pub email: &'a str,
    /// Their name, if the tenant asks for it.
    pub name: Option<&'a str>,
    /// Their password.
    pub password: &'a str,
    /// Comes back when the address is proven: what the browser was doing.
    pub resume: Option<&'a str>,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// The account exists.
    Done(User),
    /// Whatever happens next happens by mail.
    CheckMail,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) email: String,
    pub(super) name: Option<String>,
    pub(super) phc: String,
    pub(super) resume: Option<String>,
}

impl Accounts {
    /// Registers a person, or begins to.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn register(
        &self,
        tenant: &TenantRuntime,
        registration: Registration<'_>,
    ) -> Result<Registered, AccountError> {
        let policy = &tenant.policies().registration;
        let name = registration
            .name
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let email = registration.email.trim();
        check(policy, email, name)?;
        let words: Vec<&str> = [Some(email), name].into_iter().flatten().collect();
        let phc = self
            .acceptable_hash(tenant, registration.password, &words)
            .await?;
        let pending = Pending {
            email: email.to_owned(),
            name: name.map(str::to_owned),
            phc,
            resume: registration.resume.map(str::to_owned),
        };
        if policy.verify_email {
            self.ask_for_proof(tenant, &pending).await?;
            return Ok(Registered::CheckMail);
        }
        Ok(Registered::Done(
            self.become_user(tenant, &pending, false).await?,
        ))
    }

    pub(super) async fn become_user(
        &self,
        tenant: &TenantRuntime,
        pending: &Pending,
        email_verified: bool,
    ) -> Result<User, AccountError> {
        let new = NewUser {
            id: self.new_user_id(),
            email: &pending.email,
            email_verified,
            name: pending.name.as_deref(),
            phc: &pending.phc,
        };
        let made = self.identity.create_user(tenant.id(), new).await?;
        let user = made.ok_or(AccountError::EmailTaken)?;
        self.record(&user, AuthEventKind::Registered).await?;
        Ok(user)
    }

    async fn ask_for_proof(
        &self,
        tenant: &TenantRuntime,
        pending: &Pending,
    ) -> Result<(), AccountError> {
        let token = self.entropy.token();
        let hash = sha256_hex(token.as_bytes());
        let known = self
            .identity
            .find_user_by_identifier(tenant.id(), &pending.email)
            .await?
            .is_some();
        let value = serde_json::to_vec(pending)
            .map_err(|error| StoreError::State(StateError::Unreadable(error)))?;
        let secrets = self.identity.secrets(tenant.id()).await?;
        let tenant_name = name(tenant.id());
        let context = context(&tenant_name, &hash);
        let sealed = secrets.data_key.seal(&self.entropy, &context, &value);
        let place = StateKey::new(Kind::PendingRegistration, tenant.id(), &hash);
        // Kept for a known address too, and found taken when the link is used: the same work both ways.
        self.state
            .put(place, &sealed, LINK_LIFE)
            .await
            .map_err(StoreError::from)?;
        let mail = if known {
            already_known(tenant, &pending.email)
        } else {
            proof(tenant, &pending.email, &token)
        };
        self.send_mail(tenant, Errand::Registration, mail?).await
    }
}

pub(super) fn name(tenant: TenantId) -> String {
    tenant.to_string()
}

/// Binds a sealed registration to its tenant and link.
pub(super) fn context<'a>(tenant: &'a str, row: &'a str) -> SealContext<'a> {
    SealContext {
        tenant,
        table: "pending_registrations",
        column: "value",
        row,
    }
}

fn check(policy: &RegistrationPolicy, email: &str, name: Option<&str>) -> Result<(), AccountError> {
    if policy.mode == RegistrationMode::InviteOnly {
        return Err(AccountError::RegistrationClosed);
    }
    text::check_email("email", email).map_err(AccountError::Email)?;
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !policy.allows_domain(domain) {
        return Err(AccountError::DomainNotAllowed);
    }
    match name {
        Some(name) => text::check_name("name", name).map_err(AccountError::Name),
        None if policy.ask_name => Err(AccountError::Name(contract::Invalid::new(
            "name", "must not be empty",
        ))),
        None => Ok(()),
    }
}

fn proof(tenant: &TenantRuntime, to: &str, token: &str) -> Result<Mail, AccountError> {
    let name = tenant.name();
    let link = link(tenant, "verify", token);
    let minutes = LINK_LIFE.num_minutes();
    let body = format!(
        "Welcome to {name}.\n\nPlease confirm your e-mail address: open this link within {minutes} minutes, and enter the password that you chose.\n\n{link}\n\nIf you did not ask for an account, ignore this message; nothing was created.\n"
    );
    Mail::new(to, format!("Confirm your address for {name}"), body).map_err(AccountError::Email)
}

fn already_known(tenant: &TenantRuntime, to: &str) -> Result<Mail, AccountError> {
    let name = tenant.name();
    let body = format!(
        "Somebody, probably you, tried to register at {name} with this address.\n\nYou have an account already: sign in with it. If it was not you, nothing needs to be done.\n"
    );
    Mail::new(to, format!("You already have an account at {name}"), body)
        .map_err(AccountError::Email)
}
