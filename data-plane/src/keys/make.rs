//! Making a tenant's keys, once: on the node that first serves the tenant, sealed in the region.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, Utc};
use contract::{application::SigningAlgorithm, canonical, ids::TenantId};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{KeyRing, TokenError};
use crate::identity::{IdentityStore, StoreError, StoredKey, stored};

/// Why a tenant's keys are not at hand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] TokenError),
}

/// The tenant's keys; made now for algorithms it has none for. Nodes that race end up with the same keys.
pub(crate) async fn load_or_make(
    identity: &IdentityStore,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<Arc<KeyRing>, KeysError> {
    let mut keys = identity.signing_keys(tenant).await?;
    let missing: Vec<_> = SigningAlgorithm::ALL
        .into_iter()
        .filter(|alg| !keys.iter().any(|key| key.public.alg == *alg))
        .collect();
    for alg in &missing {
        let alg = *alg;
        // An RSA key takes a noticeable part of a second; requests must not wait for it.
        let made = tokio::task::spawn_blocking(move || generate(alg, now)).await;
        let key = made.map_err(|_| TokenError::Key)??;
        identity.offer_signing_key(tenant, &key).await?;
    }
    if !missing.is_empty() {
        keys = identity.signing_keys(tenant).await?;
        tracing::info!(%tenant, "signing keys are ready");
    }
    Ok(Arc::new(KeyRing::new(keys)?))
}

pub(super) fn generate(alg: SigningAlgorithm, now: DateTime<Utc>) -> Result<StoredKey, TokenError> {
    let (private, thumbprint, members) = match alg {
        SigningAlgorithm::ES256 => ec()?,
        SigningAlgorithm::RS256 => rsa()?,
    };
    let thumbprint = canonical::to_canonical(&thumbprint).map_err(|_| TokenError::Key)?;
    // 128 bits of the RFC 7638 thumbprint: unique without a registry, and it says nothing.
    let kid = canonical::sha256_hex(thumbprint.as_bytes())[..32].to_owned();
    let mut jwk = members;
    jwk["kid"] = kid.as_str().into();
    jwk["alg"] = alg.as_str().into();
    jwk["use"] = "sig".into();
    Ok(stored(alg, kid, jwk, (private, now)))
}

type Made = (Zeroizing<Vec<u8>>, Value, Value);

fn ec() -> Result<Made, TokenError> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| TokenError::Key)?;
    let private = pair.to_pkcs8v1().map_err(|_| TokenError::Key)?;
    // Uncompressed point: 0x04, 32 bytes of x, 32 bytes of y (SEC 1 §2.3.3).
    let point = pair.public_key().as_ref();
    let (x, y) = point
        .get(1..)
        .filter(|rest| rest.len() == 64)
        .map(|rest| rest.split_at(32))
        .ok_or(TokenError::Key)?;
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": B64.encode(x), "y": B64.encode(y) });
    Ok((Zeroizing::new(private.as_ref().to_vec()), jwk.clone(), jwk))
}

fn rsa() -> Result<Made, TokenError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| TokenError::Key)?;
    let private = pair.as_der().map_err(|_| TokenError::Key)?;
    let public = pair.public_key();
    let number = |positive: aws_lc_rs::rsa::PublicKeyComponents<Vec<u8>>| {
        (B64.encode(&positive.n), B64.encode(&positive.e))
    };
    let (n, e) = number(public.into());
    let jwk = json!({ "kty": "RSA", "n": n, "e": e });
    Ok((Zeroizing::new(private.as_ref().to_vec()), jwk.clone(), jwk))
}
