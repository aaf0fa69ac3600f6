//! Becoming a user: proof of an address, squatters, invitations, and how much mail that may cause.

use chrono::Duration;
use contract::{frames::Delivery, policies::PolicySet};
use data_plane::{
    Node,
    accounts::{
        AccountError, Invitation, NewInvitation, Registered, Registration, SignIn, SignInError,
    },
    identity::User,
    releases::TenantRuntime,
};
use futures::future::join_all;

use crate::harness::{Machine, tenant, user};

const GOOD: &str = "seven purple umbrellas dancing";
const ADA: &str = "ada@example.com";

async fn sign_in(
    (node, runtime): (&Node, &TenantRuntime),
    password: &str,
) -> Result<User, SignInError> {
    let attempt = SignIn {
        identifier: ADA,
        password,
        device: None,
        ip: None,
    };
    node.accounts().sign_in(runtime, attempt).await
}

async fn register(
    (node, runtime): (&Node, &TenantRuntime),
    password: &str,
) -> Result<Registered, AccountError> {
    let registration = Registration {
        email: ADA,
        name: None,
        password,
        resume: Some("where she was"),
    };
    node.accounts().register(runtime, registration).await
}

async fn invite(
    machine: &Machine,
    (node, runtime): (&Node, &TenantRuntime),
    delivery: Delivery,
) -> Result<Option<String>, AccountError> {
    let invitation = Invitation {
        user: user(7),
        email: ADA.into(),
        name: "Ada".into(),
        inviter: "Mara Lind".into(),
        purpose: "Tenant owner of Acme".into(),
        expires_at: machine.clock.now() + Duration::days(3),
    };
    let new = NewInvitation {
        invitation,
        delivery,
    };
    node.accounts().invite(runtime, new).await
}

/// The token of the link in the newest mail.
fn token(machine: &Machine) -> String {
    let mail = machine.mailbox.messages().remove(0).mail;
    let token = mail.text().split_once("token=").expect("a link").1;
    token.split_whitespace().next().unwrap().to_owned()
}

fn without_proof() -> PolicySet {
    let mut policies = PolicySet::default();
    policies.registration.verify_email = false;
    policies
}

#[tokio::test]
async fn nothing_exists_before_the_proof_r_enum_01_r_rec_02() {
    for machine in Machine::on_every_database().await {
        // The default asks for proof.
        let (node, runtime) = machine.serving(PolicySet::default()).await;
        let served = (&node, &*runtime);
        let check_mail = Registered::CheckMail;
        assert_eq!(register(served, GOOD).await.unwrap(), check_mail);
        let before = sign_in(served, GOOD).await;
        assert!(matches!(before, Err(SignInError::Refused)));

        let link = token(&machine);
        let confirm = || node.accounts().confirm_registration(&runtime, &link);
        let made = confirm().await.unwrap();
        assert!(made.user.email_verified);
        assert_eq!(made.resume.as_deref(), Some("where she was"));
        assert!(matches!(confirm().await, Err(AccountError::LinkInvalid)));
        assert!(sign_in(served, GOOD).await.is_ok());

        // The same answer for a known address; only its owner learns more.
        assert_eq!(register(served, GOOD).await.unwrap(), check_mail);
        let mail = machine.mailbox.messages().remove(0).mail;
        assert!(mail.subject().contains("already have an account"));
        assert!(!mail.text().contains("token="));
    }
}

#[tokio::test]
async fn a_link_works_for_as_long_as_its_mail_says_r_rec_02() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    for (minutes, works) in [(30, false), (29, true)] {
        register(served, GOOD).await.unwrap();
        let mail = machine.mailbox.messages().remove(0).mail;
        assert!(mail.text().contains("within 30 minutes"));
        machine.time.advance(Duration::minutes(minutes));
        let link = token(&machine);
        let confirmed = node.accounts().confirm_registration(&runtime, &link).await;
        assert_eq!(confirmed.is_ok(), works, "{minutes}");
    }
}

#[tokio::test]
async fn a_link_is_spent_by_the_account_and_by_nothing_else() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    register(served, GOOD).await.unwrap();
    let link = token(&machine);
    let confirm = || node.accounts().confirm_registration(&runtime, &link);
    machine.sql("ALTER TABLE passwords RENAME TO away").await;
    assert!(matches!(confirm().await, Err(AccountError::Unavailable(_))));
    machine.sql("ALTER TABLE away RENAME TO passwords").await;
    let at_once = join_all((0..8).map(|_| confirm())).await;
    assert_eq!(at_once.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(sign_in(served, GOOD).await.is_ok());
}

#[tokio::test]
async fn a_squatter_gives_way_to_who_reads_the_mail() {
    for machine in Machine::on_every_database().await {
        let (node, runtime) = machine.serving(without_proof()).await;
        let served = (&node, &*runtime);
        let Registered::Done(squatter) = register(served, GOOD).await.unwrap() else {
            panic!("no proof is asked for");
        };
        let policy = &runtime.policies().session;
        let sessions = node.sessions();
        let (cookie, _) = sessions
            .start(tenant(1), squatter.id, &["pwd"], policy)
            .await
            .unwrap();

        let handed_over = invite(&machine, served, Delivery::Return).await;
        assert!(
            matches!(handed_over, Err(AccountError::EmailTaken)),
            "it would prove nothing"
        );
        assert_eq!(
            invite(&machine, served, Delivery::Mail).await.unwrap(),
            None
        );
        assert!(
            sign_in(served, GOOD).await.is_ok(),
            "inviting takes nothing"
        );
        machine.time.advance(Duration::seconds(1));
        let hers = "nine green kettles whistling";
        let ada = node
            .accounts()
            .accept_invitation(&runtime, &token(&machine), hers)
            .await
            .unwrap();
        assert_eq!((ada.id, ada.email_verified), (user(7), true));

        assert_eq!(sign_in(served, hers).await.unwrap(), ada);
        let back = sign_in(served, GOOD).await;
        assert!(matches!(back, Err(SignInError::Refused)));
        let identity = node.identity();
        let gone = identity.find_user(tenant(1), squatter.id).await.unwrap();
        assert_eq!(gone, None);
        let session = sessions.find(tenant(1), &cookie, policy).await.unwrap();
        assert_eq!(session, None);
        let told = identity
            .latest_events(tenant(1), squatter.id, 1)
            .await
            .unwrap();
        assert_eq!(told[0].1, "displaced");
        // She has proven it: now nobody else gets it by mail.
        let again = invite(&machine, served, Delivery::Mail).await;
        assert!(matches!(again, Err(AccountError::EmailTaken)));
    }
}

#[tokio::test]
async fn confirming_takes_no_account_away() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    register(served, "a stranger chose this one").await.unwrap();
    let link = token(&machine);
    invite(&machine, served, Delivery::Return).await.unwrap();
    let handed = invite(&machine, served, Delivery::Return).await.unwrap();
    let handed = handed.unwrap();
    let handed = handed.split_once("token=").unwrap().1;
    let accounts = node.accounts();
    let ada = accounts
        .accept_invitation(&runtime, handed, GOOD)
        .await
        .unwrap();
    assert!(!ada.email_verified, "the link went through other hands");
    let confirmed = accounts.confirm_registration(&runtime, &link).await;
    assert!(matches!(confirmed, Err(AccountError::EmailTaken)));
    assert_eq!(sign_in(served, GOOD).await.unwrap(), ada);
}

#[tokio::test]
async fn nobody_is_buried_in_mail() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    for _ in 0..8 {
        let answer = register(served, GOOD).await.unwrap();
        assert_eq!(answer, Registered::CheckMail, "always the same");
    }
    assert_eq!(machine.mailbox.messages().len(), 5);
    // What a stranger does to an address does not keep an invitation from it.
    for _ in 0..5 {
        invite(&machine, served, Delivery::Mail).await.unwrap();
    }
    assert_eq!(machine.mailbox.messages().len(), 10);
    let sixth = invite(&machine, served, Delivery::Mail).await;
    assert!(matches!(sixth, Err(AccountError::TooManyMails { .. })));
    machine.time.advance(Duration::hours(1));
    register(served, GOOD).await.unwrap();
    assert_eq!(machine.mailbox.messages().len(), 11);
}
