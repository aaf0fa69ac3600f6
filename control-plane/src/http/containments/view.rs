//! Containments as the wire shows them.

use chrono::{DateTime, Utc};
use contract::{
    containment::Subject,
    enrolment::NodeName,
    ids::{ContainmentId, NodeId, TenantId},
    lane::Probe,
    receipt::{Figures, Impact, Residual},
    tenant::{Region, Slug},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{ContainmentState, NodeProgress, Preview, Progress, http::answer::Answer};

/// A containment, and how far it got.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ContainmentView {
    id: ContainmentId,
    tenant: TenantId,
    tenant_slug: Slug,
    tenant_name: String,
    region: Region,
    subject: Subject,
    /// The name of the application that is contained.
    subject_name: Option<String>,
    reason: String,
    /// The operator who began it.
    actor: String,
    actor_name: String,
    /// Whether sessions, grants and tokens from before its end stay dead after it.
    ends_existing: bool,
    begun_at: DateTime<Utc>,
    /// When it ends by itself.
    until: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_reason: Option<String>,
    lifted_by: Option<String>,
    /// What it was going to hit, if the region told.
    impact: Option<Impact>,
    /// When the newest revision was accepted.
    accepted_at: DateTime<Utc>,
    /// The region's nodes, by name.
    nodes: Vec<NodeProgressView>,
    figures: Figures,
    residual: Residual,
    /// For the header Bailiwick-As-Of of a check that must not be answered from an older state.
    as_of: String,
    /// Its revision.
    version: i64,
}

/// What a node did about a containment.
#[derive(Debug, Serialize, ToSchema)]
struct NodeProgressView {
    node: NodeId,
    name: NodeName,
    /// Whether it was heard within 2 s.
    connected: bool,
    #[serde(flatten)]
    outcome: OutcomeView,
}

/// What is known of a node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum OutcomeView {
    /// It applies the newest revision.
    Confirmed {
        /// Microseconds from acceptance to its word, by the control plane's clock.
        after_us: u64,
        /// By the node's clock.
        applied_at: DateTime<Utc>,
        /// What the node's own door answered to real requests.
        probe: ProbeView,
    },
    /// It does not.
    Refused {
        /// Why, in its words.
        reason: String,
    },
    /// It has said nothing about it.
    Silent {
        /// When anything was last heard of it.
        last_heard_at: Option<DateTime<Utc>>,
    },
}

/// What a node's own door answered to real requests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum ProbeView {
    /// What is contained was refused.
    Refused {
        /// When first, by the node's clock.
        at: DateTime<Utc>,
        /// Requests until then.
        requests: u32,
    },
    /// It was let through: right once it was lifted.
    LetThrough {
        /// When that was last seen, by the node's clock.
        at: DateTime<Utc>,
        /// Requests until then.
        requests: u32,
    },
    /// There was nothing to ask.
    None {
        /// Why.
        reason: String,
    },
}

/// What containing something would hit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewView {
    subject: Subject,
    /// The application's name.
    subject_name: Option<String>,
    /// The counts; `null` if the region does not tell.
    impact: Option<Impact>,
    /// Why there are no counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncounted: Option<String>,
    /// How many nodes would apply it.
    nodes: usize,
    /// What somebody should know first.
    warnings: Vec<String>,
}

/// A containment with its tag: its version, and a digest of what changes without one.
pub(super) fn shown(state: ContainmentState) -> Answer<ContainmentView> {
    let as_of = state.as_of.clone();
    let view = ContainmentView::from(state);
    let version = view.version;
    let text = serde_json::to_vec(&view).expect("a view has string keys");
    let digest: [u8; 32] = Sha256::digest(text).into();
    let (first, _) = digest.split_first_chunk().expect("32 bytes begin with 8");
    Answer::ok(view)
        .version(version)
        .also(u64::from_be_bytes(*first))
        .point(&as_of)
}

impl From<ContainmentState> for ContainmentView {
    fn from(state: ContainmentState) -> Self {
        let containment = state.containment;
        Self {
            id: containment.id,
            tenant: containment.tenant,
            tenant_slug: state.tenant_slug,
            tenant_name: state.tenant_name,
            region: containment.region,
            subject: containment.subject,
            subject_name: state.subject_name,
            reason: state.reason,
            actor: state.actor,
            actor_name: state.actor_name,
            ends_existing: containment.ends_existing,
            begun_at: containment.begun_at,
            until: containment.until,
            lifted_at: containment.lifted_at,
            lifted_reason: state.lifted_reason,
            lifted_by: state.lifted_by,
            impact: state.impact,
            accepted_at: state.accepted_at,
            nodes: state.nodes.into_iter().map(Into::into).collect(),
            figures: state.figures,
            residual: state.residual,
            as_of: state.as_of.to_string(),
            version: state.version,
        }
    }
}

impl From<NodeProgress> for NodeProgressView {
    fn from(progress: NodeProgress) -> Self {
        Self {
            node: progress.node,
            name: progress.name,
            connected: progress.connected,
            outcome: match progress.outcome {
                Progress::Confirmed {
                    after_us,
                    applied_at,
                    probe,
                } => OutcomeView::Confirmed {
                    after_us,
                    applied_at,
                    probe: probe.into(),
                },
                Progress::Refused { reason } => OutcomeView::Refused { reason },
                Progress::Silent { last_heard_at } => OutcomeView::Silent { last_heard_at },
            },
        }
    }
}

impl From<Probe> for ProbeView {
    fn from(probe: Probe) -> Self {
        match probe {
            Probe::Refused { at, requests } => Self::Refused { at, requests },
            Probe::LetThrough { at, requests } => Self::LetThrough { at, requests },
            Probe::None { reason } => Self::None { reason },
        }
    }
}

impl From<Preview> for PreviewView {
    fn from(preview: Preview) -> Self {
        let (impact, uncounted) = match preview.impact {
            Ok(impact) => (Some(impact), None),
            Err(reason) => (None, Some(reason)),
        };
        Self {
            subject: preview.subject,
            subject_name: preview.subject_name,
            impact,
            uncounted,
            nodes: preview.nodes,
            warnings: preview.warnings,
        }
    }
}
