//! Slowing down guesses: per account with growing waits and a block, per address with a budget.
//!
//! An attempt is admitted and counted in one step, *before* the password is looked at, and counts as failed
//! until it is settled otherwise. So of a thousand parallel guesses a few are looked at and counted, and
//! the others are told to wait and not counted: nobody guesses faster in parallel, and nobody reaches the
//! block without guessing (R-ENUM-02). Unknown identifiers are counted exactly like known ones
//! (R-ENUM-01). Counters live in the state store, so they hold across nodes and survive the restart of one
//! (R-ENUM-04).
//!
//! A device on which the account's owner signed in before is counted apart: whatever others do to the
//! account, it still works there (R-ENUM-03). All such devices of an account share one more limit, because
//! whoever signed in often has many marks: with those of strangers, the failures in a row that are looked at
//! stay within R-ENUM-02's hundred. Past it a mark is worth nothing, and its bearer is counted as a stranger.

use std::{net::IpAddr, sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use contract::{canonical::sha256_hex, ids::TenantId, policies::AuthenticationPolicy};
use host::Clock;

use crate::state::{Admission, Kind, Pace, StateError, StateKey, StateStore};

/// How long failures are remembered while nobody tries.
const MEMORY: Duration = Duration::hours(24);
/// The longest a single further attempt has to wait, short of the block.
const LONGEST_WAIT_SECONDS: i64 = 60;
/// Failures after which a known device is blocked, where the policy blocks others later: its owner mistypes,
/// a thief guesses.
const DEVICE_FAILURES: u32 = 10;
/// Failures in a row an account may see from everybody (R-ENUM-02).
const FAILURES_IN_ALL: u32 = 100;
/// Of these, what all known devices of an account may cause together, if the policy leaves as much.
const FAILURES_OF_DEVICES: u32 = 50;

const ADDRESSES: &str = "failures";
/// Failed sign-ins one address may cause in a window, over all accounts of a tenant.
const FAILURES_PER_ADDRESS: Limit = Limit {
    count: 300,
    window: Duration::minutes(5),
};

/// A budget: so many in a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: u64,
    /// Within how long.
    pub window: Duration,
}

/// Whether an attempt may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// Not before this much time has passed.
    Wait {
        /// At least one second; suits `Retry-After`.
        retry_after: StdDuration,
    },
}

/// Who tries to sign in, as far as counting tells callers apart.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The account's name in the form in which names are compared.
    pub identifier: &'a str,
    /// The account's device, if its mark was presented and is genuine.
    pub device: Option<&'a str>,
    /// The address it comes from, if it is known.
    pub ip: Option<IpAddr>,
}

/// An attempt that was admitted. Left alone it stays counted as a failure, so an attempt whose request was
/// broken off half-way cannot be repeated for nothing.
#[derive(Debug)]
#[must_use = "an attempt ends by success, by failure or without a verdict"]
pub struct Attempt {
    tenant: TenantId,
    account: String,
    number: u64,
    /// The second counter it spends from, besides the account's or the device's own.
    shared: Shared,
}

/// What an attempt shares with others.
#[derive(Debug)]
enum Shared {
    /// The limit of all known devices of the account.
    Devices(String),
    /// The budget of its address.
    Address(String),
    /// Nothing: the address is not known.
    Nothing,
}

impl Shared {
    fn counter(&self) -> Option<&str> {
        match self {
            Self::Devices(name) | Self::Address(name) => Some(name),
            Self::Nothing => None,
        }
    }
}

/// Whether an attempt to sign in may go on.
#[derive(Debug)]
pub enum Begun {
    /// It may, and it was counted.
    Admitted(Attempt),
    /// It may not, and it was not counted.
    Wait {
        /// At least one second; suits `Retry-After`.
        retry_after: StdDuration,
    },
}

/// The counters of all tenants.
#[derive(Clone)]
pub struct Throttle {
    state: Arc<dyn StateStore>,
    clock: Clock,
}

impl Throttle {
    pub(crate) fn new(state: Arc<dyn StateStore>, clock: Clock) -> Self {
        Self { state, clock }
    }

    /// Counts one use of `bucket` by `key` against `limit`. A refused use is not counted.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn limit(
        &self,
        tenant: TenantId,
        bucket: &str,
        key: &str,
        limit: Limit,
    ) -> Result<Verdict, StateError> {
        let (name, left) = self.window(bucket, key, limit);
        Ok(match self.spend(tenant, &name, limit).await? {
            true => Verdict::Allowed,
            false => Verdict::Wait {
                retry_after: whole_seconds(left),
            },
        })
    }

    /// Begins a password attempt for an account, known or not. It counts as failed until
    /// [`Throttle::succeeded`] or [`Throttle::without_verdict`] says otherwise.
    ///
    /// # Errors
    /// The state store does not answer; the attempt must not go on.
    pub async fn begin(
        &self,
        tenant: TenantId,
        caller: Caller<'_>,
        policy: &AuthenticationPolicy,
    ) -> Result<Begun, StateError> {
        // A known device needs no share in its address's budget, which a stranger behind the same address
        // could use up.
        if caller.device.is_some() {
            let name = devices_key(caller);
            if self.spend(tenant, &name, devices(policy)).await? {
                return self
                    .admit(tenant, caller, policy, Shared::Devices(name))
                    .await;
            }
        }
        let stranger = Caller {
            device: None,
            ..caller
        };
        let Some(ip) = caller.ip else {
            return self.admit(tenant, stranger, policy, Shared::Nothing).await;
        };
        let (name, left) = self.window(ADDRESSES, &ip_key(ip), FAILURES_PER_ADDRESS);
        if self.spend(tenant, &name, FAILURES_PER_ADDRESS).await? {
            return self
                .admit(tenant, stranger, policy, Shared::Address(name))
                .await;
        }
        Ok(Begun::Wait {
            retry_after: whole_seconds(left),
        })
    }

    async fn admit(
        &self,
        tenant: TenantId,
        caller: Caller<'_>,
        policy: &AuthenticationPolicy,
        shared: Shared,
    ) -> Result<Begun, StateError> {
        let account = account_key(caller);
        let key = StateKey::new(Kind::Attempts, tenant, &account);
        match self.state.admit(key, &pace(caller, policy)).await? {
            Admission::Admitted { number } => Ok(Begun::Admitted(Attempt {
                tenant,
                account,
                number,
                shared,
            })),
            Admission::Wait { left } => {
                self.refund(tenant, &shared, 1).await?;
                Ok(Begun::Wait {
                    retry_after: whole_seconds(left),
                })
            }
        }
    }

    /// Forgets the failures in a row that the right password ends: the account's, or those of the known
    /// device, in the limit it shares too. Success on a known device says nothing about who else is guessing.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn succeeded(&self, attempt: &Attempt) -> Result<(), StateError> {
        let key = StateKey::new(Kind::Attempts, attempt.tenant, &attempt.account);
        self.state.delete(key).await?;
        let times = match attempt.shared {
            Shared::Devices(_) => attempt.number,
            Shared::Address(_) | Shared::Nothing => 1,
        };
        self.refund(attempt.tenant, &attempt.shared, times).await
    }

    /// Takes an attempt back whose password was never looked at, through no fault of the caller.
    ///
    /// # Errors
    /// The state store does not answer; the attempt stays counted.
    pub async fn without_verdict(&self, attempt: &Attempt) -> Result<(), StateError> {
        self.give_back(attempt).await?;
        self.refund(attempt.tenant, &attempt.shared, 1).await
    }

    /// Takes an attempt back that found every worker busy. Its address pays for it nevertheless: a flood must
    /// not be free for whoever keeps the workers busy.
    ///
    /// # Errors
    /// The state store does not answer; the attempt stays counted.
    pub async fn turned_away(&self, attempt: &Attempt) -> Result<(), StateError> {
        match attempt.shared {
            Shared::Address(_) => self.give_back(attempt).await,
            Shared::Devices(_) | Shared::Nothing => self.without_verdict(attempt).await,
        }
    }

    async fn give_back(&self, attempt: &Attempt) -> Result<(), StateError> {
        let key = StateKey::new(Kind::Attempts, attempt.tenant, &attempt.account);
        self.state.give_back(key, attempt.number).await
    }

    /// Counts first and looks then, so that no burst slips through; says whether there was something left.
    async fn spend(&self, tenant: TenantId, name: &str, limit: Limit) -> Result<bool, StateError> {
        let counter = StateKey::new(Kind::Counter, tenant, name);
        if self.state.increment(counter, limit.window).await? <= limit.count {
            return Ok(true);
        }
        self.state.decrement(counter).await?;
        Ok(false)
    }

    async fn refund(
        &self,
        tenant: TenantId,
        shared: &Shared,
        times: u64,
    ) -> Result<(), StateError> {
        if let Some(name) = shared.counter() {
            let counter = StateKey::new(Kind::Counter, tenant, name);
            for _ in 0..times {
                self.state.decrement(counter).await?;
            }
        }
        Ok(())
    }

    /// The name of the current window's counter and how long the window still lasts.
    fn window(&self, bucket: &str, key: &str, limit: Limit) -> (String, Duration) {
        let seconds = limit.window.num_seconds().max(1);
        let now = self.clock.now().timestamp();
        let number = now.div_euclid(seconds);
        let left = Duration::seconds(seconds - now.rem_euclid(seconds));
        let key = sha256_hex(key.as_bytes());
        (format!("{bucket}:{number}:{key}"), left)
    }
}

/// The pauses after each failure in a row, up to the block, which repeats: a block that is over lets one
/// attempt pass.
fn pace(caller: Caller<'_>, policy: &AuthenticationPolicy) -> Pace {
    let block_after = match caller.device {
        Some(_) => policy.block_after_failures.min(DEVICE_FAILURES),
        None => policy.block_after_failures,
    };
    let short = (1..block_after).map(|failures| {
        let beyond = failures.checked_sub(policy.delay_after_failures);
        let doubled = beyond.map_or(0, |beyond| 1_i64 << beyond.min(10));
        Duration::seconds(doubled.min(LONGEST_WAIT_SECONDS))
    });
    let block = Duration::minutes(policy.block_minutes.into());
    Pace {
        pauses: short.chain([block]).collect(),
        memory: MEMORY,
    }
}

/// What the known devices of an account may do together. It has no window of its own: it is forgotten when
/// nobody with a mark tried for as long as failures are remembered.
fn devices(policy: &AuthenticationPolicy) -> Limit {
    let left = FAILURES_IN_ALL.saturating_sub(policy.block_after_failures);
    Limit {
        count: left.min(FAILURES_OF_DEVICES).into(),
        window: MEMORY,
    }
}

fn devices_key(caller: Caller<'_>) -> String {
    format!("devices:{}", sha256_hex(caller.identifier.as_bytes()))
}

fn account_key(caller: Caller<'_>) -> String {
    let account = sha256_hex(caller.identifier.as_bytes());
    match caller.device {
        Some(device) => format!("{account}:{device}"),
        None => account,
    }
}

/// Whole seconds, rounded up: a caller that waits as told is never early.
fn whole_seconds(left: Duration) -> StdDuration {
    let seconds = u64::try_from((left.num_milliseconds() + 999) / 1000).unwrap_or(0);
    StdDuration::from_secs(seconds.max(1))
}

/// The part of an address that one customer of a provider cannot vary at will: IPv6 by /64 (R-ENUM-05).
pub fn ip_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests;
