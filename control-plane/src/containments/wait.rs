//! Waiting for the nodes that can be reached: what a caller asks for who wants to know that it is done (C2).

use std::{collections::BTreeSet, time::Duration};

use contract::ids::NodeId;

use super::ContainmentRecord;
use crate::{ControlPlane, Refusal};

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(10);
/// How often we look without being told to: a node may fall silent, and another replica may have heard one.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl ControlPlane {
    /// Waits until every node that can be reached now said something about the revision, or cannot be reached any
    /// more; not longer than a caller has patience. Who did not is in the state.
    pub(super) async fn wait_for_reachable(
        &self,
        record: &ContainmentRecord,
    ) -> Result<(), Refusal> {
        let awaited = self.reachable(record).await?;
        let waiting = async {
            let mut changes = self.containment_changes();
            loop {
                changes.mark_unchanged();
                if self.have_answered(record, &awaited).await? {
                    return Ok(());
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.unwrap_or(Ok(()))
    }

    async fn reachable(&self, record: &ContainmentRecord) -> Result<BTreeSet<NodeId>, Refusal> {
        let tx = self.store().begin_read().await?;
        let reach = self.reach(&tx, &record.containment.region).await?;
        let there = reach.into_iter().filter(|(_, reach)| reach.connected);
        Ok(there.map(|(node, _)| node).collect())
    }

    async fn have_answered(
        &self,
        record: &ContainmentRecord,
        awaited: &BTreeSet<NodeId>,
    ) -> Result<bool, Refusal> {
        let containment = &record.containment;
        let tx = self.store().begin_read().await?;
        let answered = tx
            .list_answered(containment.id, containment.revision)
            .await?;
        let answered: BTreeSet<NodeId> = answered.into_iter().collect();
        if awaited.is_subset(&answered) {
            return Ok(true);
        }
        let reach = self.reach(&tx, &containment.region).await?;
        let missing = |node: &&NodeId| {
            !answered.contains(*node) && reach.get(*node).is_some_and(|reach| reach.connected)
        };
        Ok(!awaited.iter().any(|node| missing(&node)))
    }
}
