//! How much mail a tenant sends, and to one person.
//!
//! Forms that strangers can fill in cause mail to addresses that are not theirs. So each errand has a
//! budget per recipient and one per tenant. Registrations and invitations have separate ones: a stranger
//! who registers somebody over and over does not keep an invitation from arriving.

use chrono::Duration;
use contract::text::normalize_email;

use super::{AccountError, Accounts};
use crate::{
    identity::StoreError,
    mailer::{Mail, MailError},
    releases::TenantRuntime,
    throttle::{Limit, Verdict},
};

const PER_RECIPIENT: Limit = Limit {
    count: 5,
    window: Duration::hours(1),
};
const PER_TENANT: Limit = Limit {
    count: 1000,
    window: Duration::hours(1),
};

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// Somebody, who may be anybody, typed an address.
    Registration,
    /// An operator invites.
    Invitation,
}

impl Errand {
    fn buckets(self) -> (&'static str, &'static str) {
        match self {
            Self::Registration => ("mail_register", "mail_register_all"),
            Self::Invitation => ("mail_invite", "mail_invite_all"),
        }
    }
}

impl Accounts {
    /// Hands a mail over, if its recipient and the tenant have not had too many.
    ///
    /// # Errors
    /// [`AccountError::TooManyMails`] or [`AccountError::Mail`]; nothing was sent. A recipient's full
    /// budget, and its server's refusal of it, are errors for invitations only: who registers must not learn
    /// what others do with an address, or whether it can be reached, and gets the answer they always get.
    pub(super) async fn send_mail(
        &self,
        tenant: &TenantRuntime,
        errand: Errand,
        mail: Mail,
    ) -> Result<(), AccountError> {
        let (per_recipient, per_tenant) = errand.buckets();
        let to = normalize_email(mail.to());
        let budgets = [
            (per_recipient, to.as_str(), PER_RECIPIENT),
            (per_tenant, "", PER_TENANT),
        ];
        for (bucket, key, limit) in budgets {
            let verdict = self.throttle.limit(tenant.id(), bucket, key, limit).await;
            if let Verdict::Wait { retry_after } = verdict.map_err(StoreError::from)? {
                tracing::warn!(tenant = %tenant.id(), budget = bucket, "a mail was not sent: its budget is used up");
                let quiet = errand == Errand::Registration && bucket == per_recipient;
                return if quiet {
                    Ok(())
                } else {
                    Err(AccountError::TooManyMails { retry_after })
                };
            }
        }
        match self.mailer.send(mail).await {
            Err(MailError::RecipientRefused { code }) if errand == Errand::Registration => {
                tracing::warn!(tenant = %tenant.id(), code, "a registration's recipient is refused");
                Ok(())
            }
            sent => Ok(sent?),
        }
    }
}
