//! Revoking and deleting nodes (R-NODE-10).
//!
//! A revoked node stays in the list, so that everybody can see that it was one and why it is none any more;
//! its name is free again only once it is deleted. Nothing makes a revoked node trusted again.

use contract::{ids::NodeId, text};

use super::{NodeStanding, NodeState, certificates::sweep_deleted, event};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    change::{Done, check_version},
    store::News,
};

/// Longest reason.
const MAX_REASON_CHARS: usize = 200;

/// Which node a change is about, and which version of it the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAt {
    /// Which.
    pub id: NodeId,
    /// The version the caller has seen (`If-Match`); `None` overwrites any.
    pub expected: Option<i64>,
}

impl ControlPlane {
    /// Revokes a node: its certificates and its token are void, and what it has open is ended at once. Other
    /// replicas end it when they next look.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`]; [`Refusal::Invalid`] for the
    /// reason; [`Refusal::Conflict`] if it was revoked before (`revoked`) and for a node of this process
    /// while it runs (`embedded`).
    pub async fn revoke_node(
        &self,
        caller: &Caller,
        at: NodeAt,
        reason: String,
        mode: Mode,
    ) -> Result<NodeState, Refusal> {
        let (change, before) = self.change_node(caller, at.id, mode).await?;
        text::check_line("reason", &reason, MAX_REASON_CHARS)?;
        check_version(at.expected, before.version)?;
        if before.standing == NodeStanding::Revoked {
            return Err(Refusal::conflict("revoked", "The node was revoked before."));
        }
        if before.is_embedded() && self.hub().connected(&before.region).contains(&at.id) {
            return Err(Refusal::conflict(
                "embedded",
                "The node runs in the control plane's own process. Stop that process instead.",
            ));
        }
        let mut after = before.clone();
        after.standing = NodeStanding::Revoked;
        after.certificate_ends_at = None;
        after.revoked_at = Some(change.at());
        after.revoked_reason = Some(reason.clone());
        after.touch(change.at());
        // The node first: a renewal at the same moment waits for this row, or is seen by what follows.
        change.tx().decide_node(&after).await?;
        let voided = change
            .tx()
            .revoke_node_certificates(at.id, change.at())
            .await?;
        let sentence = match voided {
            1 => format!("Revoked the node {} and its certificate.", after.name),
            _ => format!(
                "Revoked the node {} and its {voided} certificates.",
                after.name
            ),
        };
        let event = event("nodes.revoke", sentence, &after)
            .before(&before)
            .after(&after);
        let mut state = self.state_of(change.tx(), after).await?;
        let done = Done::new((), event).also_news(News::Node(at.id));
        change.finish(done).await?;
        if mode == Mode::Commit {
            // The node itself is told that it was revoked, and not why.
            tracing::info!(node = %at.id, reason, "a node was revoked");
        }
        state.connected = state.connected && mode == Mode::DryRun;
        Ok(state)
    }

    /// Deletes a node that no process is, with everything it said. Its name is free again; its certificates stay
    /// in the ledger for a while, because they are what an incident is reconstructed from.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`]; [`Refusal::Conflict`]
    /// (`enrolled`) for a node that may still connect.
    pub async fn delete_node(
        &self,
        caller: &Caller,
        at: NodeAt,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let (change, gone) = self.change_node(caller, at.id, mode).await?;
        check_version(at.expected, gone.version)?;
        if gone.standing == NodeStanding::Enrolled {
            return Err(Refusal::conflict(
                "enrolled",
                "A process is this node. Revoke it first.",
            ));
        }
        change.tx().delete_node(at.id).await?;
        sweep_deleted(change.tx(), change.at()).await?;
        let sentence = format!("Deleted the node {}.", gone.name);
        let event = event("nodes.delete", sentence, &gone).before(&gone);
        let done = Done::new((), event).also_news(News::Node(at.id));
        change.finish(done).await
    }
}
