//! Slowing down guesses: per account with growing waits and a block, per address with a budget.
//!
//! An attempt is counted *before* the password is looked at and forgiven on success, so a thousand
//! parallel guesses count as a thousand (R-ENUM-02). Unknown identifiers are counted exactly like known
//! ones (R-ENUM-01). Counters live in the state store, so they hold across nodes and survive the restart
//! of one (R-ENUM-04).

use std::{net::IpAddr, sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use contract::{canonical::sha256_hex, ids::TenantId, policies::AuthenticationPolicy};
use host::Clock;

use crate::state::{Kind, StateError, StateKey, StateStore};

/// How long failures are remembered while nobody tries.
const MEMORY: Duration = Duration::hours(24);
/// The longest a single further attempt has to wait, short of the block.
const LONGEST_WAIT_SECONDS: i64 = 60;

/// Failed sign-ins one address may cause in a window, over all accounts of a tenant.
pub const FAILURES_PER_ADDRESS: Limit = Limit {
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

    /// Counts one use of `bucket` by `key` against `limit`.
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
        let counter = StateKey::new(Kind::Counter, tenant, &name);
        let count = self.state.increment(counter, limit.window).await?;
        Ok(if count > limit.count {
            wait(left)
        } else {
            Verdict::Allowed
        })
    }

    /// Like [`Throttle::limit`], but without counting.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn within(
        &self,
        tenant: TenantId,
        bucket: &str,
        key: &str,
        limit: Limit,
    ) -> Result<Verdict, StateError> {
        let (name, left) = self.window(bucket, key, limit);
        let counter = StateKey::new(Kind::Counter, tenant, &name);
        let count: u64 = match self.state.get(counter).await? {
            Some(text) => serde_json::from_slice(&text)?,
            None => 0,
        };
        Ok(if count >= limit.count {
            wait(left)
        } else {
            Verdict::Allowed
        })
    }

    /// Begins a password attempt for an account, known or not. Counts it as failed until
    /// [`Throttle::succeeded`] says otherwise.
    ///
    /// # Errors
    /// The state store does not answer; the attempt must not go on.
    pub async fn begin(
        &self,
        tenant: TenantId,
        identifier: &str,
        policy: &AuthenticationPolicy,
    ) -> Result<Verdict, StateError> {
        let account = account_key(identifier);
        let waiting = StateKey::new(Kind::Wait, tenant, &account);
        if let Some(until) = self.state.get(waiting).await? {
            return self.until(&until);
        }
        let counter = StateKey::new(Kind::Counter, tenant, &account);
        let failures = self.state.increment(counter, MEMORY).await?;
        let Some(pause) = pause_after(failures, policy) else {
            return Ok(Verdict::Allowed);
        };
        let until = serde_json::to_vec(&(self.clock.now() + pause))?;
        // Of several attempts that arrive together, one passes and the others wait behind it. So does the
        // first one after a block: otherwise trying too early would prolong the block for ever.
        if self.state.put_if_absent(waiting, &until, pause).await? {
            return Ok(Verdict::Allowed);
        }
        Ok(wait(pause))
    }

    /// Forgets an account's failures after the right password.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn succeeded(&self, tenant: TenantId, identifier: &str) -> Result<(), StateError> {
        let account = account_key(identifier);
        for kind in [Kind::Counter, Kind::Wait] {
            self.state
                .delete(StateKey::new(kind, tenant, &account))
                .await?;
        }
        Ok(())
    }

    fn until(&self, stored: &[u8]) -> Result<Verdict, StateError> {
        let until: DateTime<Utc> = serde_json::from_slice(stored)?;
        Ok(wait(until - self.clock.now()))
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

/// How long the account pauses after its `failures`-th failure in a row, if it does.
fn pause_after(failures: u64, policy: &AuthenticationPolicy) -> Option<Duration> {
    if failures >= policy.block_after_failures.into() {
        return Some(Duration::minutes(policy.block_minutes.into()));
    }
    let beyond = failures.checked_sub(policy.delay_after_failures.into())?;
    let doubled = 1_i64 << beyond.min(10);
    Some(Duration::seconds(doubled.min(LONGEST_WAIT_SECONDS)))
}

fn account_key(identifier: &str) -> String {
    format!("account:{}", sha256_hex(identifier.as_bytes()))
}

fn wait(left: Duration) -> Verdict {
    // Whole seconds, rounded up: a caller that waits as told is never early.
    let seconds = u64::try_from((left.num_milliseconds() + 999) / 1000).unwrap_or(0);
    Verdict::Wait {
        retry_after: StdDuration::from_secs(seconds.max(1)),
    }
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
mod tests {
    use contract::ids::TypedId;
    use uuid::Uuid;

    use super::*;
    use crate::state::memory::MemoryState;

    #[test]
    fn pauses_grow_and_end_in_a_block_r_enum_02() {
        let policy = AuthenticationPolicy::default();
        let pause = |failures| pause_after(failures, &policy).map(|pause| pause.num_seconds());
        assert_eq!(pause(1), None);
        assert_eq!(pause(4), None);
        assert_eq!(pause(5), Some(1));
        assert_eq!(pause(6), Some(2));
        assert_eq!(pause(10), Some(32));
        assert_eq!(pause(30), Some(60));
        assert_eq!(pause(49), Some(60));
        assert_eq!(pause(50), Some(3600));
        assert_eq!(pause(51), Some(3600));
        assert_eq!(pause(u64::MAX), Some(3600));
    }

    #[tokio::test]
    async fn an_account_is_slowed_blocked_and_forgiven() {
        let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH);
        let throttle = Throttle::new(Arc::new(MemoryState::new(clock.clone())), clock);
        let policy = AuthenticationPolicy::default();
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let mut blocked_for = StdDuration::ZERO;
        let mut tries = 0;
        while blocked_for < StdDuration::from_secs(3600) {
            match throttle.begin(tenant, "ada", &policy).await.unwrap() {
                Verdict::Allowed => tries += 1,
                Verdict::Wait { retry_after } => {
                    blocked_for = retry_after;
                    if retry_after < StdDuration::from_secs(3600) {
                        time.advance(Duration::from_std(retry_after).unwrap());
                    }
                }
            }
        }
        assert_eq!(tries, policy.block_after_failures);
        let other = TenantId::from_uuid(Uuid::from_u128(2));
        assert_eq!(
            throttle.begin(other, "ada", &policy).await.unwrap(),
            Verdict::Allowed
        );
        throttle.succeeded(tenant, "ada").await.unwrap();
        assert_eq!(
            throttle.begin(tenant, "ada", &policy).await.unwrap(),
            Verdict::Allowed
        );
    }

    #[tokio::test]
    async fn a_budget_renews_with_its_window() {
        let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH);
        let throttle = Throttle::new(Arc::new(MemoryState::new(clock.clone())), clock);
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let limit = Limit {
            count: 2,
            window: Duration::seconds(10),
        };
        let ask = || throttle.limit(tenant, "x", "k", limit);
        assert_eq!(ask().await.unwrap(), Verdict::Allowed);
        assert_eq!(ask().await.unwrap(), Verdict::Allowed);
        assert_eq!(
            ask().await.unwrap(),
            Verdict::Wait {
                retry_after: StdDuration::from_secs(10)
            }
        );
        assert_ne!(
            throttle.within(tenant, "x", "k", limit).await.unwrap(),
            Verdict::Allowed
        );
        time.advance(Duration::seconds(10));
        assert_eq!(ask().await.unwrap(), Verdict::Allowed);
    }

    #[test]
    fn neighbours_in_one_prefix_share_a_key_r_enum_05() {
        let key = |text: &str| ip_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
    }
}
