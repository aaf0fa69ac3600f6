//! Staying connected: what a node does when the control plane is gone, refuses it, or is somebody else.

use std::sync::Arc;

use chrono::Duration;
use contract::{
    enrolment::{CERTIFICATE_LIFE, Der},
    frames::{Down, Up},
    jws::ReleaseSigner,
};
use data_plane::{Node, push::NodeIdentity};
use host::health::Status;
use x509_parser::parse_x509_certificate;

use crate::{
    authority::{Authority, request_of_somebody, signed},
    fabric::{Fabric, Session, node_id},
    harness::{ControlPlane, Machine, start_of_time, tenant},
    joining::past_half_life,
};

fn renewal(up: Up) -> Option<Der> {
    match up {
        Up::Renew { csr } => Some(csr),
        _ => None,
    }
}

fn kept(machine: &Machine) -> NodeIdentity {
    machine.identity_file().read().unwrap().unwrap()
}

/// A connected node that serves `acme`.
async fn serving(machine: &Machine, fabric: &mut Fabric) -> (Node, Session) {
    let (node, _) = machine.connect(fabric).await;
    let mut session = fabric.session().await;
    let draft = ControlPlane::new().draft(tenant(1), "acme", 1);
    session.release(&draft).await;
    (node, session)
}

#[tokio::test]
async fn both_sides_prove_who_they_are_r_node_02() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, shutdown) = machine.connect(&fabric).await;
    let mut session = fabric.session().await;
    assert_eq!(session.certificate, *kept(&machine).certificate());
    let Up::Hello { node: who, .. } = session.hear().await else {
        panic!("expected a greeting");
    };
    assert_eq!((who, node.node_id()), (node_id(), node_id()));
    machine.connected().await;
    // A frame of a newer control plane is skipped.
    session.tell_text(r#"{"frame":"news"}"#).await;
    assert_eq!(session.settle().await, []);
    shutdown.trigger();
    session.left().await;
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_nothing_stops_meanwhile_r_node_07() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, session) = serving(&machine, &mut fabric).await;
    drop(session);
    let again = fabric.session().await;
    machine.connected().await;
    fabric.go_away().await;
    machine.time.advance(Duration::minutes(5));
    drop(again);
    let said = machine.told_of_control_plane("cannot be reached").await;
    let expected = "not connected since 2027-01-15T08:05:00Z, serving the releases held: ";
    assert!(said.starts_with(expected), "{said}");
    assert!(!said.contains("127.0.0.1"), "strangers read it: {said}");
    assert!(node.tenant_by_slug("acme").is_some());
    assert_eq!(machine.health.report().await.status, Status::Degraded);

    fabric.come_back().await;
    let mut session = fabric.session().await;
    let Up::Hello { buckets, .. } = session.hear().await else {
        panic!("expected a greeting");
    };
    assert_eq!(buckets.len(), 1);
    machine.connected().await;
}

#[tokio::test]
async fn a_refused_node_serves_what_it_holds_and_says_so_r_node_10() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, session) = serving(&machine, &mut fabric).await;
    fabric.change(|behaviour| behaviour.turns_away = Some("its node is revoked"));
    drop(session);
    let refused = "refused by the control plane, serving the releases held";
    let said = machine.told_of_control_plane("refused").await;
    assert_eq!(said, refused, "strangers read it, and not why");
    assert!(node.tenant_by_slug("acme").is_some());
    assert_eq!(machine.health.report().await.status, Status::Degraded);
    fabric.change(|behaviour| behaviour.turns_away = None);
    let _session = fabric.session().await;
    machine.connected().await;
}

#[tokio::test]
async fn f_13_a_node_that_is_told_that_it_is_revoked_serves_nobody_also_after_a_restart() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, session) = serving(&machine, &mut fabric).await;
    fabric.change(|behaviour| {
        behaviour.turns_away = Some("the node was revoked");
        behaviour.revoked = true;
    });
    assert!(!node.is_out_of_service());
    drop(session);
    machine.told_of_control_plane("serving nobody").await;
    assert!(node.is_out_of_service());
    assert_eq!(machine.health.report().await.status, Status::NotReady);
    // On disk before anybody could take it back.
    assert!(kept(&machine).is_revoked());
    fabric.change(|behaviour| behaviour.turns_away = None);
    let _session = fabric.session().await;
    machine.connected().await;
    assert!(node.is_out_of_service(), "nothing takes it back");
}

#[tokio::test]
async fn f_13_a_certificate_that_ended_leaves_a_grace_and_then_nobody_is_served() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, session) = serving(&machine, &mut fabric).await;
    fabric.go_away().await;
    machine.time.advance(CERTIFICATE_LIFE + Duration::days(6));
    drop(session);
    machine.told_of_control_plane("certificate ended").await;
    assert!(!node.is_out_of_service(), "inside the grace");
    machine.time.advance(Duration::days(2));
    machine
        .told_of("standing", "nobody until it is renewed")
        .await;
    assert!(node.is_out_of_service());
}

#[tokio::test]
async fn a_server_of_another_authority_hears_nothing_r_node_02() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    machine.join(&fabric).await;
    let other = Arc::new(Authority::new());
    fabric.change(|behaviour| {
        behaviour.certified_by = Some(other);
        behaviour.plain = true;
    });
    let (_node, _) = machine.connect(&fabric).await;
    machine
        .told_of_control_plane("the other side does not prove to be the control plane")
        .await;
    fabric.change(|behaviour| {
        behaviour.certified_by = None;
        behaviour.plain = false;
    });
    let _session = fabric.session().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_at_half_life_for_a_new_key_r_node_01() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, _) = machine.connect(&fabric).await;
    let mut session = fabric.session().await;
    let heard = session.settle().await;
    assert!(heard.into_iter().all(|up| renewal(up).is_none()));
    // Nobody asked for this one.
    let early = request_of_somebody();
    let certificate = fabric.authority.certify(&early, start_of_time());
    session.tell(&Down::Certificate { certificate }).await;

    machine.time.advance(past_half_life());
    session.tell(&Down::Ping { nonce: 1 }).await;
    let csr = session.hear_until(renewal).await;
    let heard = session.settle().await;
    assert!(
        heard.into_iter().all(|up| renewal(up).is_none()),
        "one is enough"
    );
    machine.time.advance(Duration::minutes(1));
    session.tell(&Down::Ping { nonce: 2 }).await;
    session.hear_until(renewal).await;

    let old = kept(&machine);
    // A certificate for another key is refused, and the connection goes on.
    let now = machine.clock.now();
    let foreign = request_of_somebody();
    let certificate = fabric.authority.certify(&foreign, now);
    session.tell(&Down::Certificate { certificate }).await;
    session.settle().await;
    assert_eq!(kept(&machine).certificate(), old.certificate());

    let certificate = fabric.authority.certify(&csr, now);
    let fresh = certificate.clone();
    session.tell(&Down::Certificate { certificate }).await;
    session.left().await;
    assert_eq!(*kept(&machine).certificate(), fresh);
    let session = fabric.session().await;
    assert_eq!(session.certificate, fresh);
    let key = |der: &Der| {
        let (_, parsed) = parse_x509_certificate(der.as_bytes()).unwrap();
        parsed.public_key().raw.to_vec()
    };
    assert_ne!(key(&fresh), key(old.certificate()));
    assert_eq!(node.node_id(), node_id());
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_r_node_01() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    machine.connect(&fabric).await;
    let mut session = fabric.session().await;
    machine.time.advance(past_half_life());
    session.tell(&Down::Ping { nonce: 1 }).await;
    let csr = session.hear_until(renewal).await;
    let certificate = fabric.authority.certify(&csr, machine.clock.now());
    drop(session);

    // Asked again, with the same key: the certificate that was made then still fits.
    let mut session = fabric.session().await;
    machine.time.advance(Duration::minutes(1));
    session.tell(&Down::Ping { nonce: 2 }).await;
    session.hear_until(renewal).await;
    let fresh = certificate.clone();
    session.tell(&Down::Certificate { certificate }).await;
    session.left().await;
    assert_eq!(*kept(&machine).certificate(), fresh);
    assert_eq!(fabric.session().await.certificate, fresh);
}

#[tokio::test]
async fn the_same_authorities_are_no_news_however_old_r_node_02() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    machine.connect(&fabric).await;
    let mut session = fabric.session().await;
    let next = Authority::new();
    let signer = ControlPlane::new().signer;
    let ours = &*fabric.authority;
    let hour = |hour| start_of_time() + Duration::hours(hour);
    let both = signed(&signer, &[ours, &next], hour(2));
    session.tell(&Down::Authorities { jws: both }).await;
    session.settle().await;
    assert_eq!(kept(&machine).authorities().len(), 2);

    // A write would seal anew, and so change every byte.
    let on_disk = || std::fs::read(machine.dir.path().join("identity")).unwrap();
    let before = on_disk();
    for (every, at) in [
        ([&next, ours], hour(2)),
        ([ours, &next], hour(1)),
        ([&next, ours], hour(4)),
    ] {
        let jws = signed(&signer, &every, at);
        session.tell(&Down::Authorities { jws }).await;
    }
    session.settle().await;
    assert!(on_disk() == before, "nothing changed");

    // Newer than what is on disk, and older than what was said since.
    let jws = signed(&signer, &[ours], hour(3));
    session.tell(&Down::Authorities { jws }).await;
    session.settle().await;
    assert!(on_disk() == before, "it is refused");
    let jws = signed(&signer, &[ours], hour(5));
    session.tell(&Down::Authorities { jws }).await;
    session.settle().await;
    assert_eq!(kept(&machine).authorities().len(), 1);
}

#[tokio::test]
async fn authorities_change_forwards_only_r_node_02() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    machine.connect(&fabric).await;
    let mut session = fabric.session().await;
    let next = Arc::new(Authority::new());
    let signer = ControlPlane::new().signer;
    let (ours, later) = (&fabric.authority, start_of_time() + Duration::hours(1));
    let both = signed(&signer, &[ours, &next], later);
    session.tell(&Down::Authorities { jws: both }).await;
    session.settle().await;
    assert_eq!(kept(&machine).authorities().len(), 2);

    let forger = ReleaseSigner::from_secret(&[8; 32]);
    for refused in [
        signed(&signer, &[ours], start_of_time()),
        signed(&signer, &[ours], later),
        signed(&forger, &[ours], later + Duration::hours(1)),
        "no.jws.at-all".to_owned(),
    ] {
        session.tell(&Down::Authorities { jws: refused }).await;
        session.settle().await;
        assert_eq!(kept(&machine).authorities().len(), 2);
    }

    // The control plane may prove itself with either from now on.
    fabric.change(|behaviour| behaviour.certified_by = Some(Arc::clone(&next)));
    drop(session);
    let _session = fabric.session().await;
}

#[tokio::test]
async fn after_its_end_a_certificate_is_replaced_by_a_join_token_r_node_09() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, session) = serving(&machine, &mut fabric).await;
    fabric.go_away().await;
    drop(session);
    machine.told_of_control_plane("cannot be reached").await;
    machine
        .time
        .advance(CERTIFICATE_LIFE + Duration::minutes(1));
    let said = machine.told_of_control_plane("certificate ended").await;
    let ended = "certificate ended 2027-01-16T08:00:00Z; a new join token is needed if the control plane does not renew it";
    assert!(said.contains(ended), "{said}");
    assert!(
        node.tenant_by_slug("acme").is_some(),
        "users notice nothing"
    );

    // Nobody believes it any more, and the token of the first day is spent.
    fabric.come_back().await;
    let said = machine
        .told_of_control_plane("refuses the join token")
        .await;
    assert!(said.contains(ended), "{said}");
    assert!(!said.contains("known here"), "strangers read it: {said}");
    let old = kept(&machine);
    machine.bring(&fabric.token());
    let session = fabric.session().await;
    machine.connected().await;
    let new = kept(&machine);
    assert_eq!(session.certificate, *new.certificate());
    assert_eq!(new.node, old.node);
    assert!(new.certificate_ends_at() > old.certificate_ends_at());
}
