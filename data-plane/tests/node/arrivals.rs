//! Becoming a user: proof of an address, squatters, invitations, and how much mail that may cause.

use std::sync::Arc;

use chrono::Duration;
use contract::{
    frames::{Delivery, Outcome},
    policies::PolicySet,
};
use data_plane::{
    Node,
    accounts::{
        AccountError, ConfirmError, Confirmation, Confirmed, Invitation, NewInvitation, Registered,
        Registration, SignIn, SignInError,
    },
    identity::User,
    mailer::{Mail, MailError, Mailer},
    releases::TenantRuntime,
};
use futures::future::join_all;

use crate::harness::{ControlPlane, Link, Machine, tenant, user};

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

async fn confirm(
    (node, runtime): (&Node, &TenantRuntime),
    token: &str,
    password: &str,
) -> Result<Confirmed, ConfirmError> {
    let typed = Confirmation {
        token,
        password,
        ip: None,
    };
    node.accounts().confirm_registration(runtime, typed).await
}

fn is_link_invalid(outcome: &Result<Confirmed, ConfirmError>) -> bool {
    matches!(
        outcome,
        Err(ConfirmError::Account(AccountError::LinkInvalid))
    )
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
        let made = confirm(served, &link, GOOD).await.unwrap();
        assert!(made.user.email_verified);
        assert_eq!(made.resume.as_deref(), Some("where she was"));
        assert!(is_link_invalid(&confirm(served, &link, GOOD).await));
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
        let confirmed = confirm(served, &link, GOOD).await;
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
    machine.sql("ALTER TABLE passwords RENAME TO away").await;
    let outage = confirm(served, &link, GOOD).await;
    assert!(matches!(
        outage,
        Err(ConfirmError::Account(AccountError::Unavailable(_)))
    ));
    machine.sql("ALTER TABLE away RENAME TO passwords").await;
    // As many at once as are looked at without a pause.
    let at_once = join_all((0..4).map(|_| confirm(served, &link, GOOD))).await;
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
    let strangers = "a stranger chose this one";
    register(served, strangers).await.unwrap();
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
    let confirmed = confirm(served, &link, strangers).await;
    assert!(matches!(
        confirmed,
        Err(ConfirmError::Account(AccountError::EmailTaken))
    ));
    assert_eq!(sign_in(served, GOOD).await.unwrap(), ada);
}

#[tokio::test]
async fn a_genuine_mail_does_not_confirm_a_strangers_password() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    let strangers = "a stranger chose this one";
    register(served, strangers).await.unwrap();
    let link = token(&machine);
    let address = node.accounts().pending_address(&runtime, &link).await;
    assert_eq!(address.unwrap(), ADA);
    let long = "x".repeat(5000);
    for guess in ["", GOOD, long.as_str(), GOOD, GOOD, GOOD] {
        let refused = confirm(served, &link, guess).await;
        let refused = matches!(refused, Err(ConfirmError::Password(SignInError::Refused)));
        assert!(refused, "{guess}");
    }
    let paced = confirm(served, &link, GOOD).await;
    assert!(matches!(
        paced,
        Err(ConfirmError::Password(SignInError::Wait { .. }))
    ));
    // Guesses at a link are no guesses at an account.
    assert!(matches!(
        sign_in(served, GOOD).await,
        Err(SignInError::Refused)
    ));
    machine.time.advance(Duration::seconds(1));
    let made = confirm(served, &link, strangers).await.unwrap();
    assert!(made.user.email_verified, "the link was still usable");
    assert!(is_link_invalid(&confirm(served, &link, strangers).await));
    assert!(is_link_invalid(
        &confirm(served, "nonsense", strangers).await
    ));
}

/// Refuses every recipient, or every message.
struct Refusing(MailFault);

#[derive(Clone, Copy)]
enum MailFault {
    Recipient,
    Server,
}

#[async_trait::async_trait]
impl Mailer for Refusing {
    async fn send(&self, _: Mail) -> Result<(), MailError> {
        Err(match self.0 {
            MailFault::Recipient => MailError::RecipientRefused { code: 550 },
            MailFault::Server => MailError::Refused { code: 451 },
        })
    }
}

#[tokio::test]
async fn an_unreachable_address_gets_the_answer_of_every_other_r_enum_01() {
    for (fault, quiet) in [(MailFault::Recipient, true), (MailFault::Server, false)] {
        let mut machine = Machine::new();
        machine.mailer = Some(Arc::new(Refusing(fault)));
        let (node, runtime) = machine.serving(PolicySet::default()).await;
        let served = (&node, &*runtime);
        let answer = register(served, GOOD).await;
        assert_eq!(
            answer.is_ok_and(|made| made == Registered::CheckMail),
            quiet
        );
        let invited = invite(&machine, served, Delivery::Mail).await;
        assert!(matches!(invited, Err(AccountError::Mail(_))));
    }
}

#[tokio::test]
async fn an_earlier_invitation_works_until_the_next_one_is_on_its_way() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let served = (&node, &*runtime);
    invite(&machine, served, Delivery::Mail).await.unwrap();
    let first = token(&machine);
    for _ in 0..4 {
        invite(&machine, served, Delivery::Mail).await.unwrap();
    }
    let latest = token(&machine);
    let open = async |link: &str| node.accounts().invitation(&runtime, link).await.is_ok();
    assert!(!open(&first).await, "replaced");
    let failed = invite(&machine, served, Delivery::Mail).await;
    assert!(matches!(failed, Err(AccountError::TooManyMails { .. })));
    assert!(open(&latest).await, "nothing went out in its place");

    // A link that went to a wrong address ends even if the right one cannot be reached.
    let corrected = Invitation {
        email: "ada@example.org".into(),
        ..node.accounts().invitation(&runtime, &latest).await.unwrap()
    };
    let mut machine = machine;
    machine.mailer = Some(Arc::new(Refusing(MailFault::Server)));
    let (node, runtime) = (machine.try_start("other").await.unwrap(), runtime);
    let new = NewInvitation {
        invitation: corrected,
        delivery: Delivery::Mail,
    };
    let failed = node.accounts().invite(&runtime, new).await;
    assert!(matches!(failed, Err(AccountError::Mail(_))));
    assert!(node.accounts().invitation(&runtime, &latest).await.is_err());
}

#[tokio::test]
async fn an_operator_gives_way_to_nobody() {
    let machine = Machine::new();
    let node = machine.start().await;
    let (control, mut link) = (ControlPlane::new(), Link::connect(&node).await);
    let draft = control.draft_with(tenant(1), "platform", 1, without_proof());
    assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
    let runtime = node.tenant(tenant(1)).unwrap();
    let served = (&node, &*runtime);
    // Invited while the address was free, used when it is not any more.
    invite(&machine, served, Delivery::Mail).await.unwrap();
    let link = token(&machine);
    register(served, GOOD).await.unwrap();
    let again = invite(&machine, served, Delivery::Mail).await;
    assert!(matches!(again, Err(AccountError::EmailTaken)));
    let accounts = node.accounts();
    let accepted = accounts.accept_invitation(&runtime, &link, "nine green kettles whistling");
    assert!(matches!(accepted.await, Err(AccountError::EmailTaken)));
    assert!(sign_in(served, GOOD).await.is_ok());
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
