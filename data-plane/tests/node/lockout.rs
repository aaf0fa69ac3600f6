//! Nobody is locked out by others: known devices, floods, and attempts that an outage ended.

use chrono::Duration;
use contract::{frames::Delivery, policies::PolicySet};
use data_plane::{
    Node, SeedUser,
    accounts::{
        Invitation, MARK_DAYS, NewInvitation, Registered, Registration, SignIn, SignInError,
    },
    identity::User,
    releases::TenantRuntime,
};
use futures::future::join_all;

use crate::harness::{Machine, tenant, user};

const GOOD: &str = "seven purple umbrellas dancing";
const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.com";

async fn seed(node: &Node, number: u128, email: &str) -> User {
    let seed = SeedUser {
        email,
        name: "Ada",
        password: GOOD,
    };
    node.create_user_with_password(tenant(1), user(number), seed)
        .await
        .unwrap()
}

async fn try_with(
    (node, runtime): (&Node, &TenantRuntime),
    password: &str,
    device: Option<&str>,
) -> Result<User, SignInError> {
    let attempt = SignIn {
        identifier: ADA,
        password,
        device,
        ip: None,
    };
    node.accounts().sign_in(runtime, attempt).await
}

/// Guesses, waiting as told, until the wait is the block.
async fn block(machine: &Machine, served: (&Node, &TenantRuntime), device: Option<&str>) {
    for _ in 0..200 {
        match try_with(served, "wrong", device).await {
            Err(SignInError::Refused) => {}
            Err(SignInError::Wait { retry_after }) if retry_after.as_secs() > 60 => return,
            Err(SignInError::Wait { retry_after }) => {
                machine
                    .time
                    .advance(Duration::from_std(retry_after).unwrap());
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    panic!("never blocked");
}

#[tokio::test]
async fn who_signed_in_there_before_is_not_locked_out_by_others_r_enum_03() {
    let machine = Machine::new();
    let mut policies = PolicySet::default();
    policies.authentication.block_after_failures = 12;
    let (node, runtime) = machine.serving(policies).await;
    let served = (&node, &*runtime);
    let (ada, eve) = (seed(&node, 1, ADA).await, seed(&node, 2, EVE).await);
    let mark = node.accounts().mark_device(&ada, None).await.unwrap();
    let hers = node.accounts().mark_device(&eve, None).await.unwrap();
    let mut forged = mark.clone().into_bytes();
    let last = forged.len() - 4;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();

    block(&machine, served, None).await;
    for useless in [
        None,
        Some(forged.as_str()),
        Some(hers.as_str()),
        Some(""),
        Some("AAAA"),
    ] {
        let blocked = try_with(served, GOOD, useless).await;
        assert!(
            matches!(blocked, Err(SignInError::Wait { .. })),
            "{useless:?}"
        );
    }
    assert_eq!(try_with(served, GOOD, Some(&mark)).await.unwrap(), ada);

    // Its own limit is smaller, and the block that others caused goes on meanwhile.
    block(&machine, served, Some(&mark)).await;
    let other = node.accounts().mark_device(&ada, None).await.unwrap();
    assert!(try_with(served, GOOD, Some(&other)).await.is_ok());

    machine.time.advance(Duration::days(MARK_DAYS));
    block(&machine, served, None).await;
    let over = try_with(served, GOOD, Some(&mark)).await;
    assert!(matches!(over, Err(SignInError::Wait { .. })));
}

#[tokio::test]
async fn all_marks_of_an_account_share_one_limit_r_enum_02() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    let ada = seed(&node, 1, ADA).await;
    let mut looked_at = 0;
    for _ in 0..40 {
        let mark = node.accounts().mark_device(&ada, None).await.unwrap();
        // As many as one device has without a pause.
        for _ in 0..5 {
            let guess = try_with(served, "wrong", Some(&mark)).await;
            looked_at += u32::from(matches!(guess, Err(SignInError::Refused)));
        }
    }
    assert_eq!(looked_at, 50 + 5, "the last five as a stranger");
    block(&machine, served, None).await;
    let mark = node.accounts().mark_device(&ada, None).await.unwrap();
    let one_more = try_with(served, GOOD, Some(&mark)).await;
    assert!(matches!(one_more, Err(SignInError::Wait { .. })));
}

#[tokio::test]
async fn a_mark_ends_with_its_account_and_with_its_sessions() {
    let machine = Machine::new();
    let mut policies = PolicySet::default();
    policies.registration.verify_email = false;
    let (node, runtime) = machine.serving(policies).await;
    let served = (&node, &*runtime);
    let accounts = node.accounts();
    let squatting = Registration {
        email: ADA,
        name: None,
        password: GOOD,
        resume: None,
    };
    let Registered::Done(squatter) = accounts.register(&runtime, squatting).await.unwrap() else {
        panic!("no proof is asked for");
    };
    let theirs = accounts.mark_device(&squatter, None).await.unwrap();
    let invitation = Invitation {
        user: user(1),
        email: ADA.into(),
        name: "Ada".into(),
        inviter: "Mara Lind".into(),
        purpose: "Tenant owner of Acme".into(),
        expires_at: machine.clock.now() + Duration::days(300),
    };
    let new = NewInvitation {
        invitation,
        delivery: Delivery::Mail,
    };
    accounts.invite(&runtime, new).await.unwrap();
    let mail = machine.mailbox.messages().remove(0).mail;
    let link = mail.text().split_once("token=").unwrap().1;
    let link = link.split_whitespace().next().unwrap();
    machine.time.advance(Duration::seconds(1));
    let ada = accounts.accept_invitation(&runtime, link, GOOD).await;
    let ada = ada.unwrap();

    block(&machine, served, None).await;
    let replayed = try_with(served, "wrong", Some(&theirs)).await;
    assert!(matches!(replayed, Err(SignInError::Wait { .. })));
    let hers = accounts.mark_device(&ada, None).await.unwrap();
    assert_eq!(try_with(served, GOOD, Some(&hers)).await.unwrap(), ada);

    machine.time.advance(Duration::days(31));
    block(&machine, served, None).await;
    node.sessions().end_all(tenant(1), ada.id).await.unwrap();
    machine.time.advance(Duration::days(31));
    block(&machine, served, None).await;
    let ended = try_with(served, GOOD, Some(&hers)).await;
    assert!(
        matches!(ended, Err(SignInError::Wait { .. })),
        "for as long as the mark would have been good"
    );
}

#[tokio::test]
async fn a_renewed_mark_keeps_its_number() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    let ada = seed(&node, 1, ADA).await;
    let first = node.accounts().mark_device(&ada, None).await.unwrap();
    let renewed = node.accounts().mark_device(&ada, Some(&first));
    let renewed = renewed.await.unwrap();
    assert_ne!(first, renewed);
    block(&machine, served, Some(&first)).await;
    let same = try_with(served, GOOD, Some(&renewed)).await;
    assert!(matches!(same, Err(SignInError::Wait { .. })));
    let other = node.accounts().mark_device(&ada, None).await.unwrap();
    assert!(try_with(served, GOOD, Some(&other)).await.is_ok());
}

#[tokio::test]
async fn a_parallel_flood_does_not_reach_the_block_r_enum_02() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    seed(&node, 1, ADA).await;
    let flood = join_all((0..200).map(|_| try_with(served, "wrong", None))).await;
    let looked_at = flood
        .iter()
        .filter(|outcome| matches!(outcome, Err(SignInError::Refused)));
    assert_eq!(looked_at.count(), 5, "the others were told to wait");
    machine.time.advance(Duration::seconds(1));
    assert!(try_with(served, GOOD, None).await.is_ok());
}

#[tokio::test]
async fn an_outage_is_not_the_persons_failure() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    seed(&node, 1, ADA).await;
    machine.sql("ALTER TABLE passwords RENAME TO away").await;
    for _ in 0..60 {
        let outage = try_with(served, GOOD, None).await;
        assert!(matches!(outage, Err(SignInError::Unavailable(_))));
    }
    machine.sql("ALTER TABLE away RENAME TO passwords").await;
    assert!(try_with(served, GOOD, None).await.is_ok());
}
