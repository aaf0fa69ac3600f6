//! Whether a new release goes to the canary ring first, decided in the transaction that makes it.
//!
//! It does if there is something to tell apart: a canary node that is connected, and a node of the wide ring. It
//! does not if it changes nothing but the tenant's status, and never if it suspends the tenant: that must bite
//! everywhere at once. There is no way to skip the canary ring from here; letting a release through before its
//! time is a decision of its own, with a reason.

use chrono::{DateTime, Utc};
use contract::{
    manifest::Manifest,
    tenant::{Region, TenantStatus},
};

use super::{Rollout, RolloutEvent, RolloutPhase};
use crate::{
    Caller, ControlPlane, Refusal,
    audit::Event,
    nodes::Ring,
    releases::{Compiled, Reach},
    store::Tx,
};

impl ControlPlane {
    /// Lets a release begin in the canary ring if it is to, and ends the rollout whose place it takes.
    pub(crate) async fn stage(
        &self,
        tx: &Tx,
        caller: &Caller,
        mut release: Compiled,
        at: DateTime<Utc>,
    ) -> Result<Compiled, Refusal> {
        let open = tx.find_open_rollout(release.tenant).await?;
        let base = match &open {
            Some(open) => Some(open.base_version),
            None => release.before,
        };
        if let Some(open) = open {
            let says = format!("Version {} took its place.", release.version);
            let superseded = open.decided(RolloutPhase::Superseded, (caller.name(), says), at);
            tx.put_rollout(&superseded, None).await?;
        }
        let Some(base) = base else {
            return Ok(release);
        };
        let Some(rollout) = self.rollout_of(tx, (caller, &release), base, at).await? else {
            return Ok(release);
        };
        tx.put_rollout(&rollout, None).await?;
        let sentence = format!("Gave version {} to the canary ring first.", rollout.version);
        let event = rollout.event("rollouts.begin", sentence);
        self.record(tx, caller, release.tenant, &event).await?;
        release.reach = Reach::Canary;
        Ok(release)
    }

    /// The rollout of a release that replaces `base`, if it is to be staged.
    async fn rollout_of(
        &self,
        tx: &Tx,
        (caller, release): (&Caller, &Compiled),
        base: u64,
        at: DateTime<Utc>,
    ) -> Result<Option<Rollout>, Refusal> {
        if !self.has_both_rings(tx, &release.region).await? {
            return Ok(None);
        }
        let Some(base) = tx.find_release(release.tenant, base).await? else {
            return Ok(None);
        };
        let trust = self.trust_root();
        let read = |jws: &str| Manifest::verify(jws, &trust).map_err(Refusal::internal);
        if !is_to_be_watched(&read(&base.manifest)?, &read(&release.manifest)?) {
            return Ok(None);
        }
        let says = format!(
            "Given to the canary ring; the wide ring keeps version {}.",
            base.version
        );
        Ok(Some(Rollout {
            id: self.new_id(),
            tenant: release.tenant,
            region: release.region.clone(),
            version: release.version,
            base_version: base.version,
            base_manifest: base.manifest_hash,
            phase: RolloutPhase::Baking,
            started_at: at,
            bake_seconds: self.inner.bake_seconds,
            decided_at: None,
            decided_by: None,
            reason: None,
            reverted_by: None,
            gates: Vec::new(),
            events: vec![RolloutEvent {
                at,
                by: caller.name().to_owned(),
                state: RolloutPhase::Baking,
                says,
            }],
            revision: 1,
        }))
    }

    /// Whether there is a canary node that is connected, and a node that would follow it.
    async fn has_both_rings(&self, tx: &Tx, region: &Region) -> Result<bool, Refusal> {
        let nodes = tx.list_enrolled_nodes(region).await?;
        let (canaries, wide): (Vec<_>, Vec<_>) = nodes
            .into_iter()
            .partition(|node| node.ring == Ring::Canary);
        if canaries.is_empty() || wide.is_empty() {
            return Ok(false);
        }
        let connected = self.connected_nodes(tx, region).await?;
        Ok(canaries.iter().any(|node| connected.contains(&node.id)))
    }
}

/// Whether a release changes something that health gates could see, and may wait for them.
fn is_to_be_watched(base: &Manifest, new: &Manifest) -> bool {
    let suspends = base.status != new.status && new.status == TenantStatus::Suspended;
    !suspends && base.sections != new.sections
}

impl Rollout {
    /// It, after somebody decided it or held it: by whom, and what is to be read about it.
    pub(super) fn decided(
        mut self,
        phase: RolloutPhase,
        (by, says): (&str, String),
        at: DateTime<Utc>,
    ) -> Self {
        self.phase = phase;
        self.revision += 1;
        if !phase.is_open() {
            self.decided_at = Some(at);
            self.decided_by = Some(by.to_owned());
        }
        self.reason = Some(says.clone());
        self.events.push(RolloutEvent {
            at,
            by: by.to_owned(),
            state: phase,
            says,
        });
        self
    }

    /// What the log says of it.
    pub(super) fn event(&self, action: &'static str, sentence: impl Into<String>) -> Event {
        let label = format!("version {}", self.version);
        Event::new(action, sentence).object("rollout", self.id, label)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contract::{
        ids::{TenantId, TypedId},
        section::{ContentHash, SectionName},
    };

    use super::*;

    fn manifest(status: TenantStatus, content: &str) -> Manifest {
        Manifest {
            format: 1,
            tenant: TenantId::from_uuid(uuid::Uuid::nil()),
            version: 1,
            region: "local".parse().unwrap(),
            issued_at: DateTime::UNIX_EPOCH,
            min_node_version: "0.1.0".to_owned(),
            status,
            sections: BTreeMap::from([(
                SectionName::Policies,
                ContentHash::of(content.as_bytes()),
            )]),
        }
    }

    #[test]
    fn what_changes_content_is_watched_and_a_suspension_waits_for_nothing() {
        use TenantStatus::{Active, Suspended};
        for (base, new, watched) in [
            ((Active, "one"), (Active, "two"), true),
            ((Active, "one"), (Active, "one"), false),
            ((Active, "one"), (Suspended, "one"), false),
            ((Active, "one"), (Suspended, "two"), false),
            ((Suspended, "one"), (Active, "one"), false),
            // Nobody gets untried content to all nodes by suspending and resuming.
            ((Suspended, "one"), (Active, "two"), true),
            ((Suspended, "one"), (Suspended, "two"), true),
        ] {
            let (base, new) = (manifest(base.0, base.1), manifest(new.0, new.1));
            assert_eq!(is_to_be_watched(&base, &new), watched, "{base:?} {new:?}");
        }
    }
}
