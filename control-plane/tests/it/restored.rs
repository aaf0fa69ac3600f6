//! A database that was restored to an earlier state, under a fleet that went on (F-10).

use contract::{
    frames::{Down, Up},
    ids::TenantId,
    index::IndexEntry,
    manifest::Manifest,
    role::Role,
};
use control_plane::{ControlPlane, Mode, tenants::Tenant};

use crate::harness::{FakeNode, World, code};

/// A tenant at version 3, and the manifest of it; then the database knows version 1 only.
async fn restored(world: &World) -> (Tenant, String, ControlPlane) {
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    for length in [20, 21] {
        let published = world.publish_min_length(&owner, acme.id, length, Mode::Commit);
        published.await.unwrap();
    }
    let system = world.cp.system_caller();
    let at = async |version| {
        world
            .cp
            .get_release(&system, acme.id, version)
            .await
            .unwrap()
    };
    let (first, third) = (at(1).await, at(3).await);
    let hash = first.summary.manifest_hash;
    let id = acme.id;
    world
        .tamper(&format!(
            "DELETE FROM releases WHERE tenant_id = '{id}' AND version > 1"
        ))
        .await;
    let pointed = format!(
        "UPDATE tenants SET release_version = 1, manifest_hash = '{hash}' WHERE id = '{id}'"
    );
    world.tamper(&pointed).await;
    let cp = world.reopened("http://127.0.0.1:7100").await;
    (acme, third.signed, cp)
}

/// A node that holds the manifest and was asked to prove it.
async fn asked(cp: &ControlPlane, tenant: TenantId, jws: &str) -> FakeNode {
    let holds = IndexEntry {
        version: 3,
        manifest: Manifest::hash_of(jws),
    };
    let mut node = FakeNode::greet(cp, 1, vec![(tenant, holds)]).await;
    loop {
        match node.hear().await.expect("the control plane is there") {
            Down::AskManifests { tenants } => {
                assert_eq!(tenants, [tenant]);
                return node;
            }
            Down::Release { tenant: other, .. } => assert_ne!(other, tenant),
            _ => {}
        }
    }
}

async fn ahead(world: &World, cp: &ControlPlane, tenant: TenantId) -> Option<u64> {
    let system = world.cp.system_caller();
    cp.effectiveness(&system, tenant).await.unwrap().ahead
}

#[tokio::test]
async fn f_10_a_node_that_is_ahead_proves_it_and_a_person_has_the_line_go_on_above() {
    let world = World::new().await;
    let (acme, manifest, cp) = restored(&world).await;
    let operator = world.staff(Role::PlatformOperator).await;
    let node = asked(&cp, acme.id, &manifest).await;
    assert_eq!(
        ahead(&world, &cp, acme.id).await,
        None,
        "a word is no proof"
    );
    assert_eq!(
        code(cp.recover_releases(&operator, acme.id, Mode::Commit).await),
        "not_behind"
    );
    let tenant = acme.id;
    node.say(&Up::Manifest { tenant, manifest }).await;
    while ahead(&world, &cp, acme.id).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ahead(&world, &cp, acme.id).await, Some(3));
    let shown = cp.get_node(&operator, node.id).await.unwrap();
    assert_eq!((shown.ahead[0].released, shown.ahead[0].held), (1, 3));

    let tried = cp.recover_releases(&operator, acme.id, Mode::DryRun).await;
    assert_eq!(tried.unwrap().version, 4);
    assert_eq!(world.released(acme.id).await, 1, "tried only");
    let done = cp.recover_releases(&operator, acme.id, Mode::Commit).await;
    let done = done.unwrap();
    assert_eq!((done.known, done.held, done.version), (1, 3, 4));
    assert_eq!(ahead(&world, &cp, acme.id).await, None);
    let told = world.audit(acme.id).await;
    assert_eq!(told[0].event.action, "releases.recover");
    assert_eq!(
        code(cp.recover_releases(&operator, acme.id, Mode::Commit).await),
        "not_behind"
    );
    let owner = world.member(&acme, Role::TenantOwner).await;
    assert_eq!(
        code(cp.recover_releases(&owner, acme.id, Mode::Commit).await),
        "missing_permission"
    );
}

#[tokio::test]
async fn f_10_what_nobody_signed_raises_nothing() {
    let world = World::new().await;
    let (acme, manifest, cp) = restored(&world).await;
    let middle = manifest.len() / 2;
    let other = if manifest.as_bytes()[middle] == b'A' {
        'B'
    } else {
        'A'
    };
    let mut spoilt = manifest.clone();
    spoilt.replace_range(middle..=middle, &other.to_string());
    let mut node = asked(&cp, acme.id, &manifest).await;
    let tenant = acme.id;
    let manifest = spoilt;
    node.say(&Up::Manifest { tenant, manifest }).await;
    while node.hear().await.is_some() {}
    assert_eq!(ahead(&world, &cp, acme.id).await, None);
}
