//! A tenant's keys as its runtimes share them: read from the region's database when somebody first needs them.
//!
//! A node of ten thousand tenants starts without reading twenty thousand keys. What a release had to prove when
//! it arrived, that a token can be minted and believed with these keys, is proven again when they are read.

use std::{
    collections::BTreeSet,
    sync::{self, Arc, PoisonError},
};

use actix_web::web::Bytes;
use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use contract::{application::SigningAlgorithm, frames::PublicKey, ids::TenantId};
use host::Clock;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};

use super::{Expected, KeyRing, KeysError, Standing, TokenError, make::load_or_make};
use crate::{containments::Containments, identity::IdentityStore};

/// Where keys come from, and who hears of new ones.
#[derive(Clone)]
pub(crate) struct KeySource {
    identity: IdentityStore,
    clock: Clock,
    containments: Arc<Containments>,
    made: Arc<MadeKeys>,
}

/// The tenants whose keys were made and not reported to the control plane yet.
#[derive(Default)]
struct MadeKeys {
    waiting: sync::Mutex<BTreeSet<TenantId>>,
    more: Notify,
}

/// The keys of one tenant, at hand from the first use on.
pub struct TenantKeys {
    tenant: TenantId,
    source: KeySource,
    ring: ArcSwapOption<KeyRing>,
    /// Held by whoever reads, so that of many who need them one does.
    reading: Mutex<()>,
}

impl KeySource {
    pub(crate) fn new(
        identity: IdentityStore,
        clock: Clock,
        containments: Arc<Containments>,
    ) -> Self {
        let made = Arc::default();
        Self {
            identity,
            clock,
            containments,
            made,
        }
    }

    /// The keys of a tenant; nothing is read yet.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<TenantKeys> {
        Arc::new(TenantKeys {
            tenant,
            source: self.clone(),
            ring: ArcSwapOption::empty(),
            reading: Mutex::default(),
        })
    }

    /// Waits for keys that were made.
    pub(crate) async fn made(&self) -> TenantId {
        loop {
            let more = self.made.more.notified();
            if let Some(tenant) = self.made.waiting().pop_first() {
                return tenant;
            }
            more.await;
        }
    }

    /// They are about to be reported.
    pub(crate) fn reported(&self, tenant: TenantId) {
        self.made.waiting().remove(&tenant);
    }

    /// They could not be reported.
    pub(crate) fn unreported(&self, tenant: TenantId) {
        self.made.add(tenant);
    }
}

impl MadeKeys {
    fn add(&self, tenant: TenantId) {
        self.waiting().insert(tenant);
        self.more.notify_one();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeSet<TenantId>> {
        // Nothing panics while it holds the set; were that to change, it would still be whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TenantKeys {
    /// Reads the keys unless they are at hand, and proves them for `issuer`; makes them if there are none.
    pub(crate) async fn load(&self, issuer: &str) -> Result<(), KeysError> {
        if self.is_loaded() {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        if self.is_loaded() {
            return Ok(());
        }
        self.read(issuer).await
    }

    /// Reads them again, because what is contained has changed; makes another where none is left that may sign.
    /// Until that is done, those at hand go on.
    pub(crate) async fn reload(&self, issuer: &str) -> Result<(), KeysError> {
        let _reading = self.reading.lock().await;
        self.read(issuer).await?;
        self.source.made.add(self.tenant);
        Ok(())
    }

    async fn read(&self, issuer: &str) -> Result<(), KeysError> {
        let now = self.source.clock.now();
        let contained = &self.source.containments;
        let standing = |kid: &str| Standing {
            signs: !contained.was_key_contained(self.tenant, kid),
            shown: !contained.is_key_contained(self.tenant, kid),
        };
        let (ring, made) = load_or_make(&self.source.identity, self.tenant, now, standing).await?;
        if made {
            self.source.made.add(self.tenant);
        }
        self_test(&ring, issuer, now)?;
        self.ring.store(Some(Arc::new(ring)));
        Ok(())
    }

    /// Proves those at hand for `issuer` once more.
    pub(crate) fn prove(&self, issuer: &str, now: DateTime<Utc>) -> Result<(), KeysError> {
        self_test(&*self.ring()?, issuer, now)
    }

    /// Whether they are at hand.
    pub(crate) fn is_loaded(&self) -> bool {
        self.ring.load().is_some()
    }

    /// See [`KeyRing::sign`].
    ///
    /// # Errors
    /// Also [`TokenError::Key`] before they are at hand.
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, TokenError> {
        // Those at hand may be older than what is contained by the time it takes to make another key.
        let contained = &self.source.containments;
        let may_sign = |kid: &str| !contained.is_key_contained(self.tenant, kid);
        self.ring()?.sign_if(may_sign, algorithm, typ, claims)
    }

    /// An access token by one key, whatever its standing; see [`KeyRing::sign_by`].
    ///
    /// # Errors
    /// As [`TenantKeys::sign`].
    pub(crate) fn sign_canary(
        &self,
        kid: &str,
        claims: &impl Serialize,
    ) -> Result<String, TokenError> {
        self.ring()?.sign_by(kid, "at+jwt", claims)
    }

    /// See [`KeyRing::verify`].
    ///
    /// # Errors
    /// Also [`TokenError::Key`] before they are at hand.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<T, TokenError> {
        // First, because it costs nothing: a key that is contained vouches for nothing (R-REV-04).
        if kid_of(token).is_some_and(|kid| {
            let contained = &self.source.containments;
            contained.is_key_contained(self.tenant, &kid)
        }) {
            return Err(TokenError::Invalid("its key is contained"));
        }
        self.ring()?.verify(token, expected)
    }

    /// The JWKS document.
    ///
    /// # Errors
    /// [`TokenError::Key`] before they are at hand.
    pub fn jwks(&self) -> Result<Bytes, TokenError> {
        Ok(self.ring()?.jwks())
    }

    /// The public keys.
    ///
    /// # Errors
    /// [`TokenError::Key`] before they are at hand.
    pub fn public_keys(&self) -> Result<Vec<PublicKey>, TokenError> {
        Ok(self.ring()?.public_keys().to_vec())
    }

    fn ring(&self) -> Result<Arc<KeyRing>, TokenError> {
        self.ring.load_full().ok_or(TokenError::Key)
    }
}

/// Which key a token says it is signed with.
fn kid_of(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Mints and verifies a token of each algorithm, the way a request would.
pub(crate) fn self_test(keys: &KeyRing, issuer: &str, now: DateTime<Utc>) -> Result<(), KeysError> {
    let issued = now.timestamp();
    let claims = json!({ "iss": issuer, "aud": issuer, "iat": issued, "exp": issued + 60 });
    let expected = Expected {
        typ: "at+jwt",
        issuer,
        audience: Some(issuer),
        now,
        accept_expired: false,
    };
    for algorithm in SigningAlgorithm::ALL {
        let token = keys
            .sign(algorithm, "at+jwt", &claims)
            .map_err(|_| KeysError::SelfTest("a token could not be signed"))?;
        keys.verify::<Value>(&token, &expected)
            .map_err(|_| KeysError::SelfTest("a token of its own was not believed"))?;
    }
    Ok(())
}
