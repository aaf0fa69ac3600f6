//! Values that wait for the next request of the same browser: authorization requests, forms.
//!
//! The id is 256 random bits and the store keeps only its hash, so neither guessing nor reading the
//! store lets anyone continue another person's sign-in. What the value is belongs to its caller.

use std::sync::Arc;

use chrono::Duration;
use contract::{canonical::sha256_hex, ids::TenantId};
use host::Entropy;
use serde::{Serialize, de::DeserializeOwned};

use crate::state::{Kind, StateError, StateKey, StateStore};

/// Values behind unguessable ids.
#[derive(Clone)]
pub struct Requests {
    state: Arc<dyn StateStore>,
    entropy: Entropy,
}

impl Requests {
    pub(crate) fn new(state: Arc<dyn StateStore>, entropy: Entropy) -> Self {
        Self { state, entropy }
    }

    /// Keeps `value` for `life` and returns the id that finds it.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn put(
        &self,
        tenant: TenantId,
        value: &impl Serialize,
        life: Duration,
    ) -> Result<String, StateError> {
        let id = self.entropy.token();
        let hash = sha256_hex(id.as_bytes());
        let value = serde_json::to_vec(value)?;
        self.state.put(at(tenant, &hash), &value, life).await?;
        Ok(id)
    }

    /// The value, left where it is.
    ///
    /// # Errors
    /// The state store does not answer, or the value is not a `T`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Option<T>, StateError> {
        read(
            self.state
                .get(at(tenant, &sha256_hex(id.as_bytes())))
                .await?,
        )
    }

    /// The value, once: of many callers on many nodes one gets it.
    ///
    /// # Errors
    /// The state store does not answer, or the value is not a `T`.
    pub async fn take<T: DeserializeOwned>(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Option<T>, StateError> {
        read(
            self.state
                .take(at(tenant, &sha256_hex(id.as_bytes())))
                .await?,
        )
    }

    /// Replaces the value if it is still there; says whether it was.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn replace(
        &self,
        tenant: TenantId,
        id: &str,
        value: &impl Serialize,
        life: Duration,
    ) -> Result<bool, StateError> {
        let hash = sha256_hex(id.as_bytes());
        let value = serde_json::to_vec(value)?;
        self.state.replace(at(tenant, &hash), &value, life).await
    }
}

fn at(tenant: TenantId, hash: &str) -> StateKey<'_> {
    StateKey::new(Kind::Request, tenant, hash)
}

fn read<T: DeserializeOwned>(bytes: Option<Vec<u8>>) -> Result<Option<T>, StateError> {
    Ok(bytes
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose()?)
}
