//! Rows of token-signing keys: private parts sealed under the tenant's data key (R-KEY-03).

use chrono::{DateTime, Utc};
use contract::{canonical, frames::PublicKey, ids::TenantId, jwk::PublicJwk};
use host::SealContext;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use zeroize::Zeroizing;

use super::{IdentityStore, StoreError, corrupt, parse, tables::signing_keys as rows, time};

/// A signing key with its private part.
pub struct StoredKey {
    /// What everyone may know.
    pub public: PublicKey,
    /// PKCS #8.
    pub private: Zeroizing<Vec<u8>>,
}

impl IdentityStore {
    /// The tenant's signing keys, oldest generation first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<StoredKey>, StoreError> {
        let secrets = self.secrets(tenant).await?;
        let found = rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .order_by_asc(rows::Column::Generation)
            .all(&self.reads(tenant).await?)
            .await?;
        found
            .into_iter()
            .map(|row| {
                let private = secrets
                    .data_key
                    .open(&place(&row.tenant, &row.kid), &row.private)
                    .map_err(|error| corrupt(format!("a signing key: {error}")))?;
                let jwk = serde_json::from_str(&row.public_jwk)
                    .map_err(|_| corrupt("a public signing key"))?;
                Ok(StoredKey {
                    public: PublicKey {
                        kid: row.kid,
                        alg: parse(&row.algorithm, "a signing algorithm")?,
                        jwk,
                        created_at: time(row.created_at)?,
                    },
                    private,
                })
            })
            .collect()
    }

    /// Offers the key of an algorithm's generation, from 1. If another node was faster, its key stays and this one is
    /// forgotten; read [`IdentityStore::signing_keys`] to see which.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn offer_signing_key(
        &self,
        tenant: TenantId,
        key: &StoredKey,
        generation: usize,
    ) -> Result<(), StoreError> {
        let secrets = self.secrets(tenant).await?;
        let name = tenant.to_string();
        let kid = &key.public.kid;
        let sealed = secrets
            .data_key
            .seal(&self.entropy, &place(&name, kid), &key.private);
        let row = rows::ActiveModel {
            tenant: Set(name.clone()),
            algorithm: Set(key.public.alg.as_str().to_owned()),
            // Text, so that every part of a key is text.
            generation: Set(format!("{generation:04}")),
            kid: Set(kid.clone()),
            private: Set(sealed),
            public_jwk: Set(canonical::to_canonical(&key.public.jwk)
                .map_err(|error| corrupt(error.to_string()))?),
            created_at: Set(super::micros(key.public.created_at)),
        };
        let transaction = self.begin(tenant).await?;
        rows::Entity::insert(row)
            .on_conflict_do_nothing()
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

fn place<'a>(tenant: &'a str, kid: &'a str) -> SealContext<'a> {
    SealContext {
        tenant,
        table: "signing_keys",
        column: "private",
        row: kid,
    }
}

/// A new key as a node makes it.
pub(crate) fn stored(
    kid: String,
    jwk: PublicJwk,
    (private, created_at): (Zeroizing<Vec<u8>>, DateTime<Utc>),
) -> StoredKey {
    StoredKey {
        public: PublicKey {
            kid,
            alg: jwk.algorithm(),
            jwk,
            created_at,
        },
        private,
    }
}
