//! Password hashing on a pool of its own, so that sign-ins cannot starve token requests.
//!
//! Argon2id takes tens of milliseconds and 19 MiB each (R-PWD-04). At most as many run as there are
//! workers; a bounded number may queue; beyond that the caller is told to come back (R-PWD-05). One tenant
//! gets half of the places at most, so a flood of its sign-ins leaves the others theirs, and delays them by
//! what half of the queue takes (R-TEN-05). A place is held until the computation ends even if its request
//! was abandoned, so closing connections does not multiply the work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use contract::ids::TenantId;
use host::{Entropy, Stopwatch};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::metrics::NodeMetrics;

/// 19 MiB, two passes, one lane: OWASP's and SP 800-63B-4's floor (R-PWD-04).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Waiting places per worker: about two seconds of work, one tenant's share about one.
const QUEUE_PER_WORKER: usize = 64;
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Every worker is busy and the queue, or the tenant's share of it, is full: answer 503 with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once")]
pub struct Busy {
    /// When it is worth trying again.
    pub retry_after: Duration,
}

/// A keyed secret that is not in the database's clear text; without it, stolen hashes are useless.
pub type Pepper = Zeroizing<Vec<u8>>;

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The right password.
    Yes,
    /// The right password under parameters that are no longer ours: hash it again.
    Outdated,
    /// Not the password.
    No,
}

/// The pool.
#[derive(Clone)]
pub struct Hasher {
    places: Arc<Places>,
    workers: Arc<Semaphore>,
    entropy: Entropy,
    metrics: NodeMetrics,
    dummy: Arc<str>,
}

impl Hasher {
    /// A pool of `workers` (0: one per core).
    pub fn new(workers: usize, entropy: Entropy, metrics: NodeMetrics) -> Self {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = if workers == 0 { cores() } else { workers };
        Self {
            places: Arc::new(Places::new(workers + workers * QUEUE_PER_WORKER)),
            workers: Arc::new(Semaphore::new(workers)),
            dummy: dummy_hash(&entropy).into(),
            entropy,
            metrics,
        }
    }

    /// Hashes a normalized password into a PHC string.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(
        &self,
        tenant: TenantId,
        password: &str,
        pepper: Pepper,
    ) -> Result<String, Busy> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let salt: [u8; 16] = self.entropy.bytes();
        self.run(tenant, move || {
            argon2(&pepper)
                .hash_password_with_salt(&password, &salt)
                .expect("a 16-byte salt and a password of at most 1 KiB are always hashable")
                .to_string()
        })
        .await
    }

    /// Compares a normalized password with a stored hash. Without one it works just as long against a
    /// hash nobody has, so that the time does not tell whether the account exists (R-ENUM-01).
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(
        &self,
        tenant: TenantId,
        password: &str,
        stored: Option<String>,
        pepper: Pepper,
    ) -> Result<Match, Busy> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| self.dummy.to_string());
        let found = self
            .run(tenant, move || compare(&password, &hash, &pepper))
            .await?;
        Ok(if known { found } else { Match::No })
    }

    async fn run<T: Send + 'static>(
        &self,
        tenant: TenantId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let busy = Busy {
            retry_after: RETRY_AFTER,
        };
        let Some(place) = Places::take(&self.places, tenant) else {
            self.metrics.hash_refused();
            return Err(busy);
        };
        let waited = Stopwatch::start();
        let worker = Arc::clone(&self.workers).acquire_owned().await;
        self.metrics.hash_waited(waited.elapsed());
        // A closed semaphore or a panicking hash cannot happen; both would only mean "not now".
        let worker = worker.map_err(|_| busy)?;
        tokio::task::spawn_blocking(move || {
            let _held = (place, worker);
            work()
        })
        .await
        .map_err(|_| busy)
    }
}

/// The places of the pool: working or waiting.
struct Places {
    all: usize,
    /// How many each tenant holds; who holds none is not listed.
    held: Mutex<HashMap<TenantId, usize>>,
}

/// A place, free again when it is dropped.
struct Place {
    places: Arc<Places>,
    tenant: TenantId,
}

impl Places {
    fn new(all: usize) -> Self {
        let held = Mutex::default();
        Self { all, held }
    }

    /// A place for a tenant, unless all or half of all are taken, by everybody or by this tenant.
    fn take(places: &Arc<Self>, tenant: TenantId) -> Option<Place> {
        let mut held = places.held();
        let taken: usize = held.values().sum();
        let own = held.get(&tenant).copied().unwrap_or(0);
        if taken >= places.all || own >= places.share() {
            return None;
        }
        held.insert(tenant, own + 1);
        drop(held);
        let places = Arc::clone(places);
        Some(Place { places, tenant })
    }

    fn share(&self) -> usize {
        self.all.div_ceil(2)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        // Nothing panics between two writes.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        match held.get_mut(&self.tenant) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                held.remove(&self.tenant);
            }
        }
    }
}

fn argon2(pepper: &[u8]) -> Argon2<'_> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants");
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .expect("a pepper has 32 bytes")
}

fn compare(password: &[u8], stored: &str, pepper: &[u8]) -> Match {
    let Ok(parsed) = PasswordHash::new(stored) else {
        return Match::No;
    };
    let verified = argon2(pepper).verify_password(password, &parsed);
    match (verified, is_current(&parsed)) {
        (Err(_), _) => Match::No,
        (Ok(()), true) => Match::Yes,
        (Ok(()), false) => Match::Outdated,
    }
}

fn is_current(hash: &PasswordHash) -> bool {
    let ours = Params::try_from(hash).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    });
    ours && hash.algorithm.as_str() == "argon2id" && hash.version == Some(Version::V0x13.into())
}

/// A well-formed hash of a password that nobody knows.
fn dummy_hash(entropy: &Entropy) -> String {
    let (salt, password): ([u8; 16], [u8; 32]) = (entropy.bytes(), entropy.bytes());
    argon2(&[])
        .hash_password_with_salt(&password, &salt)
        .expect("a 16-byte salt and a 32-byte password are always hashable")
        .to_string()
}

#[cfg(test)]
mod tests {
    use contract::ids::TypedId;
    use uuid::Uuid;

    use super::*;

    fn hasher(workers: usize) -> Hasher {
        Hasher::new(workers, Entropy::seeded(1), NodeMetrics::for_tests())
    }

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn pepper(byte: u8) -> Pepper {
        Zeroizing::new(vec![byte; 32])
    }

    #[tokio::test]
    async fn a_hash_needs_its_password_and_its_pepper_r_pwd_04() {
        let hasher = hasher(2);
        let hash = hasher
            .hash(tenant(1), "a long passphrase", pepper(1))
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = |password, hash: &str, key| {
            let stored = Some(hash.to_owned());
            let hasher = hasher.clone();
            async move {
                hasher
                    .verify(tenant(1), password, stored, pepper(key))
                    .await
                    .unwrap()
            }
        };
        assert_eq!(verify("a long passphrase", &hash, 1).await, Match::Yes);
        assert_eq!(verify("another passphrase", &hash, 1).await, Match::No);
        assert_eq!(verify("a long passphrase", &hash, 2).await, Match::No);
        assert_eq!(verify("a long passphrase", "nonsense", 1).await, Match::No);
    }

    #[tokio::test]
    async fn weaker_parameters_are_recognised() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let key = pepper(1);
        let old = Argon2::new_with_secret(&key, Algorithm::Argon2id, Version::V0x13, params)
            .unwrap()
            .hash_password_with_salt(b"a long passphrase", &[7; 16])
            .unwrap()
            .to_string();
        let found = hasher(1)
            .verify(tenant(1), "a long passphrase", Some(old), pepper(1))
            .await;
        assert_eq!(found, Ok(Match::Outdated));
    }

    #[tokio::test]
    async fn an_unknown_account_never_matches() {
        let found = hasher(1)
            .verify(tenant(1), "anything at all", None, pepper(1))
            .await;
        assert_eq!(found, Ok(Match::No));
    }

    #[tokio::test]
    async fn overflow_is_refused_at_once_r_pwd_05() {
        let hasher = hasher(1);
        let share = hasher.places.share();
        let attempts = (1..=3).flat_map(|number| (0..share).map(move |_| number));
        let attempts = attempts.map(|number| {
            let hasher = hasher.clone();
            async move { hasher.hash(tenant(number), "a long one", pepper(1)).await }
        });
        let answers = futures::future::join_all(attempts).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(refused, 3 * share - (1 + QUEUE_PER_WORKER));
    }

    #[test]
    fn one_tenants_flood_leaves_the_others_their_places_r_ten_05() {
        let places = Arc::new(Places::new(10));
        let take = |number| Places::take(&places, tenant(number));
        let mut flood: Vec<_> = (0..100).filter_map(|_| take(1)).collect();
        assert_eq!(flood.len(), 5);
        let others: Vec<_> = (0..100).filter_map(|_| take(2)).collect();
        assert_eq!(others.len(), 5);
        assert!(take(3).is_none(), "all are taken");
        flood.pop();
        assert!(take(3).is_some_and(|_| take(1).is_none()));
        drop((flood, others));
        assert!(places.held().is_empty());
    }
}
