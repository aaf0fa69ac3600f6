//! Making a tenant's keys, once: on the node that first serves the tenant, sealed in the region.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeySize, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use chrono::{DateTime, Utc};
use contract::{
    application::SigningAlgorithm,
    canonical,
    ids::TenantId,
    jwk::{Curve, Octets, PublicJwk},
};
use zeroize::Zeroizing;

use super::{KeyRing, Standing, TokenError};
use crate::identity::{IdentityStore, StoreError, StoredKey, stored};

/// Why a tenant's keys are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The region's database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] TokenError),
    /// They can be used, but not for what they are for.
    #[error("the self-test failed: {0}")]
    SelfTest(&'static str),
}

/// The tenant's keys, and whether some were made now: for algorithms without one that may sign. Nodes that race end up
/// with the same keys.
pub(super) async fn load_or_make(
    identity: &IdentityStore,
    tenant: TenantId,
    now: DateTime<Utc>,
    standing: impl Fn(&str) -> Standing,
) -> Result<(KeyRing, bool), KeysError> {
    let mut keys = identity.signing_keys(tenant).await?;
    let mut made_any = false;
    for alg in SigningAlgorithm::ALL {
        let of_alg = || keys.iter().filter(|key| key.public.alg == alg);
        if of_alg().any(|key| standing(&key.public.kid).signs) {
            continue;
        }
        let generation = of_alg().count() + 1;
        // An RSA key takes a noticeable part of a second; requests must not wait for it.
        let made = tokio::task::spawn_blocking(move || generate(alg, now)).await;
        let key = made.map_err(|_| TokenError::Key)??;
        identity.offer_signing_key(tenant, &key, generation).await?;
        made_any = true;
    }
    if made_any {
        keys = identity.signing_keys(tenant).await?;
        tracing::info!(%tenant, "signing keys are ready");
    }
    Ok((KeyRing::standing(keys, standing)?, made_any))
}

pub(super) fn generate(alg: SigningAlgorithm, now: DateTime<Utc>) -> Result<StoredKey, TokenError> {
    let (private, jwk) = match alg {
        SigningAlgorithm::ES256 => ec()?,
        SigningAlgorithm::RS256 => rsa()?,
    };
    // The public material is exactly what RFC 7638 section 3.2 hashes.
    let thumbprint = canonical::to_canonical(&jwk).map_err(|_| TokenError::Key)?;
    // 128 bits of the thumbprint: unique without a registry, and it says nothing.
    let kid = canonical::sha256_hex(thumbprint.as_bytes())[..32].to_owned();
    Ok(stored(kid, jwk, (private, now)))
}

type Made = (Zeroizing<Vec<u8>>, PublicJwk);

fn ec() -> Result<Made, TokenError> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| TokenError::Key)?;
    let private = pair.to_pkcs8v1().map_err(|_| TokenError::Key)?;
    // Uncompressed point: 0x04, 32 bytes of x, 32 bytes of y (SEC 1 §2.3.3).
    let point = pair.public_key().as_ref();
    let (x, y) = point
        .get(1..)
        .and_then(|rest| rest.split_at_checked(32))
        .ok_or(TokenError::Key)?;
    let jwk = PublicJwk::Ec {
        crv: Curve::P256,
        x: octets(x)?,
        y: octets(y)?,
    };
    Ok((Zeroizing::new(private.as_ref().to_vec()), jwk))
}

fn rsa() -> Result<Made, TokenError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| TokenError::Key)?;
    let private = pair.as_der().map_err(|_| TokenError::Key)?;
    let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
    let jwk = PublicJwk::Rsa {
        n: octets(&public.n)?,
        e: octets(&public.e)?,
    };
    Ok((Zeroizing::new(private.as_ref().to_vec()), jwk))
}

fn octets<const MIN: usize, const MAX: usize>(
    bytes: &[u8],
) -> Result<Octets<MIN, MAX>, TokenError> {
    Octets::encode(bytes).map_err(|_| TokenError::Key)
}
