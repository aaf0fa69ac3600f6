//! Device marks: what tells the device of an account's owner from everyone else's (R-ENUM-03).
//!
//! Whoever signs in takes a mark along, and attempts that bring it are counted apart from those of
//! strangers, who can therefore block the account for themselves only. A mark proves nothing else: it is no
//! factor and no session. It is sealed under the tenant's data key and bound to the account's name, so it
//! cannot be made, moved to another account or tenant, or read; nodes need no store to know it. What it
//! holds is its number, the account's id and when it was given.
//!
//! A mark outlives neither the account it was given for, whoever has the address now, nor a sign-out
//! everywhere. A browser keeps its number when its mark is renewed. Numbers are not scarce for all that:
//! signing in without a mark makes a new one. So what the marks of an account may do together has a limit
//! of its own ([`crate::throttle`]); it must never depend on how many there are.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{TenantId, TypedId, UserId},
    text::normalize_email,
};
use host::SealContext;
use uuid::Uuid;

use super::Accounts;
use crate::identity::{StoreError, User};

/// How long a mark is good, in days.
pub const MARK_DAYS: i64 = 180;

const NUMBER_BYTES: usize = 16;
const USER_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// What a mark says.
struct Mark {
    number: [u8; NUMBER_BYTES],
    user: UserId,
    given_at: DateTime<Utc>,
}

impl Accounts {
    /// A mark for the device on which this person just proved who they are; `earlier` is the one it had,
    /// whose number it keeps if that is still good.
    ///
    /// # Errors
    /// The tenant's data key cannot be read, or a store does not answer.
    pub async fn mark_device(
        &self,
        user: &User,
        earlier: Option<&str>,
    ) -> Result<String, StoreError> {
        let account = normalize_email(&user.email);
        let earlier = self.open_mark(user.tenant, &account, earlier).await?;
        let number = match earlier {
            Some(mark) if self.is_good(&mark, user).await? => mark.number,
            _ => self.entropy.bytes(),
        };
        let mark = Mark {
            number,
            user: user.id,
            given_at: self.clock.now(),
        };
        let secrets = self.identity.secrets(user.tenant).await?;
        let (tenant, account) = place(user.tenant, &account);
        let context = context(&tenant, &account);
        let sealed = secrets
            .data_key
            .seal(&self.entropy, &context, &mark.to_bytes());
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The number of the device, if the mark is genuine and good for the account that has this name now.
    ///
    /// Only a genuine mark costs a look at the account. Who holds one signed in under this name, so the time
    /// tells them nothing (R-ENUM-01).
    pub(super) async fn known_device(
        &self,
        tenant: TenantId,
        identifier: &str,
        mark: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let Some(mark) = self.open_mark(tenant, identifier, mark).await? else {
            return Ok(None);
        };
        let user = self
            .identity
            .find_user_by_identifier(tenant, identifier)
            .await?;
        let Some(user) = user else { return Ok(None) };
        let good = self.is_good(&mark, &user).await?;
        Ok(good.then(|| URL_SAFE_NO_PAD.encode(mark.number)))
    }

    async fn open_mark(
        &self,
        tenant: TenantId,
        account: &str,
        mark: Option<&str>,
    ) -> Result<Option<Mark>, StoreError> {
        let Some(sealed) = mark.and_then(|mark| URL_SAFE_NO_PAD.decode(mark).ok()) else {
            return Ok(None);
        };
        let secrets = self.identity.secrets(tenant).await?;
        let (tenant, account) = place(tenant, account);
        let opened = secrets.data_key.open(&context(&tenant, &account), &sealed);
        Ok(opened.ok().and_then(|value| Mark::from_bytes(&value)))
    }

    /// Whether the mark was given to this account, in its life, within [`MARK_DAYS`] and after its sessions
    /// were last ended.
    async fn is_good(&self, mark: &Mark, user: &User) -> Result<bool, StoreError> {
        let over = mark.given_at + Duration::days(MARK_DAYS) <= self.clock.now();
        if mark.user != user.id || mark.given_at < user.created_at || over {
            return Ok(false);
        }
        let ended = self.sessions.ended_at(user.tenant, user.id).await?;
        Ok(ended.is_none_or(|ended| ended < mark.given_at))
    }
}

impl Mark {
    fn to_bytes(&self) -> Vec<u8> {
        let given_at = self.given_at.timestamp_micros().to_be_bytes();
        [&self.number[..], self.user.uuid().as_bytes(), &given_at].concat()
    }

    fn from_bytes(value: &[u8]) -> Option<Self> {
        let (number, rest) = value.split_first_chunk::<NUMBER_BYTES>()?;
        let (user, rest) = rest.split_first_chunk::<USER_BYTES>()?;
        let given_at = <[u8; TIME_BYTES]>::try_from(rest).ok()?;
        Some(Self {
            number: *number,
            user: UserId::from_uuid(Uuid::from_bytes(*user)),
            given_at: DateTime::from_timestamp_micros(i64::from_be_bytes(given_at))?,
        })
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
