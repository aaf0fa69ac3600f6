//! What nodes say about containments, and whether they are there to say it.

use chrono::{DateTime, Utc};
use contract::{
    ids::{ContainmentId, NodeId},
    receipt::Proof,
    tenant::Region,
};

/// What one node said about one revision. It was verified when it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// About which containment.
    pub(crate) containment: ContainmentId,
    /// About which revision of it.
    pub(crate) revision: u32,
    /// Who.
    pub(crate) node: NodeId,
    /// When it was heard.
    pub(crate) heard_at: DateTime<Utc>,
    /// What.
    pub(crate) said: Said,
}

/// What a node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It applies the revision.
    Confirmed {
        /// A signed [`contract::lane::Confirmation`].
        statement: String,
        /// Whose key that is; left out where only the word matters.
        proof: Option<Proof>,
    },
    /// It does not.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A node's lane, as other replicas see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneLink {
    /// The node.
    pub(crate) node: NodeId,
    /// Where it stands.
    pub(crate) region: Region,
    /// Whose lane it is on.
    pub(crate) replica: String,
    /// Whether it answers.
    pub(crate) connected: bool,
    /// When it was last heard, or at least heard.
    pub(crate) heard_at: DateTime<Utc>,
}
