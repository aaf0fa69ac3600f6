//! A region follows what is committed, one bucket at a time, and tells of it in order.

use contract::{
    frames::Down,
    ids::TypedId,
    index::{BucketHashes, RegionIndex},
    jws::{ReleaseSigner, TrustRoot},
};
use uuid::Uuid;

use super::*;

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn signer() -> ReleaseSigner {
    ReleaseSigner::from_secret(&[7; 32])
}

fn entry(version: u64) -> IndexEntry {
    IndexEntry {
        version,
        manifest: ContentHash::of(version.to_string().as_bytes()),
    }
}

fn region() -> Region {
    let region = Region::new(("local".parse().unwrap(), Ring::Wide), Arc::default());
    lock(&region.content).is_read = true;
    region
}

/// The step of a tenant from `base` to `version`, made at this second.
fn step(number: u128, (base, version): (u64, u64), second: i64) -> Step {
    Step {
        base,
        entry: entry(version),
        issued_at: DateTime::from_timestamp(second, 123_456_789).unwrap(),
        announcement: Announcement {
            tenant: tenant(number),
            frames: vec!["frame".into()],
        },
    }
}

/// Commits versions of a tenant up to this one, more of them than a session may fall behind.
pub(in crate::push) fn flood(region: &Region, number: u128) -> Bucket {
    for version in 1..=BACKLOG as u64 + 1 {
        assert!(region.take(step(number, (version - 1, version), 1)));
    }
    Bucket::of(tenant(number))
}

fn index(frames: &[Text]) -> RegionIndex {
    let Some(Down::Index { jws }) = frames
        .last()
        .map(|text| serde_json::from_str(text).unwrap())
    else {
        panic!("no index");
    };
    let keys = vec![signer().public()];
    RegionIndex::verify(&jws, &TrustRoot { keys }).unwrap()
}

fn signed(region: &Region) -> u64 {
    region.signed.load(Ordering::Relaxed)
}

#[test]
fn a_change_counts_once_and_only_in_its_order() {
    let region = region();
    let mut changes = region.subscribe();
    for (bounds, taken) in [
        ((0, 1), true),
        // Again, or from somewhere else, or too early.
        ((0, 1), false),
        ((2, 3), false),
        ((1, 2), true),
        // A version may be skipped: only the newest one counts.
        ((2, 9), true),
    ] {
        assert_eq!(region.take(step(1, bounds, 1)), taken, "{bounds:?}");
    }
    assert_eq!(region.find_entry(tenant(1)), Some(entry(9)));
    assert_eq!(region.find_entry(tenant(257)), None);
    for generation in 1..=3 {
        let change = changes.try_recv().unwrap();
        assert_eq!(change.generation, generation);
        assert_eq!(change.release.as_ref().unwrap().tenant, tenant(1));
    }
    assert!(changes.try_recv().is_err());
    // Before it was read, nothing is known and nothing is taken.
    let unread = Region::new(("local".parse().unwrap(), Ring::Wide), Arc::default());
    assert!(!unread.take(step(1, (0, 1), 1)));
    assert_eq!(unread.behind(tenant(1), 1), None);
}

#[test]
fn a_difference_names_what_a_node_lacks_and_is_signed_once() {
    let region = region();
    for number in 1..=3 {
        assert!(region.take(step(number, (0, 1), 10 + i64::try_from(number).unwrap())));
    }
    let said = |theirs: &BucketHashes| region.difference(Known::Said(theirs), &signer()).unwrap();
    let new = said(&BucketHashes::new());
    assert_eq!(
        (new.empty.len(), new.ask.len(), new.frames.len()),
        (3, 0, 4)
    );
    let index = index(&new.frames);
    // The newest change, to the millisecond.
    let newest = DateTime::from_timestamp_millis(13_123).unwrap();
    assert_eq!((index.issued_at, index.buckets.len()), (newest, 3));

    let equal = said(&index.buckets);
    assert_eq!((equal.empty.len(), equal.ask.len()), (0, 0));
    assert_eq!(equal.frames, new.frames[3..], "nothing but the index");

    let mut other = index.buckets.clone();
    let (one, two, three) = (tenant(1), tenant(2), tenant(3));
    other.insert(Bucket::of(one), ContentHash::of(b"other"));
    other.remove(&Bucket::of(two));
    other.insert(Bucket::of(tenant(9)), ContentHash::of(b"not ours"));
    let differs = said(&other);
    // What is not ours is not asked about: the index says that it is not there.
    assert_eq!(differs.ask, [Bucket::of(one)]);
    assert_eq!(differs.empty, [Bucket::of(two)]);
    assert_eq!(differs.frames.len(), 3);
    assert!(differs.is_equal(Bucket::of(three)) && !differs.is_equal(Bucket::of(two)));
    assert_eq!(signed(&region), 1);
}

#[test]
fn a_change_costs_one_bucket_and_a_signature_when_somebody_needs_it() {
    let region = region();
    for number in 0..=u128::from(u8::MAX) {
        assert!(region.take(step(number, (0, 1), 1)));
    }
    let first = region.difference(Known::Said(&BucketHashes::new()), &signer());
    let first = first.unwrap();
    assert_eq!(first.frames.len(), 257);
    let told = |seen, indexed| {
        let known = Known::Told { seen, indexed };
        region.difference(known, &signer()).unwrap()
    };
    let nothing = told(first.generation, first.generation);
    assert!(nothing.frames.is_empty() && nothing.ask.is_empty());

    for version in 2..=100 {
        assert!(region.take(step(5, (version - 1, version), 2)));
    }
    assert_eq!(signed(&region), 1, "nobody needed one");
    let changed = told(first.generation, first.generation);
    assert_eq!(changed.frames.len(), 2, "one document, and the index");
    assert_eq!(changed.ask, [Bucket::of(tenant(5))]);
    // Who heard of the changes is not asked.
    let heard = told(changed.generation, first.generation);
    assert_eq!((heard.frames.len(), heard.ask.len()), (2, 0));
    assert_eq!(signed(&region), 2);
}
