//! Invitations: who may send one again, what it tells about people, and whom a tenant can rely on.

use contract::role::{Party, Role};
use control_plane::{
    HeldRole, Mode, Scope, Via,
    audit::Outcome,
    operators::{Invitation, Invited, Invitee},
    tenants::{FirstOwner, Tenant},
};

use crate::harness::{World, code, invitee, new_tenant};

/// A tenant whose first owner was invited and has not come.
async fn awaiting(world: &World, slug: &str) -> (Tenant, Invited) {
    let mut new = new_tenant(slug);
    new.first_admin = Some(invitee("Ada"));
    let system = world.cp.system_caller();
    let made = world.cp.create_tenant(&system, new, Mode::Commit).await;
    let made = made.unwrap();
    (made.tenant, made.first_admin.unwrap())
}

/// The last `count` events of a log, newest first: action and outcome.
async fn told(world: &World, tenant: &Tenant, count: usize) -> Vec<(String, Outcome)> {
    let log = world.audit(tenant.id).await;
    let events = log.into_iter().take(count).map(|record| record.event);
    events.map(|event| (event.action, event.outcome)).collect()
}

fn done(action: &str) -> (String, Outcome) {
    (action.to_owned(), Outcome::Done)
}

fn failed(action: &str) -> (String, Outcome) {
    (action.to_owned(), Outcome::Refused)
}

#[tokio::test]
async fn the_vendor_sends_a_lost_first_invitation_again() {
    let world = World::new().await;
    let node = world.node().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let (acme, ada) = awaiting(&world, "acme").await;
    let resend = async |email: Option<&str>, mode| {
        let again = world
            .cp
            .resend_first_invitation(&vendor, acme.id, email, mode);
        again.await
    };
    let both = [done("operators.invitation"), done("operators.resend")];
    assert_eq!(resend(None, Mode::Commit).await.unwrap(), Invitation::Sent);
    for log in [&acme, &platform] {
        assert_eq!(told(&world, log, 2).await, both);
    }
    let events = world.audit(acme.id).await.len();
    let tried = resend(Some("ada@acme.test"), Mode::DryRun).await;
    assert_eq!(tried.unwrap(), Invitation::Tried);
    assert_eq!(world.audit(acme.id).await.len(), events);
    let address = async || {
        let system = world.cp.system_caller();
        let members = world.cp.list_members(&system, Scope::Tenant(acme.id)).await;
        members.unwrap()[0].operator.email.clone()
    };
    assert_eq!(address().await, "ada@example.com");
    assert_eq!(
        code(resend(Some("nonsense"), Mode::Commit).await),
        "invalid: email"
    );
    resend(Some("Ada@Acme.test"), Mode::Commit).await.unwrap();
    assert_eq!(address().await, "ada@acme.test");
    let refused = resend(Some("unreachable@acme.test"), Mode::Commit).await;
    assert!(matches!(refused.unwrap(), Invitation::NotSent { .. }));
    assert_eq!(
        told(&world, &acme, 1).await,
        [failed("operators.invitation")]
    );
    node.leave().await;
    while code(resend(None, Mode::Commit).await) != "unavailable" {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        told(&world, &platform, 1).await,
        [failed("operators.invitation")]
    );
    let came = world
        .cp
        .caller_for_subject(ada.operator.subject, Via::Console, "req_1")
        .await;
    came.unwrap();
    assert_eq!(code(resend(None, Mode::Commit).await), "owner_accepted");
}

#[tokio::test]
async fn a_first_invitation_is_sent_again_by_the_vendor_alone() {
    let world = World::new().await;
    let _node = world.node().await;
    let (acme, _) = awaiting(&world, "acme").await;
    let empty = world.tenant("empty").await;
    let globex = world.tenant("globex").await;
    let resend = async |caller, tenant: &Tenant| {
        let again = world
            .cp
            .resend_first_invitation(&caller, tenant.id, None, Mode::Commit);
        code(again.await)
    };
    let vendor = world.staff(Role::PlatformOperator).await;
    assert_eq!(resend(vendor, &empty).await, "not found: first owner");
    let support = world.staff(Role::SupportEngineer).await;
    assert_eq!(resend(support, &acme).await, "missing_permission");
    let member = world.member(&acme, Role::TenantAuditor).await;
    assert_eq!(resend(member, &acme).await, "missing_permission");
    let stranger = world.member(&globex, Role::TenantOwner).await;
    assert_eq!(resend(stranger, &acme).await, "not found: tenant");
}

#[tokio::test]
async fn another_tenants_invitation_is_not_redirected() {
    let world = World::new().await;
    let _node = world.node().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let (acme, _) = awaiting(&world, "acme").await;
    let _ = awaiting(&world, "globex").await;
    let moved = world
        .cp
        .resend_first_invitation(&vendor, acme.id, Some("new@acme.test"), Mode::Commit)
        .await;
    assert_eq!(code(moved), "invited_elsewhere");
}

#[tokio::test]
async fn an_owner_who_never_came_does_not_let_the_last_one_go() {
    let world = World::new().await;
    let _node = world.node().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let scope = Scope::Tenant(acme.id);
    let owning = HeldRole {
        role: Role::TenantOwner,
        scope,
    };
    let invited = world
        .cp
        .invite_operator(&owner, owning, invitee("Bob"), Mode::Commit)
        .await
        .unwrap();
    let members = world.cp.list_members(&owner, scope).await.unwrap();
    let own = members
        .iter()
        .find(|member| member.operator.id == owner.operator())
        .map(|member| member.roles[0].id)
        .unwrap();
    let leave = async || {
        let left = world.cp.remove_role(&owner, scope, own, Mode::Commit).await;
        code(left)
    };
    assert_eq!(leave().await, "last_owner");
    let withdrawn = world
        .cp
        .remove_role(&owner, scope, invited.assignment.id, Mode::DryRun);
    withdrawn.await.unwrap();
    let came = world
        .cp
        .caller_for_subject(invited.operator.subject, Via::Console, "req_1")
        .await;
    came.unwrap();
    assert_eq!(leave().await, "done");
}

#[tokio::test]
async fn only_an_open_invitation_is_sent_again() {
    let world = World::new().await;
    let node = world.node().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let scope = Scope::Tenant(acme.id);
    let support = HeldRole {
        role: Role::UserSupport,
        scope,
    };
    let bob = world
        .cp
        .invite_operator(&owner, support, invitee("Bob"), Mode::Commit)
        .await
        .unwrap()
        .operator;
    assert!(bob.is_invited());
    let resend = async |operator, mode| {
        let again = world.cp.resend_invitation(&owner, scope, operator, mode);
        again.await
    };
    let tried = resend(bob.id, Mode::DryRun).await.unwrap();
    assert_eq!(tried, Invitation::Tried);
    let sent = resend(bob.id, Mode::Commit).await.unwrap();
    assert_eq!(sent, Invitation::Sent);
    assert_eq!(
        told(&world, &acme, 2).await,
        [done("operators.invitation"), done("operators.resend")]
    );
    let came = resend(owner.operator(), Mode::Commit).await;
    assert_eq!(code(came), "already_accepted");
    node.leave().await;
    while code(resend(bob.id, Mode::Commit).await) != "unavailable" {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        told(&world, &acme, 1).await,
        [failed("operators.invitation")]
    );
}

#[tokio::test]
async fn inviting_tells_nothing_about_people_of_other_tenants() {
    let world = World::new().await;
    let _node = world.node().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let theirs = world.member(&globex, Role::TenantOwner).await;
    let system = world.cp.system_caller();
    let known = world.cp.list_members(&system, Scope::Tenant(globex.id));
    let known = known.await.unwrap().remove(0).operator;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let support = HeldRole {
        role: Role::UserSupport,
        scope: Scope::Tenant(acme.id),
    };
    let invite = async |email: &str, mode| {
        let typed = Invitee {
            name: "Typed Name".to_owned(),
            email: email.to_owned(),
        };
        let invited = world.cp.invite_operator(&owner, support, typed, mode);
        invited.await.unwrap()
    };
    // What both answers are made of, without what is new each time.
    let shape = |invited: &Invited| {
        let operator = &invited.operator;
        assert_eq!(invited.assignment.operator, operator.id);
        (
            operator.name.clone(),
            operator.party,
            operator.created_at,
            operator.accepted_at,
            invited.invitation.clone(),
        )
    };
    let expected = |invitation| {
        let (name, party) = ("Typed Name".to_owned(), Party::Customer);
        (name, party, crate::harness::start(), None, invitation)
    };
    world.clock.advance(chrono::TimeDelta::zero());
    for email in ["new@example.com", known.email.as_str()] {
        let tried = invite(email, Mode::DryRun).await;
        assert_eq!(shape(&tried), expected(Invitation::Tried));
        assert_eq!(tried.operator.email, email);
        assert_ne!(tried.operator.id, known.id);
        assert_ne!(tried.operator.subject, known.subject);
    }
    for email in ["new@example.com", known.email.as_str()] {
        let invited = invite(email, Mode::Commit).await;
        assert_eq!(shape(&invited), expected(Invitation::Sent));
        let log = world.audit(acme.id).await;
        let event = log
            .iter()
            .find(|one| one.event.action == "operators.invite");
        let told = serde_json::to_string(&event.unwrap().event).unwrap();
        assert!(!told.contains(&known.name), "{told}");
    }
    // Somebody who is only invited elsewhere does get a letter, and no log here tells their name.
    let (_, ada) = awaiting(&world, "initech").await;
    invite(&ada.operator.email, Mode::Commit).await;
    let log = world.audit(acme.id).await;
    assert_eq!(log[0].event.action, "operators.invitation");
    let names = log
        .iter()
        .map(|one| serde_json::to_string(&one.event).unwrap());
    assert!(names.into_iter().all(|told| !told.contains("Ada")));
    // The person keeps their own name, and their roles elsewhere.
    let caller = world
        .cp
        .caller_for_subject(theirs.subject(), Via::Console, "req_1")
        .await
        .unwrap();
    assert_eq!((caller.name(), caller.roles().len()), (theirs.name(), 2));
}

#[tokio::test]
async fn the_vendor_sees_how_a_tenant_runs_whatever_its_matrix_says() {
    let world = World::new().await;
    let _node = world.node().await;
    let (acme, _) = awaiting(&world, "acme").await;
    let owner = world.member(&acme, Role::SecurityAdmin).await;
    let support = world.staff(Role::SupportEngineer).await;
    world
        .tamper(&format!(
            "UPDATE responsibilities SET actors = '[\"customer\"]' WHERE tenant_id = '{0}' AND duty = 'policy.oversight'",
            acme.id
        ))
        .await;
    world
        .tamper(&format!(
            "UPDATE tenants SET matrix_version = 9 WHERE id = '{}'",
            acme.id
        ))
        .await;
    let looked = world.cp.get_tenant(&support, acme.id).await;
    assert_eq!(code(looked), "duty: policy.oversight");
    let seen = world.cp.oversee_tenant(&support, &acme.slug).await.unwrap();
    assert_eq!((seen.tenant.id, seen.effectiveness.version), (acme.id, 1));
    assert!(matches!(seen.first_owner, FirstOwner::Invited { .. }));
    world.member(&acme, Role::TenantOwner).await;
    let seen = world.cp.oversee_tenant(&support, &acme.slug).await.unwrap();
    assert_eq!(seen.first_owner, FirstOwner::Accepted);
    let inside = world.cp.oversee_tenant(&owner, &acme.slug).await;
    assert_eq!(code(inside), "missing_permission");
    let globex = world.tenant("globex").await;
    let stranger = world.cp.oversee_tenant(&owner, &globex.slug).await;
    assert_eq!(code(stranger), "not found: tenant");
}

/// Whoever tries whether addresses belong to somebody is answered the same for all, and seen.
#[tokio::test]
async fn an_address_that_is_somebodys_is_unusable_and_the_attempt_is_told() {
    let world = World::new().await;
    let _node = world.node().await;
    let vendor = world.staff(Role::PlatformOperator).await;
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let (acme, _) = awaiting(&world, "acme").await;
    let system = world.cp.system_caller();
    let staff = world.cp.list_members(&system, Scope::Platform).await;
    let taken = staff.unwrap()[0].operator.email.clone();
    for mode in [Mode::DryRun, Mode::Commit] {
        let events = world.audit(platform.id).await.len();
        let moved = world
            .cp
            .resend_first_invitation(&vendor, acme.id, Some(&taken), mode);
        assert_eq!(code(moved.await), "address_unusable");
        let mut new = new_tenant("globex");
        new.first_admin = Some(Invitee {
            name: "Typed Name".to_owned(),
            email: taken.clone(),
        });
        let made = world.cp.create_tenant(&vendor, new, mode).await;
        assert_eq!(code(made), "address_unusable");
        assert_eq!(world.audit(platform.id).await.len(), events + 2);
        let both = [failed("operators.invite"), failed("operators.invite")];
        assert_eq!(told(&world, &platform, 2).await, both);
    }
}

#[tokio::test]
async fn who_takes_up_an_invitation_is_in_the_log_once() {
    let world = World::new().await;
    let _node = world.node().await;
    let (acme, ada) = awaiting(&world, "acme").await;
    let (globex, _) = awaiting(&world, "globex").await;
    let accepted = async |tenant: &Tenant| {
        let log = world.audit(tenant.id).await;
        let taken = log.into_iter().map(|one| one.event);
        let taken = taken.filter(|event| event.action == "operators.accept");
        taken.map(|event| event.actor.operator).collect::<Vec<_>>()
    };
    assert_eq!(accepted(&acme).await, []);
    for _ in 0..2 {
        let came = world
            .cp
            .caller_for_subject(ada.operator.subject, Via::Console, "req_1");
        let who = came.await.unwrap().operator();
        // In the log of each place where they were awaited.
        for tenant in [&acme, &globex] {
            assert_eq!(accepted(tenant).await, [who]);
        }
    }
}
