//! Releases: deterministic, only as many as there are differences, and nothing in them that did not change.

use std::collections::BTreeSet;

use contract::{role::Role, section::SectionName};
use control_plane::{Mode, PageRequest};

use crate::harness::{World, code};

#[tokio::test]
async fn the_same_history_gives_the_same_bytes() {
    let mut signed = Vec::new();
    for _ in 0..2 {
        let world = World::seeded(42).await;
        let acme = world.tenant("acme").await;
        let owner = world.member(&acme, Role::TenantOwner).await;
        world
            .publish_min_length(&owner, acme.id, 20, Mode::Commit)
            .await
            .unwrap();
        signed.push(
            world
                .cp
                .get_release(&owner, acme.id, 2)
                .await
                .unwrap()
                .signed,
        );
    }
    assert_eq!(signed[0], signed[1]);
}

#[tokio::test]
async fn only_what_changed_is_new() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    let first = world
        .cp
        .get_release(&owner, acme.id, 1)
        .await
        .unwrap()
        .manifest;
    let second = world
        .cp
        .get_release(&owner, acme.id, 2)
        .await
        .unwrap()
        .manifest;
    let changed: BTreeSet<SectionName> = second
        .missing_from(Some(&first))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, [SectionName::Policies].into());
    // Back to the old content: a new version, made of sections that are there already.
    world
        .publish_min_length(&owner, acme.id, 15, Mode::Commit)
        .await
        .unwrap();
    let third = world
        .cp
        .get_release(&owner, acme.id, 3)
        .await
        .unwrap()
        .manifest;
    assert_eq!(third.sections, first.sections);
}

#[tokio::test]
async fn what_nodes_would_not_notice_is_no_release() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let page = PageRequest::default();
    let releases = world
        .cp
        .list_releases(&owner, acme.id, &page)
        .await
        .unwrap();
    assert_eq!(releases.items.len(), 1);
    assert_eq!(
        code(world.cp.get_release(&owner, acme.id, 2).await),
        "not found: release"
    );
    let effect = world.cp.effectiveness(&owner, acme.id).await.unwrap();
    assert_eq!((effect.version, effect.applied, effect.nodes), (1, 0, 0));
}
