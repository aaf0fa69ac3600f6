//! What this node refuses, whatever the releases say: sessions, people, applications, keys, whole tenants.
//!
//! Every door asks here, first and once more last, when nothing but the answer is left to be made: [`Containments::ask`]
//! reads one pointer and takes no lock, and [`Containments::pass`] holds that pointer until its answer stands. A change
//! waits until nobody holds the old one ([`apply`]); so once it is confirmed, no answer that knew less is still on its way
//! (R-REV-01, performance C2).
//!
//! The set is loaded from a sealed file before the first request, ends what ends by the node's own clock, and is never
//! emptied because nobody is heard: to forget a containment takes a newer signed roll.

pub(crate) mod apply;
mod keeper;
mod probe;
mod set;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::AsOf,
    ids::{ApplicationId, ContainmentId, SessionId, TenantId, UserId},
    tenant::Region,
};
use host::Clock;

pub use self::probe::TENANT_CONTAINED;
pub use self::set::{Contained, DenySet};
pub(crate) use self::{
    keeper::{Keeper, KeeperError},
    probe::Door,
};

/// Who or what asks to pass a door. What is not known is `None` and is not asked about.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The person.
    pub user: Option<UserId>,
    /// Their browser session, or the one a token came of.
    pub session: Option<SessionId>,
    /// The application.
    pub application: Option<ApplicationId>,
    /// The key that signed what is presented.
    pub kid: Option<&'a str>,
    /// When it was authorized: a session at its sign-in, a grant at its consent, a token when it was issued. Now, for
    /// something that begins.
    pub authorized_at: DateTime<Utc>,
}

impl Who<'_> {
    /// Nobody in particular, beginning something now: only the tenant itself can be contained.
    pub fn anybody(now: DateTime<Utc>) -> Self {
        Self {
            user: None,
            session: None,
            application: None,
            kid: None,
            authorized_at: now,
        }
    }
}

/// Why somebody does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} is contained")]
pub struct Refused {
    /// By which containment; for logs, never for pages.
    pub containment: ContainmentId,
    /// What is contained.
    pub what: Contained,
}

/// The right to give one answer that was decided just now. Hold it until the answer stands, and await nothing with it.
#[must_use = "the answer must stand before this is dropped"]
pub struct Passage(#[expect(dead_code, reason = "who waits counts its holders")] Arc<DenySet>);

/// What this node refuses.
pub struct Containments {
    set: ArcSwap<DenySet>,
    region: Region,
    clock: Clock,
    /// The number of the newest roll that was taken.
    sequence: AtomicU64,
    /// When the control plane was last heard on the lane, in milliseconds since 1970.
    heard_at: AtomicI64,
}

impl Containments {
    pub(crate) fn new(region: Region, clock: Clock) -> Self {
        let heard_at = AtomicI64::new(clock.now().timestamp_millis());
        Self {
            set: ArcSwap::default(),
            region,
            clock,
            sequence: AtomicU64::new(0),
            heard_at,
        }
    }

    /// Whether somebody is refused now, and why. The first question at every door.
    ///
    /// # Errors
    /// They are.
    pub fn ask(&self, tenant: TenantId, who: &Who<'_>) -> Result<(), Refused> {
        self.set.load().judge(tenant, who, self.clock.now())
    }

    /// The last question at a door that gives something away: a token, a session, a code. The answer is made while
    /// the passage is held.
    ///
    /// # Errors
    /// They are refused.
    pub fn pass(&self, tenant: TenantId, who: &Who<'_>) -> Result<Passage, Refused> {
        let set = self.set.load_full();
        set.judge(tenant, who, self.clock.now())?;
        Ok(Passage(set))
    }

    /// Whether a key may sign nothing and verify nothing now.
    pub fn is_key_contained(&self, tenant: TenantId, kid: &str) -> bool {
        let who = Who {
            kid: Some(kid),
            ..Who::anybody(self.clock.now())
        };
        let judged = self.set.load().judge(tenant, &who, self.clock.now());
        judged.is_err_and(|refused| refused.what == Contained::Key)
    }

    /// Whether a key was ever contained and is remembered: it never signs again.
    pub fn was_key_contained(&self, tenant: TenantId, kid: &str) -> bool {
        self.set.load().knows_key(tenant, kid)
    }

    /// Whether this node knows everything that was contained up to a point (R-REV-03). A point of another region can
    /// not be compared.
    pub fn is_as_of(&self, point: &AsOf) -> bool {
        point.region == self.region && self.sequence() >= point.sequence
    }

    /// For how long the control plane was not heard on the lane.
    pub fn silence(&self) -> TimeDelta {
        let heard = self.heard_at.load(Ordering::Relaxed);
        TimeDelta::milliseconds((self.clock.now().timestamp_millis() - heard).max(0))
    }

    /// The number of the newest roll that was taken.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// The control plane was heard.
    pub(crate) fn note_heard(&self) {
        let now = self.clock.now().timestamp_millis();
        self.heard_at.store(now, Ordering::Relaxed);
    }

    pub(crate) fn set(&self) -> Arc<DenySet> {
        self.set.load_full()
    }
}

#[cfg(test)]
mod tests;
