//! Becoming a node: a token is traded for an identity, or for nothing at all.

use std::os::unix::fs::PermissionsExt;

use chrono::Duration;
use contract::{
    enrolment::{Der, EnrolAnswer, JoinToken},
    jws::ReleaseSigner,
};
use data_plane::push::{IdentityFile, enrol::EnrolError};
use host::{
    Entropy, Kek,
    wire::{LinkError, WireError},
};

use crate::{
    authority::{Authority, request_of_somebody, signed},
    fabric::{Fabric, node_id, patiently},
    harness::{ControlPlane, Machine, start_of_time},
    joining::PACE,
};

#[tokio::test]
async fn a_token_is_traded_once_for_an_identity_on_disk_r_node_01() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    let identity = machine.join(&fabric).await;
    let expected = (node_id(), "eu-1", "local");
    let (name, region) = (identity.name.as_str(), identity.region.as_str());
    assert_eq!((identity.node, name, region), expected);
    assert_eq!(identity.trust, machine.trust);
    assert_eq!(
        identity.certificate_ends_at(),
        start_of_time() + Duration::hours(24)
    );
    assert_eq!(
        identity.authorities().first(),
        Some(&fabric.authority.certificate)
    );

    // Whoever finds the token later gets nothing for it, and is told what to do.
    let stranger = Machine::new();
    std::fs::copy(
        machine.dir.path().join("join-token"),
        stranger.dir.path().join("join-token"),
    )
    .unwrap();
    let mut joining = stranger.joining();
    let error = joining.attempt(None).await.unwrap_err();
    assert!(matches!(error, EnrolError::Refused(_)), "{error}");
    let told = "the control plane refuses the join token: it is not known here; make a new one";
    assert_eq!(error.to_string(), told);
    assert!(stranger.identity_file().read().unwrap().is_none());
    // Nor does anybody ask with it again.
    assert_eq!(fabric.asked(), 2);
    let error = joining.attempt(None).await.unwrap_err();
    assert!(matches!(error, EnrolError::Spent { .. }), "{error}");
    assert!(
        !error.in_public().contains("known here"),
        "strangers read it"
    );
    assert_eq!((error.to_string().as_str(), fabric.asked()), (told, 2));
    // A new one in the same place works.
    stranger.bring(&fabric.token());
    joining.attempt(None).await.unwrap();
}

#[tokio::test]
async fn an_identity_opens_with_its_key_only_r_node_01() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    let identity = machine.join(&fabric).await;
    let read = machine.identity_file().read().unwrap().unwrap();
    assert_eq!(read.certificate(), identity.certificate());
    assert_eq!(read.address, fabric.address);
    let path = machine.dir.path().join("identity");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let shown = String::from_utf8_lossy(&bytes);
    assert!(!shown.contains("certificate"), "it is sealed");
    assert!(!format!("{read:?}").contains("key"));

    let kek = Kek::from_bytes([1; 32]);
    let other = IdentityFile::new(machine.dir.path(), &kek, Entropy::system());
    let error = other.read().unwrap_err().to_string();
    assert!(
        error.contains("not under this installation's key"),
        "{error}"
    );
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let error = machine.identity_file().read().unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn joining_waits_for_a_control_plane_and_says_so_r_node_01() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    machine.bring(&fabric.token());
    fabric.go_away().await;
    let health = machine.health.register("control_plane");
    let mut joining = machine.joining();
    let joined =
        tokio::spawn(async move { joining.until_joined(PACE, Entropy::system(), &health).await });
    let said = machine
        .told_of_control_plane("not enrolled: the control plane cannot be reached")
        .await;
    assert!(!said.contains("127.0.0.1"), "strangers read it: {said}");
    fabric.come_back().await;
    let identity = patiently(joined).await.unwrap();
    assert_eq!(identity.node, node_id());
}

#[tokio::test]
async fn joining_goes_on_with_a_new_token_after_a_refusal_r_node_01() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    let health = machine.health.register("control_plane");
    let mut joining = machine.joining();
    let joined =
        tokio::spawn(async move { joining.until_joined(PACE, Entropy::system(), &health).await });
    let missing = "not enrolled: the join token cannot be read";
    machine.told_of_control_plane(missing).await;
    let token = fabric.token();
    fabric.change(|behaviour| behaviour.forget(&token));
    machine.bring(&token);
    let said = machine.told_of_control_plane("make a new one").await;
    let expected = "not enrolled: the control plane refuses the join token; make a new one";
    assert_eq!(said, expected, "strangers read it");
    machine.bring(&fabric.token());
    assert_eq!(patiently(joined).await.unwrap().node, node_id());
}

#[tokio::test]
async fn whoever_is_not_the_control_plane_learns_nothing_r_node_02() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    let other = Some(Authority::new().into());
    fabric.change(|behaviour| behaviour.certified_by = other);
    machine.bring(&fabric.token());
    let mut joining = machine.joining();
    let error = joining.attempt(None).await.unwrap_err();
    assert!(matches!(error, EnrolError::Wire(_)), "{error}");
    assert!(machine.identity_file().read().unwrap().is_none());
    // The secret never left, so the token is still good.
    assert_eq!(fabric.asked(), 0);
    fabric.change(|behaviour| behaviour.certified_by = None);
    joining.attempt(None).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_fit_together_is_not_kept_r_node_01() {
    fn list(secret: u8, authority: &Authority) -> String {
        let signer = ReleaseSigner::from_secret(&[secret; 32]);
        signed(&signer, &[authority], start_of_time())
    }
    type Spoil = fn(&mut EnrolAnswer);
    let cases: [(Spoil, &str); 4] = [
        (
            |answer| {
                answer.certificate =
                    Authority::new().certify(&request_of_somebody(), start_of_time());
            },
            "the certificate is for another key",
        ),
        (
            |answer| answer.certificate = Der::new(vec![0x30, 0]).unwrap(),
            "the certificate cannot be read",
        ),
        (
            |answer| answer.authorities = list(8, &Authority::new()),
            "its list of authorities is signed by a key that is not trusted",
        ),
        (
            |answer| answer.authorities = list(7, &Authority::new()),
            "it names no authority of the join token",
        ),
    ];
    for (spoils, why) in cases {
        let machine = Machine::new();
        let fabric = Fabric::open(&machine.clock).await;
        fabric.change(|behaviour| behaviour.spoils = Box::new(spoils));
        machine.bring(&fabric.token());
        let error = machine.joining().attempt(None).await.unwrap_err();
        assert!(matches!(error, EnrolError::NotBelieved(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(machine.identity_file().read().unwrap().is_none());
    }
}

#[tokio::test]
async fn a_token_for_somebody_else_is_not_spent_r_node_01() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    machine.bring(&fabric.token());
    let elsewhere = "eu-west".parse().unwrap();
    let mut joining = machine.joining().only_in(Some(elsewhere));
    let error = joining.attempt(None).await.unwrap_err().to_string();
    assert!(
        error.contains("eu-west") && error.contains("local"),
        "{error}"
    );

    let identity = machine.join(&fabric).await;
    machine.bring(&JoinToken {
        name: "eu-2".parse().unwrap(),
        ..fabric.token()
    });
    let error = machine.joining().attempt(Some(&identity)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("eu-1") && error.contains("eu-2"), "{error}");
    assert_eq!(fabric.asked(), 1);
    let trust = ControlPlane::new().trust();
    assert_eq!(
        machine.identity_file().read().unwrap().unwrap().trust,
        trust
    );
}

#[tokio::test]
async fn what_is_no_token_is_not_repeated() {
    let machine = Machine::new();
    let path = machine.dir.path().join("join-token");
    std::fs::write(&path, "bwj_geheim").unwrap();
    let error = machine.joining().attempt(None).await.unwrap_err();
    assert!(matches!(error, EnrolError::NoToken { .. }), "{error}");
    for said in [error.to_string(), error.in_public().to_owned()] {
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[tokio::test]
async fn strangers_read_no_word_that_somebody_else_chose_r_node_07() {
    let said = || "geheim".to_owned();
    for error in [
        EnrolError::OtherNode(said()),
        EnrolError::Refused(said()),
        EnrolError::NotBelieved(said()),
        EnrolError::Wire(WireError::Unusable(said())),
        EnrolError::Link(LinkError::Failed(said())),
    ] {
        assert!(error.to_string().contains("geheim"), "the log has it");
        assert!(!error.in_public().contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn joining_again_brings_back_no_authority_that_was_left_r_node_02() {
    let machine = Machine::new();
    let fabric = Fabric::open(&machine.clock).await;
    let known = machine.join(&fabric).await;
    // Signed an hour before the list that the node holds.
    let early = start_of_time() - Duration::hours(1);
    let signer = || ControlPlane::new().signer;
    let same = signed(&signer(), &[&fabric.authority], early);
    let wider = signed(&signer(), &[&fabric.authority, &Authority::new()], early);

    fabric.change(|behaviour| {
        behaviour.spoils = Box::new(move |answer| answer.authorities = wider.clone());
    });
    machine.bring(&fabric.token());
    let error = machine.joining().attempt(Some(&known)).await.unwrap_err();
    assert!(matches!(error, EnrolError::NotBelieved(_)), "{error}");
    assert!(error.to_string().contains("is not newer"), "{error}");

    fabric.change(|behaviour| {
        behaviour.spoils = Box::new(move |answer| answer.authorities = same.clone());
    });
    machine.bring(&fabric.token());
    let again = machine.joining().attempt(Some(&known)).await.unwrap();
    assert_eq!(again.authorities(), known.authorities());
}
