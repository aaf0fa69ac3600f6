//! Measuring: how a tenant fares on each node since a rollout began.
//!
//! Each replica asks the nodes that are connected to it, and only about tenants with an open rollout. What a node
//! answers is kept in one row per rollout and node, so that whichever replica judges sees all of it. A node is
//! believed about itself only, and what it says can do no more than hold up or end a rollout of its own region.

use chrono::{DateTime, Utc};
use contract::{
    frames::{Down, MAX_MEASURED},
    ids::{NodeId, RolloutId, TenantId},
    tenant::Region,
    traffic::{Measured, Traffic},
};
use std::collections::BTreeMap;

use super::Rollout;
use crate::{ControlPlane, Refusal, push::frame};

/// What a node counted since a rollout began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Which rollout.
    pub(crate) rollout: RolloutId,
    /// Which node.
    pub(crate) node: NodeId,
    /// The version it served when it was last asked.
    pub(crate) version: u64,
    /// When the node's counts began.
    pub(crate) since: DateTime<Utc>,
    /// Its counts when it was last asked.
    pub(crate) latest: Traffic,
    /// What of them came with this version since the rollout began.
    pub(crate) total: Traffic,
    /// When it was last asked.
    pub(crate) at: DateTime<Utc>,
}

impl Measure {
    /// What is known of a node after it said `said`.
    ///
    /// All that was counted with the rollout's own version counts. Of another version only what came after the
    /// first word counts: the node served it before the rollout began. A node that counts anew was restarted, and
    /// what it had counted before stays.
    pub(crate) fn after(
        known: Option<Self>,
        rollout: &Rollout,
        node: NodeId,
        (said, at): (Measured, DateTime<Utc>),
    ) -> Self {
        let known = known.filter(|known| known.version == said.version);
        let before = known
            .as_ref()
            .map_or_else(Traffic::default, |known| known.total.clone());
        let more = match &known {
            Some(known) if known.since == said.since => said.traffic.since(&known.latest),
            _ => None,
        };
        let is_new = known.is_none() && said.version != rollout.version;
        let more = match more {
            Some(more) => more,
            None if is_new => Traffic::default(),
            None => said.traffic.clone(),
        };
        Self {
            rollout: rollout.id,
            node,
            version: said.version,
            since: said.since,
            latest: said.traffic,
            total: before.plus(&more),
            at,
        }
    }
}

impl ControlPlane {
    /// Asks the nodes that are connected here how the tenants with an open rollout fare.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn ask_for_measures(&self) -> Result<(), Refusal> {
        let tx = self.store().begin_read().await?;
        let open = tx.list_open_rollouts(None).await?;
        drop(tx);
        let mut asked: BTreeMap<Region, Vec<TenantId>> = BTreeMap::new();
        for rollout in open {
            asked
                .entry(rollout.region)
                .or_default()
                .push(rollout.tenant);
        }
        for (region, tenants) in asked {
            for tenants in tenants.chunks(MAX_MEASURED) {
                let tenants = tenants.to_vec();
                self.hub().tell(&region, &frame(&Down::Measure { tenants }));
            }
        }
        Ok(())
    }

    /// Takes what a node of `region` counted. What concerns no open rollout there is forgotten.
    pub(crate) async fn hear_measures(
        &self,
        node: NodeId,
        region: &Region,
        said: Vec<Measured>,
    ) -> Result<(), Refusal> {
        let at = self.clock().now();
        let tx = self.store().begin().await?;
        let open = tx.list_open_rollouts(Some(region)).await?;
        let mut open: BTreeMap<TenantId, Rollout> = open
            .into_iter()
            .map(|rollout| (rollout.tenant, rollout))
            .collect();
        for said in said {
            // Each tenant once, so that a long answer costs no more than there are rollouts.
            let Some(rollout) = open.remove(&said.tenant) else {
                continue;
            };
            let known = tx.find_measure(rollout.id, node).await?;
            let measure = Measure::after(known, &rollout, node, (said, at));
            tx.put_measure(&measure).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
pub(super) mod tests;
