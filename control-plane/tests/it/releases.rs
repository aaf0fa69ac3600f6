//! Releases: deterministic, only as many as there are differences, and nothing in them that did not change.

use std::collections::BTreeSet;

use contract::{api::ApiScope, role::Role, section::SectionName};
use control_plane::{Mode, PageRequest, Refusal, apis::NewApi};

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
    let manifest = async |version| {
        let release = world.cp.get_release(&owner, acme.id, version).await;
        release.unwrap().manifest
    };
    let (first, second) = (manifest(1).await, manifest(2).await);
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
    let third = manifest(3).await;
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

#[tokio::test]
async fn what_would_not_fit_into_a_section_is_refused_where_it_was_asked_for() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    // As wide as an API may be: a hundred scopes, each explained in a hundred characters of four bytes.
    let wide = |number: usize| NewApi {
        name: format!("Api {number}"),
        audience: format!("https://api-{number}.example").parse().unwrap(),
        scopes: (0..100)
            .map(|scope| ApiScope {
                scope: format!("scope:{scope}").parse().unwrap(),
                description: "𝄞".repeat(100),
            })
            .collect(),
    };
    let mut made = 0;
    let refused = loop {
        match world
            .cp
            .create_api(&owner, acme.id, wide(made), Mode::Commit)
            .await
        {
            Ok(_) => made += 1,
            Err(refusal) => break refusal,
        }
    };
    let Refusal::Conflict { code, detail } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(code, "release_too_large");
    assert!(detail.contains("all APIs with their scopes"), "{detail}");
    assert!((20..40).contains(&made), "{made}");
    // Nothing of the refused change stayed, and the last version is one that nodes take.
    assert_eq!(world.released(acme.id).await, 1 + made as u64);
    let page = PageRequest::parse(Some(100), None).unwrap();
    let apis = world.cp.list_apis(&owner, acme.id, None, &page).await;
    assert_eq!(apis.unwrap().items.len(), made);
}
