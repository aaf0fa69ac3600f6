//! How far a containment got, put together from what nodes said and from which of them are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::{Containment, Subject},
    enrolment::NodeName,
    ids::{ContainmentId, NodeId, TenantId},
    lane::{Confirmation, PULSE_MISSED, Probe},
    policies::{Policy, PolicyKind, TokenPolicy},
    receipt::{Figures, Residual},
    tenant::Region,
};

use super::{ContainmentRecord, ContainmentState, NodeProgress, Progress, Said, Word};
use crate::{
    ControlPlane, Refusal, applications::ApplicationRecord, change::NO_TENANT, nodes::NodeStanding,
    store::Tx, tenants::Tenant,
};

/// How long another replica's word about a lane counts that it does not renew: three times.
const LINK_KEPT: TimeDelta = TimeDelta::seconds(45);

/// A node that has to apply what is contained in its region.
#[derive(Debug, Clone)]
pub(super) struct RegionNode {
    /// Which.
    pub(super) node: NodeId,
    /// Its name.
    pub(super) name: NodeName,
    /// Whether it was heard within 2 s.
    pub(super) connected: bool,
    /// When it was last heard.
    pub(super) heard_at: Option<DateTime<Utc>>,
}

/// Whether a node is there, and since when not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Whether it was heard within 2 s.
    pub(crate) connected: bool,
    /// When it was last heard.
    pub(crate) heard_at: DateTime<Utc>,
}

/// What one tenant brings to the state of its containments.
struct Ground {
    tenant: Tenant,
    tokens: TokenPolicy,
}

/// What was looked up once for several containments.
#[derive(Default)]
struct Known {
    grounds: HashMap<TenantId, Ground>,
    nodes: BTreeMap<Region, Vec<RegionNode>>,
    words: HashMap<(ContainmentId, u32), Vec<Word>>,
}

impl ControlPlane {
    /// How far one containment got.
    pub(super) async fn state_of_containment(
        &self,
        tx: &Tx,
        record: ContainmentRecord,
    ) -> Result<ContainmentState, Refusal> {
        let states = self.states_of_containments(tx, vec![record]).await?;
        let state = states.into_iter().next();
        state.ok_or_else(|| Refusal::internal("a record has no state"))
    }

    /// How far containments got.
    pub(super) async fn states_of_containments(
        &self,
        tx: &Tx,
        records: Vec<ContainmentRecord>,
    ) -> Result<Vec<ContainmentState>, Refusal> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.look_up(tx, &records).await?;
        let now = self.clock().now();
        let mut states = Vec::with_capacity(records.len());
        for record in records {
            let containment = &record.containment;
            let name = subject_name(tx, containment.tenant, &containment.subject).await?;
            states.push(known.state(record, name, now)?);
        }
        Ok(states)
    }

    async fn look_up(&self, tx: &Tx, records: &[ContainmentRecord]) -> Result<Known, Refusal> {
        let mut known = Known::default();
        let all = records.iter().map(|record| &record.containment);
        let tenants: BTreeSet<TenantId> = all.clone().map(|one| one.tenant).collect();
        for tenant in tenants {
            let ground = Ground {
                tenant: tx.find_tenant(tenant).await?.ok_or(NO_TENANT)?,
                tokens: token_policy(tx, tenant).await?,
            };
            known.grounds.insert(tenant, ground);
        }
        let regions: BTreeSet<&Region> = all.map(|one| &one.region).collect();
        for region in regions {
            let nodes = self.nodes_of_region(tx, region).await?;
            known.nodes.insert(region.clone(), nodes);
        }
        let ids: Vec<ContainmentId> = records.iter().map(|one| one.containment.id).collect();
        for word in tx.list_words(&ids).await? {
            let of = (word.containment, word.revision);
            known.words.entry(of).or_default().push(word);
        }
        Ok(known)
    }

    /// The nodes that have to apply what is contained in a region: whoever is enrolled and not revoked; of a
    /// process without certificate, while it is connected.
    pub(super) async fn nodes_of_region(
        &self,
        tx: &Tx,
        region: &Region,
    ) -> Result<Vec<RegionNode>, Refusal> {
        let reach = self.reach(tx, region).await?;
        let linked = self.connected_nodes(tx, region).await?;
        let nodes = tx.list_nodes().await?.into_iter().filter(|node| {
            node.region == *region
                && node.standing == NodeStanding::Enrolled
                && (node.certificate_ends_at.is_some()
                    || linked.contains(&node.id)
                    || reach.get(&node.id).is_some_and(|reach| reach.connected))
        });
        let seen = nodes.map(|node| {
            let reach = reach.get(&node.id);
            RegionNode {
                node: node.id,
                name: node.name,
                connected: reach.is_some_and(|reach| reach.connected),
                heard_at: reach.map(|reach| reach.heard_at).max(node.last_seen_at),
            }
        });
        Ok(seen.collect())
    }

    /// Which nodes of a region hear of containments now: by this replica's own ears, and by what others wrote.
    pub(crate) async fn reach(
        &self,
        tx: &Tx,
        region: &Region,
    ) -> Result<BTreeMap<NodeId, Reach>, Refusal> {
        let now = self.clock().now();
        let mut reach: BTreeMap<NodeId, Reach> = BTreeMap::new();
        for link in tx.list_lane_links(region).await? {
            let of_another = link.connected && link.replica != self.replica();
            let there = Reach {
                connected: of_another && now - link.heard_at < LINK_KEPT,
                heard_at: link.heard_at,
            };
            reach.insert(link.node, there);
        }
        for (node, heard_at) in self.lanes().heard(region) {
            let here = now - heard_at <= PULSE_MISSED;
            let known = reach.entry(node).or_insert(Reach {
                connected: false,
                heard_at,
            });
            known.connected |= here;
            known.heard_at = known.heard_at.max(heard_at);
        }
        Ok(reach)
    }
}

impl Known {
    fn state(
        &self,
        record: ContainmentRecord,
        subject_name: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<ContainmentState, Refusal> {
        let containment = &record.containment;
        let ground = self.grounds.get(&containment.tenant).ok_or(NO_TENANT)?;
        let nodes = self.nodes.get(&containment.region);
        let of = (containment.id, containment.revision);
        let words = self.words.get(&of).map_or(&[][..], Vec::as_slice);
        let nodes = progress(nodes.map_or(&[], Vec::as_slice), words, record.accepted_at);
        let confirmed = nodes.iter().filter_map(|node| match node.outcome {
            Progress::Confirmed { after_us, .. } => Some((after_us, node.node)),
            _ => None,
        });
        let silent: Vec<_> = nodes.iter().filter_map(NodeProgress::last_heard).collect();
        Ok(ContainmentState {
            tenant_slug: ground.tenant.slug.clone(),
            tenant_name: ground.tenant.name.to_string(),
            subject_name,
            figures: Figures::of_times(nodes.len(), confirmed.collect()),
            residual: match containment.is_in_force(now) {
                true => residual(containment, record.accepted_at, &ground.tokens, &silent),
                false => nothing_left(&silent),
            },
            nodes,
            as_of: record.as_of(),
            version: i64::from(containment.revision),
            actor: record.actor.to_string(),
            actor_name: record.actor_name,
            reason: record.reason,
            lifted_reason: record.lifted_reason,
            lifted_by: record.lifted_by,
            impact: record.impact,
            accepted_at: record.accepted_at,
            containment: record.containment,
        })
    }
}

impl NodeProgress {
    /// When a node was last heard that has not confirmed; `None` for one that has.
    fn last_heard(&self) -> Option<Option<DateTime<Utc>>> {
        match &self.outcome {
            Progress::Confirmed { .. } => None,
            Progress::Refused { .. } => Some(None),
            Progress::Silent { last_heard_at } => Some(*last_heard_at),
        }
    }
}

fn progress(nodes: &[RegionNode], words: &[Word], accepted_at: DateTime<Utc>) -> Vec<NodeProgress> {
    let words: HashMap<NodeId, &Word> = words.iter().map(|word| (word.node, word)).collect();
    let of = |node: &RegionNode| {
        let said = words.get(&node.node).and_then(|word| {
            let heard_at = word.heard_at;
            match &word.said {
                Said::Confirmed { statement, .. } => {
                    let said = read(statement)?;
                    Some(Progress::Confirmed {
                        after_us: micros_between(accepted_at, heard_at),
                        applied_at: said.applied_at,
                        probe: said.probe,
                    })
                }
                Said::Refused { reason } => Some(Progress::Refused {
                    reason: reason.clone(),
                }),
            }
        });
        NodeProgress {
            node: node.node,
            name: node.name.clone(),
            connected: node.connected,
            outcome: said.unwrap_or(Progress::Silent {
                last_heard_at: node.heard_at,
            }),
        }
    };
    nodes.iter().map(of).collect()
}

/// What a statement says that was verified when it was heard.
fn read(statement: &str) -> Option<Confirmation> {
    let payload = B64.decode(statement.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Microseconds from one moment to another; none if the second one is earlier, as clocks of two replicas may say.
pub(super) fn micros_between(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    let between = (to - from).num_microseconds().unwrap_or(0);
    u64::try_from(between).unwrap_or(0)
}

/// Until when something may still be accepted somewhere of what is contained. `silent` has, for each node that did
/// not confirm, when it was last heard.
pub(super) fn residual(
    containment: &Containment,
    accepted_at: DateTime<Utc>,
    tokens: &TokenPolicy,
    silent: &[Option<DateTime<Utc>>],
) -> Residual {
    // An extension changes nothing about the tokens that were issued before it began.
    let since = match containment.revision {
        1 => accepted_at,
        _ => containment.begun_at,
    };
    let seconds = |number: u32| TimeDelta::seconds(i64::from(number));
    let lease = tokens.refuse_unheard_after_seconds;
    // Whoever was never heard was at any rate not heard after this.
    let last = silent.iter().map(|heard| heard.unwrap_or(accepted_at));
    let silent_until = last.max().map(|last| last + seconds(lease));
    Residual {
        tokens_until: Some(since + seconds(tokens.access_token_seconds)),
        silent_until: silent_until.filter(|_| lease > 0),
        ..nothing_left(silent)
    }
}

/// The same once nothing is contained any more: nothing is exposed that should not be.
pub(super) fn nothing_left(silent: &[Option<DateTime<Utc>>]) -> Residual {
    Residual {
        tokens_until: None,
        silent_until: None,
        silent: u32::try_from(silent.len()).unwrap_or(u32::MAX),
    }
}

/// How tokens of a tenant live.
pub(super) async fn token_policy(tx: &Tx, tenant: TenantId) -> Result<TokenPolicy, Refusal> {
    let found = tx.find_published_policy(tenant, PolicyKind::Token).await?;
    Ok(match found.map(|published| published.document) {
        Some(Policy::Token(policy)) => policy,
        _ => TokenPolicy::default(),
    })
}

/// The name of the application that is contained.
pub(super) async fn subject_name(
    tx: &Tx,
    tenant: TenantId,
    subject: &Subject,
) -> Result<Option<String>, Refusal> {
    let Subject::Application { application } = subject else {
        return Ok(None);
    };
    let found = tx.find::<ApplicationRecord>(tenant, *application).await?;
    Ok(found.map(|record| record.application.name))
}

/// Whether a probe says that the door lets through what should be refused.
pub(crate) fn lets_through(probe: &Probe) -> bool {
    matches!(probe, Probe::LetThrough { .. })
}

#[cfg(test)]
mod tests {
    use contract::ids::TypedId;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn what_is_still_exposed_r_rev_01() {
        let containment = |revision| Containment {
            id: ContainmentId::from_uuid(Uuid::from_u128(1)),
            revision,
            sequence: 1,
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            region: "eu".parse().unwrap(),
            subject: Subject::Tenant {},
            ends_existing: true,
            begun_at: at(100),
            until: at(9999),
            lifted_at: None,
        };
        let tokens = |refuse_unheard_after_seconds| TokenPolicy {
            access_token_seconds: 60,
            refuse_unheard_after_seconds,
            ..TokenPolicy::default()
        };
        let heard = [Some(at(95)), Some(at(190))];
        let of = |revision, lease, silent: &[_]| {
            let left = residual(&containment(revision), at(101), &tokens(lease), silent);
            (left.tokens_until, left.silent_until, left.silent)
        };
        assert_eq!(of(1, 30, &[]), (Some(at(161)), None, 0));
        assert_eq!(of(2, 30, &[]), (Some(at(160)), None, 0));
        assert_eq!(of(1, 0, &heard), (Some(at(161)), None, 2));
        assert_eq!(of(1, 30, &heard), (Some(at(161)), Some(at(220)), 2));
        assert_eq!(of(1, 30, &[None]), (Some(at(161)), Some(at(131)), 1));
        let nothing = nothing_left(&heard);
        assert_eq!((nothing.tokens_until, nothing.silent_until), (None, None));
    }

    #[test]
    fn clocks_of_two_replicas_make_no_negative_times() {
        assert_eq!(micros_between(at(1), at(3)), 2_000_000);
        assert_eq!(micros_between(at(3), at(1)), 0);
    }
}
