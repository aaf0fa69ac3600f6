//! The receipt, read by somebody who believes nobody.

use contract::{
    containment::Subject,
    lane::{CONFIRMATION_TYPE, Confirmation},
    receipt::{NodeOutcome, Proof, Receipt},
    role::Role,
    section::ContentHash,
};
use control_plane::{ContainmentChange, Mode, Wait, containments::ContainmentAt, nodes::NodeAt};
use host::{
    Shutdown,
    statement::{PublicPoint, check_certificate, uris_of, verify},
    wire::LinkError,
};

use super::{confirmed, contain, hour, node, until, user};
use crate::harness::{
    World, code,
    wired::{Enrolled, receive},
};

#[tokio::test]
async fn a_receipt_has_the_nodes_own_words_and_their_certificates_inside_r_rev_04() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.staff(Role::PlatformOwner).await;
    let shutdown = Shutdown::new();
    let here = receive(&world.cp, &shutdown);
    let wired = Enrolled::new(&world, &owner, "eu-1").await;
    let _away = Enrolled::new(&world, &owner, "eu-2").await;
    let lane = wired.open_lane(&world, &here).await.unwrap();
    let (_node, embedded) = node(&world.cp, 1).await;
    let lanes = [lane.obey(), embedded.obey()];
    let state = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let id = state.containment.id;
    until(&world.cp, &owner, (acme.id, id), |state| {
        confirmed(state) == 2
    })
    .await;

    let jws = world.cp.containment_receipt(&owner, acme.id, id).await;
    let jws = jws.unwrap();
    let trust = world.cp.trust_root();
    let (receipt, document) = Receipt::verify(&jws, &trust).unwrap();
    assert_eq!(document, state.containment);
    assert_eq!(receipt.reason, "The account was taken over");
    assert_eq!((receipt.figures.nodes, receipt.figures.confirmed), (3, 2));
    let roots: Vec<_> = receipt
        .authorities
        .iter()
        .map(|der| der.as_bytes().to_vec())
        .collect();
    assert_eq!(roots.len(), 1);
    let mut kinds = Vec::new();
    for line in &receipt.nodes {
        let NodeOutcome::Confirmed {
            statement, proof, ..
        } = &line.outcome
        else {
            kinds.push((line.name.to_string(), "silent"));
            continue;
        };
        let (key, kind) = match proof {
            Proof::Certificate { certificate } => {
                let der = certificate.as_bytes();
                check_certificate(der, &roots, receipt.made_at).unwrap();
                let uri = format!("bailiwick://node/{}", line.node);
                assert_eq!(uris_of(der).unwrap(), [uri]);
                (PublicPoint::of_certificate(der).unwrap(), "certificate")
            }
            Proof::SameProcess { key } => {
                let contract::jwk::PublicJwk::Ec { x, y, .. } = key.clone() else {
                    panic!("{key:?}");
                };
                let (x, y) = (String::from(x), String::from(y));
                (
                    PublicPoint::from_coordinates(&x, &y).unwrap(),
                    "same process",
                )
            }
        };
        let payload = verify(CONFIRMATION_TYPE, statement, &key).unwrap();
        let said: Confirmation = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (said.node, said.containment, said.revision),
            (line.node, id, 1)
        );
        assert_eq!(said.document, ContentHash::of(receipt.document.as_bytes()));
        kinds.push((line.name.to_string(), kind));
    }
    kinds.sort();
    let expected = [
        ("embedded", "same process"),
        ("eu-1", "certificate"),
        ("eu-2", "silent"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));

    for position in (0..jws.len()).step_by(jws.len() / 40) {
        let mut bytes = jws.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(Receipt::verify(&changed, &trust).is_err(), "{position}");
    }
    drop(lanes);
    shutdown.trigger();
}

#[tokio::test]
async fn a_receipt_is_about_the_newest_revision() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let (_node, lane) = node(&world.cp, 1).await;
    let _lane = lane.obey();
    let begun = world
        .cp
        .contain(
            &owner,
            acme.id,
            hour(Subject::Tenant {}),
            (Wait::Reachable, Mode::Commit),
        )
        .await
        .unwrap();
    let id = begun.containment.id;
    let at = ContainmentAt {
        tenant: acme.id,
        id,
        expected: Some(begun.version),
    };
    let lift = ContainmentChange::Lift {
        reason: "The drill is over".to_owned(),
    };
    let how = (Wait::Reachable, Mode::Commit);
    let lifted = world.cp.change_containment(&owner, at, lift, how).await;
    let lifted = lifted.unwrap();
    assert_eq!((confirmed(&lifted), lifted.version), (1, 2));
    assert_eq!(lifted.residual.tokens_until, None);
    let jws = world
        .cp
        .containment_receipt(&owner, acme.id, id)
        .await
        .unwrap();
    let (receipt, document) = Receipt::verify(&jws, &world.cp.trust_root()).unwrap();
    assert_eq!((document.revision, receipt.figures.confirmed), (2, 1));
    assert_eq!(receipt.reason, "The drill is over");
    assert_eq!(receipt.actor, owner.operator().to_string());
    // How it began is still proven once it is over.
    let of = (id, Some(1));
    let jws = world.cp.containment_receipt_of(&owner, acme.id, of).await;
    let (receipt, document) = Receipt::verify(&jws.unwrap(), &world.cp.trust_root()).unwrap();
    assert_eq!(
        (document, receipt.figures.confirmed),
        (begun.containment, 1)
    );
    assert_eq!(receipt.reason, "The account was taken over");
    assert_eq!(receipt.accepted_at, begun.accepted_at);
    assert_eq!(receipt.residual.tokens_until, None);
    let none = world
        .cp
        .containment_receipt_of(&owner, acme.id, (id, Some(3)));
    assert_eq!(code(none.await), "not found: revision");
}

#[tokio::test]
async fn a_node_that_was_revoked_has_no_lane_and_no_line_r_node_10() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.staff(Role::PlatformOwner).await;
    let shutdown = Shutdown::new();
    let here = receive(&world.cp, &shutdown);
    tokio::spawn({
        let (cp, shutdown) = (world.cp.clone(), shutdown.clone());
        async move { cp.follow_replicas(shutdown).await.unwrap() }
    });
    let wired = Enrolled::new(&world, &owner, "eu-1").await;
    let mut lane = wired.open_lane(&world, &here).await.unwrap();
    lane.hear_roll().await;
    let state = contain(&world.cp, acme.id, user(1)).await.unwrap();
    assert_eq!(state.nodes.len(), 1);
    let at = NodeAt {
        id: wired.answer.node,
        expected: None,
    };
    let why = "the machine was stolen".to_owned();
    let revoked = world.cp.revoke_node(&owner, at, why, Mode::Commit);
    revoked.await.unwrap();
    lane.hear_the_end().await;
    let again = wired.open_lane(&world, &here).await.err();
    assert!(
        matches!(again, Some(LinkError::Refused { status: 410, .. })),
        "{again:?}"
    );
    let id = state.containment.id;
    let state = world.cp.get_containment(&owner, acme.id, id).await.unwrap();
    assert!(state.nodes.is_empty());
    shutdown.trigger();
}
