//! Setup: how the first operator gets in.
//!
//! Whoever can read the output of the process that starts is trusted with a link that works once, for a
//! day, and only until an owner of the platform has come. Only the token's hash is kept. The link makes an
//! invitation like any other, so the first person has no special kind of account. Being invited is not
//! enough to end it: whoever lost the page where they set a password would have locked everyone out.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    canonical::sha256_hex,
    frames::CommandOutcome,
    role::{Party, Role},
};
use host::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    ControlPlane, HeldRole, Mode, Refusal, Scope,
    assignments::Member,
    audit::Event,
    change::Done,
    operators::{Invitee, Operator, check_address_free},
    store::Tx,
};

/// How long a setup link can be used.
const LINK_LIFE: TimeDelta = TimeDelta::hours(24);
const SETTING: &str = "setup_token";

#[derive(Serialize, Deserialize)]
struct StoredToken {
    sha256: String,
    expires_at: DateTime<Utc>,
}

impl ControlPlane {
    /// A fresh one-time token for the setup page, which voids an earlier one; `None` once an owner of the
    /// platform has come.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] before the platform was founded.
    pub async fn setup_link_token(&self) -> Result<Option<Secret>, Refusal> {
        let caller = self.system_caller();
        let change = self
            .change_roles(&caller, Scope::Platform, Mode::Commit)
            .await?;
        if has_owner(change.tx()).await? {
            return Ok(None);
        }
        let token = self.entropy().token();
        let stored = StoredToken {
            sha256: sha256_hex(token.as_bytes()),
            expires_at: change.at() + LINK_LIFE,
        };
        let stored = serde_json::to_string(&stored).map_err(Refusal::internal)?;
        change.tx().put_setting(SETTING, stored).await?;
        let event = Event::new("setup.link", "Made a one-time link for the first operator.");
        change
            .finish(Done::new(Some(Secret::new(token)), event))
            .await
    }

    /// Whether a token would be accepted now, for the page that asks for a name and an address.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a wrong, used or expired token.
    pub async fn check_setup_token(&self, token: &Secret) -> Result<(), Refusal> {
        let tx = self.store().begin_read().await?;
        self.check_token(&tx, token).await
    }

    /// Makes the first platform owner, and returns the one-time address where they set a password. Somebody
    /// whom an earlier link made an owner and who never came gets a new address.
    ///
    /// The region makes the link first: an account without an operator has no power, while a spent token
    /// without a link would lock everyone out.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a wrong, used or expired token; [`Refusal::Unavailable`] while no node of
    /// the platform's region answers; [`Refusal::Invalid`] for name or address; [`Refusal::Conflict`]
    /// (`email_taken`) for the address of another operator.
    pub async fn complete_setup(
        &self,
        token: &Secret,
        invitee: Invitee,
    ) -> Result<String, Refusal> {
        invitee.check()?;
        self.check_setup_token(token).await?;
        let waiting = self.waiting_owner(&invitee).await?;
        let is_new = waiting.is_none();
        let operator = waiting.unwrap_or_else(|| {
            self.new_operator(self.new_id(), &invitee, Party::Vendor, self.clock().now())
        });
        let url = self.setup_link(&operator).await?;
        let caller = self.system_caller();
        let change = self
            .change_roles(&caller, Scope::Platform, Mode::Commit)
            .await?;
        // Again, now that nobody else writes: of two people with the same link one succeeds.
        self.check_token(change.tx(), token).await?;
        change.tx().take_setting(SETTING).await?;
        let event = Event::new(
            "setup.complete",
            format!("{} became the first platform owner.", operator.name),
        )
        .object("operator", operator.id, &operator.name);
        if !is_new {
            return change.finish(Done::new(url, event)).await;
        }
        check_address_free(change.tx(), &operator.email).await?;
        change.tx().insert_operator(&operator).await?;
        let given = self.new_assignment(&change, operator.id, OWNER);
        change.tx().insert_assignment(&given).await?;
        change.finish(Done::new(url, event.after(&given))).await
    }

    /// Whom an earlier link made an owner, if they never came.
    async fn waiting_owner(&self, invitee: &Invitee) -> Result<Option<Operator>, Refusal> {
        let tx = self.store().begin_read().await?;
        let members = tx.list_members(Scope::Platform).await?;
        let address = contract::text::normalize_email(&invitee.email);
        let waiting = members.into_iter().find(|member| {
            member.is_owner() && member.operator.is_invited() && member.operator.email == address
        });
        Ok(waiting.map(|member| member.operator))
    }

    async fn setup_link(&self, operator: &Operator) -> Result<String, Refusal> {
        let unavailable = |detail: String| Refusal::Unavailable { detail };
        let outcome = self.command_first_link(operator).await?;
        match outcome {
            CommandOutcome::Link { url } => Ok(url),
            CommandOutcome::Failed { reason } => Err(unavailable(format!(
                "The node could not make the link: {reason}"
            ))),
            CommandOutcome::Done | CommandOutcome::Counted { .. } => {
                Err(unavailable("The node returned no link.".to_owned()))
            }
        }
    }

    async fn check_token(&self, tx: &Tx, token: &Secret) -> Result<(), Refusal> {
        let stored = tx.find_setting(SETTING).await?.ok_or(NO_LINK)?;
        let stored: StoredToken = serde_json::from_str(&stored).map_err(Refusal::internal)?;
        // Both sides are hashes of 256 random bits: their comparison tells nothing about the token.
        let known = stored.sha256 == sha256_hex(token.expose().as_bytes());
        if !known || self.clock().now() >= stored.expires_at || has_owner(tx).await? {
            return Err(NO_LINK);
        }
        Ok(())
    }
}

/// What the first operator becomes.
const OWNER: HeldRole = HeldRole {
    role: Role::PlatformOwner,
    scope: Scope::Platform,
};

const NO_LINK: Refusal = Refusal::NotFound { what: "setup link" };

async fn has_owner(tx: &Tx) -> Result<bool, Refusal> {
    let members = tx.list_members(Scope::Platform).await?;
    Ok(members.iter().any(Member::is_standing_owner))
}
