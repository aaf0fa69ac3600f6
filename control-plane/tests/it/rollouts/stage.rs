//! What rollouts are tried on: a tenant whose first version both rings have, and a node in each.

use std::time::Duration;

use chrono::TimeDelta;
use contract::{
    frames::Outcome,
    ids::{NodeId, TenantId},
    role::Role,
    section::ContentHash,
};
use control_plane::{
    Caller, Mode, PageRequest, Refusal,
    audit::Outcome as Audited,
    nodes::{NodeAt, Ring},
    rollouts::{RolloutAt, RolloutFilter, RolloutState, RolloutStep},
    tenants::Tenant,
};

use crate::harness::{FakeNode, World};

pub const BASE: &str = "http://127.0.0.1:7100";
/// Longest wait for something that is on its way.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const CANARY: u128 = 1;
pub const WIDE: u128 = 2;

/// A control plane with a tenant whose first version both rings have.
pub struct Stage {
    pub world: World,
    pub acme: Tenant,
    pub owner: Caller,
    pub operator: Caller,
}

impl Stage {
    pub async fn new() -> Self {
        let world = World::new().await;
        let acme = world.tenant("acme").await;
        let owner = world.member(&acme, Role::TenantOwner).await;
        let operator = world.staff(Role::PlatformOperator).await;
        Self {
            world,
            acme,
            owner,
            operator,
        }
    }

    /// The canary node, in its ring, with version 1 of everything.
    pub async fn canary(&self) -> FakeNode {
        make_canary(&self.world, CANARY).await;
        self.with_first(CANARY).await
    }

    /// The node of the wide ring, with version 1 of everything.
    pub async fn wide(&self) -> FakeNode {
        self.with_first(WIDE).await
    }

    /// A node that has applied version 1 of both tenants, and says nothing more by itself.
    pub async fn with_first(&self, number: u128) -> FakeNode {
        let mut node = FakeNode::greet(&self.world.cp, number, Vec::new()).await;
        for _ in 0..2 {
            let (tenant, version, _) = node.hear_release().await;
            node.ack(tenant, version, Outcome::Applied).await;
        }
        self.applied(node.id, 1).await;
        node
    }

    /// Publishes another shortest password; the version that came of it.
    pub async fn publish(&self, min_length: u32) -> u64 {
        self.world
            .publish_min_length(&self.owner, self.acme.id, min_length, Mode::Commit)
            .await
            .unwrap();
        self.world.released(self.acme.id).await
    }

    /// Waits until a node is known to serve a version of the tenant.
    pub async fn applied(&self, node: NodeId, version: u64) {
        let has = async || {
            let reach = self
                .world
                .cp
                .effectiveness(&self.owner, self.acme.id)
                .await
                .unwrap();
            let serving = reach.serving.into_iter().find(|one| one.node == node);
            serving.is_some_and(|serving| serving.applied == version)
        };
        until(has).await;
    }

    /// The newest rollout.
    pub async fn rollout(&self) -> RolloutState {
        let filter = RolloutFilter::default();
        let page = PageRequest::default();
        let found = self
            .world
            .cp
            .list_rollouts(&self.operator, filter, &page)
            .await;
        found.unwrap().items.remove(0)
    }

    pub async fn decide(&self, step: RolloutStep, reason: &str) -> Result<RolloutState, Refusal> {
        let at = RolloutAt {
            id: self.rollout().await.rollout.id,
            expected: None,
        };
        let decision = (step, reason.to_owned());
        self.world
            .cp
            .decide_rollout(&self.operator, at, decision, Mode::Commit)
            .await
    }

    /// The bake is over.
    pub async fn bake(&self) {
        self.world.clock.advance(TimeDelta::seconds(31));
        self.world.cp.do_jobs().await.unwrap();
    }

    /// The names of sections of a version.
    pub async fn sections(&self, version: u64) -> Vec<ContentHash> {
        let release = self
            .world
            .cp
            .get_release(&self.owner, self.acme.id, version)
            .await;
        release.unwrap().manifest.sections.into_values().collect()
    }

    /// How often a log tells an action that was done.
    pub async fn told(&self, tenant: TenantId, action: &str) -> usize {
        let events = self.world.audit(tenant).await;
        events
            .iter()
            .filter(|record| record.event.action == action)
            .filter(|record| record.event.outcome == Audited::Done)
            .count()
    }
}

/// Makes node number `number` one of the canary ring; it is not connected afterwards.
pub async fn make_canary(world: &World, number: u128) {
    let mut node = FakeNode::greet(&world.cp, number, Vec::new()).await;
    node.hear_release().await;
    let at = NodeAt {
        id: node.id,
        expected: None,
    };
    let system = world.cp.system_caller();
    let moved = world
        .cp
        .change_node_ring(&system, at, Ring::Canary, Mode::Commit);
    moved.await.unwrap();
    // Its session ends, so that the next one compares what the ring should hold.
    while node.hear().await.is_some() {}
}

pub async fn until(so: impl AsyncFn() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("it becomes so in time");
}
