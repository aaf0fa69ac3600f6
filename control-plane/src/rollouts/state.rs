//! A rollout as it is shown: its rings with their nodes, its gates, why it waits.

use std::collections::BTreeMap;

use contract::ids::NodeId;

use super::{Rollout, RolloutState, Wave, WaveNode, measure::Measure};
use crate::{
    ControlPlane, Refusal,
    change::NO_TENANT,
    nodes::{Holding, Node, Ring},
    store::Tx,
};

impl ControlPlane {
    /// Everything that is shown of a rollout.
    pub(super) async fn state_of_rollout(
        &self,
        tx: &Tx,
        mut rollout: Rollout,
    ) -> Result<RolloutState, Refusal> {
        let tenant = tx.find_tenant(rollout.tenant).await?.ok_or(NO_TENANT)?;
        let nodes = tx.list_enrolled_nodes(&rollout.region).await?;
        let (mut bakes_until, mut waits) = (None, None);
        if rollout.phase.is_open() {
            let (gates, outlook) = self.outlook_of(tx, &rollout, &nodes).await?;
            rollout.gates = gates;
            bakes_until = outlook.bakes_until;
            // What is due is done within a second.
            waits = outlook.waits.or_else(|| outlook.due.map(|(_, why)| why));
        }
        let open = tx.find_open_rollout(tenant.id).await?;
        let kept = open.map_or(tenant.release_version, |open| open.base_version);
        let mut waves = Ring::ALL.map(|ring| Wave {
            ring,
            wanted: match ring {
                Ring::Canary => tenant.release_version,
                Ring::Wide => kept,
            },
            nodes: Vec::new(),
        });
        for (ring, node) in self.shown_nodes(tx, &rollout, nodes).await? {
            for wave in waves.iter_mut().filter(|wave| wave.ring == ring) {
                wave.nodes.push(node.clone());
            }
        }
        Ok(RolloutState {
            tenant_slug: tenant.slug,
            tenant_name: tenant.name.to_string(),
            bakes_until,
            waits,
            waves: waves.into(),
            rollout,
        })
    }

    async fn shown_nodes(
        &self,
        tx: &Tx,
        rollout: &Rollout,
        nodes: Vec<Node>,
    ) -> Result<Vec<(Ring, WaveNode)>, Refusal> {
        let connected = self.connected_nodes(tx, &rollout.region).await?;
        let holdings = tx.list_holdings_of_tenant(rollout.tenant).await?;
        let mut held: BTreeMap<NodeId, Holding> = holdings
            .into_iter()
            .map(|holding| (holding.node, holding))
            .collect();
        let measures = tx.list_measures(rollout.id).await?;
        let mut counted: BTreeMap<NodeId, Measure> = measures
            .into_iter()
            .map(|measure| (measure.node, measure))
            .collect();
        let shown = nodes.into_iter().map(|node| {
            let holding = held.remove(&node.id);
            let shown = WaveNode {
                node: node.id,
                name: node.name,
                connected: connected.contains(&node.id),
                applied: holding.as_ref().map_or(0, |held| held.applied_version),
                rejected: holding
                    .filter(|held| held.rejected_version == Some(rollout.version))
                    .map(|held| held.reason.unwrap_or_default()),
                traffic: counted.remove(&node.id).map(|measure| measure.total),
            };
            (node.ring, shown)
        });
        Ok(shown.collect())
    }
}
