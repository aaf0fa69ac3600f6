//! Invitations: a one-time link with which a person sets a password and so becomes a user.
//!
//! A mailed link proves its address before the password is chosen, so whoever uses it gets the address
//! even from somebody who registered it without proof; that account ends. Not so in the platform's own tenant:
//! an operator's account carries power, so nobody's invitation ends it. The user's id is chosen by whoever
//! invites, so that rights can be prepared before the person arrives.

use chrono::{DateTime, Utc};
use contract::{frames::Delivery, ids::UserId, tenant::PLATFORM_SLUG, text};

use super::{AccountError, Accounts, link, mail_budget::Errand};
use crate::{
    identity::{
        Accept, AuthEvent, AuthEventKind, Holder, InvitationRow, Invited, StoreError, User,
    },
    mailer::Mail,
    releases::TenantRuntime,
};

/// A role's title and a tenant's name.
const MAX_PURPOSE_CHARS: usize = 2 * text::MAX_NAME_CHARS;

/// An invitation as its page shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The id the account will have.
    pub user: UserId,
    /// To which address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// Who invites.
    pub inviter: String,
    /// What the person is invited to be: `Tenant owner of Acme`.
    pub purpose: String,
    /// Until when the link works.
    pub expires_at: DateTime<Utc>,
}

/// An invitation to be made.
pub struct NewInvitation {
    /// What its page will show.
    pub invitation: Invitation,
    /// How the link travels.
    pub delivery: Delivery,
}

impl Accounts {
    /// Makes an invitation and sends its link; returns the link instead if that was asked for. An earlier
    /// link for the same user is void as soon as the new one was handed over. Until then it works, so that a
    /// mail that cannot be sent takes nothing from the person; but not if it went elsewhere.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`] if the account exists already, or somebody has the address. Who has it
    /// without proof does not count where the link goes by mail: it will prove the address.
    pub async fn invite(
        &self,
        tenant: &TenantRuntime,
        new: NewInvitation,
    ) -> Result<Option<String>, AccountError> {
        let NewInvitation {
            invitation,
            delivery,
        } = new;
        text::check_email("email", &invitation.email).map_err(AccountError::Email)?;
        text::check_name("name", &invitation.name).map_err(AccountError::Name)?;
        text::check_name("inviter", &invitation.inviter).map_err(AccountError::Name)?;
        text::check_line("purpose", &invitation.purpose, MAX_PURPOSE_CHARS)
            .map_err(AccountError::Name)?;
        if invitation.expires_at <= self.clock.now() {
            return Err(AccountError::LinkInvalid);
        }
        let token = self.entropy.token();
        let link = link(tenant, "invite", &token);
        let mail = mail(tenant, &invitation, &link)?;
        let row = InvitationRow {
            user: invitation.user,
            email: invitation.email,
            name: invitation.name,
            inviter: invitation.inviter,
            purpose: invitation.purpose,
            mailed: delivery == Delivery::Mail,
            expires_at: invitation.expires_at,
        };
        let holder = holder(tenant);
        let free = self.identity.check_invitable(tenant.id(), &row, holder);
        if free.await? != Invited::Open {
            return Err(AccountError::EmailTaken);
        }
        if delivery == Delivery::Mail {
            self.identity.end_misdirected(tenant.id(), &row).await?;
            self.send_mail(tenant, Errand::Invitation, mail).await?;
        }
        let opened = self
            .identity
            .open_invitation(tenant.id(), &row, &token, holder);
        match opened.await? {
            Invited::Open => Ok((delivery == Delivery::Return).then_some(link)),
            Invited::AccountExists | Invited::EmailTaken => Err(AccountError::EmailTaken),
        }
    }

    /// The invitation of a link.
    ///
    /// # Errors
    /// [`AccountError::LinkInvalid`].
    pub async fn invitation(
        &self,
        tenant: &TenantRuntime,
        token: &str,
    ) -> Result<Invitation, AccountError> {
        let row = self.identity.find_invitation(tenant.id(), token).await?;
        let row = row.ok_or(AccountError::LinkInvalid)?;
        Ok(Invitation {
            user: row.user,
            email: row.email,
            name: row.name,
            inviter: row.inviter,
            purpose: row.purpose,
            expires_at: row.expires_at,
        })
    }

    /// Uses a link: the person chooses a password and has an account. A refused password leaves the link.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub async fn accept_invitation(
        &self,
        tenant: &TenantRuntime,
        token: &str,
        password: &str,
    ) -> Result<User, AccountError> {
        let invitation = self.invitation(tenant, token).await?;
        let words = [invitation.email.as_str(), invitation.name.as_str()];
        let phc = self.acceptable_hash(tenant, password, &words).await?;
        let accepted = self
            .identity
            .accept_invitation(tenant.id(), token, &phc, holder(tenant))
            .await?;
        match accepted {
            Accept::Done { user, displaced } => {
                if let Some(displaced) = displaced {
                    self.see_off(tenant, displaced).await?;
                }
                self.record(&user, AuthEventKind::InvitationAccepted)
                    .await?;
                Ok(user)
            }
            Accept::LinkInvalid => Err(AccountError::LinkInvalid),
            Accept::EmailTaken => Err(AccountError::EmailTaken),
        }
    }

    /// Ends what is left of an account whose address went to the person who proved it.
    async fn see_off(&self, tenant: &TenantRuntime, displaced: UserId) -> Result<(), StoreError> {
        self.sessions.end_all(tenant.id(), displaced).await?;
        let event = AuthEvent {
            kind: AuthEventKind::Displaced,
            user: Some(displaced),
            application: None,
        };
        self.identity.record_event(tenant.id(), event).await
    }
}

/// What becomes of somebody who has an invited address without proof.
fn holder(tenant: &TenantRuntime) -> Holder {
    if tenant.slug().as_str() == PLATFORM_SLUG {
        Holder::Stays
    } else {
        Holder::Yields
    }
}

fn mail(tenant: &TenantRuntime, to: &Invitation, link: &str) -> Result<Mail, AccountError> {
    let until = to.expires_at.format("%-d %B %Y, %H:%M UTC");
    let body = format!(
        "Hello {},\n\n{} invites you: {}.\n\nYour account is with {}. Open this link to choose a password. It works once, until {until}:\n\n{link}\n\nIf you do not expect this invitation, ignore it.\n",
        to.name,
        to.inviter,
        to.purpose,
        tenant.name(),
    );
    Mail::new(&to.email, format!("Your invitation: {}", to.purpose), body)
        .map_err(AccountError::Email)
}
