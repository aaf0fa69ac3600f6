//! Containments: one call stops a user, a session, an application, a key or a whole tenant, and shows that it
//! did (R-REV-04).
//!
//! What is contained is a small signed document that goes to the nodes past every release ([`crate::push`]'s
//! lanes). Between the call and the frames there is nothing but the commit. What a node confirms is verified when
//! it is heard and kept as it was signed, so that a receipt carries the nodes' own words.
//!
//! Either side may contain at once, and the other one sees it in the tenant's own log. What is shown is what nodes
//! confirmed, never what was sent to them. Nothing here may wait for a node before a change is committed.

mod begin;
mod change;
mod ended;
mod open;
mod preview;
mod receipt;
mod state;
mod wait;
mod word;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::{AsOf, Containment, Subject},
    enrolment::NodeName,
    ids::{ContainmentId, NodeId, OperatorId, TenantId},
    lane::Probe,
    permission::Permission,
    receipt::{Figures, Impact, Residual},
    tenant::Slug,
};
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::ToSchema;

pub use self::preview::Preview;
pub(crate) use self::{
    preview::Previews,
    state::{Reach, lets_through},
    word::{LaneLink, Said, Word},
};
use crate::{Caller, ControlPlane, Page, PageRequest, Refusal, ThingAt, audit::Event, store::Tx};

/// Longest reason.
const MAX_REASON_CHARS: usize = 200;
/// Longest time a containment may be in force for, in minutes.
const MAX_MINUTES: u32 = 365 * 24 * 60;
/// Most that a list of what is in force shows.
const MOST_OPEN: u64 = 200;

/// Which containment a change is about, and which version of it the caller has seen.
pub type ContainmentAt = ThingAt<ContainmentId>;

/// What is to be contained.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContainment {
    /// Whom or what.
    pub subject: Subject,
    /// Why, in one line that the tenant's log, the console and the receipt show.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// For how long, in minutes.
    #[schema(minimum = 1, maximum = 525600)]
    pub minutes: u32,
    /// Whether sessions, grants and tokens from before its end stay dead after it.
    pub ends_existing: bool,
}

/// How long a change waits for nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Not at all: it answers once it is committed and told.
    #[default]
    No,
    /// Until every node that was heard within 2 s confirmed, and at most 10 s; the state says who did not.
    Reachable,
}

/// A change of something contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainmentChange {
    /// It ends now.
    Lift {
        /// Why, in one line.
        reason: String,
    },
    /// It ends at another time.
    Until {
        /// Minutes from now.
        minutes: u32,
    },
}

/// What a node did about a containment.
#[derive(Debug, Clone)]
pub struct NodeProgress {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Whether it was heard within 2 s.
    pub connected: bool,
    /// What is known of it.
    pub outcome: Progress,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It applies the newest revision.
    Confirmed {
        /// Microseconds from acceptance to its word, by the control plane's clock.
        after_us: u64,
        /// When it was applied, by the node's clock.
        applied_at: DateTime<Utc>,
        /// What real requests were answered.
        probe: Probe,
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

/// A containment and how far it got.
#[derive(Debug, Clone)]
pub struct ContainmentState {
    /// Its newest revision.
    pub containment: Containment,
    /// Its tenant's short name.
    pub tenant_slug: Slug,
    /// Its tenant's name.
    pub tenant_name: String,
    /// The name of the application that is contained.
    pub subject_name: Option<String>,
    /// Why, in the words of whoever began it.
    pub reason: String,
    /// Who began it: an operator's id.
    pub actor: String,
    /// Their name at the time.
    pub actor_name: String,
    /// Why it was lifted.
    pub lifted_reason: Option<String>,
    /// The name of whoever lifted it.
    pub lifted_by: Option<String>,
    /// What it was going to hit, if the region told.
    pub impact: Option<Impact>,
    /// When the newest revision was accepted.
    pub accepted_at: DateTime<Utc>,
    /// The nodes of the region, by name.
    pub nodes: Vec<NodeProgress>,
    /// The sums of what they did.
    pub figures: Figures,
    /// Until when something may still be accepted somewhere.
    pub residual: Residual,
    /// The point from which on a check must not be answered from an older state (R-REV-03).
    pub as_of: AsOf,
    /// For `If-Match`: its revision.
    pub version: i64,
}

/// A containment as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct ContainmentRecord {
    /// The newest revision.
    pub(crate) containment: Containment,
    /// The same, signed.
    pub(crate) document: String,
    /// When that was accepted.
    pub(crate) accepted_at: DateTime<Utc>,
    /// Why it was begun.
    pub(crate) reason: String,
    /// Who began it.
    pub(crate) actor: OperatorId,
    /// Their name.
    pub(crate) actor_name: String,
    /// Who made the newest revision.
    pub(crate) revised_by: OperatorId,
    /// Why it was lifted.
    pub(crate) lifted_reason: Option<String>,
    /// The name of whoever lifted it.
    pub(crate) lifted_by: Option<String>,
    /// What it was going to hit.
    pub(crate) impact: Option<Impact>,
}

/// A revision as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct RevisionRecord {
    /// It, signed.
    pub(crate) document: String,
    /// When it was accepted.
    pub(crate) accepted_at: DateTime<Utc>,
    /// Why it was made.
    pub(crate) reason: String,
    /// Who made it.
    pub(crate) actor: OperatorId,
}

impl ContainmentRecord {
    /// Why the newest revision was made.
    pub(crate) fn revision_reason(&self) -> &str {
        self.lifted_reason.as_ref().unwrap_or(&self.reason)
    }

    fn as_of(&self) -> AsOf {
        AsOf {
            region: self.containment.region.clone(),
            sequence: self.containment.sequence,
        }
    }
}

impl ControlPlane {
    /// Reads a containment and how far it got.
    ///
    /// # Errors
    /// Needs `tenant.containments.view`; [`Refusal::NotFound`].
    pub async fn get_containment(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ContainmentId,
    ) -> Result<ContainmentState, Refusal> {
        let tx = self.view_containments(caller, tenant).await?;
        let record = existing(&tx, tenant, id).await?;
        self.state_of_containment(&tx, record).await
    }

    /// Lists a tenant's containments, newest first, those that are over included.
    ///
    /// # Errors
    /// Needs `tenant.containments.view`.
    pub async fn list_containments(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<ContainmentState>, Refusal> {
        let tx = self.view_containments(caller, tenant).await?;
        let Page { items, next } = tx.list_containments(tenant, page).await?;
        let items = self.states_of_containments(&tx, items).await?;
        Ok(Page { items, next })
    }

    /// What is in force in a tenant now, newest first, at most 200: for whoever has to show it everywhere.
    ///
    /// # Errors
    /// Needs `tenant.containments.view`.
    pub async fn contained(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Vec<ContainmentState>, Refusal> {
        let tx = self.view_containments(caller, tenant).await?;
        let now = self.clock().now();
        let records = tx.list_in_force(Some(&[tenant]), now, MOST_OPEN).await?;
        self.states_of_containments(&tx, records).await
    }

    /// Moves whenever a document or a confirmation was recorded here, or news of one came from another replica.
    pub fn containment_changes(&self) -> watch::Receiver<u64> {
        self.lanes().changes()
    }

    async fn view_containments(&self, caller: &Caller, tenant: TenantId) -> Result<Tx, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ContainmentsView)
            .await?;
        Ok(view.into_tx())
    }
}

async fn existing(
    tx: &Tx,
    tenant: TenantId,
    id: ContainmentId,
) -> Result<ContainmentRecord, Refusal> {
    let found = tx.find_containment(tenant, id).await?;
    found.ok_or(Refusal::NotFound {
        what: "containment",
    })
}

/// A length in minutes as the wire gives it.
fn length(minutes: u32) -> Result<TimeDelta, Refusal> {
    if !(1..=MAX_MINUTES).contains(&minutes) {
        let range = format!("must be between 1 and {MAX_MINUTES}");
        return Err(Refusal::invalid("minutes", range));
    }
    Ok(TimeDelta::minutes(i64::from(minutes)))
}

/// A subject in words, as it follows "Contained".
fn in_words(subject: &Subject, name: Option<&str>) -> String {
    match (subject, name) {
        (Subject::Tenant {}, _) => "the whole tenant".to_owned(),
        (Subject::User { user }, _) => format!("the user {user}"),
        (Subject::Session { session }, _) => format!("the session {session}"),
        (Subject::Application { .. }, Some(name)) => {
            format!("the application \u{201c}{name}\u{201d}")
        }
        (Subject::Application { application }, None) => format!("the application {application}"),
        (Subject::SigningKey { kid }, _) => format!("the signing key {kid}"),
    }
}

/// What the log says of a change.
fn event(
    action: &'static str,
    sentence: String,
    record: &ContainmentRecord,
    name: Option<&str>,
) -> Event {
    let label = in_words(&record.containment.subject, name);
    Event::new(action, sentence).object("containment", record.containment.id, label)
}

/// A time as sentences say it.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
