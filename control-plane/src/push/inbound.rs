//! What a node says: recorded at once, believed only about itself.

use std::collections::BTreeSet;

use contract::{
    frames::{Outcome, Up},
    ids::{NodeId, TenantId},
};
use tokio::sync::mpsc;

use super::session::{Ended, Greeting};
use crate::{ControlPlane, nodes::Holding};

/// What a node's answer makes the sending side do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Todo {
    /// Content was missing: send the tenant's current version once more, with everything.
    SendAll(TenantId),
    /// A version was refused: the next one must not rely on its content being there.
    Distrust(TenantId),
    /// The node answered a ping.
    Alive,
}

/// The hearing half of a session.
pub(super) struct Inbound {
    control_plane: ControlPlane,
    node: NodeId,
    todo: mpsc::UnboundedSender<Todo>,
    /// Versions that were sent again in full once; a node that refuses those too is not asked a third time.
    resent: BTreeSet<(TenantId, u64)>,
}

impl Inbound {
    pub(super) fn new(
        control_plane: ControlPlane,
        greeting: &Greeting,
        todo: mpsc::UnboundedSender<Todo>,
    ) -> Self {
        Self {
            control_plane,
            node: greeting.node,
            todo,
            resent: BTreeSet::new(),
        }
    }

    /// Hears until the node is gone.
    pub(super) async fn run(mut self, mut up: mpsc::Receiver<String>) -> Ended {
        while let Some(text) = up.recv().await {
            let Ok(frame) = serde_json::from_str(&text) else {
                return Ended::Protocol("a frame cannot be read");
            };
            if let Err(ended) = self.hear(frame).await {
                return ended;
            }
            self.control_plane.hub().tell_heard();
        }
        Ended::Gone
    }

    async fn hear(&mut self, frame: Up) -> Result<(), Ended> {
        match frame {
            Up::Hello { .. } => Err(Ended::Protocol("it greeted twice")),
            Up::Ack {
                tenant,
                version,
                outcome,
            } => self.hear_ack(tenant, version, outcome).await,
            Up::Keys { tenant, keys } => {
                let tx = self.control_plane.store().begin().await?;
                // A key of a tenant that we do not know, or not there, is nobody's.
                let found = tx.lock_tenant(tenant).await?;
                let node = tx.find_node(self.node).await?;
                let at_home = matches!((&found, &node), (Some(tenant), Some(node)) if tenant.region == node.region);
                if !at_home {
                    return Err(Ended::Protocol(
                        "it reported keys of a tenant of another region",
                    ));
                }
                tx.replace_tenant_keys(tenant, &keys).await?;
                Ok(tx.commit().await?)
            }
            Up::CommandResult { id, outcome } => {
                self.control_plane.hub().answer(id, outcome);
                Ok(())
            }
            Up::Pong { .. } => {
                let tx = self.control_plane.store().begin().await?;
                tx.touch_node(self.node, self.control_plane.clock().now())
                    .await?;
                tx.commit().await?;
                self.tell(Todo::Alive);
                Ok(())
            }
        }
    }

    async fn hear_ack(
        &mut self,
        tenant: TenantId,
        version: u64,
        outcome: Outcome,
    ) -> Result<(), Ended> {
        let at = self.control_plane.clock().now();
        let tx = self.control_plane.store().begin().await?;
        let known = tx.find_holding(self.node, tenant).await?;
        let applied = known.as_ref().map_or(0, |known| known.applied_version);
        let mut holding = Holding {
            node: self.node,
            tenant,
            applied_version: applied,
            rejected_version: known.and_then(|known| known.rejected_version),
            reason: None,
            at,
        };
        match &outcome {
            Outcome::Applied => {
                holding.applied_version = version;
                holding.rejected_version = None;
            }
            Outcome::Rejected { reason } => {
                holding.rejected_version = Some(version);
                holding.reason = Some(reason.chars().take(500).collect());
            }
        }
        tx.put_holding(&holding).await?;
        tx.touch_node(self.node, at).await?;
        tx.commit().await?;
        if let Outcome::Rejected { reason } = outcome {
            tracing::error!(node = %self.node, %tenant, version, reason, "a node refused a release");
            let missing = reason.contains("missing") && self.resent.insert((tenant, version));
            self.tell(if missing {
                Todo::SendAll(tenant)
            } else {
                Todo::Distrust(tenant)
            });
        }
        Ok(())
    }

    fn tell(&self, todo: Todo) {
        // The sending half is in the same task; if it is gone, so are we.
        let _ = self.todo.send(todo);
    }
}
