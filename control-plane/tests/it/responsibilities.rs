//! The matrix in force: the wrong party is refused by name, and only the accountable one opens the door.

use contract::{
    duty::DutyKey,
    responsibility::Responsibility,
    role::{Party, Role},
};
use control_plane::{At, Mode, audit::Outcome};

use crate::harness::{World, code};

fn shared(duty: &str) -> Responsibility {
    Responsibility {
        actors: Party::ALL.into(),
        ..Responsibility::default_for(duty.parse().unwrap())
    }
}

#[tokio::test]
async fn the_vendor_publishes_only_where_the_matrix_lets_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (owner, vendor) = (
        world.member(&acme, Role::TenantOwner).await,
        world.staff(Role::PlatformOperator).await,
    );
    let refused = world
        .publish_min_length(&vendor, acme.id, 20, Mode::Commit)
        .await;
    assert_eq!(code(refused), "duty: policy.sign_in");
    let attempt = &world.audit(acme.id).await[0].event;
    assert_eq!(
        (attempt.outcome, attempt.actor.party),
        (Outcome::Refused, Party::Vendor)
    );
    assert_eq!(attempt.actor.operator, vendor.operator());

    let at = At {
        tenant: acme.id,
        expected: Some(1),
    };
    let wanted = shared("policy.sign_in");
    let opened = world
        .cp
        .update_responsibility(&owner, at, wanted, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(opened.version, 2);
    world
        .publish_min_length(&vendor, acme.id, 20, Mode::Commit)
        .await
        .unwrap();

    let at = At {
        tenant: acme.id,
        expected: Some(2),
    };
    let closed = Responsibility::default_for("policy.sign_in".parse().unwrap());
    world
        .cp
        .update_responsibility(&owner, at, closed, Mode::Commit)
        .await
        .unwrap();
    let refused = world
        .publish_min_length(&vendor, acme.id, 25, Mode::Commit)
        .await;
    assert_eq!(code(refused), "duty: policy.sign_in");
}

#[tokio::test]
async fn nobody_takes_a_duty_from_the_other_side() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (owner, vendor) = (
        world.member(&acme, Role::TenantOwner).await,
        world.staff(Role::PlatformOwner).await,
    );
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let mut take = shared("policy.sign_in");
    take.accountable = Party::Vendor;
    let taken = world
        .cp
        .update_responsibility(&vendor, at, take, Mode::Commit)
        .await;
    assert_eq!(code(taken), "not_accountable: policy.sign_in");
    let mut patching = shared("service.patching");
    patching.accountable = Party::Customer;
    let taken = world
        .cp
        .update_responsibility(&owner, at, patching.clone(), Mode::Commit)
        .await;
    assert_eq!(code(taken), "not_accountable: service.patching");
    world
        .cp
        .update_responsibility(&vendor, at, patching, Mode::Commit)
        .await
        .unwrap();
    let mut broken = shared("policy.sessions");
    broken.actors = [Party::Vendor].into();
    assert_eq!(
        code(
            world
                .cp
                .update_responsibility(&owner, at, broken, Mode::Commit)
                .await
        ),
        "invalid: actors"
    );
    let stale = At {
        tenant: acme.id,
        expected: Some(9),
    };
    let late = world
        .cp
        .update_responsibility(&owner, stale, shared("policy.sessions"), Mode::Commit)
        .await;
    assert_eq!(code(late), "stale: 1");
    let developer = world.member(&acme, Role::ApplicationDeveloper).await;
    let denied = world
        .cp
        .update_responsibility(&developer, at, shared("policy.sessions"), Mode::Commit)
        .await;
    assert_eq!(code(denied), "missing_permission");
}

#[tokio::test]
async fn every_duty_has_a_row_and_the_platforms_matrix_is_the_vendors() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let vendor = world.staff(Role::PlatformOwner).await;
    let rows = world
        .cp
        .list_responsibilities(&vendor, acme.id)
        .await
        .unwrap();
    assert!(
        rows.iter()
            .map(|row| row.responsibility.duty)
            .eq(DutyKey::all())
    );
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let rows = world
        .cp
        .list_responsibilities(&vendor, platform.id)
        .await
        .unwrap();
    assert!(
        rows.iter()
            .all(|row| row.responsibility.accountable == Party::Vendor)
    );
    let at = At {
        tenant: platform.id,
        expected: None,
    };
    let shared = world
        .cp
        .update_responsibility(&vendor, at, shared_by_vendor(), Mode::Commit)
        .await;
    assert_eq!(code(shared), "platform_tenant");
}

fn shared_by_vendor() -> Responsibility {
    Responsibility {
        accountable: Party::Vendor,
        ..shared("policy.sign_in")
    }
}
