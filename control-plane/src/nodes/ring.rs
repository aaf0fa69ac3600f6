//! Rings: which nodes are given a release first (R-NODE-06).
//!
//! A ring is a property of a node and never of a release. A node whose ring changes keeps what it holds: versions
//! only grow, so one that leaves the canary ring is given the next version that all nodes are given.

use std::{fmt, str::FromStr};

use contract::Invalid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NodeAt, NodeStanding, NodeState, event};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    change::{Done, check_version},
    store::News,
};

/// Which releases a node is given when.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Ring {
    /// Each release at once.
    Canary,
    /// What has proven itself in the canary ring.
    #[default]
    Wide,
}

impl Ring {
    /// Both, in the order in which they are given a release.
    pub const ALL: [Self; 2] = [Self::Canary, Self::Wide];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Wide => "wide",
        }
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ring {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|ring| ring.as_str() == text)
            .ok_or_else(|| Invalid::new("ring", "must be canary or wide"))
    }
}

impl ControlPlane {
    /// Moves a node to a ring. Its session ends, here and at other replicas, and the next one compares anew.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`]; [`Refusal::Conflict`] for a node
    /// that was revoked (`revoked`).
    pub async fn change_node_ring(
        &self,
        caller: &Caller,
        at: NodeAt,
        ring: Ring,
        mode: Mode,
    ) -> Result<NodeState, Refusal> {
        let (change, before) = self.change_node(caller, at.id, mode).await?;
        check_version(at.expected, before.version)?;
        if before.standing == NodeStanding::Revoked {
            return Err(Refusal::conflict(
                "revoked",
                "The node was revoked: it is given no release any more.",
            ));
        }
        let mut after = before.clone();
        after.ring = ring;
        after.touch(change.at());
        change.tx().decide_node(&after).await?;
        let sentence = format!("Moved the node {} to the {ring} ring.", after.name);
        let event = event("nodes.ring", sentence, &after)
            .before(&before)
            .after(&after);
        let state = self.state_of(change.tx(), after).await?;
        let done = Done::new(state, event).also_news(News::Node(at.id));
        let state = change.finish(done).await?;
        if mode == Mode::Commit {
            self.hub().doubt(at.id);
        }
        Ok(state)
    }
}
