//! Operators and roles: nobody gives what they lack, and the last owner stays (R-ADM-02).

use contract::{
    duty::DutyKey,
    permission::Permission,
    responsibility::Responsibility,
    role::{Party, Role},
};
use control_plane::{
    At, HeldRole, Mode, Refusal, Scope, Via,
    audit::Outcome,
    operators::{Invitation, Invitee},
    refusal::Why,
};

use crate::harness::{World, code, invitee, nobody};

#[tokio::test]
async fn people_are_invited_once_and_given_roles_often() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let scope = Scope::Tenant(acme.id);
    let developer = HeldRole {
        role: Role::ApplicationDeveloper,
        scope,
    };
    let early = world
        .cp
        .invite_operator(&owner, developer, invitee("Bob"), Mode::Commit)
        .await;
    assert_eq!(code(early), "unavailable");
    let _node = world.node().await;
    let tried = world
        .cp
        .invite_operator(&owner, developer, invitee("Bob"), Mode::DryRun)
        .await
        .unwrap();
    assert_eq!(tried.invitation, Invitation::Tried);
    let bob = world
        .cp
        .invite_operator(&owner, developer, invitee("Bob"), Mode::Commit)
        .await
        .unwrap();
    assert_eq!(
        (bob.invitation, bob.operator.party),
        (Invitation::Sent, Party::Customer)
    );
    let again = world
        .cp
        .invite_operator(&owner, developer, invitee("BOB"), Mode::Commit)
        .await;
    assert_eq!(code(again), "role_held");
    let auditor = HeldRole {
        role: Role::TenantAuditor,
        scope,
    };
    let more = world
        .cp
        .assign_role(&owner, auditor, bob.operator.id, Mode::Commit)
        .await
        .unwrap();
    let caller = world
        .cp
        .caller_for_subject(bob.operator.subject, Via::Console, "req_1")
        .await
        .unwrap();
    assert_eq!(caller.roles().len(), 2);
    world
        .cp
        .remove_role(&owner, scope, more.id, Mode::Commit)
        .await
        .unwrap();
    let members = world.cp.list_members(&owner, scope).await.unwrap();
    assert_eq!(members.len(), 2);
    let stranger = world
        .cp
        .assign_role(&owner, auditor, nobody(), Mode::Commit)
        .await;
    assert_eq!(code(stranger), "not found: operator");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    // Whoever may read the data directory is no owner that a tenant could rely on.
    let scope = Scope::Tenant(acme.id);
    world
        .cp
        .local_operator(Role::TenantOwner, scope)
        .await
        .unwrap();
    let members = world.cp.list_members(&owner, scope).await.unwrap();
    let own = members
        .iter()
        .find(|member| member.operator.id == owner.operator())
        .unwrap();
    let removal = world
        .cp
        .remove_role(&owner, scope, own.roles[0].id, Mode::Commit)
        .await;
    assert_eq!(code(removal), "last_owner");
    world.member(&acme, Role::TenantOwner).await;
    world
        .cp
        .remove_role(&owner, scope, own.roles[0].id, Mode::Commit)
        .await
        .unwrap();
    let now = world
        .cp
        .caller_for_subject(owner.subject(), Via::Console, "req_2")
        .await
        .unwrap();
    assert_eq!(
        code(world.cp.get_tenant(&now, acme.id).await),
        "not found: tenant"
    );
}

#[tokio::test]
async fn nobody_gives_what_they_lack_r_adm_02() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let vendor_role = HeldRole {
        role: Role::PlatformOwner,
        scope: Scope::Platform,
    };
    let up = world
        .cp
        .invite_operator(&owner, vendor_role, invitee("Eve"), Mode::Commit)
        .await;
    assert_eq!(code(up), "missing_permission");
    let mixed = HeldRole {
        role: Role::PlatformOwner,
        scope: Scope::Tenant(acme.id),
    };
    assert_eq!(
        code(
            world
                .cp
                .invite_operator(&owner, mixed, invitee("Eve"), Mode::Commit)
                .await
        ),
        "invalid: role"
    );
    let security = world.member(&acme, Role::SecurityAdmin).await;
    let owning = HeldRole {
        role: Role::TenantOwner,
        scope: Scope::Tenant(acme.id),
    };
    let by_admin = world
        .cp
        .assign_role(&security, owning, security.operator(), Mode::Commit)
        .await;
    let Err(Refusal::Forbidden(denial)) = by_admin else {
        panic!("not refused")
    };
    assert_eq!(denial.permission, Permission::RolesManage);
    assert!(matches!(denial.why, Why::MissingPermission { .. }));
    // The vendor's owner holds every permission, but the matrix keeps the vendor out of access.
    let staff = world.staff(Role::PlatformOwner).await;
    let by_vendor = world
        .cp
        .assign_role(&staff, owning, security.operator(), Mode::Commit)
        .await;
    assert_eq!(code(by_vendor), "duty: access.operators");
}

#[tokio::test]
async fn parties_are_not_mixed() {
    let world = World::new().await;
    let _node = world.node().await;
    let acme = world.tenant("acme").await;
    let (owner, staff) = (
        world.member(&acme, Role::TenantOwner).await,
        world.staff(Role::PlatformOwner).await,
    );
    let support = HeldRole {
        role: Role::SupportEngineer,
        scope: Scope::Platform,
    };
    world
        .cp
        .invite_operator(&staff, support, invitee("Sam"), Mode::Commit)
        .await
        .unwrap();
    let role = HeldRole {
        role: Role::UserSupport,
        scope: Scope::Tenant(acme.id),
    };
    // However the address is written, it is the same one in both planes.
    let disguised = Invitee {
        email: "SAM@\u{ff45}xample.com".into(),
        ..invitee("Sam")
    };
    for sam in [disguised, invitee("Sam")] {
        let crossed = world.cp.invite_operator(&owner, role, sam, Mode::Commit);
        assert_eq!(code(crossed.await), "address_unusable");
    }
    let attempt = &world.audit(acme.id).await[0].event;
    assert_eq!(
        (attempt.action.as_str(), attempt.outcome),
        ("operators.invite", Outcome::Refused)
    );
    let told = serde_json::to_string(attempt).unwrap();
    assert!(!told.to_lowercase().contains("sam"), "{told}");
}

#[tokio::test]
async fn a_reader_of_the_data_directory_is_recognised_behind_every_door() {
    let world = World::new().await;
    let first = world
        .cp
        .local_operator(Role::PlatformAuditor, Scope::Platform)
        .await
        .unwrap();
    let second = world
        .cp
        .local_operator(Role::PlatformAuditor, Scope::Platform)
        .await
        .unwrap();
    assert_eq!(first.id, second.id);
    let caller = world
        .cp
        .caller_for_subject(first.subject, Via::AdminApi, "req_3")
        .await
        .unwrap();
    assert_eq!(caller.via(), Via::DataDir);
    assert_eq!(caller.roles().len(), 1);
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let uses = world.audit(platform.id).await;
    assert_eq!(
        uses.iter()
            .filter(|one| one.event.action == "operators.local_access")
            .count(),
        2
    );
}

#[tokio::test]
async fn the_stand_in_holds_exactly_what_was_asked_for() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let scope = Scope::Tenant(acme.id);
    let ask = async || {
        let asked = world.cp.local_operator(Role::TenantAuditor, scope);
        asked.await.unwrap()
    };
    let roles = async |subject| {
        let caller = world.cp.caller_for_subject(subject, Via::AdminApi, "req");
        caller.await.unwrap().roles().to_vec()
    };
    let stand_in = ask().await;
    let auditor = HeldRole {
        role: Role::TenantAuditor,
        scope,
    };
    let more = HeldRole {
        role: Role::TenantOwner,
        scope,
    };
    let raised = world
        .cp
        .assign_role(&owner, more, stand_in.id, Mode::Commit)
        .await;
    assert_eq!(code(raised), "stand_in");
    // However it came to another role, it is gone with the next use.
    world
        .tamper(&format!(
            "UPDATE assignments SET role = 'tenant_owner' WHERE operator_id = '{}'",
            stand_in.id
        ))
        .await;
    assert_eq!(roles(stand_in.subject).await, [more]);
    assert_eq!(ask().await.id, stand_in.id);
    assert_eq!(roles(stand_in.subject).await, [auditor]);
}

/// Otherwise the vendor could make itself a customer, and so undo every row of the matrix.
#[tokio::test]
async fn no_one_of_the_other_party_is_made_to_do_what_one_may_not_r_adm_02() {
    let world = World::new().await;
    let _node = world.node().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let vendor = world.staff(Role::PlatformOwner).await;
    let share = async |duty: &str| {
        let row = Responsibility::default_for(duty.parse().unwrap());
        let row = Responsibility {
            actors: Party::ALL.into(),
            ..row
        };
        let at = At {
            tenant: acme.id,
            expected: None,
        };
        let shared = world
            .cp
            .update_responsibility(&owner, at, row, Mode::Commit);
        shared.await.unwrap();
    };
    let invite = async |caller, role, name: &str| {
        let scope = Scope::Tenant(acme.id);
        let wanted = HeldRole { role, scope };
        let invited = world
            .cp
            .invite_operator(caller, wanted, invitee(name), Mode::Commit);
        code(invited.await)
    };
    share("access.operators").await;
    for role in [
        Role::TenantOwner,
        Role::SecurityAdmin,
        Role::ApplicationDeveloper,
    ] {
        let made = invite(&vendor, role, "Eve").await;
        assert_eq!(made, "grants_more_than_held", "{role}");
    }
    let refused = &world.audit(acme.id).await[0].event;
    assert_eq!(refused.outcome, Outcome::Refused);
    // What the vendor may do here itself it may give, and the customer's owner gives everything.
    assert_eq!(invite(&vendor, Role::UserSupport, "Una").await, "done");
    assert_eq!(invite(&owner, Role::TenantOwner, "Olga").await, "done");
    // Who is accountable for a row is not the other side's to give, though it may act in all of them.
    for duty in DutyKey::all()
        .filter(|duty| Responsibility::default_for(*duty).accountable == Party::Customer)
    {
        share(duty.as_str()).await;
    }
    let made = invite(&vendor, Role::TenantOwner, "Eve").await;
    assert_eq!(made, "grants_more_than_held");
    let made = invite(&vendor, Role::ApplicationDeveloper, "Dev").await;
    assert_eq!(made, "done");
}
