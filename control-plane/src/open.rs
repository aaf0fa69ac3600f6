//! Opening: connect, migrate, find or make the key that signs releases.
//!
//! The signing key is made here once and kept in the database, sealed under the key-encryption key that
//! only this process's host has: a stolen database signs nothing.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use contract::{jws::ReleaseSigner, permission::Permission, tenant::Region};
use host::{Clock, DatabaseError, Entropy, Kek, SealContext, SealKey};
use url::Url;

use crate::{
    ControlPlane, Inner, Mode, Refusal,
    audit::Event,
    authz::{Authorizer, Strangers},
    change::{Done, Target},
    push::Hub,
    store::{Store, StoreError, Tx},
};

const SIGNING_KEY: &str = "release_signing_key";
const BASE_URL: &str = "auth_base_url";

/// What a control plane is made of.
#[derive(Debug)]
pub struct ControlPlaneConfig {
    /// `sqlite://path?mode=rwc` or `postgres://…`.
    pub database_url: String,
    /// Under which tenants without a host of their own have their issuer.
    pub auth_base_url: Url,
    /// Where tenants may live; the first is the platform tenant's. At least one.
    pub regions: Vec<Region>,
    /// Seals what is kept secret in the database.
    pub kek: Kek,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
}

/// Why a control plane cannot be opened: one precise line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be reached, or its tables cannot be brought up to date.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What the database holds cannot be used, or the configuration makes no sense.
    #[error("{0}")]
    Unusable(String),
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Internal(source) => Self::Unusable(source.to_string()),
            other => Self::Unusable(other.to_string()),
        }
    }
}

impl ControlPlane {
    /// Opens the control plane on its database.
    ///
    /// # Errors
    /// [`OpenError`], in one line: no region, database unreachable or not migratable, wrong key.
    pub async fn open(config: ControlPlaneConfig) -> Result<Self, OpenError> {
        if config.regions.is_empty() {
            return Err(OpenError::Unusable(
                "at least one region must be configured".to_owned(),
            ));
        }
        let store = Store::open(&config.database_url).await?;
        let seal = config.kek.key("control-plane settings");
        let login_seal = config.kek.key("console sign-ins under way");
        let signer = signing_key(&store, &seal, &config.entropy).await?;
        let control_plane = Self {
            inner: Arc::new(Inner {
                store,
                authorizer: Authorizer::default(),
                strangers: Strangers::default(),
                hub: Hub::default(),
                signer,
                seal,
                login_seal,
                auth_base_url: config.auth_base_url,
                regions: config.regions,
                clock: config.clock,
                entropy: config.entropy,
            }),
        };
        control_plane.follow_base_url().await?;
        Ok(control_plane)
    }

    /// Whether the database answers, for `/readyz`.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn database_ready(&self) -> Result<(), String> {
        let answer = self.store().ping().await;
        answer.map_err(|_| "the control plane's database does not answer".to_owned())
    }

    /// Issuers are made from the base address; after it changed, every tenant needs a new release.
    async fn follow_base_url(&self) -> Result<(), Refusal> {
        let now = self.inner.auth_base_url.as_str();
        let tx = self.store().begin().await?;
        let before = tx.find_setting(BASE_URL).await?;
        if before.as_deref() == Some(now) {
            return Ok(());
        }
        let tenants = tx.list_tenant_ids().await?;
        tx.roll_back().await?;
        let caller = self.system_caller();
        for tenant in tenants {
            let change = self
                .change(
                    &caller,
                    Target::Tenant(tenant),
                    Permission::SettingsEdit,
                    Mode::Commit,
                )
                .await?;
            let event = Event::new(
                "tenants.issuer",
                "The installation moved to another address.",
            )
            .object("tenant", tenant, &change.tenant().name)
            .after(&self.issuer(change.tenant()));
            change.finish(Done::new((), event).releases()).await?;
        }
        // Last, so that a start that was cut short is finished by the next one.
        let tx = self.store().begin().await?;
        tx.put_setting(BASE_URL, now.to_owned()).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps a secret text in the database, sealed.
    pub(crate) async fn put_secret_setting(
        &self,
        tx: &Tx,
        name: &str,
        secret: &[u8],
    ) -> Result<(), Refusal> {
        let sealed = self.seal().seal(self.entropy(), &context(name), secret);
        Ok(tx.put_setting(name, B64.encode(sealed)).await?)
    }

    /// Reads a sealed text.
    pub(crate) async fn find_secret_setting(
        &self,
        tx: &Tx,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(stored) = tx.find_setting(name).await? else {
            return Ok(None);
        };
        unseal(self.seal(), name, &stored)
            .map(Some)
            .map_err(Refusal::internal)
    }
}

/// The key that signs releases: the stored one, or on the first start a new one.
async fn signing_key(
    store: &Store,
    seal: &SealKey,
    entropy: &Entropy,
) -> Result<ReleaseSigner, OpenError> {
    match stored_signing_key(store, seal).await? {
        Some(signer) => Ok(signer),
        None => first_signing_key(store, seal, entropy).await,
    }
}

/// Offers a new key and uses the one that is stored then: of two processes that start at once for the first
/// time, one is a moment late, and must not sign with a key that nobody will know.
async fn first_signing_key(
    store: &Store,
    seal: &SealKey,
    entropy: &Entropy,
) -> Result<ReleaseSigner, OpenError> {
    let secret = entropy.bytes::<32>();
    let sealed = seal.seal(entropy, &context(SIGNING_KEY), &secret);
    let tx = store.begin().await.map_err(failed)?;
    tx.offer_setting(SIGNING_KEY, B64.encode(sealed))
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    stored_signing_key(store, seal)
        .await?
        .ok_or_else(|| OpenError::Unusable(format!("the {SIGNING_KEY} was removed")))
}

async fn stored_signing_key(
    store: &Store,
    seal: &SealKey,
) -> Result<Option<ReleaseSigner>, OpenError> {
    let tx = store.begin_read().await.map_err(failed)?;
    let Some(stored) = tx.find_setting(SIGNING_KEY).await.map_err(failed)? else {
        return Ok(None);
    };
    let secret: [u8; 32] = unseal(seal, SIGNING_KEY, &stored)?
        .try_into()
        .map_err(|_| OpenError::Unusable(format!("the stored {SIGNING_KEY} is damaged")))?;
    Ok(Some(ReleaseSigner::from_secret(&secret)))
}

fn failed(error: StoreError) -> OpenError {
    Refusal::from(error).into()
}

fn unseal(seal: &SealKey, name: &str, stored: &str) -> Result<Vec<u8>, OpenError> {
    let damaged = || OpenError::Unusable(format!("the stored {name} is damaged"));
    let sealed = B64.decode(stored).map_err(|_| damaged())?;
    let opened = seal.open(&context(name), &sealed);
    opened.map(|secret| secret.to_vec()).map_err(|error| {
        OpenError::Unusable(format!("the stored {name} cannot be opened: {error}"))
    })
}

fn context(name: &str) -> SealContext<'_> {
    SealContext {
        tenant: "platform",
        table: "settings",
        column: "value",
        row: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_starts_first_a_moment_late_signs_with_the_key_that_is_stored() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let entropy = Entropy::seeded(1);
        let seal = SealKey::generate(&entropy);
        // Both looked before either wrote.
        let early = first_signing_key(&store, &seal, &entropy).await.unwrap();
        let late = first_signing_key(&store, &seal, &entropy).await.unwrap();
        let later = signing_key(&store, &seal, &entropy).await.unwrap();
        assert_eq!(early.public(), late.public());
        assert_eq!(early.public(), later.public());
    }
}
