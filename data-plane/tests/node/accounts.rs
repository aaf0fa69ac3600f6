//! Signing in and registering: right, wrong, unknown, too often, not yet.

use chrono::Duration;
use contract::policies::{PolicySet, RegistrationMode};
use data_plane::{
    SeedUser,
    accounts::{AccountError, Registered, Registration, SignIn, SignInError},
    identity::UserStatus,
    password::PasswordFault,
};

use crate::harness::{Machine, tenant, user};

const GOOD: &str = "seven purple umbrellas dancing";

fn attempt<'a>(identifier: &'a str, password: &'a str) -> SignIn<'a> {
    SignIn {
        identifier,
        password,
        device: None,
        ip: Some([192, 0, 2, 1].into()),
    }
}

fn registration<'a>(email: &'a str, password: &'a str) -> Registration<'a> {
    Registration {
        email,
        name: None,
        password,
        resume: None,
    }
}

#[tokio::test]
async fn the_right_password_signs_in_and_nothing_else_does() {
    for machine in Machine::on_every_database().await {
        let (node, runtime) = machine.serving(PolicySet::default()).await;
        let seed = || SeedUser {
            email: "ada@example.com",
            name: "Ada Lovelace",
            password: GOOD,
        };
        let made = node
            .create_user_with_password(tenant(1), user(1), seed())
            .await
            .unwrap();
        let again = node
            .create_user_with_password(tenant(1), user(1), seed())
            .await
            .unwrap();
        assert_eq!(made, again);
        let accounts = node.accounts();
        let found = accounts
            .sign_in(&runtime, attempt(" ADA@example.com", GOOD))
            .await
            .unwrap();
        assert_eq!(found, made);
        // Events of one millisecond have no order.
        machine.time.advance(Duration::seconds(1));
        for (identifier, password) in [
            ("ada@example.com", "seven purple umbrellas Dancing"),
            ("eve@example.com", GOOD),
            ("", ""),
            ("ada@example.com", &"x".repeat(5000)),
        ] {
            let refused = accounts
                .sign_in(&runtime, attempt(identifier, password))
                .await;
            assert!(matches!(refused, Err(SignInError::Refused)), "{identifier}");
        }
        node.identity()
            .set_status(tenant(1), user(1), UserStatus::Blocked)
            .await
            .unwrap();
        let blocked = accounts
            .sign_in(&runtime, attempt("ada@example.com", GOOD))
            .await;
        assert!(matches!(blocked, Err(SignInError::Refused)));
        let kinds = node
            .identity()
            .latest_events(tenant(1), user(1), 9)
            .await
            .unwrap();
        assert_eq!(kinds[0].1, "sign_in_failed");
        assert_eq!(kinds.last().unwrap().1, "signed_in");
    }
}

#[tokio::test]
async fn known_and_unknown_accounts_are_slowed_alike_r_enum_01() {
    let machine = Machine::new();
    let mut policies = PolicySet::default();
    policies.authentication.delay_after_failures = 3;
    let (node, runtime) = machine.serving(policies).await;
    let seed = SeedUser {
        email: "ada@example.com",
        name: "Ada",
        password: GOOD,
    };
    node.create_user_with_password(tenant(1), user(1), seed)
        .await
        .unwrap();
    for identifier in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            let refused = node
                .accounts()
                .sign_in(&runtime, attempt(identifier, "wrong"))
                .await;
            assert!(matches!(refused, Err(SignInError::Refused)));
        }
        let wait = node
            .accounts()
            .sign_in(&runtime, attempt(identifier, GOOD))
            .await;
        assert!(
            matches!(wait, Err(SignInError::Wait { .. })),
            "{identifier}"
        );
    }
    machine.time.advance(Duration::seconds(2));
    assert!(
        node.accounts()
            .sign_in(&runtime, attempt("ada@example.com", GOOD))
            .await
            .is_ok()
    );
    // Forgiven: the next mistake is a first one.
    let wrong = node
        .accounts()
        .sign_in(&runtime, attempt("ada@example.com", "wrong"))
        .await;
    assert!(matches!(wrong, Err(SignInError::Refused)));
    assert!(
        node.accounts()
            .sign_in(&runtime, attempt("ada@example.com", GOOD))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn registration_follows_the_policy_of_the_release() {
    let machine = Machine::new();
    let mut policies = PolicySet::default();
    policies.registration.verify_email = false;
    policies.registration.email_domains = vec!["example.com".into()];
    policies.password.min_length = 20;
    let (node, runtime) = machine.serving(policies).await;
    let register = |email, password| {
        node.accounts()
            .register(&runtime, registration(email, password))
    };
    let short = register("ada@example.com", "x7 kq wv zt pm 9").await;
    let Err(AccountError::Password(faults)) = short else {
        panic!("expected faults");
    };
    assert_eq!(faults, [PasswordFault::TooShort { min: 20 }]);
    let context = register("ada.lovelace@example.com", "ada.lovelace@example.com").await;
    assert!(
        matches!(context, Err(AccountError::Password(faults)) if faults == [PasswordFault::Context])
    );
    assert!(matches!(
        register("ada@other.com", GOOD).await,
        Err(AccountError::DomainNotAllowed)
    ));
    assert!(matches!(
        register("not an address", GOOD).await,
        Err(AccountError::Email(_))
    ));
    let done = register("ada@example.com", GOOD).await.unwrap();
    let Registered::Done(made) = done else {
        panic!("expected an account");
    };
    assert!(!made.email_verified);
    assert!(matches!(
        register("ADA@example.com", GOOD).await,
        Err(AccountError::EmailTaken)
    ));
    assert!(machine.mailbox.messages().is_empty());
}

#[tokio::test]
async fn closed_registration_is_closed() {
    let machine = Machine::new();
    let mut policies = PolicySet::default();
    policies.registration.mode = RegistrationMode::InviteOnly;
    let (node, runtime) = machine.serving(policies).await;
    let closed = node
        .accounts()
        .register(&runtime, registration("ada@example.com", GOOD))
        .await;
    assert!(matches!(closed, Err(AccountError::RegistrationClosed)));
}
