//! Rotation, step by step, and the first start.

use chrono::TimeDelta;
use contract::enrolment::Authorities;
use host::{Kek, ManualClock};

use super::*;
use crate::nodes::tests::control_plane;

async fn standings(cp: &ControlPlane) -> Vec<AuthorityStanding> {
    let states = cp.list_authorities(&cp.system_caller()).await.unwrap();
    states.into_iter().map(|state| state.standing).collect()
}

async fn rotate(cp: &ControlPlane) -> Result<Vec<AuthorityState>, Refusal> {
    cp.rotate_authority(&cp.system_caller(), Mode::Commit).await
}

async fn told(cp: &ControlPlane) -> Vec<String> {
    let jws = cp.signed_authorities().await.unwrap();
    let list = Authorities::verify(&jws, &cp.trust_root()).unwrap();
    list.certificates.iter().map(Der::fingerprint).collect()
}

#[tokio::test]
async fn an_authority_is_replaced_in_steps_and_none_falls_out_r_node_02() {
    use AuthorityStanding::{Next, Retiring, Signing};
    let (cp, clock): (ControlPlane, ManualClock) = control_plane().await;
    assert_eq!(standings(&cp).await, [Signing]);
    let first = told(&cp).await;

    rotate(&cp).await.unwrap();
    assert_eq!(standings(&cp).await, [Signing, Next]);
    let both = told(&cp).await;
    assert!(both.len() == 2 && both.contains(&first[0]));
    let early = rotate(&cp).await.unwrap_err();
    assert!(early.is_conflict("too_soon"), "{early}");

    clock.advance(AuthorityState::NEXT_WAITS);
    let tried = cp.rotate_authority(&cp.system_caller(), Mode::DryRun).await;
    assert_eq!(tried.unwrap()[1].standing, Signing);
    assert_eq!(standings(&cp).await, [Signing, Next], "it was only tried");
    let states = rotate(&cp).await.unwrap();
    assert_eq!(standings(&cp).await, [Retiring, Signing]);
    assert_eq!(told(&cp).await, both);
    assert_eq!(states[0].fingerprint, first[0]);

    // The former one is believed until whatever it signed a moment before has ended.
    let until = states[0].trusted_until;
    assert!(until - cp.clock().now() >= CERTIFICATE_LIFE);
    clock.set(until - TimeDelta::seconds(1));
    assert_eq!(standings(&cp).await, [Retiring, Signing]);
    clock.set(until);
    assert_eq!(standings(&cp).await, [Signing]);
    let second: Vec<_> = both.iter().filter(|one| **one != first[0]).collect();
    assert_eq!(told(&cp).await.iter().collect::<Vec<_>>(), second);
    let certificates = cp.authority_certificates().await.unwrap();
    assert_eq!(certificates.len(), 1);
}

#[tokio::test]
async fn the_list_is_dated_by_what_it_says_and_never_goes_back_r_node_02() {
    let (cp, clock) = control_plane().await;
    let issued = async || {
        let jws = cp.signed_authorities().await.unwrap();
        let list = Authorities::verify(&jws, &cp.trust_root()).unwrap();
        (list.issued_at, jws)
    };
    let first = issued().await;
    clock.advance(TimeDelta::hours(1));
    assert_eq!(issued().await, first, "nothing changed but the time");

    // A replica whose clock is behind the one that wrote last.
    clock.set(first.0 - TimeDelta::seconds(2));
    rotate(&cp).await.unwrap();
    let second = issued().await;
    assert!(second.0 > first.0);
    clock.advance(AuthorityState::NEXT_WAITS + TimeDelta::seconds(10));
    let states = rotate(&cp).await.unwrap();
    assert_eq!(issued().await, second, "who signs makes no difference");

    clock.set(states[0].trusted_until);
    let third = issued().await;
    assert!(third.0 > second.0, "one is gone");
    // What is gone is forgotten now, and what it said of the time is not.
    rotate(&cp).await.unwrap();
    let fourth = issued().await;
    assert!(fourth.0 > third.0);
    clock.advance(AuthorityState::NEXT_WAITS);
    rotate(&cp).await.unwrap();
    assert_eq!(issued().await, fourth);
}

#[tokio::test]
async fn an_authority_that_has_ended_makes_room_as_well_r_node_02() {
    use AuthorityStanding::{Next, Signing};
    let (cp, clock) = control_plane().await;
    clock.advance(AUTHORITY_LIFE - TimeDelta::days(1));
    rotate(&cp).await.unwrap();
    clock.advance(TimeDelta::days(2));
    assert_eq!(standings(&cp).await, [Next]);
    rotate(&cp).await.unwrap();
    assert_eq!(standings(&cp).await, [Signing]);
    let (_, ends_at) = cp.server_identity().await.unwrap();
    assert!(ends_at > cp.clock().now());
}

#[tokio::test]
async fn a_key_that_signs_no_more_is_destroyed() {
    let (cp, clock) = control_plane().await;
    rotate(&cp).await.unwrap();
    clock.advance(AuthorityState::NEXT_WAITS);
    rotate(&cp).await.unwrap();
    let tx = cp.store().begin_read().await.unwrap();
    let kept: Vec<bool> = tx
        .list_authorities()
        .await
        .unwrap()
        .iter()
        .map(|one| one.key_sealed.is_some())
        .collect();
    assert_eq!(kept, [false, true]);
}

#[tokio::test]
async fn so_many_authorities_are_believed_and_no_more() {
    let (cp, clock) = control_plane().await;
    while standings(&cp).await.len() < MAX_AUTHORITIES {
        rotate(&cp).await.unwrap();
        clock.advance(AuthorityState::NEXT_WAITS);
    }
    // The last one made is still the next one: it may sign, and none can follow it yet.
    rotate(&cp).await.unwrap();
    let refused = rotate(&cp).await.unwrap_err();
    assert!(refused.is_conflict("too_many_authorities"), "{refused}");
    clock.advance(CERTIFICATE_LIFE + SKEW);
    rotate(&cp).await.unwrap();
}

#[tokio::test]
async fn who_starts_first_a_moment_late_uses_the_authority_that_is_stored() {
    let (cp, _) = control_plane().await;
    let before = told(&cp).await;
    // Both looked before either wrote.
    cp.offer_first().await.unwrap();
    assert_eq!(told(&cp).await, before);
}

#[tokio::test]
async fn an_authoritys_key_rests_sealed() {
    let (cp, _) = control_plane().await;
    let tx = cp.store().begin_read().await.unwrap();
    let authority = tx.find_signing_authority().await.unwrap().unwrap();
    let sealed = authority.key_sealed.unwrap();
    let fingerprint = authority.certificate.fingerprint();
    let key = cp.seal().open(&context(&fingerprint), &sealed).unwrap();
    assert!(rcgen::KeyPair::try_from(key.as_slice()).is_ok());
    assert!(
        !sealed
            .windows(32)
            .any(|part| key.windows(32).any(|other| other == part))
    );
    let other = Kek::from_bytes([8; 32]).key("control-plane settings");
    assert!(other.open(&context(&fingerprint), &sealed).is_err());
    // Sealed for its own row: under another one's name it does not open.
    assert!(cp.seal().open(&context("other"), &sealed).is_err());
}
