//! The conversation: greeting, keys, commands.

use chrono::Duration;
use contract::{
    application::SigningAlgorithm,
    frames::{Command, CommandOutcome, Delivery, Down, Outcome, Up},
    ids::{CommandId, TypedId},
    policies::PolicySet,
};
use uuid::Uuid;

use crate::harness::{ControlPlane, Link, Machine, tenant, user};

#[tokio::test]
async fn public_keys_are_reported_when_made_and_whenever_asked_for_r_key_03() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let draft = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
    let Up::Keys {
        tenant: whose,
        keys,
    } = link.hear().await
    else {
        panic!("expected keys");
    };
    assert_eq!(whose, tenant(1));
    let algorithms: Vec<_> = keys.iter().map(|key| key.alg).collect();
    assert_eq!(algorithms.len(), 2);
    assert!(
        SigningAlgorithm::ALL
            .iter()
            .all(|alg| algorithms.contains(alg))
    );
    let text = serde_json::to_string(&keys).expect("JSON");
    for private in ["\"d\"", "\"p\"", "\"q\"", "PRIVATE"] {
        assert!(!text.contains(private), "{private}");
    }
    drop(link);
    drop(node);
    // Also by a node that has not read them yet, and of tenants that it holds.
    let node = machine.start().await;
    let (mut link, names) = Link::greet(&node).await;
    assert_eq!(names.len(), 1);
    let tenants = vec![tenant(2), tenant(1)];
    link.tell(&Down::AskKeys { tenants }).await;
    let Up::Keys {
        tenant: whose,
        keys: again,
    } = link.hear().await
    else {
        panic!("expected keys");
    };
    assert_eq!((whose, again), (tenant(1), keys));
}

#[tokio::test]
async fn counts_are_told_of_tenants_that_are_held_r_node_06() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    for version in 1..3 {
        let draft = control.draft(tenant(1), "acme", version);
        assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
        if version == 1 {
            let Up::Keys { .. } = link.hear().await else {
                panic!("expected keys");
            };
        }
        let tenants = vec![tenant(2), tenant(1)];
        link.tell(&Down::Measure { tenants }).await;
        let Up::Measured { tenants } = link.hear().await else {
            panic!("expected counts");
        };
        let [told] = &tenants[..] else {
            panic!("{tenants:?}");
        };
        assert_eq!((told.tenant, told.version), (tenant(1), version));
        assert_eq!(told.since, node.started_at());
        assert_eq!(told.traffic.requests, 0);
    }
}

#[tokio::test]
async fn keys_that_had_to_be_made_anew_are_reported_unasked_r_key_03() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let draft = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
    let Up::Keys { keys: before, .. } = link.hear().await else {
        panic!("expected keys");
    };
    drop((link, node));
    machine.sql("DELETE FROM signing_keys").await;
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let runtime = node.tenant(tenant(1)).expect("it is held");
    assert!(!runtime.is_warm());
    runtime.warm().await.expect("the database answers");
    let Up::Keys { keys: after, .. } = link.hear().await else {
        panic!("expected keys");
    };
    assert_eq!(runtime.keys().public_keys().unwrap(), after);
    assert_ne!(after, before);
    // Once.
    link.tell(&Down::Ping { nonce: 1 }).await;
    assert_eq!(link.hear().await, Up::Pong { nonce: 1 });
}

fn invite(machine: &Machine, delivery: Delivery) -> Command {
    Command::InviteUser {
        user: user(5),
        email: "Ada@example.com".into(),
        name: "Ada Lovelace".into(),
        inviter: "Charles Babbage".into(),
        purpose: "Tenant owner of Acme".into(),
        expires_at: machine.clock.now() + Duration::hours(1),
        delivery,
    }
}

async fn command(link: &mut Link, whose: u128, command: Command) -> CommandOutcome {
    let id = CommandId::from_uuid(Uuid::from_u128(77));
    let tenant = tenant(whose);
    link.tell(&Down::Command {
        id,
        tenant,
        command,
    })
    .await;
    loop {
        if let Up::CommandResult {
            id: answered,
            outcome,
        } = link.hear().await
        {
            assert_eq!(answered, id);
            return outcome;
        }
    }
}

#[tokio::test]
async fn invitations_are_made_on_command_and_used_once() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let mut link = Link::connect(&node).await;
    let CommandOutcome::Link { url: void } =
        command(&mut link, 1, invite(&machine, Delivery::Return)).await
    else {
        panic!("expected a link");
    };
    let done = command(&mut link, 1, invite(&machine, Delivery::Mail)).await;
    assert_eq!(done, CommandOutcome::Done);
    let mail = machine.mailbox.messages().remove(0).mail;
    assert_eq!(mail.to(), "Ada@example.com");
    let begin = format!("{}/invite?token=", runtime.issuer());
    let token = mail
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(&begin))
        .expect("a link");

    let accounts = node.accounts();
    // The first link is void since the second was made.
    let void = void.strip_prefix(&begin).expect("a token");
    assert!(accounts.invitation(&runtime, void).await.is_err());
    let shown = accounts
        .invitation(&runtime, token)
        .await
        .expect("it is open");
    assert_eq!(
        (shown.user, shown.inviter.as_str()),
        (user(5), "Charles Babbage")
    );
    // A refused password leaves the link usable.
    assert!(
        accounts
            .accept_invitation(&runtime, token, "short")
            .await
            .is_err()
    );
    let made = accounts
        .accept_invitation(&runtime, token, "seven purple umbrellas dancing")
        .await
        .expect("accepted");
    assert_eq!((made.id, made.email_verified), (user(5), true));
    assert!(accounts.invitation(&runtime, token).await.is_err());
    let again = command(&mut link, 1, invite(&machine, Delivery::Mail)).await;
    let CommandOutcome::Failed { reason } = again else {
        panic!("{again:?}");
    };
    assert!(
        !reason.contains("account"),
        "whose it is is not told: {reason}"
    );
    let unheld = command(&mut link, 2, invite(&machine, Delivery::Mail)).await;
    assert!(
        matches!(unheld, CommandOutcome::Failed { .. }),
        "{unheld:?}"
    );
}

#[tokio::test]
async fn an_invitation_ends() {
    let machine = Machine::new();
    let (node, runtime) = machine.serving(PolicySet::default()).await;
    let mut link = Link::connect(&node).await;
    let CommandOutcome::Link { url } =
        command(&mut link, 1, invite(&machine, Delivery::Return)).await
    else {
        panic!("expected a link");
    };
    let (_, token) = url.split_once("token=").expect("a token");
    assert!(node.accounts().invitation(&runtime, token).await.is_ok());
    machine.time.advance(Duration::hours(1));
    assert!(node.accounts().invitation(&runtime, token).await.is_err());
    let late = node
        .accounts()
        .accept_invitation(&runtime, token, "seven purple umbrellas dancing")
        .await;
    assert!(late.is_err());
}
