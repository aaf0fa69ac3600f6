//! Opening: connect, migrate, find or make the key that signs releases and the authority of connections.
//!
//! The signing key is made here once and kept in the database, sealed under the key-encryption key that
//! only this process's host has: a stolen database signs nothing.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use contract::{jws::ReleaseSigner, permission::Permission, tenant::Region};
use host::{Clock, DatabaseError, Entropy, HostPort, Kek, SealContext, SealKey};
use url::Url;

use crate::{
    Bus, ControlPlane, Inner, LocalBus, Mode, Refusal,
    audit::Event,
    authorities::SignedList,
    authz::{Authorizer, Strangers},
    change::{Done, Target},
    containments::Previews,
    local_tokens::LocalKey,
    push::{Hub, Lanes},
    store::{Store, StoreError, Tx},
};

const SIGNING_KEY: &str = "release_signing_key";
const LOCAL_KEY: &str = "local_token_key";
const BASE_URL: &str = "auth_base_url";

/// What a control plane is made of.
#[derive(Debug)]
pub struct ControlPlaneConfig {
    /// `sqlite://path?mode=rwc` or `postgres://…`.
    pub database_url: String,
    /// Where tenants may live; the first is the platform tenant's. At least one, each once.
    pub regions: Vec<RegionPlace>,
    /// Where nodes reach [`ControlPlane::serve_nodes`], as join tokens name it; `None` where no node can.
    pub push_address: Option<HostPort>,
    /// For how long a canary node serves a release before all nodes are given it, in seconds.
    pub bake_seconds: u32,
    /// How the replicas on one database wake each other.
    pub bus: Arc<dyn Bus>,
    /// Seals what is kept secret in the database.
    pub kek: Kek,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
}

/// A region, and how browsers reach its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionPlace {
    /// Its name.
    pub region: Region,
    /// Under which its tenants without a host of their own have their issuer.
    pub auth_base_url: Url,
}

impl RegionPlace {
    /// A region at an address.
    pub fn new(region: Region, auth_base_url: Url) -> Self {
        Self {
            region,
            auth_base_url,
        }
    }
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
        check_regions(&store, &config.regions).await?;
        let control_plane = Self::on(store, config).await?;
        control_plane.ensure_authority().await?;
        control_plane.follow_base_urls().await?;
        Ok(control_plane)
    }

    /// Opens it beside one that may be running: it takes addresses from what that one stored, and moves
    /// nothing.
    ///
    /// # Errors
    /// As [`ControlPlane::open`]; nothing was ever opened on the database.
    pub async fn open_beside(
        database_url: &str,
        kek: Kek,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, OpenError> {
        let store = Store::open(database_url).await?;
        let tx = store.begin_read().await.map_err(failed)?;
        let stored = tx.list_settings(BASE_URL).await.map_err(failed)?;
        drop(tx);
        let damaged = || OpenError::Unusable(format!("the stored {BASE_URL} is damaged"));
        let regions = stored
            .into_iter()
            .map(|(name, url)| {
                let (_, region) = name.split_once(':')?;
                Some(RegionPlace::new(region.parse().ok()?, url.parse().ok()?))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(damaged)?;
        if regions.is_empty() {
            return Err(OpenError::Unusable(
                "no start has finished on its database yet".to_owned(),
            ));
        }
        let config = ControlPlaneConfig {
            database_url: database_url.to_owned(),
            regions,
            push_address: None,
            bake_seconds: crate::rollouts::DEFAULT_BAKE_SECONDS,
            bus: Arc::new(LocalBus::default()),
            kek,
            clock,
            entropy,
        };
        Self::on(store, config).await
    }

    async fn on(store: Store, config: ControlPlaneConfig) -> Result<Self, OpenError> {
        let seal = config.kek.key("control-plane settings");
        let regions = config.regions.iter();
        Ok(Self {
            inner: Arc::new(Inner {
                authorizer: Authorizer::default(),
                strangers: Strangers::default(),
                hub: Hub::default(),
                lanes: Lanes::default(),
                previews: Previews::default(),
                authority_list: SignedList::default(),
                signer: signing_key(&store, &seal, &config.entropy).await?,
                local_key: local_key(&store, &seal, &config.entropy).await?,
                login_seal: config.kek.key("console sign-ins under way"),
                seal,
                store,
                regions: regions.map(|place| place.region.clone()).collect(),
                places: config.regions,
                push_address: config.push_address,
                bake_seconds: config.bake_seconds,
                bus: config.bus,
                replica: config.entropy.token(),
                clock: config.clock,
                entropy: config.entropy,
            }),
        })
    }

    /// Whether the database answers, for `/readyz`.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn database_ready(&self) -> Result<(), String> {
        let answer = self.store().ping().await;
        answer.map_err(|_| "the control plane's database does not answer".to_owned())
    }

    async fn follow_base_urls(&self) -> Result<(), Refusal> {
        for place in &self.inner.places {
            self.follow_base_url(place).await?;
        }
        Ok(())
    }

    /// Issuers are made from the base address; after it changed, every tenant there needs a new release.
    async fn follow_base_url(&self, place: &RegionPlace) -> Result<(), Refusal> {
        let setting = format!("{BASE_URL}:{}", place.region);
        let now = place.auth_base_url.as_str();
        let tx = self.store().begin().await?;
        let before = tx.find_setting(&setting).await?;
        if before.as_deref() == Some(now) {
            return Ok(());
        }
        let tenants = tx.list_tenant_ids(&place.region).await?;
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
        tx.put_setting(&setting, now.to_owned()).await?;
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

/// A tenant in a region that is not configured would have no issuer, and a wrong one would lock its users out.
async fn check_regions(store: &Store, places: &[RegionPlace]) -> Result<(), OpenError> {
    let known: BTreeSet<&Region> = places.iter().map(|place| &place.region).collect();
    if known.len() < places.len() {
        return Err(OpenError::Unusable(
            "a region is configured twice".to_owned(),
        ));
    }
    let tx = store.begin_read().await.map_err(failed)?;
    let in_use = tx.list_tenant_regions().await.map_err(failed)?;
    match in_use.iter().find(|region| !known.contains(region)) {
        None => Ok(()),
        Some(region) => Err(OpenError::Unusable(format!(
            "tenants live in the region {region}, which is not configured"
        ))),
    }
}

/// The key that signs releases: the stored one, or on the first start a new one.
async fn signing_key(
    store: &Store,
    seal: &SealKey,
    entropy: &Entropy,
) -> Result<ReleaseSigner, OpenError> {
    let make = || entropy.bytes::<32>().to_vec();
    let secret = kept_secret(store, seal, entropy, SIGNING_KEY, make).await?;
    let secret: [u8; 32] = secret
        .try_into()
        .map_err(|_| OpenError::Unusable(format!("the stored {SIGNING_KEY} is damaged")))?;
    Ok(ReleaseSigner::from_secret(&secret))
}

/// The key of tokens for whoever can read the data directory, kept in the same way.
async fn local_key(
    store: &Store,
    seal: &SealKey,
    entropy: &Entropy,
) -> Result<LocalKey, OpenError> {
    let make = LocalKey::generate;
    let secret = kept_secret(store, seal, entropy, LOCAL_KEY, make).await?;
    LocalKey::from_pkcs8(&secret)
        .ok_or_else(|| OpenError::Unusable(format!("the stored {LOCAL_KEY} is damaged")))
}

/// A secret that is made once: the stored one, or a new one that is stored.
///
/// A new one is offered, and the one that is stored then is used: of two processes that start at once for the
/// first time, one is a moment late, and must not sign with a key that nobody will know.
async fn kept_secret(
    store: &Store,
    seal: &SealKey,
    entropy: &Entropy,
    name: &str,
    make: impl FnOnce() -> Vec<u8>,
) -> Result<Vec<u8>, OpenError> {
    if let Some(stored) = stored_secret(store, seal, name).await? {
        return Ok(stored);
    }
    let sealed = seal.seal(entropy, &context(name), &make());
    let tx = store.begin().await.map_err(failed)?;
    tx.offer_setting(name, B64.encode(sealed))
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    stored_secret(store, seal, name)
        .await?
        .ok_or_else(|| OpenError::Unusable(format!("the {name} was removed")))
}

async fn stored_secret(
    store: &Store,
    seal: &SealKey,
    name: &str,
) -> Result<Option<Vec<u8>>, OpenError> {
    let tx = store.begin_read().await.map_err(failed)?;
    let stored = tx.find_setting(name).await.map_err(failed)?;
    stored.map(|stored| unseal(seal, name, &stored)).transpose()
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
        let early = signing_key(&store, &seal, &entropy).await.unwrap();
        // Looked before the other wrote, and writes now.
        let late = seal.seal(&entropy, &context(SIGNING_KEY), &[9; 32]);
        let tx = store.begin().await.unwrap();
        tx.offer_setting(SIGNING_KEY, B64.encode(late))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let later = signing_key(&store, &seal, &entropy).await.unwrap();
        assert_eq!(early.public(), later.public());
    }
}
