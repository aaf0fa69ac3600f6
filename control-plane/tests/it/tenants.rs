//! Tenants: made complete, found only by their own people, changed without overwriting anyone.

use contract::{
    index::MAX_INDEX_TENANTS,
    permission::Permission,
    policies::PolicyKind,
    role::Role,
    tenant::{Slug, TenantStatus},
};
use control_plane::{
    At, Mode, PageRequest, Scope,
    operators::Invitation,
    tenants::{NewTenant, TenantChanges},
};

use crate::harness::{ACTIVE, World, code, invitee, new_tenant};

#[tokio::test]
async fn a_new_tenant_is_complete() {
    let world = World::new().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let created = world
        .cp
        .create_tenant(&vendor, new_tenant("acme"), Mode::Commit)
        .await
        .unwrap();
    let tenant = world
        .cp
        .get_tenant(&vendor, created.tenant.id)
        .await
        .unwrap();
    assert_eq!(world.cp.issuer(&tenant), "http://127.0.0.1:7100/t/acme");
    assert_eq!(tenant.release_version, 1);
    let policies = world.cp.list_policies(&vendor, tenant.id).await.unwrap();
    assert_eq!(policies.len(), 5);
    assert!(policies.iter().all(|policy| policy.published.version == 1));
    let log = world.audit(tenant.id).await;
    assert_eq!(log.last().unwrap().event.action, "tenants.create");
    assert_eq!(log.last().unwrap().event.seq, 1);
}

#[tokio::test]
async fn taken_and_illegal_names_are_refused() {
    let world = World::new().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    world.tenant("acme").await;
    let again = world
        .cp
        .create_tenant(&vendor, new_tenant("acme"), Mode::Commit)
        .await;
    assert_eq!(code(again), "slug_taken");
    assert!("Acme!".parse::<Slug>().is_err());
    let mut far = new_tenant("far");
    far.region = "moon".parse().unwrap();
    assert_eq!(
        code(world.cp.create_tenant(&vendor, far, Mode::Commit).await),
        "invalid: region"
    );
    let mut hosted = new_tenant("hosted");
    hosted.host = Some("login.acme.example".parse().unwrap());
    let first = world
        .cp
        .create_tenant(&vendor, hosted.clone(), Mode::Commit)
        .await
        .unwrap();
    assert_eq!(
        world.cp.issuer(&first.tenant),
        "http://login.acme.example:7100"
    );
    hosted.slug = "other".parse().unwrap();
    assert_eq!(
        code(world.cp.create_tenant(&vendor, hosted, Mode::Commit).await),
        "host_taken"
    );
}

#[tokio::test]
async fn a_region_takes_as_many_tenants_as_its_index_has_room_for() {
    let world = World::new().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let there = MAX_INDEX_TENANTS - 1;
    world
        .tamper(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {there}) \
             INSERT INTO tenants (id, slug, name, environment, region, search, status, version, \
             matrix_version, release_version, created_at) \
             SELECT 'ten_' || i, 's' || i, name, environment, 'elsewhere', search, status, version, \
             matrix_version, release_version, created_at FROM tenants, n WHERE slug = 'platform'"
        ))
        .await;
    let far = |slug: &str| NewTenant {
        region: "elsewhere".parse().unwrap(),
        ..new_tenant(slug)
    };
    let last = world.cp.create_tenant(&vendor, far("last"), Mode::Commit);
    last.await.unwrap();
    let full = world.cp.create_tenant(&vendor, far("more"), Mode::Commit);
    assert_eq!(code(full.await), "region_full");
    let near = new_tenant("near");
    let near = world.cp.create_tenant(&vendor, near, Mode::Commit);
    near.await.unwrap();
}

#[tokio::test]
async fn a_dry_run_answers_and_leaves_nothing() {
    let world = World::new().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let before = world.audit(platform.id).await.len();
    let tried = world
        .cp
        .create_tenant(&vendor, new_tenant("acme"), Mode::DryRun)
        .await
        .unwrap();
    assert_eq!(tried.tenant.slug.as_str(), "acme");
    assert_eq!(
        code(world.cp.get_tenant(&vendor, tried.tenant.id).await),
        "not found: tenant"
    );
    assert_eq!(world.audit(platform.id).await.len(), before);
    let tenant = world.tenant("acme").await;
    let owner = world.member(&tenant, Role::TenantOwner).await;
    let events = world.audit(tenant.id).await.len();
    world
        .publish_min_length(&owner, tenant.id, 20, Mode::DryRun)
        .await
        .unwrap();
    assert_eq!(world.released(tenant.id).await, 1);
    // Only the draft, which was meant, is in the log.
    assert_eq!(world.audit(tenant.id).await.len(), events + 1);
    let state = world
        .cp
        .get_policy(&owner, tenant.id, PolicyKind::Password)
        .await
        .unwrap();
    assert_eq!(state.published.version, 1);
}

#[tokio::test]
async fn strangers_do_not_learn_that_a_tenant_exists() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let owner = world.member(&acme, Role::TenantOwner).await;
    assert_eq!(
        code(world.cp.get_tenant(&owner, globex.id).await),
        "not found: tenant"
    );
    let slug = globex.slug.clone();
    assert_eq!(
        code(world.cp.get_tenant_by_slug(&owner, &slug).await),
        "not found: tenant"
    );
    assert_eq!(
        code(world.cp.list_policies(&owner, globex.id).await),
        "not found: tenant"
    );
    let page = PageRequest::default();
    let own = world.cp.list_tenants(&owner, None, &page).await.unwrap();
    assert_eq!(own.items.len(), 1);
    let create = world
        .cp
        .create_tenant(&owner, new_tenant("mine"), Mode::Commit)
        .await;
    assert_eq!(code(create), "missing_permission");
    let allowed = world
        .cp
        .allowed(
            &owner,
            acme.id,
            &[Permission::SettingsEdit, Permission::NodesView],
        )
        .await;
    assert_eq!(allowed.unwrap(), [Permission::SettingsEdit]);
}

#[tokio::test]
async fn lists_are_searched_and_paged_in_the_database() {
    let world = World::new().await;
    let vendor = world.staff(Role::SupportEngineer).await;
    for slug in ["alpha", "beta", "gamma"] {
        world.tenant(slug).await;
    }
    let first = PageRequest::parse(Some(2), None).unwrap();
    let page = world.cp.list_tenants(&vendor, None, &first).await.unwrap();
    let slugs = |page: &control_plane::Page<control_plane::tenants::Tenant>| {
        page.items
            .iter()
            .map(|tenant| tenant.slug.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(slugs(&page), ["alpha", "beta"]);
    let cursor = page.next.unwrap().encode();
    let rest = PageRequest::parse(Some(2), Some(&cursor)).unwrap();
    let page = world.cp.list_tenants(&vendor, None, &rest).await.unwrap();
    assert_eq!(
        (slugs(&page), page.next),
        (vec!["gamma".into(), "platform".into()], None)
    );
    let found = world
        .cp
        .list_tenants(&vendor, Some("ET"), &first)
        .await
        .unwrap();
    assert_eq!(slugs(&found), ["beta"]);
    let none = world
        .cp
        .list_tenants(&vendor, Some("%"), &first)
        .await
        .unwrap();
    assert!(none.items.is_empty());
}

#[tokio::test]
async fn what_someone_else_changed_is_not_overwritten() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let owner = world.member(&tenant, Role::TenantOwner).await;
    let at = At {
        tenant: tenant.id,
        expected: Some(1),
    };
    let rename = |name: &str| TenantChanges {
        name: Some(name.parse().unwrap()),
        host: None,
    };
    let renamed = world
        .cp
        .update_tenant(&owner, at, rename("Acme One"), Mode::Commit)
        .await
        .unwrap();
    assert_eq!(renamed.version, 2);
    assert_eq!(world.released(tenant.id).await, 2);
    let again = world
        .cp
        .update_tenant(&owner, at, rename("Acme Two"), Mode::Commit)
        .await;
    assert_eq!(code(again), "stale: 2");
}

#[tokio::test]
async fn nobody_moves_to_the_shared_host_and_the_platform_stays() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let owner = world.member(&tenant, Role::TenantOwner).await;
    let moved = |host: &str| TenantChanges {
        name: None,
        host: Some(Some(host.parse().unwrap())),
    };
    let shared = world.reopened("https://auth.example.com").await;
    let at = At {
        tenant: tenant.id,
        expected: None,
    };
    let taken = shared
        .update_tenant(&owner, at, moved("auth.example.com"), Mode::Commit)
        .await;
    assert_eq!(code(taken), "host_reserved");
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let vendor = world.staff(Role::PlatformOwner).await;
    let at = At {
        tenant: platform.id,
        expected: None,
    };
    let away = shared
        .update_tenant(&vendor, at, moved("login.vendor.example"), Mode::Commit)
        .await;
    assert_eq!(code(away), "platform_tenant");
}

#[tokio::test]
async fn suspending_is_the_vendors_and_never_hits_the_platform() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let (owner, vendor) = (
        world.member(&tenant, Role::TenantOwner).await,
        world.staff(Role::PlatformOperator).await,
    );
    let at = At {
        tenant: tenant.id,
        expected: Some(1),
    };
    let by_owner = world
        .cp
        .set_tenant_status(&owner, at, TenantStatus::Suspended, Mode::Commit)
        .await;
    assert_eq!(code(by_owner), "missing_permission");
    let suspended = world
        .cp
        .set_tenant_status(&vendor, at, TenantStatus::Suspended, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(suspended.status, TenantStatus::Suspended);
    assert_eq!(
        world.audit(tenant.id).await[0].event.action,
        "tenants.suspend"
    );
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let at = At {
        tenant: platform.id,
        expected: None,
    };
    let own = world
        .cp
        .set_tenant_status(&vendor, at, ACTIVE, Mode::Commit)
        .await;
    assert_eq!(code(own), "platform_tenant");
}

#[tokio::test]
async fn the_first_admin_is_invited_with_the_tenant() {
    let world = World::new().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let mut new = new_tenant("acme");
    new.first_admin = Some(invitee("Ada"));
    let without_node = world
        .cp
        .create_tenant(&vendor, new.clone(), Mode::Commit)
        .await;
    assert_eq!(code(without_node), "unavailable");
    let _node = world.node().await;
    let created = world
        .cp
        .create_tenant(&vendor, new, Mode::Commit)
        .await
        .unwrap();
    let admin = created.first_admin.unwrap();
    assert_eq!(admin.invitation, Invitation::Sent);
    assert_eq!(admin.assignment.scope, Scope::Tenant(created.tenant.id));
    let told: Vec<String> = (world.audit(created.tenant.id).await.iter())
        .map(|record| record.event.sentence.clone())
        .collect();
    assert_eq!(
        told,
        [
            "The invitation of Ada went out.",
            "Gave Ada the role Tenant owner.",
            "Created the tenant \u{201c}ACME\u{201d}."
        ],
        "newest first"
    );
}

#[tokio::test]
async fn an_installation_that_moved_gives_every_tenant_its_new_issuer() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let same = world.reopened("http://127.0.0.1:7100").await;
    assert_eq!(same.trust_root(), world.cp.trust_root());
    assert_eq!(world.released(tenant.id).await, 1);
    let moved = world.reopened("https://auth.example.com").await;
    assert_eq!(moved.issuer(&tenant), "https://auth.example.com/t/acme");
    assert_eq!(world.released(tenant.id).await, 2);
}
