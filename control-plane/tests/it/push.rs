//! Push, from the node's side: told at once, told only what is missing, and never told twice in vain.

use std::time::Duration;

use contract::{
    application::SigningAlgorithm,
    frames::{CommandOutcome, MAX_KEYS, Outcome, PublicKey, Up},
    ids::{CommandId, TenantId, TypedId},
    index::IndexEntry,
    jwk::{Curve, Octets, PublicJwk},
    role::Role,
    section::ContentHash,
};
use control_plane::{Mode, Refusal, tenants::NewTenant};

use crate::harness::{FakeNode, World, code, new_tenant, start};

const LIMIT: Duration = Duration::from_secs(5);

fn held(version: u64, manifest: ContentHash) -> IndexEntry {
    IndexEntry { version, manifest }
}

#[tokio::test]
async fn a_new_node_gets_everything_and_then_each_change() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    let (_, named) = node.hear_index().await;
    assert_eq!(named[&acme.id].version, 1);
    assert_eq!(named.len(), 2);
    let mut tenants = Vec::new();
    for _ in 0..2 {
        let (tenant, version, sections) = node.hear_release().await;
        assert_eq!((version, sections), (1, 3));
        node.ack(tenant, version, Outcome::Applied).await;
        tenants.push(tenant);
    }
    assert!(tenants.contains(&acme.id));
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(node.hear_release().await, (acme.id, 2, 1));
    let unconfirmed = world
        .cp
        .wait_applied(acme.id, 2, Duration::from_millis(50))
        .await;
    assert_eq!(code(unconfirmed), "unavailable");
    node.ack(acme.id, 2, Outcome::Applied).await;
    world.cp.wait_applied(acme.id, 2, LIMIT).await.unwrap();
    let effect = world.cp.effectiveness(&owner, acme.id).await.unwrap();
    assert_eq!((effect.applied, effect.nodes), (1, 1));
}

#[tokio::test]
async fn a_returning_node_gets_only_what_it_lacks() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let mut holds = Vec::new();
    for tenant in [acme.id, platform.id] {
        let release = world
            .cp
            .get_release(&world.cp.system_caller(), tenant, 1)
            .await
            .unwrap();
        let manifest = release.summary.manifest_hash;
        holds.push((tenant, held(1, manifest)));
    }
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    let mut node = FakeNode::greet(&world.cp, 1, holds.clone()).await;
    assert_eq!(node.hear_release().await, (acme.id, 2, 1));
    node.hears_nothing().await;
    node.leave().await;
    // A node that names a version we never signed is believed about nothing.
    holds[0].1.manifest = ContentHash::of(b"forged");
    let mut node = FakeNode::greet(&world.cp, 1, holds).await;
    assert_eq!(node.hear_release().await, (acme.id, 2, 3));
}

#[tokio::test]
async fn a_refused_release_is_recorded_and_not_repeated() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (owner, vendor) = (
        world.member(&acme, Role::TenantOwner).await,
        world.staff(Role::PlatformOperator).await,
    );
    let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    for _ in 0..2 {
        let (tenant, version, _) = node.hear_release().await;
        node.ack(tenant, version, Outcome::Applied).await;
    }
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    node.hear_release().await;
    let rejected = |reason: &str| Outcome::Rejected {
        reason: reason.into(),
    };
    node.ack(acme.id, 2, rejected("needs\0 newer\u{1b} software"))
        .await;
    node.hears_nothing().await;
    let state = world.cp.get_node(&vendor, node.id).await.unwrap();
    assert!(state.connected);
    let lag = &state.behind[0];
    assert_eq!((lag.released, lag.applied), (2, 1));
    assert_eq!(lag.rejected.as_deref(), Some("needs newer software"));
    // The next version does not rely on the refused one's content.
    world
        .publish_min_length(&owner, acme.id, 21, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(node.hear_release().await, (acme.id, 3, 3));
    // Missing content is sent once more in full, and then no more.
    node.ack(acme.id, 3, rejected("section policies is missing"))
        .await;
    assert_eq!(node.hear_release().await, (acme.id, 3, 3));
    node.ack(acme.id, 3, rejected("section policies is missing"))
        .await;
    node.hears_nothing().await;
}

fn public_key(kid: &str) -> PublicKey {
    PublicKey {
        kid: kid.to_owned(),
        alg: SigningAlgorithm::ES256,
        jwk: PublicJwk::Ec {
            crv: Curve::P256,
            x: Octets::encode(&[1; 32]).unwrap(),
            y: Octets::encode(&[2; 32]).unwrap(),
        },
        created_at: start(),
    }
}

#[tokio::test]
async fn a_report_of_keys_that_is_not_whole_changes_nothing() {
    let world = World::new().await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let report = |keys: Vec<PublicKey>| Up::Keys {
        tenant: platform.id,
        keys,
    };
    let known = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    known.say(&report(vec![public_key("k1")])).await;
    while world.cp.platform_keys().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let many = (0..=MAX_KEYS).map(|number| public_key(&format!("k{number}")));
    let mut private = serde_json::to_value(report(vec![public_key("k2")])).unwrap();
    private["keys"][0]["jwk"]["d"] = "AQAB".into();
    for bad in [
        serde_json::to_value(report(Vec::new())).unwrap(),
        serde_json::to_value(report(vec![public_key("k2"), public_key("k2")])).unwrap(),
        serde_json::to_value(report(many.collect())).unwrap(),
        private,
    ] {
        let mut node = FakeNode::greet(&world.cp, 2, Vec::new()).await;
        node.say_raw(bad.to_string()).await;
        while node.hear().await.is_some() {}
        let kept = world.cp.platform_keys().await.unwrap();
        assert_eq!(kept, [public_key("k1")], "{bad}");
    }
}

#[tokio::test]
async fn keys_of_the_platform_become_known() {
    let world = World::new().await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    assert!(world.cp.platform_keys().await.unwrap().is_empty());
    let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    let (tenant, version, _) = node.hear_release().await;
    let key = public_key("k1");
    node.say(&Up::Keys {
        tenant: platform.id,
        keys: vec![key.clone()],
    })
    .await;
    node.ack(tenant, version, Outcome::Applied).await;
    world.cp.wait_applied(platform.id, 1, LIMIT).await.unwrap();
    assert_eq!(world.cp.platform_keys().await.unwrap(), [key]);
}

#[tokio::test]
async fn who_does_not_speak_as_agreed_is_hung_up_on() {
    let world = World::new().await;
    let mut link = world.cp.attach_node();
    link.from_node.send("{}".into()).await.unwrap();
    assert!(link.to_node.recv().await.is_none());
    let mut link = world.cp.attach_node();
    let hello = Up::Hello {
        node: contract::ids::TypedId::from_uuid(uuid::Uuid::from_u128(4)),
        region: "moon".parse().unwrap(),
        version: "0.1.0".into(),
        buckets: Default::default(),
    };
    link.from_node
        .send(serde_json::to_string(&hello).unwrap().into())
        .await
        .unwrap();
    assert!(link.to_node.recv().await.is_none());
}

#[tokio::test]
async fn a_node_that_left_is_shown_as_gone() {
    let world = World::new().await;
    let vendor = world.staff(Role::SupportEngineer).await;
    let node = world.node().await;
    let id = node.id;
    assert!(world.cp.get_node(&vendor, id).await.unwrap().connected);
    node.leave().await;
    let gone = async {
        while world.cp.get_node(&vendor, id).await.unwrap().connected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let late = world
        .cp
        .wait_applied(platform.id, 1, Duration::from_millis(20))
        .await;
    assert!(matches!(late, Err(Refusal::Unavailable { .. })));
}

#[tokio::test]
async fn a_node_is_believed_only_about_its_region_and_about_what_was_released() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let far = world
        .cp
        .create_tenant(
            &world.cp.system_caller(),
            NewTenant {
                region: "elsewhere".parse().unwrap(),
                ..new_tenant("far")
            },
            Mode::Commit,
        )
        .await
        .unwrap()
        .tenant;
    let stranger: TenantId = TypedId::from_uuid(uuid::Uuid::from_u128(77));
    let release = world
        .cp
        .get_release(&world.cp.system_caller(), far.id, 1)
        .await
        .unwrap();
    let manifest = release.summary.manifest_hash;
    let held = |tenant, version| (tenant, held(version, manifest.clone()));
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let said = vec![
        held(far.id, 1),
        held(acme.id, u64::MAX),
        held(platform.id, 1),
        held(stranger, 1),
    ];
    let mut node = FakeNode::greet(&world.cp, 1, said).await;
    // What is not believed counts as not held: both tenants of the region come whole.
    for _ in 0..2 {
        let (tenant, version, sections) = node.hear_release().await;
        assert_eq!((version, sections), (1, 3));
        assert_ne!(tenant, far.id);
    }
    for (tenant, version) in [
        (acme.id, 0),
        (acme.id, 2),
        (acme.id, u64::MAX),
        (far.id, 1),
        (stranger, 1),
    ] {
        node.ack(tenant, version, Outcome::Applied).await;
        let reason = "made up".to_owned();
        node.ack(tenant, version, Outcome::Rejected { reason })
            .await;
    }
    // Frames are heard in their order: once this one counts, those above were heard.
    node.ack(platform.id, 1, Outcome::Applied).await;
    world.cp.wait_applied(platform.id, 1, LIMIT).await.unwrap();
    let system = world.cp.system_caller();
    let here = world.cp.effectiveness(&system, acme.id).await.unwrap();
    assert_eq!((here.applied, here.rejected.len()), (0, 0));
    let there = world.cp.effectiveness(&system, far.id).await.unwrap();
    assert_eq!((there.applied, there.nodes), (0, 0));
    // The session goes on, and the truth is still heard.
    node.ack(acme.id, 1, Outcome::Applied).await;
    world.cp.wait_applied(acme.id, 1, LIMIT).await.unwrap();
}

#[tokio::test]
async fn an_answer_to_no_command_of_ours_changes_nothing() {
    let world = World::new().await;
    let outcome = CommandOutcome::Done;
    let id: CommandId = TypedId::from_uuid(uuid::Uuid::from_u128(5));
    let mut node = FakeNode::greet(&world.cp, 1, Vec::new()).await;
    node.say(&Up::CommandResult { id, outcome }).await;
    let (tenant, version, _) = node.hear_release().await;
    node.ack(tenant, version, Outcome::Applied).await;
    world.cp.wait_applied(tenant, version, LIMIT).await.unwrap();
}
