//! The ledger as the push address uses it: who is admitted, who is not any more.

use chrono::{DateTime, TimeDelta, Utc};
use contract::enrolment::{CERTIFICATE_LIFE, Der, EnrolAnswer, EnrolRequest, JoinToken};
use host::{Clock, Entropy, Kek, ManualClock};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::{ControlPlaneConfig, RegionPlace};

/// A control plane in memory with the platform founded, and the clock it goes by.
pub(crate) async fn control_plane() -> (ControlPlane, ManualClock) {
    control_plane_at(Some("127.0.0.1:7200")).await
}

async fn control_plane_at(push_address: Option<&str>) -> (ControlPlane, ManualClock) {
    let start: DateTime<Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let (clock, manual) = Clock::manual(start);
    let cp = ControlPlane::open(ControlPlaneConfig {
        database_url: "sqlite::memory:".into(),
        regions: vec![RegionPlace::new(
            "local".parse().unwrap(),
            "http://127.0.0.1:7100".parse().unwrap(),
        )],
        bake_seconds: 30,
        push_address: push_address.map(|address| address.parse().unwrap()),
        bus: std::sync::Arc::new(crate::LocalBus::default()),
        kek: Kek::from_bytes([7; 32]),
        clock,
        entropy: Entropy::seeded(7),
    })
    .await
    .unwrap();
    cp.ensure_platform_tenant().await.unwrap();
    (cp, manual)
}

fn new_request() -> Der {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    Der::new(csr.der().to_vec()).unwrap()
}

async fn made(cp: &ControlPlane, name: &str) -> NodeId {
    let new = NewNode {
        name: name.parse().unwrap(),
        region: "local".parse().unwrap(),
        ring: Ring::default(),
    };
    let made = cp.create_node(&cp.system_caller(), new, Mode::Commit).await;
    made.unwrap().node.id
}

async fn enrolled(cp: &ControlPlane, node: NodeId) -> EnrolAnswer {
    let caller = cp.system_caller();
    let made = cp.make_join_token(&caller, node, Mode::Commit).await;
    let token: JoinToken = made.unwrap().text.expose().parse().unwrap();
    let request = EnrolRequest {
        name: token.name,
        region: token.region,
        secret: token.secret,
        csr: new_request(),
    };
    cp.enrol(request).await.unwrap()
}

fn at(id: NodeId) -> NodeAt {
    NodeAt { id, expected: None }
}

async fn admitted(cp: &ControlPlane, certificate: &Der) -> Result<NodeId, String> {
    let admitted = cp.admit_node(certificate.as_bytes()).await;
    admitted
        .map(|admitted| admitted.node)
        .map_err(|refused| refused.reason())
}

#[tokio::test]
async fn only_what_is_in_the_ledger_is_admitted_and_only_while_it_lasts_r_node_01() {
    let (cp, clock) = control_plane().await;
    let node = made(&cp, "eu-1").await;
    let answer = enrolled(&cp, node).await;
    let who = cp.admit_node(answer.certificate.as_bytes()).await.unwrap();
    assert_eq!((who.node, who.region.as_str()), (node, "local"));

    // Signed by the very authority, but never written down.
    let tx = cp.store().begin_read().await.unwrap();
    let signer = cp.signing_authority(&tx).await.unwrap();
    drop(tx);
    let key = crate::authorities::NodeKey::of(&new_request()).unwrap();
    let forged = signer.certify(node, &key, cp.clock().now()).unwrap();
    let unknown = admitted(&cp, &forged.certificate).await.unwrap_err();
    assert_eq!(unknown, "the certificate is not in the ledger");

    clock.set(who.ends_at - TimeDelta::seconds(1));
    assert_eq!(admitted(&cp, &answer.certificate).await, Ok(node));
    clock.set(who.ends_at);
    let ended = admitted(&cp, &answer.certificate).await.unwrap_err();
    assert_eq!(ended, "the certificate has ended");
}

#[tokio::test]
async fn a_revoked_node_stays_out_and_is_not_told_why_r_node_10() {
    let (cp, _) = control_plane().await;
    let caller = cp.system_caller();
    let node = made(&cp, "eu-1").await;
    let answer = enrolled(&cp, node).await;
    let fingerprint = answer.certificate.fingerprint();
    let further = cp.renew(&fingerprint, &new_request()).await.unwrap();
    let why = "the machine was stolen".to_owned();
    let state = cp
        .revoke_node(&caller, at(node), why, Mode::Commit)
        .await
        .unwrap();
    assert_eq!(state.node.standing, NodeStanding::Revoked);
    assert_eq!(state.node.certificate_ends_at, None);
    for certificate in [&answer.certificate, &further] {
        let refused = admitted(&cp, certificate).await.unwrap_err();
        assert_eq!(refused, "the node was revoked");
    }
    let renewed = cp.renew(&fingerprint, &new_request()).await.unwrap_err();
    assert!(renewed.is_conflict("not_enrolled"), "{renewed}");
    cp.delete_node(&caller, at(node), Mode::Commit)
        .await
        .unwrap();
    let gone = admitted(&cp, &answer.certificate).await.unwrap_err();
    assert_eq!(gone, "the node was deleted");
}

#[tokio::test]
async fn a_renewal_leaves_the_earlier_certificate_its_own_end_r_node_01() {
    let (cp, clock) = control_plane().await;
    let node = made(&cp, "eu-1").await;
    let answer = enrolled(&cp, node).await;
    clock.advance(CERTIFICATE_LIFE / 2);
    let csr = new_request();
    let first = answer.certificate.fingerprint();
    let renewed = cp.renew(&first, &csr).await.unwrap();
    assert_eq!(admitted(&cp, &answer.certificate).await, Ok(node));
    assert_eq!(admitted(&cp, &renewed).await, Ok(node));
    let state = cp.get_node(&cp.system_caller(), node).await.unwrap();
    let ends_at = cp.admit_node(renewed.as_bytes()).await.unwrap().ends_at;
    assert_eq!(state.node.certificate_ends_at, Some(ends_at));
    clock.advance(CERTIFICATE_LIFE / 2);
    assert!(admitted(&cp, &answer.certificate).await.is_err());
    assert_eq!(admitted(&cp, &renewed).await, Ok(node));
    // A key is certified once.
    let again = cp.renew(&renewed.fingerprint(), &csr).await.unwrap_err();
    assert!(again.to_string().contains("certified before"), "{again}");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_r_node_01() {
    let (cp, clock) = control_plane().await;
    let node = made(&cp, "eu-1").await;
    let first = enrolled(&cp, node).await.certificate.fingerprint();
    clock.advance(CERTIFICATE_LIFE / 2);
    let csr = new_request();
    let lost = cp.renew(&first, &csr).await.unwrap();
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(cp.renew(&first, &csr).await.unwrap(), lost);
    let tx = cp.store().begin_read().await.unwrap();
    let good = tx.count_node_certificates(node, cp.clock().now()).await;
    assert_eq!(good.unwrap(), 2, "the first one, and one that was lost");
    drop(tx);

    let refused = async |certificate: &str| {
        let refused = cp.renew(certificate, &csr).await.unwrap_err().to_string();
        assert!(refused.contains("certified before"), "{refused}");
    };
    let other = made(&cp, "eu-2").await;
    let other = enrolled(&cp, other).await.certificate.fingerprint();
    refused(&other).await;
    // It is connected with it, so it did arrive.
    refused(&lost.fingerprint()).await;
    let next = cp.renew(&lost.fingerprint(), &new_request()).await;
    let next = next.unwrap().fingerprint();
    assert_eq!(cp.renew(&next, &csr).await.unwrap(), lost);
    enrolled(&cp, node).await;
    let void = cp.renew(&next, &csr).await.unwrap_err();
    assert!(void.is_conflict("not_enrolled"), "{void}");
    let again = enrolled(&cp, node).await.certificate.fingerprint();
    refused(&again).await;
}

#[tokio::test]
async fn the_ledger_remembers_nodes_that_were_deleted_for_a_while_r_node_10() {
    let (cp, clock) = control_plane().await;
    let caller = cp.system_caller();
    let node = made(&cp, "eu-1").await;
    let certificate = enrolled(&cp, node).await.certificate;
    let other = made(&cp, "eu-2").await;
    let alive = enrolled(&cp, other).await.certificate;
    let revoked = cp.revoke_node(&caller, at(node), "gone".to_owned(), Mode::Commit);
    revoked.await.unwrap();
    let deleted = cp.delete_node(&caller, at(node), Mode::Commit).await;
    deleted.unwrap();
    let remembered = async |certificate: &Der| {
        let tx = cp.store().begin_read().await.unwrap();
        let found = tx.find_node_certificate(&certificate.fingerprint()).await;
        found.unwrap().is_some()
    };
    clock.advance(CERTIFICATE_LIFE + TimeDelta::days(89));
    made(&cp, "eu-3").await;
    assert!(remembered(&certificate).await);
    clock.advance(TimeDelta::days(2));
    made(&cp, "eu-4").await;
    assert!(!remembered(&certificate).await);
    assert!(remembered(&alive).await, "its own renewals sweep for it");
}

#[tokio::test]
async fn whoever_was_the_node_before_it_enrolled_again_renews_nothing_r_node_01() {
    let (cp, _) = control_plane().await;
    let node = made(&cp, "eu-1").await;
    let before = enrolled(&cp, node).await.certificate;
    let after = enrolled(&cp, node).await.certificate;
    let stale = cp.renew(&before.fingerprint(), &new_request()).await;
    assert!(stale.unwrap_err().is_conflict("not_enrolled"));
    let refused = admitted(&cp, &before).await.unwrap_err();
    assert!(refused.contains("enrolled again"), "{refused}");
    assert_eq!(admitted(&cp, &after).await, Ok(node));
}

#[tokio::test]
async fn who_asks_for_ever_more_certificates_gets_no_more_r_node_01() {
    let (cp, clock) = control_plane().await;
    let node = made(&cp, "eu-1").await;
    let first = enrolled(&cp, node).await.certificate.fingerprint();
    clock.advance(TimeDelta::hours(1));
    let mut last = first.clone();
    for _ in 1..8 {
        last = cp
            .renew(&first, &new_request())
            .await
            .unwrap()
            .fingerprint();
    }
    let more = cp.renew(&last, &new_request()).await.unwrap_err();
    assert!(more.is_conflict("too_many_certificates"), "{more}");
    clock.advance(CERTIFICATE_LIFE - TimeDelta::hours(1));
    let ended = cp.renew(&first, &new_request()).await.unwrap_err();
    assert!(ended.is_conflict("not_enrolled"), "{ended}");
    cp.renew(&last, &new_request()).await.unwrap();
}

#[tokio::test]
async fn certificates_of_a_former_authority_admit_until_their_end_r_node_02() {
    let (cp, clock) = control_plane().await;
    let caller = cp.system_caller();
    let node = made(&cp, "eu-1").await;
    let before = enrolled(&cp, node).await;
    cp.rotate_authority(&caller, Mode::Commit).await.unwrap();
    clock.advance(TimeDelta::minutes(1));
    cp.rotate_authority(&caller, Mode::Commit).await.unwrap();
    assert_eq!(admitted(&cp, &before.certificate).await, Ok(node));
    let fingerprint = before.certificate.fingerprint();
    let after = cp.renew(&fingerprint, &new_request()).await.unwrap();
    assert_eq!(admitted(&cp, &after).await, Ok(node));
    // What a token names is everything that is believed.
    let made = cp.make_join_token(&caller, node, Mode::Commit).await;
    let token: JoinToken = made.unwrap().text.expose().parse().unwrap();
    assert_eq!(token.authorities.len(), 2);
}

#[tokio::test]
async fn a_node_of_this_process_needs_no_certificate_and_gets_none() {
    let (cp, _) = control_plane().await;
    let caller = cp.system_caller();
    let tx = cp.store().begin().await.unwrap();
    let id: NodeId = cp.new_id();
    let name = embedded_name(&tx, id).await.unwrap();
    let node = Node::embedded(id, name, "local".parse().unwrap(), cp.clock().now());
    tx.put_node(&node).await.unwrap();
    let other: NodeId = cp.new_id();
    let name = embedded_name(&tx, other).await.unwrap();
    assert!(name.as_str().starts_with("embedded-"), "{name}");
    tx.commit().await.unwrap();
    let token = cp.make_join_token(&caller, id, Mode::Commit).await;
    assert!(token.unwrap_err().is_conflict("embedded"));
    // It is not here any more: then it can be revoked and deleted like any other.
    let gone = cp.revoke_node(&caller, at(id), "moved".to_owned(), Mode::Commit);
    gone.await.unwrap();
    cp.delete_node(&caller, at(id), Mode::Commit).await.unwrap();
}

#[tokio::test]
async fn a_greeting_never_undoes_a_revocation_r_node_10() {
    let (cp, _) = control_plane().await;
    let caller = cp.system_caller();
    let node = made(&cp, "eu-1").await;
    enrolled(&cp, node).await;
    let tx = cp.store().begin().await.unwrap();
    assert!(tx.greet_node(node, "1.0", cp.clock().now()).await.unwrap());
    let seen = tx.find_node(node).await.unwrap().unwrap();
    assert_eq!(seen.software.as_deref(), Some("1.0"));
    assert!(seen.first_seen_at.is_some());
    tx.commit().await.unwrap();
    let gone = cp.revoke_node(&caller, at(node), "gone".to_owned(), Mode::Commit);
    gone.await.unwrap();
    let tx = cp.store().begin().await.unwrap();
    assert!(!tx.greet_node(node, "2.0", cp.clock().now()).await.unwrap());
    // What was read before and is written late changes what was seen, and no standing.
    tx.put_node(&seen).await.unwrap();
    let after = tx.find_node(node).await.unwrap().unwrap();
    assert_eq!(after.standing, NodeStanding::Revoked);
}

#[tokio::test]
async fn where_no_node_can_connect_no_token_is_made() {
    let (cp, _) = control_plane_at(None).await;
    let node = made(&cp, "eu-1").await;
    let caller = cp.system_caller();
    let token = cp.make_join_token(&caller, node, Mode::Commit).await;
    assert!(token.unwrap_err().is_conflict("no_push_address"));
}
