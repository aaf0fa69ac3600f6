//! Policies: what was looked at is what becomes true.

use contract::{
    policies::{PasswordPolicy, Policy, PolicyKind},
    role::Role,
};
use control_plane::{At, Mode, PageRequest, policies::PublishRequest};

use crate::harness::{World, code};

fn password(min_length: u32) -> Policy {
    Policy::Password(PasswordPolicy {
        min_length,
        ..PasswordPolicy::default()
    })
}

#[tokio::test]
async fn draft_compare_publish() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let at = At {
        tenant: acme.id,
        expected: Some(0),
    };
    let draft = world
        .cp
        .save_policy_draft(&admin, at, password(20), Mode::Commit)
        .await
        .unwrap();
    assert_eq!((draft.version, draft.base_version), (1, 1));
    let blind = world
        .cp
        .save_policy_draft(&admin, at, password(21), Mode::Commit)
        .await;
    assert_eq!(code(blind), "stale: 1");
    let diff = world
        .cp
        .diff_policy(&admin, acme.id, PolicyKind::Password)
        .await
        .unwrap();
    assert_eq!(
        diff.differences[0].words,
        "Shortest password: from 15 to 20 characters."
    );
    let request = PublishRequest {
        kind: PolicyKind::Password,
        draft_version: 1,
        base_version: 1,
    };
    let published = world
        .cp
        .publish_policy(&admin, acme.id, request, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(published.version, 2);
    assert_eq!(world.released(acme.id).await, 2);
    let gone = world
        .cp
        .publish_policy(&admin, acme.id, request, Mode::Commit)
        .await;
    assert_eq!(code(gone), "not found: draft");
    let page = PageRequest::default();
    let versions = world
        .cp
        .list_policy_versions(&admin, acme.id, PolicyKind::Password, &page)
        .await
        .unwrap();
    assert_eq!(
        versions
            .items
            .iter()
            .map(|one| one.version)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    let told = &world.audit(acme.id).await[0].event;
    assert_eq!(told.action, "policies.publish");
    assert_eq!(told.after.as_ref().unwrap()["min_length"], 20);
}

#[tokio::test]
async fn a_publication_is_bound_to_what_was_looked_at_r_adm_07() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let save = async |min_length| {
        let draft = password(min_length);
        let saved = world.cp.save_policy_draft(&owner, at, draft, Mode::Commit);
        saved.await.unwrap();
    };
    let publish = async |draft_version, base_version| {
        let request = PublishRequest {
            kind: PolicyKind::Password,
            draft_version,
            base_version,
        };
        let published = world
            .cp
            .publish_policy(&owner, acme.id, request, Mode::Commit);
        code(published.await)
    };
    save(20).await;
    save(64).await;
    assert_eq!(publish(1, 1).await, "stale: 2");
    assert_eq!(publish(2, 7).await, "base_moved");
    assert_eq!(publish(2, 1).await, "done");
    save(64).await;
    // A draft's version is never used again: who looked at the first draft cannot publish a later one.
    assert_eq!(publish(1, 2).await, "stale: 3");
    assert_eq!(publish(3, 2).await, "nothing_to_publish");
    world
        .cp
        .discard_policy_draft(&owner, at, PolicyKind::Password, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(
        code(
            world
                .cp
                .diff_policy(&owner, acme.id, PolicyKind::Password)
                .await
        ),
        "not found: draft"
    );
    assert_eq!(world.released(acme.id).await, 2);
}

#[tokio::test]
async fn floors_and_roles_hold() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let low = world
        .cp
        .save_policy_draft(&owner, at, password(14), Mode::Commit)
        .await;
    assert_eq!(code(low), "invalid: min_length");
    let developer = world.member(&acme, Role::ApplicationDeveloper).await;
    let denied = world
        .cp
        .save_policy_draft(&developer, at, password(20), Mode::Commit)
        .await;
    assert_eq!(code(denied), "missing_permission");
    let kind = world.cp.get_policy(&owner, acme.id, PolicyKind::Mfa).await;
    assert_eq!(code(kind), "not found: policy");
}
