//! The stash: what one page leaves for the next, such as a flash or the input of a refused form.

use chrono::TimeDelta;
use contract::canonical::sha256_hex;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ControlPlane, Refusal};

/// How long a flash or a half-written form waits for its page.
const STASH_LIFE: TimeDelta = TimeDelta::minutes(15);
/// Largest stashed form, in bytes of JSON; larger input is not kept, and the person types it again.
const MAX_STASH_BYTES: usize = 64 * 1024;

impl ControlPlane {
    /// Leaves something in a session for its next page: a flash, or the input of a refused form.
    ///
    /// A slot holds one thing for 15 minutes; what is larger than 64 KiB is not kept.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn stash<T: Serialize>(
        &self,
        token: &str,
        slot: &str,
        value: &T,
    ) -> Result<(), Refusal> {
        let body = serde_json::to_string(value).map_err(Refusal::internal)?;
        if body.len() > MAX_STASH_BYTES {
            return Ok(());
        }
        let tx = self.store().begin().await?;
        let expires_at = self.clock().now() + STASH_LIFE;
        tx.put_stash(&sha256_hex(token.as_bytes()), slot, &body, expires_at)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes what was left in a slot; a second time there is nothing.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`]; what this software cannot read is as good as nothing.
    pub async fn take_stash<T: DeserializeOwned>(
        &self,
        token: &str,
        slot: &str,
    ) -> Result<Option<T>, Refusal> {
        let token_sha256 = sha256_hex(token.as_bytes());
        let now = self.clock().now();
        // Most pages find nothing: only what exists is worth the writer's lock.
        let reader = self.store().begin_read().await?;
        let waiting = reader.has_stash(&token_sha256, slot).await?;
        drop(reader);
        if !waiting {
            return Ok(None);
        }
        let tx = self.store().begin().await?;
        let body = tx.take_stash(&token_sha256, slot, now).await?;
        tx.commit().await?;
        Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
    }
}
