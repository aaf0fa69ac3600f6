//! States compared by buckets: a node that comes back costs what changed since it left.

use std::{collections::BTreeSet, time::Duration};

use contract::{
    frames::{Down, MAX_GREETING_BYTES, Outcome, Up},
    ids::{TenantId, TypedId},
    index::{Bucket, Entries, IndexEntry},
    role::Role,
};
use control_plane::{Mode, tenants::Tenant};
use uuid::Uuid;

use crate::harness::{FakeNode, World};

const LIMIT: Duration = Duration::from_secs(5);
const BASE: &str = "http://127.0.0.1:7100";

/// What a region's nodes should hold, as a new node hears it.
async fn region(world: &World) -> Entries {
    let mut node = FakeNode::greet(&world.cp, 99, Vec::new()).await;
    let (_, named) = node.hear_index().await;
    node.leave().await;
    named
}

/// A node that applied everything there is.
async fn complete(world: &World, number: u128) -> FakeNode {
    let mut node = FakeNode::greet(&world.cp, number, Vec::new()).await;
    let (_, named) = node.hear_index().await;
    for _ in 0..named.len() {
        let (tenant, version, _) = node.hear_release().await;
        node.ack(tenant, version, Outcome::Applied).await;
    }
    for (tenant, entry) in &named {
        let applied = world.cp.wait_applied(*tenant, entry.version, LIMIT);
        applied.await.unwrap();
    }
    node
}

async fn come_back(world: &World, node: FakeNode, number: u128) -> FakeNode {
    let holds: Vec<_> = node.holds.clone().into_iter().collect();
    node.leave().await;
    FakeNode::greet(&world.cp, number, holds).await
}

async fn publish(world: &World, tenant: &Tenant, min_length: u32) {
    let owner = world.member(tenant, Role::TenantOwner).await;
    let published = world.publish_min_length(&owner, tenant.id, min_length, Mode::Commit);
    published.await.unwrap();
}

/// Rows of other tenants, with the releases that their nodes hold: enough for comparing.
async fn crowd(world: &World, model: &Tenant, many: u128) {
    let mut sql = String::new();
    for number in 1..=many {
        let id = TenantId::from_uuid(Uuid::from_u128((number << 64) + number));
        sql.push_str(&format!(
            "INSERT INTO tenants (id, slug, name, environment, region, search, status, version, \
             matrix_version, release_version, manifest_hash, created_at) \
             SELECT '{id}', 'crowd-{number}', name, environment, region, search, status, version, \
             matrix_version, release_version, manifest_hash, created_at FROM tenants \
             WHERE id = '{}';",
            model.id
        ));
    }
    world.tamper(&sql).await;
}

#[tokio::test]
async fn equal_names_ask_for_nothing_send_nothing_and_write_nothing() {
    let world = World::new().await;
    for slug in ["one", "two", "three"] {
        world.tenant(slug).await;
    }
    let node = complete(&world, 1).await;
    let written = "SELECT * FROM node_holdings ORDER BY tenant_id";
    let before = world.rows(written).await;
    assert_eq!(before.len(), 4);
    world.clock.advance(chrono::TimeDelta::minutes(1));
    let mut node = come_back(&world, node, 1).await;
    let Some(Down::Index { .. }) = node.hear().await else {
        panic!("only the index, which it keeps");
    };
    // Nobody reported keys: that is asked for in one frame.
    let Some(Down::AskKeys { tenants }) = node.hear().await else {
        panic!("keys are not known");
    };
    assert_eq!(tenants.len(), 4);
    node.hears_nothing().await;
    assert!(node.asked.is_empty());
    assert_eq!(world.rows(written).await, before);
}

#[tokio::test]
async fn what_is_remembered_otherwise_is_put_right_by_equal_names() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let node = complete(&world, 1).await;
    let harm =
        "UPDATE node_holdings SET applied_version = 0, rejected_version = 1, reason = 'made up'";
    world.tamper(harm).await;
    let node = come_back(&world, node, 1).await;
    world.cp.wait_applied(acme.id, 1, LIMIT).await.unwrap();
    let system = world.cp.system_caller();
    let effect = world.cp.effectiveness(&system, acme.id).await.unwrap();
    assert_eq!((effect.applied, effect.rejected.len()), (1, 0));
    // A node that lost everything is remembered to hold nothing before it is connected.
    node.leave().await;
    let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    node.hear_index().await;
    let effect = world.cp.effectiveness(&system, acme.id).await.unwrap();
    assert_eq!((effect.applied, effect.nodes), (0, 1));
}

#[tokio::test]
async fn one_change_among_two_thousand_tenants_costs_one_bucket() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    crowd(&world, &acme, 1_998).await;
    let all = region(&world).await;
    assert_eq!(all.len(), 2_000);
    let signed = world.cp.signed_indexes();
    publish(&world, &acme, 20).await;

    let holds = all.clone().into_iter().collect();
    let mut node = FakeNode::greet(&world.cp, 1, holds).await;
    let (index, named) = node.hear_index().await;
    assert_eq!(index.buckets.len(), Bucket::COUNT);
    let of_bucket = named.keys().map(|tenant| Bucket::of(*tenant));
    assert_eq!(
        of_bucket.collect::<BTreeSet<_>>(),
        [Bucket::of(acme.id)].into()
    );
    assert_eq!(named[&acme.id].version, 2);
    assert_eq!(node.hear_release().await, (acme.id, 2, 1));
    assert_eq!(node.asked, [Bucket::of(acme.id)]);
    node.hears_nothing().await;
    // The index (25 KiB), the names of 2,000 tenants whose keys are not known (two frames of 32 KiB), one bucket
    // of eight tenants and one section: nowhere near 2,000 times anything else.
    assert!(node.bytes < 110_000, "{}", node.bytes);
    assert_eq!(world.cp.signed_indexes(), signed + 1);

    // While it is connected, a change is one section and a manifest.
    node.ack(acme.id, 2, Outcome::Applied).await;
    node.bytes = 0;
    publish(&world, &acme, 21).await;
    assert_eq!(node.hear_release().await, (acme.id, 3, 1));
    node.hears_nothing().await;
    assert!(node.bytes < 4_000, "{}", node.bytes);
    assert_eq!(world.cp.signed_indexes(), signed + 1, "nobody needed one");
}

#[tokio::test]
async fn a_state_is_signed_once_however_many_nodes_come() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut indexes = BTreeSet::new();
    for number in 1..=50 {
        let mut node = FakeNode::greet(&world.cp, number, Vec::new()).await;
        let (index, _) = node.hear_index().await;
        indexes.insert(format!("{index:?}"));
    }
    assert_eq!((world.cp.signed_indexes(), indexes.len()), (1, 1));
    publish(&world, &acme, 20).await;
    publish(&world, &acme, 21).await;
    let mut node = FakeNode::greet(&world.cp, 51, Vec::new()).await;
    let (index, named) = node.hear_index().await;
    assert_eq!((world.cp.signed_indexes(), named[&acme.id].version), (2, 3));
    // Another replica states the same in the same words.
    let other = world.reopened(BASE).await;
    let mut there = FakeNode::greet(&other, 52, Vec::new()).await;
    assert_eq!(there.hear_index().await.0, index);
}

/// An entry of a tenant that nobody knows.
fn unknown(number: u128) -> (TenantId, IndexEntry) {
    let entry = IndexEntry {
        version: 1,
        manifest: contract::section::ContentHash::of(b"unknown"),
    };
    (TenantId::from_uuid(Uuid::from_u128(number)), entry)
}

#[tokio::test]
async fn a_word_that_was_not_asked_for_or_is_too_long_ends_the_session() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (tenant, entry) = unknown(7);
    let holds = |bucket: Bucket| Up::Holds {
        bucket,
        holds: [(tenant, entry.clone())].into(),
    };
    // About nothing that was asked, and about another bucket than it says.
    for said in [holds(Bucket::of(tenant)), holds(Bucket::of(unknown(8).0))] {
        let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
        node.say(&said).await;
        while node.hear().await.is_some() {}
    }
    // What was asked is answered once.
    let all = region(&world).await;
    let (known, mut held) = all.into_iter().next().unwrap();
    held.manifest = entry.manifest.clone();
    let mut node = FakeNode::greet(&world.cp, 1, vec![(known, held)]).await;
    node.hear_release().await;
    assert_eq!(node.asked, [Bucket::of(known)]);
    let bucket = Bucket::of(known);
    let holds = Entries::new();
    node.say(&Up::Holds { bucket, holds }).await;
    while node.hear().await.is_some() {}

    let mut link = world.cp.attach_node();
    let hello = Up::Hello {
        node: TypedId::from_uuid(Uuid::from_u128(4)),
        region: "local".parse().unwrap(),
        version: "v".repeat(MAX_GREETING_BYTES),
        buckets: Default::default(),
    };
    let hello = serde_json::to_string(&hello).unwrap();
    link.from_node.send(hello.into()).await.unwrap();
    assert!(link.to_node.recv().await.is_none());
}

#[tokio::test]
async fn what_is_not_of_the_region_any_more_is_not_named() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let node = complete(&world, 1).await;
    world
        .tamper("UPDATE tenants SET region = 'elsewhere' WHERE slug = 'acme'")
        .await;
    let other = world.reopened(BASE).await;
    let holds = node.holds.clone().into_iter().collect();
    let mut there = FakeNode::greet(&other, 1, holds).await;
    let (index, _) = there.hear_index().await;
    assert!(!index.buckets.contains_key(&Bucket::of(acme.id)));
    assert!(
        there.asked.is_empty(),
        "what it holds there concerns nobody"
    );
}

#[tokio::test]
async fn a_replica_that_missed_too_much_reads_the_whole_and_its_sessions_compare_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    // Nobody follows the outbox here, and then it is forgotten.
    let other = world.reopened(BASE).await;
    let mut there = FakeNode::greet(&other, 1, Vec::new()).await;
    for _ in 0..2 {
        let (tenant, version, _) = there.hear_release().await;
        there.ack(tenant, version, Outcome::Applied).await;
    }
    for length in [20, 21] {
        world
            .publish_min_length(&owner, acme.id, length, Mode::Commit)
            .await
            .unwrap();
        if length == 20 {
            world.tamper("DELETE FROM outbox").await;
        }
    }
    there.hears_nothing().await;
    // Whoever comes makes the replica look.
    let mut late = FakeNode::greet(&other, 2, Vec::new()).await;
    assert_eq!(late.hear_index().await.1[&acme.id].version, 3);
    assert_eq!(there.hear_release().await, (acme.id, 3, 1));
    assert_eq!(there.asked, [Bucket::of(acme.id)]);
    assert_eq!(other.signed_indexes(), 2);
    there.hears_nothing().await;
}
