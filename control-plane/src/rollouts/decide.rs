//! Deciding: a rollout is held, let through, or rolled back, by a person or by the job that judges.
//!
//! All of it is one transaction: what becomes of the rollout, the audit entries, the release with the old content.
//! A person may let a release through before its time; that is the only way past the gates, it takes a permission
//! of its own and a reason, and the log of the tenant and of the platform both tell it.

use contract::{ids::RolloutId, permission::Permission, text};

use super::{NO_ROLLOUT, Rollout, RolloutPhase, RolloutState, existing};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    change::{Change, Done, Promotion, Target, check_version},
    jobs::Lease,
    releases::Compiled,
    tenants::Tenant,
};

/// Longest reason.
const MAX_REASON_CHARS: usize = 200;

/// Which rollout a change is about, and which revision of it the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloutAt {
    /// Which.
    pub id: RolloutId,
    /// The revision the caller has seen (`If-Match`); `None` overwrites any.
    pub expected: Option<i64>,
}

/// What somebody does about a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutStep {
    /// It stays in the canary ring until somebody decides.
    Hold,
    /// All nodes are given it now.
    Promote,
    /// A new version with the content of the one before takes its place on all nodes.
    RollBack,
}

/// What is done about a rollout, and on whose behalf.
pub(super) struct Decision<'a> {
    pub(super) step: RolloutStep,
    /// Why, in words.
    pub(super) reason: String,
    /// Of the job that decides; a person has none.
    pub(super) lease: Option<&'a Lease>,
}

impl ControlPlane {
    /// Holds a rollout, lets it through, or rolls it back, for a reason that everybody can read. A rollout that
    /// was let through can be rolled back as long as its version is the tenant's newest.
    ///
    /// # Errors
    /// Needs `platform.rollouts.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`]; [`Refusal::Invalid`] for the
    /// reason; [`Refusal::Conflict`] if it is decided already (`decided`), held already (`held`), if a newer
    /// release has taken its place (`not_current`), and if there is nothing to take back (`same_content`).
    pub async fn decide_rollout(
        &self,
        caller: &Caller,
        at: RolloutAt,
        (step, reason): (RolloutStep, String),
        mode: Mode,
    ) -> Result<RolloutState, Refusal> {
        let decision = Decision {
            step,
            reason,
            lease: None,
        };
        self.conclude(caller, at, decision, mode).await
    }

    pub(super) async fn conclude(
        &self,
        caller: &Caller,
        at: RolloutAt,
        decision: Decision<'_>,
        mode: Mode,
    ) -> Result<RolloutState, Refusal> {
        let change = self
            .change(caller, Target::Platform, Permission::RolloutsManage, mode)
            .await?;
        match decision.lease {
            Some(lease) => change.tx().check_fence(lease).await?,
            None => text::check_line("reason", &decision.reason, MAX_REASON_CHARS)?,
        }
        let (before, tenant) = locked(&change, at.id).await?;
        check_version(at.expected, before.revision)?;
        let decided = self.decided(&change, (&before, &tenant), &decision).await?;
        let fence = decision.lease.map(Lease::fence);
        let Decided {
            after,
            release,
            says,
        } = decided;
        change.tx().put_rollout(&after, fence).await?;
        let action = match decision.step {
            RolloutStep::Hold => "rollouts.hold",
            RolloutStep::Promote => "rollouts.promote",
            RolloutStep::RollBack => "rollouts.roll_back",
        };
        let event = after.event(action, says).before(&before).after(&after);
        let promoted = (after.phase == RolloutPhase::Promoted).then(|| Promotion {
            tenant: after.tenant,
            region: after.region.clone(),
            version: after.version,
        });
        let state = self.state_of_rollout(change.tx(), after).await?;
        let mut done = Done::new(state, event).also_told(tenant.id);
        if let Some(release) = release {
            done = done.wrote(release);
        }
        if let Some(promoted) = promoted {
            done = done.promotes(promoted);
        }
        change.finish(done).await
    }

    async fn decided(
        &self,
        change: &Change<'_>,
        (before, tenant): (&Rollout, &Tenant),
        decision: &Decision<'_>,
    ) -> Result<Decided, Refusal> {
        check_possible(before, tenant, decision.step)?;
        let mut rollout = before.clone();
        if before.phase.is_open() {
            let nodes = change.tx().list_enrolled_nodes(&before.region).await?;
            rollout.gates = self.outlook_of(change.tx(), before, &nodes).await?.0;
        }
        let (version, base) = (before.version, before.base_version);
        let reason = &decision.reason;
        let (phase, release, reason, says) = match decision.step {
            RolloutStep::Hold => {
                let says = format!("Held version {version} in the canary ring: {reason}");
                (RolloutPhase::Held, None, reason.clone(), says)
            }
            RolloutStep::Promote => {
                let says = format!("Gave version {version} to all nodes: {reason}");
                (RolloutPhase::Promoted, None, reason.clone(), says)
            }
            RolloutStep::RollBack => {
                let release = self.release_again(change.tx(), tenant, base, change.at());
                let release = release.await?;
                rollout.reverted_by = Some(release.version);
                let new = release.version;
                let says = format!(
                    "Rolled version {version} back: {reason} Version {new} has the content of version {base}. What was changed stays configured: the next release contains it again unless it is undone."
                );
                (RolloutPhase::RolledBack, Some(release), says.clone(), says)
            }
        };
        let by = change.caller().name();
        Ok(Decided {
            after: rollout.decided(phase, (by, reason), change.at()),
            release,
            says,
        })
    }
}

/// What a decision comes to.
struct Decided {
    after: Rollout,
    /// The version with the old content.
    release: Option<Compiled>,
    /// For the log.
    says: String,
}

/// The rollout and its tenant, which nobody else changes until the transaction ends.
async fn locked(change: &Change<'_>, id: RolloutId) -> Result<(Rollout, Tenant), Refusal> {
    let tenant = existing(change.tx(), id).await?.tenant;
    let tenant = change.tx().lock_tenant(tenant).await?.ok_or(NO_ROLLOUT)?;
    // Read again: a newer release may have taken its place before the lock was ours.
    Ok((existing(change.tx(), id).await?, tenant))
}

fn check_possible(rollout: &Rollout, tenant: &Tenant, step: RolloutStep) -> Result<(), Refusal> {
    let conflict = |code, detail: &str| Err(Refusal::conflict(code, detail));
    match (rollout.phase, step) {
        (RolloutPhase::Held, RolloutStep::Hold) => conflict("held", "It is held already."),
        (RolloutPhase::Baking | RolloutPhase::Held, _) => Ok(()),
        (RolloutPhase::Promoted, RolloutStep::RollBack) => {
            if tenant.release_version == rollout.version {
                return Ok(());
            }
            conflict(
                "not_current",
                "A newer release has taken its place; rolling this one back would undo that one as well.",
            )
        }
        _ => conflict("decided", "It is decided already."),
    }
}
