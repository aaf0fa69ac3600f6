//! Judging: when an open rollout is decided, by what nodes counted and said.
//!
//! What follows from the numbers is a pure rule ([`outlook`]), shown while a rollout is open and acted on by the
//! one replica that has the lease of this job. A rollout that somebody holds is shown and left alone.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use contract::ids::NodeId;

use super::{
    Rollout, RolloutAt, RolloutPhase, RolloutStep, Verdict,
    decide::Decision,
    gates::{self, Evidence, Gate, GateKind},
};
use crate::{ControlPlane, Refusal, jobs::Lease, nodes::Node, store::Tx};

/// What is known of an open rollout at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlook {
    /// Until when the canary ring is watched; none before a canary node serves it.
    pub(super) bakes_until: Option<DateTime<Utc>>,
    /// What is to be done now, and why.
    pub(super) due: Option<(RolloutStep, String)>,
    /// Why nothing is to be done yet.
    pub(super) waits: Option<String>,
}

/// What follows: `served_since` is when the first node said that it serves the version.
pub(super) fn outlook(
    rollout: &Rollout,
    gates: &[Gate],
    (served_since, now): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Outlook {
    let bake = TimeDelta::seconds(i64::from(rollout.bake_seconds));
    let bakes_until = served_since.map(|since| since + bake);
    let wait = |why: String| Outlook {
        bakes_until,
        due: None,
        waits: Some(why),
    };
    let due = |step, why| Outlook {
        bakes_until,
        due: Some((step, why)),
        waits: None,
    };
    if rollout.phase == RolloutPhase::Held {
        let reason = rollout.reason.as_deref().unwrap_or_default();
        return wait(format!("Somebody holds it: {reason}"));
    }
    if let Some(why) = gates::failed(gates) {
        return due(RolloutStep::RollBack, why);
    }
    let Some(until) = bakes_until else {
        return wait("No canary node serves it yet.".to_owned());
    };
    if now < until {
        let left = (until - now).num_seconds() + 1;
        return wait(format!(
            "The canary ring is watched for {left} more seconds."
        ));
    }
    due(RolloutStep::Promote, why_promoted(gates))
}

fn why_promoted(gates: &[Gate]) -> String {
    let unjudged = gates
        .iter()
        .find(|gate| gate.gate == GateKind::Failures && gate.verdict == Verdict::TooLittle);
    match unjudged {
        Some(gate) => gate.says.clone(),
        None => "No gate objects.".to_owned(),
    }
}

impl ControlPlane {
    /// What the gates say of a rollout now, and what follows.
    pub(super) async fn outlook_of(
        &self,
        tx: &Tx,
        rollout: &Rollout,
        nodes: &[Node],
    ) -> Result<(Vec<Gate>, Outlook), Refusal> {
        let ids: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
        let mut evidence = Evidence::default();
        let mut served_since: Option<DateTime<Utc>> = None;
        for holding in tx.list_holdings_of_tenant(rollout.tenant).await? {
            if !ids.contains(&holding.node) {
                continue;
            }
            if holding.rejected_version == Some(rollout.version) {
                evidence.rejections += 1;
                evidence.rejected = holding.reason;
            }
            if holding.applied_version == rollout.version {
                let earlier = served_since.map_or(holding.at, |since| since.min(holding.at));
                served_since = Some(earlier);
            }
        }
        for measure in tx.list_measures(rollout.id).await? {
            if !ids.contains(&measure.node) {
                continue;
            }
            if measure.version == rollout.version {
                evidence.canary = evidence.canary.plus(&measure.total);
            } else if measure.version == rollout.base_version {
                evidence.rest = evidence.rest.plus(&measure.total);
            }
        }
        let gates = gates::judge(&evidence);
        let now = self.clock().now();
        let outlook = outlook(rollout, &gates, (served_since, now));
        Ok((gates, outlook))
    }

    /// Decides every open rollout that is due. The job of one replica at a time: `lease` is compared in the
    /// transaction of each decision.
    pub(crate) async fn judge_rollouts(&self, lease: &Lease) -> Result<(), Refusal> {
        let tx = self.store().begin_read().await?;
        let mut due = Vec::new();
        for rollout in tx.list_open_rollouts(None).await? {
            let nodes = tx.list_enrolled_nodes(&rollout.region).await?;
            let (_, outlook) = self.outlook_of(&tx, &rollout, &nodes).await?;
            if let Some((step, reason)) = outlook.due {
                due.push((rollout, step, reason));
            }
        }
        drop(tx);
        let system = self.system_caller();
        for (rollout, step, reason) in due {
            let at = RolloutAt {
                id: rollout.id,
                expected: Some(rollout.revision),
            };
            let decision = Decision {
                step,
                reason,
                lease: Some(lease),
            };
            match self
                .conclude(&system, at, decision, crate::Mode::Commit)
                .await
            {
                Ok(state) => tracing::info!(
                    rollout = %rollout.id, tenant = %rollout.tenant, version = rollout.version,
                    outcome = state.rollout.phase.as_str(), "a rollout was decided"
                ),
                // Somebody was faster: they held it, or a newer release took its place.
                Err(Refusal::Stale { .. }) => {}
                Err(lost) if lost.is_conflict("lost_lease") => return Err(lost),
                // The others must not wait for one that cannot be decided.
                Err(error) => {
                    tracing::error!(?error, rollout = %rollout.id, "a rollout cannot be decided");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::measure::tests::rollout, *};

    fn gate(gate: GateKind, verdict: Verdict) -> Gate {
        Gate {
            gate,
            measured: None,
            compared: None,
            limit: None,
            samples: 0,
            verdict,
            says: format!("{gate:?} {verdict:?}."),
        }
    }

    fn second(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(number)
    }

    /// What follows, in words.
    fn said(rollout: &Rollout, failures: Verdict, times: (Option<i64>, i64)) -> String {
        let gates = [gate(GateKind::Failures, failures)];
        let outlook = outlook(rollout, &gates, (times.0.map(second), second(times.1)));
        match (outlook.due, outlook.waits) {
            (Some((step, why)), None) => format!("{step:?}: {why}"),
            (None, Some(why)) => format!("Wait: {why}"),
            other => panic!("one of the two: {other:?}"),
        }
    }

    #[test]
    fn a_rollout_is_decided_by_gates_first_and_then_by_time_r_node_06() {
        use Verdict::{Failed, Passed, TooLittle};
        for (failures, served, now, words) in [
            (Passed, None, 99, "Wait: No canary node serves it yet."),
            (
                Passed,
                Some(10),
                39,
                "Wait: The canary ring is watched for 2",
            ),
            (Passed, Some(10), 40, "Promote: No gate objects."),
            (TooLittle, Some(10), 40, "Promote: Failures TooLittle."),
            // A gate that fails waits for nothing, not even for a node that serves it.
            (Failed, Some(10), 11, "RollBack: Failures Failed."),
            (Failed, Some(10), 99, "RollBack: Failures Failed."),
            (Failed, None, 11, "RollBack: Failures Failed."),
        ] {
            let said = said(&rollout(), failures, (served, now));
            assert!(said.starts_with(words), "{said}");
        }
    }

    #[test]
    fn a_rollout_that_is_held_waits_and_no_bake_is_none() {
        let held = Rollout {
            phase: RolloutPhase::Held,
            reason: Some("looking".to_owned()),
            ..rollout()
        };
        for failures in [Verdict::Failed, Verdict::Passed] {
            let said = said(&held, failures, (Some(10), 99));
            assert_eq!(said, "Wait: Somebody holds it: looking");
        }
        let no_bake = Rollout {
            bake_seconds: 0,
            ..rollout()
        };
        let at_once = said(&no_bake, Verdict::Passed, (Some(10), 10));
        assert_eq!(at_once, "Promote: No gate objects.");
        let nobody = said(&no_bake, Verdict::Passed, (None, 10));
        assert!(nobody.starts_with("Wait: No canary node"), "{nobody}");
    }
}
