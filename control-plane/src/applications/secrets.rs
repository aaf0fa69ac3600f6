//! An application's secrets: made here, shown once, kept as a hash, rotated with an overlap.
//!
//! Rotation is "add a second, end the first": programs move over while both work. The text of a secret
//! exists in the answer to the call that made it and nowhere else: not in a record, the audit log or a log.

use chrono::TimeDelta;
use contract::{
    ids::{ApplicationId, CredentialId},
    permission::Permission,
    secret::{SecretHash, format_secret},
};
use host::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApplicationAt, ApplicationRecord, SecretRecord, event};
use crate::{Caller, ControlPlane, Mode, Refusal, change::Change};

/// How long the older secret works on unless asked otherwise: a day, so that a deployment fits in.
const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
/// Longest overlap of two secrets.
const MAX_OVERLAP_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Most secrets that work at the same time.
const MAX_SECRETS: usize = 2;

/// How a new secret follows the older one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Seconds for which the older secret still works: 0 to 30 days, a day if left out.
    #[schema(maximum = 2_592_000, example = 86_400)]
    pub overlap_seconds: Option<u32>,
}

/// A new secret, this once.
#[derive(Debug, Clone)]
pub struct MadeSecret {
    /// The application with its secrets as they are now.
    pub record: ApplicationRecord,
    /// Which secret is the new one.
    pub id: CredentialId,
    /// Its text; `None` in a dry run, whose secret would open nothing.
    pub secret: Option<Secret>,
}

impl ControlPlane {
    /// Makes another secret and sets an end to the older one.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.secrets.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Invalid`] for a public application or an overlap that is too long;
    /// [`Refusal::Conflict`] while two secrets work, and for the console itself.
    pub async fn add_application_secret(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        new: NewSecret,
        mode: Mode,
    ) -> Result<MadeSecret, Refusal> {
        let overlap = new.overlap_seconds.unwrap_or(DEFAULT_OVERLAP_SECONDS);
        if overlap > MAX_OVERLAP_SECONDS {
            return Err(Refusal::invalid(
                "overlap_seconds",
                "must be at most 30 days",
            ));
        }
        let (change, before) = self
            .change_one::<ApplicationRecord>(caller, at, Permission::SecretsManage, mode)
            .await?;
        if !before.application.kind.is_confidential() {
            return Err(Refusal::invalid(
                "kind",
                "keeps no secret: it runs where people can read it",
            ));
        }
        let mut after = before.clone();
        drop_ended(&change, at, &mut after).await?;
        if after.secrets.len() >= MAX_SECRETS {
            return Err(Refusal::conflict(
                "two_secrets",
                "Two secrets work already; revoke one of them first.",
            ));
        }
        end_after(&change, at, &mut after, TimeDelta::seconds(overlap.into())).await?;
        let (made, text) = self.make_secret(&change, at.id).await?;
        let id = made.id;
        after.secrets.push(made);
        let secret = (!change.is_dry_run()).then_some(text);
        let event = event(
            "applications.secrets.create",
            "Made a new secret of",
            &after,
        );
        let record = change.replace(&before, after, event).await?;
        Ok(MadeSecret { record, id, secret })
    }

    /// Revokes a secret at once.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without `tenant.secrets.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`];
    /// [`Refusal::Conflict`] for the console itself.
    pub async fn revoke_application_secret(
        &self,
        caller: &Caller,
        at: ApplicationAt,
        secret: CredentialId,
        mode: Mode,
    ) -> Result<ApplicationRecord, Refusal> {
        let (change, before) = self
            .change_one::<ApplicationRecord>(caller, at, Permission::SecretsManage, mode)
            .await?;
        let mut after = before.clone();
        after.secrets.retain(|kept| kept.id != secret);
        if after.secrets.len() == before.secrets.len() {
            return Err(Refusal::NotFound { what: "secret" });
        }
        change.tx().delete_secret(at.tenant, secret).await?;
        let event = event("applications.secrets.revoke", "Revoked a secret of", &after);
        change.replace(&before, after, event).await
    }

    /// Gives a new application its first secret.
    pub(crate) async fn first_secret(
        &self,
        change: &Change<'_>,
        record: &mut ApplicationRecord,
    ) -> Result<Secret, Refusal> {
        let (made, text) = self.make_secret(change, record.application.id).await?;
        record.secrets.push(made);
        Ok(text)
    }

    /// Makes a secret and writes its hash.
    async fn make_secret(
        &self,
        change: &Change<'_>,
        application: ApplicationId,
    ) -> Result<(SecretRecord, Secret), Refusal> {
        let text = format_secret(&self.entropy().bytes::<32>());
        let record = SecretRecord {
            id: self.new_id(),
            created_at: change.at(),
            not_after: None,
        };
        let hash = SecretHash::of(record.id, &text, None);
        change
            .tx()
            .insert_secret(change.tenant().id, application, &hash, record.created_at)
            .await?;
        Ok((record, Secret::new(text)))
    }
}

/// Removes secrets that work no more, so that they do not count.
async fn drop_ended(
    change: &Change<'_>,
    at: ApplicationAt,
    record: &mut ApplicationRecord,
) -> Result<(), Refusal> {
    let ended = |secret: &SecretRecord| secret.not_after.is_some_and(|end| end <= change.at());
    for secret in record.secrets.iter().filter(|secret| ended(secret)) {
        change.tx().delete_secret(at.tenant, secret.id).await?;
    }
    record.secrets.retain(|secret| !ended(secret));
    Ok(())
}

/// Sets the end of every secret that works longer than `overlap`; none at all if there is no overlap.
async fn end_after(
    change: &Change<'_>,
    at: ApplicationAt,
    record: &mut ApplicationRecord,
    overlap: TimeDelta,
) -> Result<(), Refusal> {
    let end = change.at() + overlap;
    if overlap.is_zero() {
        for secret in record.secrets.drain(..) {
            change.tx().delete_secret(at.tenant, secret.id).await?;
        }
    }
    for secret in &mut record.secrets {
        if secret.not_after.is_none_or(|earlier| end < earlier) {
            secret.not_after = Some(end);
            change.tx().end_secret(at.tenant, secret.id, end).await?;
        }
    }
    Ok(())
}
