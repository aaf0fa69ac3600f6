//! A tenant's data key and pepper: made on first use, wrapped by the region's key, kept in memory.
//!
//! Nodes that race to make them agree: the primary key lets one row in, and everyone reads it back.
//! Destroying the row makes every sealed value and every password of the tenant unusable (R-SEC-02).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use contract::ids::{TenantId, TypedId};
use host::{Kek, SealContext, SealKey};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{IdentityStore, StoreError, corrupt, tables::tenant_secrets as rows};
use crate::hashing::Pepper;

const PEPPER_BYTES: usize = 32;

/// What only this tenant has.
pub(crate) struct TenantSecrets {
    pub(crate) data_key: SealKey,
    pepper: Pepper,
}

impl TenantSecrets {
    pub(crate) fn pepper(&self) -> Pepper {
        self.pepper.clone()
    }
}

pub(super) struct Vault {
    wrapping: SealKey,
    opened: RwLock<HashMap<TenantId, Arc<TenantSecrets>>>,
}

impl Vault {
    pub(super) fn new(kek: &Kek) -> Self {
        Self {
            wrapping: kek.key("bailiwick/identity/tenant-data-key"),
            opened: RwLock::default(),
        }
    }

    fn open(&self, row: &rows::Model) -> Result<TenantSecrets, StoreError> {
        let unsealed = |error| corrupt(format!("the tenant's data key: {error}"));
        let data_key = self
            .wrapping
            .unwrap_key(&place(&row.tenant, "data_key"), &row.data_key)
            .map_err(unsealed)?;
        let pepper = data_key
            .open(&place(&row.tenant, "pepper"), &row.pepper)
            .map_err(unsealed)?;
        Ok(TenantSecrets { data_key, pepper })
    }
}

impl IdentityStore {
    /// The tenant's secrets; made now if the tenant has none yet.
    pub(crate) async fn secrets(&self, tenant: TenantId) -> Result<Arc<TenantSecrets>, StoreError> {
        let known = {
            let opened = self.vault.opened.read();
            opened
                .unwrap_or_else(PoisonError::into_inner)
                .get(&tenant)
                .cloned()
        };
        if let Some(secrets) = known {
            return Ok(secrets);
        }
        let row = match self.find_secrets(tenant).await? {
            Some(row) => row,
            None => self.make_secrets(tenant).await?,
        };
        let secrets = Arc::new(self.vault.open(&row)?);
        let mut opened = self
            .vault
            .opened
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(opened.entry(tenant).or_insert(secrets)))
    }

    /// Checks that the region's key opens what the database holds, by secrets that are made for this at
    /// the first start and belong to nobody: a look at any tenant's would have to cross tenants.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it does not: this is another region's database, or another key.
    pub async fn check_key(&self) -> Result<(), StoreError> {
        // Tenants' ids are time-ordered UUIDs (version 7), never this one.
        let nobody = TenantId::from_uuid(Uuid::nil());
        self.secrets(nobody).await.map(drop)
    }

    async fn find_secrets(&self, tenant: TenantId) -> Result<Option<rows::Model>, StoreError> {
        Ok(rows::Entity::find()
            .filter(rows::Column::Tenant.eq(tenant.to_string()))
            .one(&self.reads(tenant).await?)
            .await?)
    }

    async fn make_secrets(&self, tenant: TenantId) -> Result<rows::Model, StoreError> {
        let name = tenant.to_string();
        let data_key = SealKey::generate(&self.entropy);
        let pepper: Zeroizing<[u8; PEPPER_BYTES]> = Zeroizing::new(self.entropy.bytes());
        let row = rows::ActiveModel {
            tenant: Set(name.clone()),
            data_key: Set(self.vault.wrapping.wrap(
                &self.entropy,
                &place(&name, "data_key"),
                &data_key,
            )),
            pepper: Set(data_key.seal(&self.entropy, &place(&name, "pepper"), &*pepper)),
            created_at: Set(self.now()),
        };
        let transaction = self.begin(tenant).await?;
        rows::Entity::insert(row)
            .on_conflict_do_nothing()
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        // Ours or the winner's: what the database says is what counts.
        let row = self.find_secrets(tenant).await?;
        row.ok_or_else(|| corrupt("the tenant's data key vanished"))
    }
}

fn place<'a>(tenant: &'a str, column: &'a str) -> SealContext<'a> {
    SealContext {
        tenant,
        table: "tenant_secrets",
        column,
        row: tenant,
    }
}
