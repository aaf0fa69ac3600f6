//! What a region's lanes are told, and what is written down of them, without any lane.

use chrono::TimeDelta;
use contract::{
    containment::{Containment, Roll, Subject, digest},
    ids::{OperatorId, TypedId, UserId},
    jws::{ReleaseSigner, TrustRoot},
    lane::LaneDown,
};
use uuid::Uuid;

use super::*;

fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

fn region() -> Region {
    "local".parse().unwrap()
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn record(number: u128, revision: u32, sequence: u64) -> ContainmentRecord {
    let containment = Containment {
        id: id(number),
        revision,
        sequence,
        tenant: id(1),
        region: region(),
        subject: Subject::User {
            user: id::<UserId>(number),
        },
        ends_existing: false,
        begun_at: at(0),
        until: at(60),
        lifted_at: None,
    };
    ContainmentRecord {
        document: containment.sign(&signer()).unwrap(),
        containment,
        accepted_at: at(0),
        reason: "drill".to_owned(),
        actor: id::<OperatorId>(1),
        actor_name: "Ada".to_owned(),
        revised_by: id::<OperatorId>(1),
        lifted_reason: None,
        lifted_by: None,
        impact: None,
    }
}

fn signer() -> ReleaseSigner {
    ReleaseSigner::from_secret(&[1; 32])
}

fn with(told: &Told, records: &[ContainmentRecord], sequence: u64) -> Told {
    told.with(records, (&region(), sequence), at(1), &signer())
        .unwrap()
}

fn roll(told: &Told) -> Roll {
    let LaneDown::Roll { jws } = serde_json::from_str(told.roll()).unwrap() else {
        panic!("no roll");
    };
    let trust = TrustRoot {
        keys: vec![signer().public()],
    };
    Roll::verify(&jws, &trust).unwrap()
}

fn listed(told: &Told) -> Vec<(u64, u32)> {
    let documents = told.documents();
    documents
        .map(|one| (one.containment.sequence, one.containment.revision))
        .collect()
}

#[test]
fn only_the_newest_revision_of_each_is_told_in_the_order_of_numbers() {
    let empty = Told::default();
    assert_eq!(empty.known(), None);
    let first = with(&empty, &[record(1, 1, 1), record(2, 1, 2)], 2);
    assert_eq!(listed(&first), [(1, 1), (2, 1)]);
    let second = with(&first, &[record(1, 2, 3)], 3);
    assert_eq!(
        (listed(&second), second.known()),
        (vec![(2, 1), (3, 2)], Some(3))
    );
    assert_eq!(second.documents_after(2).count(), 1);
    assert_eq!(second.documents_after(u64::MAX).count(), 0);
    assert_eq!(second.document(id(1)).unwrap().containment.revision, 2);
    assert!(second.document(id(3)).is_none());
    let roll = roll(&second);
    assert_eq!(
        (roll.sequence, roll.digest().as_str()),
        (3, second.digest())
    );
    assert_eq!(second.digest(), digest(&[(id(1), 2), (id(2), 1)].into()));
}

#[test]
fn whoever_read_the_database_earlier_takes_nothing_back() {
    let newer = with(&Told::default(), &[record(1, 2, 3)], 3);
    let older = with(&newer, &[record(1, 1, 1)], 2);
    assert_eq!((listed(&older), older.known()), (vec![(3, 2)], Some(3)));
}

#[test]
fn what_ended_for_good_leaves_the_roll_at_once_and_is_told_for_a_while() {
    let told = with(&Told::default(), &[record(1, 1, 1)], 1);
    assert!(!told.is_due(at(59)) && told.is_due(at(60)));
    let after = |told: &Told, now| told.with(&[], (&region(), 1), now, &signer()).unwrap();
    let ended = after(&told, at(60));
    assert_eq!((roll(&ended).sequence, roll(&ended).holds.len()), (1, 0));
    assert_eq!(listed(&ended), [(1, 1)]);
    assert!(!ended.is_due(at(119)) && ended.is_due(at(120)));
    let gone = after(&ended, at(120));
    assert!(listed(&gone).is_empty() && !gone.is_due(at(999)));
}

#[test]
fn a_newer_lane_takes_the_place_of_an_older_one() {
    let feed = Feed::default();
    let node: NodeId = id(1);
    let older = feed.join(node, at(0));
    let newer = feed.join(node, at(1));
    older.touch(at(9));
    assert_eq!((older.heard_at(), newer.heard_at()), (None, Some(at(1))));
    drop(older);
    newer.touch(at(2));
    assert_eq!(newer.heard_at(), Some(at(2)));
    drop(newer);
    assert!(feed.sessions().of.is_empty());
}
