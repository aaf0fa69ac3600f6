//! The audit log: unbroken, complete, and readable only by those who may.

use contract::role::{Party, Role};
use control_plane::{
    At, Mode, PageRequest,
    audit::{AuditFilter, Outcome},
    tenants::TenantChanges,
};

use crate::harness::{World, code};

#[tokio::test]
async fn the_chain_holds_until_someone_touches_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    for min_length in [20, 21, 22] {
        world
            .publish_min_length(&owner, acme.id, min_length, Mode::Commit)
            .await
            .unwrap();
    }
    let whole = world.cp.verify_audit(&owner, acme.id).await.unwrap();
    assert_eq!((whole.events, whole.broken_at), (8, None));
    world
        .tamper(&format!(
            "UPDATE audit_events SET document = replace(document, '21', '22') WHERE tenant_id = '{}' AND seq = 6",
            acme.id
        ))
        .await;
    let broken = world.cp.verify_audit(&owner, acme.id).await.unwrap();
    assert_eq!((broken.events, broken.broken_at), (5, Some(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_still_make_one_line() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let renames = (0..12).map(|number| {
        let (cp, owner) = (world.cp.clone(), owner.clone());
        let name = Some(format!("Acme {number}").parse().unwrap());
        let changes = TenantChanges { name, host: None };
        tokio::spawn(async move { cp.update_tenant(&owner, at, changes, Mode::Commit).await })
    });
    for renamed in futures::future::join_all(renames).await {
        renamed.unwrap().unwrap();
    }
    let whole = world.cp.verify_audit(&owner, acme.id).await.unwrap();
    assert_eq!((whole.events, whole.broken_at), (14, None));
    assert_eq!(world.released(acme.id).await, 13);
}

#[tokio::test]
async fn a_removed_event_is_noticed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    world
        .tamper(&format!(
            "DELETE FROM audit_events WHERE tenant_id = '{}' AND seq = 2",
            acme.id
        ))
        .await;
    let broken = world.cp.verify_audit(&owner, acme.id).await.unwrap();
    assert_eq!(broken.broken_at, Some(2));
}

#[tokio::test]
async fn logs_are_filtered_and_paged() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (owner, vendor) = (
        world.member(&acme, Role::TenantOwner).await,
        world.staff(Role::PlatformOperator).await,
    );
    world
        .publish_min_length(&owner, acme.id, 20, Mode::Commit)
        .await
        .unwrap();
    let _ = world
        .publish_min_length(&vendor, acme.id, 21, Mode::Commit)
        .await;
    let count = async |filter: AuditFilter| {
        let page = PageRequest::default();
        world
            .cp
            .list_audit_events(&owner, acme.id, &filter, &page)
            .await
            .unwrap()
            .items
            .len()
    };
    let any = AuditFilter::default;
    assert_eq!(count(any()).await, 5);
    assert_eq!(
        count(AuditFilter {
            actor: Some(owner.operator()),
            ..any()
        })
        .await,
        2
    );
    assert_eq!(
        count(AuditFilter {
            action: Some("policies.".into()),
            ..any()
        })
        .await,
        3,
        "two that were done and the refused one"
    );
    assert_eq!(
        count(AuditFilter {
            action: Some("policies.publish".into()),
            ..any()
        })
        .await,
        1
    );
    assert_eq!(
        count(AuditFilter {
            outcome: Some(Outcome::Refused),
            ..any()
        })
        .await,
        1
    );
    assert_eq!(
        count(AuditFilter {
            object: Some("password".into()),
            ..any()
        })
        .await,
        2
    );
    assert_eq!(
        count(AuditFilter {
            text: Some("PUBLISHED".into()),
            ..any()
        })
        .await,
        1
    );
    assert_eq!(
        count(AuditFilter {
            since: Some(crate::harness::start() + chrono::TimeDelta::seconds(1)),
            ..any()
        })
        .await,
        0
    );
    assert_eq!(
        count(AuditFilter {
            until: Some(crate::harness::start() + chrono::TimeDelta::seconds(1)),
            ..any()
        })
        .await,
        5
    );
    let three = PageRequest::parse(Some(3), None).unwrap();
    let page = world
        .cp
        .list_audit_events(&owner, acme.id, &any(), &three)
        .await
        .unwrap();
    assert_eq!(
        page.items
            .iter()
            .map(|one| one.event.seq)
            .collect::<Vec<_>>(),
        [5, 4, 3]
    );
    let cursor = page.next.unwrap().encode();
    let rest = PageRequest::parse(Some(3), Some(&cursor)).unwrap();
    let page = world
        .cp
        .list_audit_events(&owner, acme.id, &any(), &rest)
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.next), (2, None));
}

#[tokio::test]
async fn refused_looks_are_recorded_too() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let developer = world.member(&acme, Role::ApplicationDeveloper).await;
    let page = PageRequest::default();
    let peek = world
        .cp
        .list_audit_events(&developer, acme.id, &AuditFilter::default(), &page)
        .await;
    assert_eq!(code(peek), "missing_permission");
    let attempt = &world.audit(acme.id).await[0].event;
    assert_eq!(
        (attempt.action.as_str(), attempt.outcome),
        ("tenant.audit.view", Outcome::Refused)
    );
    assert_eq!(attempt.actor.party, Party::Customer);
    assert_eq!(attempt.request_id, "req_test");
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let support = world.staff(Role::SupportEngineer).await;
    let peek = world.cp.verify_audit(&support, platform.id).await;
    assert_eq!(code(peek), "missing_permission");
    let auditor = world.staff(Role::PlatformAuditor).await;
    assert!(
        world
            .cp
            .verify_audit(&auditor, platform.id)
            .await
            .unwrap()
            .broken_at
            .is_none()
    );
}
