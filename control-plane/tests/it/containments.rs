//! Containing something: who may, what nodes are told, what they confirm, what the receipt says.

mod confirming;
mod lanes;
mod receipts;
mod replicas;
mod rules;

use contract::{
    containment::Subject,
    ids::{ContainmentId, TenantId, TypedId, UserId},
    lane::Probe,
};
use control_plane::{
    Caller, ContainmentState, ControlPlane, Mode, NewContainment, Progress, Refusal, Wait,
};

use crate::harness::{FakeLane, FakeNode, World};

/// Somebody of a tenant, by number.
pub fn user(number: u128) -> Subject {
    Subject::User {
        user: UserId::from_uuid(uuid::Uuid::from_u128(number)),
    }
}

/// An hour for whom or what.
pub fn hour(subject: Subject) -> NewContainment {
    NewContainment {
        subject,
        reason: "The account was taken over".to_owned(),
        minutes: 60,
        ends_existing: true,
    }
}

/// Contains it for an hour, by the product itself.
async fn contain(
    cp: &ControlPlane,
    tenant: TenantId,
    subject: Subject,
) -> Result<ContainmentState, Refusal> {
    let caller = cp.system_caller();
    let new = hour(subject);
    cp.contain(&caller, tenant, new, (Wait::No, Mode::Commit))
        .await
}

/// A node of this process, with both of its connections; it has heard the first roll.
async fn node(cp: &ControlPlane, number: u128) -> (FakeNode, FakeLane) {
    let mut node = FakeNode::greet(cp, number, Vec::new()).await;
    node.hear_release().await;
    let mut lane = FakeLane::open(cp, number).await;
    lane.hear_roll().await;
    (node, lane)
}

/// The state once it is as it should be; looked at again whenever something was recorded.
async fn until(
    cp: &ControlPlane,
    caller: &Caller,
    (tenant, id): (TenantId, ContainmentId),
    is_so: impl Fn(&ContainmentState) -> bool,
) -> ContainmentState {
    let mut changes = cp.containment_changes();
    let looking = async {
        loop {
            changes.mark_unchanged();
            let state = cp.get_containment(caller, tenant, id).await.unwrap();
            if is_so(&state) {
                return state;
            }
            changes.changed().await.unwrap();
        }
    };
    let limit = std::time::Duration::from_secs(10);
    let found = tokio::time::timeout(limit, looking).await;
    found.expect("it becomes so within the time")
}

fn confirmed(state: &ContainmentState) -> usize {
    let nodes = state.nodes.iter();
    nodes
        .filter(|node| matches!(node.outcome, Progress::Confirmed { .. }))
        .count()
}

fn refused(probe: &Probe) -> bool {
    matches!(probe, Probe::Refused { .. })
}

/// What is kept of containments, as rows.
async fn kept(world: &World) -> Vec<String> {
    let mut rows = Vec::new();
    for sql in [
        "SELECT id FROM containments",
        "SELECT region, sequence FROM containment_feeds",
        "SELECT subject FROM outbox",
        "SELECT seq FROM audit_events",
    ] {
        rows.push(format!("{:?}", world.rows(sql).await));
    }
    rows
}
