//! Codes and refresh tokens: once, together, and not for long.

use std::collections::BTreeSet;

use chrono::Duration;
use contract::{
    ids::{ApplicationId, SessionId, TypedId},
    policies::TokenPolicy,
};
use data_plane::{
    Node,
    codes::{CodeGrant, Redemption},
    grants::{GrantId, RefreshError, RefreshGrant},
};
use futures::future::join_all;
use uuid::Uuid;

use crate::harness::{Machine, tenant, user};

pub fn app(n: u128) -> ApplicationId {
    ApplicationId::from_uuid(Uuid::from_u128(n))
}

fn grant(node: &Node) -> RefreshGrant {
    RefreshGrant {
        grant: GrantId::new(node.clock(), node.entropy()),
        application: app(1),
        user: user(1),
        scopes: BTreeSet::from(["openid".parse().expect("a scope")]),
        resource: None,
        session: SessionId::from_uuid(Uuid::from_u128(1)),
        auth_time: node.clock().now(),
        amr: vec!["pwd".into()],
    }
}

fn policy() -> TokenPolicy {
    TokenPolicy::default()
}

/// A family of [`app`] 1 and its first token.
pub async fn begin(node: &Node) -> (RefreshGrant, String) {
    let family = grant(node);
    let token = node
        .grants()
        .issue_refresh(tenant(1), &family, &policy())
        .await
        .unwrap();
    (family, token)
}

#[tokio::test]
async fn rotation_spends_and_reuse_kills_r_rt_01() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let grants = node.grants();
        let (family, first) = begin(&node).await;
        let policy = policy();
        let peek = |token| grants.peek_refresh(tenant(1), token, app(1), &policy);
        assert_eq!(peek(&first).await.unwrap(), family);
        let rotate = |token| grants.rotate_refresh(tenant(1), token, app(1), &policy);
        let second = rotate(&first).await.unwrap();
        assert_eq!(second.grant, family);
        assert_eq!(
            peek(&first).await.unwrap(),
            family,
            "the answer may be lost"
        );
        machine.time.advance(Duration::seconds(11));
        let reuse = rotate(&first).await;
        assert!(matches!(reuse, Err(RefreshError::Reused)), "{reuse:?}");
        let dead = rotate(&second.token).await;
        assert!(matches!(dead, Err(RefreshError::Revoked)), "{dead:?}");
        let owner = family.owner();
        let killed = |whose| grants.is_killed(tenant(whose), &owner);
        assert!(killed(1).await.unwrap() && !killed(2).await.unwrap());
        assert_eq!(replays(&node).await, 1);
    }
}

/// How many replays the person of these grants was told of.
async fn replays(node: &Node) -> usize {
    let latest = node.identity().latest_events(tenant(1), user(1), 99);
    let kinds = latest.await.unwrap().into_iter().map(|(_, kind)| kind);
    kinds.filter(|kind| kind == "replay_detected").count()
}

#[tokio::test]
async fn looking_at_a_spent_token_kills_as_using_it_does_rfc_9700_4_14_2() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let (grants, policy) = (node.grants(), policy());
        let (family, first) = begin(&node).await;
        let second = grants.rotate_refresh(tenant(1), &first, app(1), &policy);
        let second = second.await.unwrap();
        machine.time.advance(Duration::seconds(11));
        let spent = grants
            .peek_refresh(tenant(1), &first, app(1), &policy)
            .await;
        assert!(matches!(spent, Err(RefreshError::Reused)), "{spent:?}");
        let live = grants.peek_refresh(tenant(1), &second.token, app(1), &policy);
        assert!(matches!(live.await, Err(RefreshError::Revoked)));
        assert!(grants.is_killed(tenant(1), &family.owner()).await.unwrap());
        assert_eq!(replays(&node).await, 1);
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_retried_r_rt_03() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let grants = node.grants();
        let (_, first) = begin(&node).await;
        let rotate = |token: String, who| async move {
            grants
                .rotate_refresh(tenant(1), &token, who, &policy())
                .await
        };
        let second = rotate(first.clone(), app(1)).await.unwrap();
        machine.time.advance(Duration::seconds(9));
        assert_eq!(rotate(first.clone(), app(1)).await.unwrap(), second);
        // Somebody else's retry is nobody's.
        assert!(matches!(
            rotate(first.clone(), app(2)).await,
            Err(RefreshError::Invalid)
        ));
        // Who uses the successor has received it: the next retry is a theft.
        rotate(second.token.clone(), app(1)).await.unwrap();
        assert!(matches!(
            rotate(first, app(1)).await,
            Err(RefreshError::Reused)
        ));
    }
}

#[tokio::test]
async fn racing_rotations_share_one_successor_r_rt_05() {
    for machine in Machine::on_every_database().await {
        let nodes = [
            machine.try_start("a").await.unwrap(),
            machine.try_start("b").await.unwrap(),
        ];
        for _ in 0..10 {
            let (_, token) = begin(&nodes[0]).await;
            let policy = policy();
            let tries = (0..6).map(|n| {
                nodes[n % 2]
                    .grants()
                    .rotate_refresh(tenant(1), &token, app(1), &policy)
            });
            let answers = join_all(tries).await;
            let tokens: BTreeSet<_> = answers
                .into_iter()
                .map(|answer| answer.unwrap().token)
                .collect();
            assert_eq!(tokens.len(), 1);
        }
    }
}

#[tokio::test]
async fn families_end_idle_and_in_any_case_r_rt_04() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let grants = node.grants();
        let (_, idle) = begin(&node).await;
        machine.time.advance(Duration::hours(14 * 24));
        let over = grants
            .rotate_refresh(tenant(1), &idle, app(1), &policy())
            .await;
        assert!(matches!(over, Err(RefreshError::Invalid)), "{over:?}");

        let (_, mut token) = begin(&node).await;
        for _ in 0..8 {
            machine.time.advance(Duration::days(11));
            let rotated = grants
                .rotate_refresh(tenant(1), &token, app(1), &policy())
                .await;
            token = rotated.unwrap().token;
        }
        machine.time.advance(Duration::days(3));
        let over = grants
            .rotate_refresh(tenant(1), &token, app(1), &policy())
            .await;
        assert!(matches!(over, Err(RefreshError::Invalid)), "{over:?}");
    }
}

#[tokio::test]
async fn tokens_are_of_one_tenant_and_one_application() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let grants = node.grants();
        let (_, token) = begin(&node).await;
        for (whose, who) in [(2, 1), (1, 2)] {
            let other = grants
                .rotate_refresh(tenant(whose), &token, app(who), &policy())
                .await;
            assert!(matches!(other, Err(RefreshError::Invalid)), "{other:?}");
        }
        let unknown = grants
            .rotate_refresh(tenant(1), "unknown", app(1), &policy())
            .await;
        assert!(matches!(unknown, Err(RefreshError::Invalid)), "{unknown:?}");
        assert!(
            grants
                .rotate_refresh(tenant(1), &token, app(1), &policy())
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn killing_ends_what_exists_and_what_is_under_way() {
    for machine in Machine::on_every_database().await {
        let node = machine.start().await;
        let grants = node.grants();
        // Killed between the code's redemption and the family's birth (R-TOK-01).
        let early = grant(&node);
        grants.kill(tenant(1), early.grant).await.unwrap();
        let late = grants.issue_refresh(tenant(1), &early, &policy()).await;
        assert!(matches!(late, Err(RefreshError::Revoked)), "{late:?}");

        let mut families = Vec::new();
        for application in [app(1), app(1), app(2)] {
            let family = RefreshGrant {
                application,
                ..grant(&node)
            };
            let token = grants
                .issue_refresh(tenant(1), &family, &policy())
                .await
                .unwrap();
            families.push((token, family));
        }
        grants
            .kill_all_at(tenant(1), user(1), app(1))
            .await
            .unwrap();
        let policy = policy();
        for (token, family) in &families {
            let spared = family.application == app(2);
            let peeked = grants.peek_refresh(tenant(1), token, family.application, &policy);
            assert_eq!(peeked.await.is_ok(), spared);
            let killed = grants.is_killed(tenant(1), &family.owner()).await.unwrap();
            assert_eq!(killed, !spared, "access tokens and codes too");
        }
        // A node whose clock is ahead gives a grant that began before the withdrawal a later time (R-CONS-02).
        machine.time.advance(Duration::seconds(5));
        let ahead = grant(&node);
        assert!(grants.is_killed(tenant(1), &ahead.owner()).await.unwrap());
        machine.time.advance(Duration::milliseconds(1));
        let (next, token) = begin(&node).await;
        assert!(!grants.is_killed(tenant(1), &next.owner()).await.unwrap());
        let peeked = grants.peek_refresh(tenant(1), &token, app(1), &policy);
        assert!(peeked.await.is_ok(), "what is allowed again lives");
    }
}

fn code_grant(node: &Node) -> CodeGrant {
    let family = grant(node);
    CodeGrant {
        grant: family.grant,
        application: family.application,
        user: family.user,
        redirect_uri: "https://app.example/cb".into(),
        code_challenge: "x".repeat(43),
        scopes: family.scopes,
        resource: None,
        nonce: Some("n".into()),
        session: family.session,
        auth_time: family.auth_time,
        amr: family.amr,
    }
}

#[tokio::test]
async fn a_code_works_once_and_its_replay_names_the_grant_r_tok_01() {
    let machine = Machine::new();
    let (node, other) = (machine.start().await, machine.try_start("b").await.unwrap());
    let granted = code_grant(&node);
    let code = node
        .codes()
        .issue(tenant(1), &granted, &policy())
        .await
        .unwrap();
    assert_eq!(
        node.codes().redeem(tenant(2), &code).await.unwrap(),
        Redemption::Unknown
    );
    let both = join_all([node.codes(), other.codes()].map(|codes| codes.redeem(tenant(1), &code)));
    let fresh = Redemption::Fresh(granted.clone());
    let replay = Redemption::Replayed(granted.owner());
    let answers: Vec<_> = both.await.into_iter().map(Result::unwrap).collect();
    assert!(
        answers.contains(&fresh) && answers.contains(&replay),
        "{answers:?}"
    );
    assert_eq!(node.codes().redeem(tenant(1), &code).await.unwrap(), replay);
    assert_eq!(
        node.codes().redeem(tenant(1), "guess").await.unwrap(),
        Redemption::Unknown
    );
}

#[tokio::test]
async fn a_code_ends_after_a_minute_r_tok_03() {
    let machine = Machine::new();
    let node = machine.start().await;
    let granted = code_grant(&node);
    let code = node
        .codes()
        .issue(tenant(1), &granted, &policy())
        .await
        .unwrap();
    machine.time.advance(Duration::seconds(60));
    let late = node.codes().redeem(tenant(1), &code).await.unwrap();
    assert_eq!(
        late,
        Redemption::Unknown,
        "nobody had it, so nobody stole it"
    );
}

#[tokio::test]
async fn a_replay_is_known_after_the_code_would_have_ended_r_tok_01() {
    let machine = Machine::new();
    let node = machine.start().await;
    let granted = code_grant(&node);
    let code = node
        .codes()
        .issue(tenant(1), &granted, &policy())
        .await
        .unwrap();
    let fresh = node.codes().redeem(tenant(1), &code).await.unwrap();
    assert_eq!(fresh, Redemption::Fresh(granted.clone()));
    machine.time.advance(Duration::hours(1));
    let late = node.codes().redeem(tenant(1), &code).await.unwrap();
    assert_eq!(late, Redemption::Replayed(granted.owner()));
}
