//! Strangers and refusals: told nothing, and written down.

use chrono::TimeDelta;
use contract::{permission::Permission, policies::PolicyKind, role::Role, tenant::TenantStatus};
use control_plane::{
    At, HeldRole, Mode, Scope,
    audit::{AuditRecord, Outcome},
    operators::Invitee,
};

use crate::harness::{World, code};

#[tokio::test]
async fn a_strangers_attempt_is_in_the_platforms_log_once_in_a_while_r_aud_01() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let stranger = world.member(&globex, Role::TenantOwner).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let attempts = async || {
        let log = world.audit(platform.id).await;
        let about_acme = |id: &str| id == acme.id.to_string();
        log.into_iter()
            .filter(|one| one.event.action == "tenants.enter")
            .inspect(|one| {
                assert_eq!(one.event.actor.operator, stranger.operator());
                assert_eq!(one.event.outcome, Outcome::Refused);
                assert!(about_acme(&one.event.object.as_ref().unwrap().id));
            })
            .count()
    };
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let by_id = world.cp.list_policies(&stranger, acme.id).await;
    assert_eq!(code(by_id), "not found: tenant");
    assert_eq!(attempts().await, 1);
    let by_slug = world.cp.get_tenant_by_slug(&stranger, &acme.slug).await;
    assert_eq!(code(by_slug), "not found: tenant");
    let change = world
        .cp
        .set_tenant_status(&stranger, at, TenantStatus::Suspended, Mode::Commit)
        .await;
    assert_eq!(code(change), "not found: tenant");
    assert_eq!(attempts().await, 1, "one person is one fact");
    world.clock.advance(TimeDelta::minutes(10));
    let draft = world
        .cp
        .discard_policy_draft(&stranger, at, PolicyKind::Password, Mode::Commit)
        .await;
    assert_eq!(code(draft), "not found: tenant");
    assert_eq!(attempts().await, 2);
    // The tenant's own log is its own people's: it would tell them who else is a customer.
    let own = world.audit(acme.id).await;
    assert!(own.iter().all(|one| one.event.outcome == Outcome::Done));
}

#[tokio::test]
async fn what_a_page_asks_for_is_recorded_when_it_is_refused() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let drafting = Permission::PolicyDraft(PolicyKind::Password);
    let scope = Scope::Tenant(acme.id);
    let events = world.audit(acme.id).await.len();
    let asked = world.cp.require(&vendor, scope, drafting).await;
    assert_eq!(code(asked), "duty: policy.sign_in");
    let log = world.audit(acme.id).await;
    assert_eq!(log.len(), events + 1);
    let event = &log[0].event;
    assert_eq!(
        (event.action.as_str(), event.outcome),
        ("tenant.policies.password.draft", Outcome::Refused)
    );
    let nodes = Permission::NodesView;
    let open = world.cp.require(&vendor, Scope::Platform, nodes).await;
    open.unwrap();
    assert_eq!(world.audit(acme.id).await.len(), events + 1);
}

/// Whoever may not ask learns nothing about what they sent, and the attempt is written down.
#[tokio::test]
async fn the_right_to_ask_comes_before_the_form_of_the_question() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let auditor = world.member(&acme, Role::TenantAuditor).await;
    let wanted = HeldRole {
        role: Role::PlatformOwner,
        scope: Scope::Tenant(acme.id),
    };
    let nobody = Invitee {
        name: String::new(),
        email: "not an address".to_owned(),
    };
    let invited = world
        .cp
        .invite_operator(&auditor, wanted, nobody, Mode::DryRun)
        .await;
    assert_eq!(code(invited), "missing_permission");
    assert_eq!(
        world.audit(acme.id).await[0].event.outcome,
        Outcome::Refused
    );
}

/// A look that is refused again and again is one fact; an attempt to change something is one each time.
#[tokio::test]
async fn refused_looks_are_told_once_in_a_while_and_refused_changes_each_time() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let operator = world.member(&acme, Role::UserSupport).await;
    let refusals = async |log| {
        let log = world.audit(log).await;
        let refused = |one: &&AuditRecord| one.event.outcome == Outcome::Refused;
        log.iter().filter(refused).count()
    };
    let look = async |permission| {
        let looked = world.cp.require(&operator, Scope::Platform, permission);
        assert_eq!(code(looked.await), "missing_permission");
    };
    for _ in 0..5 {
        look(Permission::NodesView).await;
    }
    assert_eq!(refusals(platform.id).await, 1);
    look(Permission::StaffView).await;
    assert_eq!(refusals(platform.id).await, 2, "another permission is news");
    let other = world.member(&acme, Role::UserSupport).await;
    let looked = world.cp.list_nodes(&other).await;
    assert_eq!(code(looked), "missing_permission");
    assert_eq!(refusals(platform.id).await, 3, "so is another person");
    world.clock.advance(TimeDelta::minutes(10));
    look(Permission::NodesView).await;
    assert_eq!(refusals(platform.id).await, 4);
    for tried in 1..=3 {
        let at = At {
            tenant: acme.id,
            expected: None,
        };
        let discarded =
            world
                .cp
                .discard_policy_draft(&operator, at, PolicyKind::Password, Mode::Commit);
        assert_eq!(code(discarded.await), "missing_permission");
        assert_eq!(refusals(acme.id).await, tried);
    }
}
