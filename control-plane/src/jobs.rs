//! Background work that is done once, however many replicas there are (F-11).
//!
//! A job has a lease in the database: one replica has it at a time, renews it while it lives, and another one takes
//! it over when it ends. Each time a lease changes hands its fence grows. A replica that was frozen and believes
//! that it still has the lease changes nothing: every transaction of a job compares its fence in that transaction
//! ([`crate::store::Tx::check_fence`]) and comes to nothing if another replica has had the lease since.
//!
//! Jobs repeat. What fails is logged and tried again at the next round; nothing here may end the process.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use host::Shutdown;

use crate::{ControlPlane, Refusal};

/// How often jobs are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// How long a lease lasts that nobody renews: how long a job rests when its replica dies.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// How much of a lease is left when it is renewed.
const RENEWED_AT: TimeDelta = TimeDelta::seconds(5);
/// Rounds between two questions to the nodes that are connected here.
const ROUNDS_PER_MEASURE: u64 = 3;
/// How long news are kept: much longer than any replica that lives stays away from the database.
const NEWS_KEPT: TimeDelta = TimeDelta::hours(1);
/// How long counts of a rollout are kept that no node renews.
const MEASURES_KEPT: TimeDelta = TimeDelta::days(7);

/// Work that one replica does for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Deciding rollouts.
    Rollouts,
    /// Telling the log of containments that ended by themselves.
    Containments,
    /// Forgetting what nobody needs any more.
    Tidying,
}

impl Job {
    const ALL: [Self; 3] = [Self::Rollouts, Self::Containments, Self::Tidying];

    fn name(self) -> &'static str {
        match self {
            Self::Rollouts => "rollouts",
            Self::Containments => "containments",
            Self::Tidying => "tidying",
        }
    }

    /// Rounds between two times that it is done.
    fn rounds(self) -> u64 {
        match self {
            Self::Rollouts => 1,
            Self::Containments => 15,
            Self::Tidying => 600,
        }
    }
}

/// A job that this replica was given, and the fence that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    name: String,
    fence: u64,
}

impl Lease {
    /// A lease as the store gives it.
    pub(crate) fn new(name: String, fence: u64) -> Self {
        Self { name, fence }
    }

    /// Of which job.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Grows each time that the lease changes hands.
    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }
}

/// A lease as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRecord {
    /// Which replica has it, or had it last.
    pub(crate) holder: String,
    /// How often it changed hands.
    pub(crate) fence: u64,
    /// When it ends unless it is renewed.
    pub(crate) until: DateTime<Utc>,
}

/// What a replica does about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has it, for long enough.
    Have,
    /// It takes it, or takes it for longer.
    Take,
    /// Another one has it.
    Leave,
}

impl LeaseRecord {
    /// What `replica` does about it.
    pub(crate) fn claim_of(&self, replica: &str, now: DateTime<Utc>) -> Claim {
        match (self.holder == replica, self.until - now) {
            (true, left) if left > RENEWED_AT => Claim::Have,
            (false, left) if left > TimeDelta::zero() => Claim::Leave,
            _ => Claim::Take,
        }
    }

    /// It, in the hands of `replica`: renewed if it was not taken from anybody.
    pub(crate) fn taken_by(self, replica: &str, now: DateTime<Utc>) -> Self {
        let is_renewed = self.holder == replica && self.until > now;
        Self {
            holder: replica.to_owned(),
            fence: if is_renewed {
                self.fence
            } else {
                self.fence + 1
            },
            until: now + LEASE,
        }
    }
}

impl ControlPlane {
    /// Does background work until the process stops: what falls to this replica, and what each replica does for
    /// the nodes that are connected to it.
    pub async fn run_jobs(&self, shutdown: Shutdown) {
        let mut round = 0_u64;
        loop {
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = shutdown.requested() => return,
            }
            round += 1;
            if round.is_multiple_of(ROUNDS_PER_MEASURE)
                && let Err(error) = self.ask_for_measures().await
            {
                tracing::error!(?error, "nodes cannot be asked how tenants fare");
            }
            for job in Job::ALL {
                if round.is_multiple_of(job.rounds())
                    && let Err(error) = self.do_job(job).await
                {
                    tracing::error!(?error, job = job.name(), "a job failed; trying again");
                }
            }
        }
    }

    /// Does once everything that is due and falls to this replica: one round of [`ControlPlane::run_jobs`],
    /// without waiting for it.
    ///
    /// # Errors
    /// The first thing that failed.
    pub async fn do_jobs(&self) -> Result<(), Refusal> {
        for job in Job::ALL {
            self.do_job(job).await?;
        }
        Ok(())
    }

    async fn do_job(&self, job: Job) -> Result<(), Refusal> {
        let Some(lease) = self.claim(job.name()).await? else {
            return Ok(());
        };
        match job {
            Job::Rollouts => self.judge_rollouts(&lease).await,
            Job::Containments => self.tell_ended_containments(&lease).await,
            Job::Tidying => self.forget_old(&lease).await,
        }
    }

    /// Claims a job for a while; `None` if another replica has it.
    pub(crate) async fn claim(&self, name: &str) -> Result<Option<Lease>, Refusal> {
        let now = self.clock().now();
        let tx = self.store().begin_read().await?;
        let known = tx.find_lease(name).await?;
        drop(tx);
        // Most rounds end here, without a write.
        if let Some(known) = known {
            match known.claim_of(self.replica(), now) {
                Claim::Have => return Ok(Some(Lease::new(name.to_owned(), known.fence))),
                Claim::Leave => return Ok(None),
                Claim::Take => {}
            }
        }
        let tx = self.store().begin().await?;
        let lease = tx.claim_lease(name, self.replica(), now).await?;
        tx.commit().await?;
        Ok(lease)
    }

    async fn forget_old(&self, lease: &Lease) -> Result<(), Refusal> {
        let now = self.clock().now();
        let tx = self.store().begin().await?;
        tx.check_fence(lease).await?;
        tx.trim_news(now - NEWS_KEPT).await?;
        tx.trim_measures(now - MEASURES_KEPT).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::tests::control_plane;

    #[tokio::test]
    async fn a_replica_that_was_frozen_meanwhile_finishes_nothing_f_11() {
        let (cp, clock) = control_plane().await;
        let name = Job::Tidying.name();
        let lease = cp.claim(name).await.unwrap().unwrap();
        cp.forget_old(&lease).await.unwrap();
        clock.advance(LEASE);
        let tx = cp.store().begin().await.unwrap();
        let other = tx.claim_lease(name, "other", cp.clock().now()).await;
        assert!(other.unwrap().unwrap().fence() > lease.fence());
        tx.commit().await.unwrap();
        // It wakes, and believes that it goes on with what it began.
        let refused = cp.forget_old(&lease).await.unwrap_err();
        assert!(refused.is_conflict("lost_lease"), "{refused}");
        let refused = cp.tell_ended_containments(&lease).await;
        refused.expect("nothing ended, so nothing was to be written");
        assert_eq!(cp.claim(name).await.unwrap(), None, "it stands down");
    }

    fn record(holder: &str, until: i64) -> LeaseRecord {
        LeaseRecord {
            holder: holder.to_owned(),
            fence: 7,
            until: DateTime::UNIX_EPOCH + TimeDelta::seconds(until),
        }
    }

    #[test]
    fn a_lease_is_renewed_in_time_and_changes_hands_only_when_it_ended_f_11() {
        let now = DateTime::UNIX_EPOCH;
        for (holder, until, claim, fence) in [
            ("me", 10, Claim::Have, 7),
            ("me", 6, Claim::Have, 7),
            ("me", 5, Claim::Take, 7),
            ("me", 1, Claim::Take, 7),
            // It ended: somebody may have looked at it as nobody's in between.
            ("me", 0, Claim::Take, 8),
            ("other", 1, Claim::Leave, 8),
            ("other", 0, Claim::Take, 8),
            ("", -9, Claim::Take, 8),
        ] {
            let known = record(holder, until);
            assert_eq!(known.claim_of("me", now), claim, "{holder} {until}");
            let taken = known.taken_by("me", now);
            assert_eq!(
                (taken.fence, taken.until),
                (fence, now + LEASE),
                "{holder} {until}"
            );
        }
    }
}
