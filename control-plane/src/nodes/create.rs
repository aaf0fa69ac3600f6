//! Making a node: a name and a region, before there is a process.

use contract::{enrolment::NodeName, permission::Permission, tenant::Region};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Node, NodeState, Ring, certificates::sweep_deleted, event};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    change::{Done, Target},
};

/// What a new node is to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNode {
    /// Its name; unique in the installation.
    pub name: NodeName,
    /// Where it will stand.
    pub region: Region,
    /// Which releases it is given when; `wide` if left out.
    #[serde(default)]
    pub ring: Ring,
}

impl ControlPlane {
    /// Makes a node that waits for its process. Name and region stay what they are, because its tokens and
    /// certificates are bound to them.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::Invalid`] for a region that is not configured;
    /// [`Refusal::Conflict`] (`node_name_taken`).
    pub async fn create_node(
        &self,
        caller: &Caller,
        new: NewNode,
        mode: Mode,
    ) -> Result<NodeState, Refusal> {
        let change = self
            .change(caller, Target::Platform, Permission::NodesManage, mode)
            .await?;
        if !self.regions().contains(&new.region) {
            return Err(Refusal::invalid("region", "is not one of the regions"));
        }
        if change.tx().find_node_by_name(&new.name).await?.is_some() {
            return Err(Refusal::conflict(
                "node_name_taken",
                format!("A node is called {} already.", new.name),
            ));
        }
        let node = Node {
            ring: new.ring,
            ..Node::awaiting(self.new_id(), new.name, new.region, change.at())
        };
        change.tx().insert_node(&node).await?;
        sweep_deleted(change.tx(), change.at()).await?;
        let sentence = format!("Made the node {} in {}.", node.name, node.region);
        let event = event("nodes.create", sentence, &node).after(&node);
        let state = self.state_of(change.tx(), node).await?;
        change.finish(Done::new(state, event)).await
    }
}
