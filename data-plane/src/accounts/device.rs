//! Device marks: what tells the device of an account's owner from everyone else's (R-ENUM-03).
//!
//! Whoever signs in takes a mark along, and attempts that bring it are counted apart from those of
//! strangers, who can therefore block the account for themselves only. A mark proves nothing else: it is no
//! factor and no session. It is sealed under the tenant's data key and bound to the account's name, so it
//! cannot be made, moved to another account or tenant, or read; nodes need no store to know it, and
//! nothing piles up. Each sign-in replaces it by a new one under a new number. What it holds is that number
//! and its end, and nothing about the person.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration};
use contract::{canonical::sha256_hex, ids::TenantId};
use host::SealContext;

use super::Accounts;
use crate::identity::{StoreError, User, normalize_email};

/// How long a mark is good, in days.
pub const MARK_DAYS: i64 = 180;

const NUMBER_BYTES: usize = 16;

impl Accounts {
    /// A mark for the device on which this person just proved who they are.
    ///
    /// # Errors
    /// The tenant's data key cannot be read.
    pub async fn mark_device(&self, user: &User) -> Result<String, StoreError> {
        let secrets = self.identity.secrets(user.tenant).await?;
        let number: [u8; NUMBER_BYTES] = self.entropy.bytes();
        let ends = self.clock.now() + Duration::days(MARK_DAYS);
        let value = [&number[..], &ends.timestamp().to_be_bytes()].concat();
        let (tenant, account) = place(user.tenant, &normalize_email(&user.email));
        let context = context(&tenant, &account);
        let sealed = secrets.data_key.seal(&self.entropy, &context, &value);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The number of the device, if the mark is genuine, this account's, and not over.
    pub(super) async fn known_device(
        &self,
        tenant: TenantId,
        identifier: &str,
        mark: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let Some(sealed) = mark.and_then(|mark| URL_SAFE_NO_PAD.decode(mark).ok()) else {
            return Ok(None);
        };
        let secrets = self.identity.secrets(tenant).await?;
        let (tenant, account) = place(tenant, identifier);
        let Ok(value) = secrets.data_key.open(&context(&tenant, &account), &sealed) else {
            return Ok(None);
        };
        let parts = value.split_first_chunk::<NUMBER_BYTES>();
        let Some((number, ends)) = parts else {
            return Ok(None);
        };
        let ends = ends.try_into().map(i64::from_be_bytes).ok();
        let ends = ends.and_then(|ends| DateTime::from_timestamp(ends, 0));
        let alive = ends.is_some_and(|ends| self.clock.now() < ends);
        Ok(alive.then(|| URL_SAFE_NO_PAD.encode(number)))
    }
}

fn place(tenant: TenantId, identifier: &str) -> (String, String) {
    (tenant.to_string(), sha256_hex(identifier.as_bytes()))
}

fn context<'a>(tenant: &'a str, account: &'a str) -> SealContext<'a> {
    SealContext {
        tenant,
        table: "devices",
        column: "mark",
        row: account,
    }
}
