//! States compared by buckets, and a start that believes one signature.

use std::{fs, path::PathBuf};

use chrono::Duration;
use contract::{
    frames::{Down, Outcome, Up},
    ids::TenantId,
    index::{Bucket, RegionIndex},
    jws::ReleaseSigner,
    section::{ContentHash, MAX_SECTION_BYTES, SectionName},
};
use data_plane::Node;

use crate::harness::{ControlPlane, Draft, Link, Machine, start_of_time, tenant};

/// A node that holds `acme` and `other`, which are tenants 1 and 2.
async fn serving(machine: &Machine, control: &ControlPlane) -> (Node, Link, [Draft; 2]) {
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let drafts = [
        control.draft(tenant(1), "acme", 1),
        control.draft(tenant(2), "other", 1),
    ];
    for draft in &drafts {
        assert_eq!(link.release(control, draft).await, Outcome::Applied);
    }
    (node, link, drafts)
}

fn record(machine: &Machine, tenant: TenantId) -> PathBuf {
    let folder = machine.dir.path().join("node/tenants");
    folder.join(tenant.to_string()).join("release.sealed")
}

fn index_file(machine: &Machine) -> PathBuf {
    machine.dir.path().join("node/index.sealed")
}

/// How a JWS ends that nobody signed.
fn spoiled(jws: &str) -> String {
    let (content, _) = jws.rsplit_once('.').unwrap();
    format!("{content}.{}", "A".repeat(86))
}

#[tokio::test]
async fn a_node_names_what_it_holds_and_tells_it_when_asked() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (node, link, drafts) = serving(&machine, &control).await;
    drop(link);
    let frames = control.index(start_of_time(), &[&drafts[0], &drafts[1]]);
    let Some(Down::Index { jws }) = frames.last() else {
        panic!("no index");
    };
    let index = RegionIndex::verify(jws, &control.trust()).unwrap();
    let (mut link, names) = Link::greet(&node).await;
    assert_eq!(names, index.buckets, "equal states have equal names");

    // Asked about one bucket of content and one without, it answers each.
    let empty = Bucket::of(tenant(3));
    let buckets = vec![Bucket::of(tenant(1)), empty];
    link.tell(&Down::Compare { buckets }).await;
    for (bucket, many) in [(Bucket::of(tenant(1)), 1), (empty, 0)] {
        let Up::Holds { bucket: of, holds } = link.hear().await else {
            panic!("expected what it holds");
        };
        assert_eq!((of, holds.len()), (bucket, many));
    }
    // And it needs no document to accept an index of exactly what it holds.
    link.tell(frames.last().unwrap()).await;
    link.settle().await;
    assert!(index_file(&machine).exists());
}

#[tokio::test]
async fn an_index_is_taken_whole_whatever_comes_first() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (_node, mut link, [acme, other]) = serving(&machine, &control).await;
    let next = control.draft(tenant(1), "acme", 2);
    let mut frames = control.index(start_of_time(), &[&next, &other]);
    frames.reverse();
    for frame in &frames {
        assert!(!index_file(&machine).exists(), "its documents are missing");
        link.tell(frame).await;
        link.settle().await;
        if matches!(frame, Down::Bucket { bucket, .. } if *bucket == Bucket::of(acme.manifest.tenant))
        {
            break;
        }
    }
    assert!(index_file(&machine).exists());
    let why = machine.not_ready_because("releases").await.unwrap();
    assert!(why.contains("1 tenants are behind"), "{why}");
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
    link.settle().await;
    assert_eq!(machine.not_ready_because("releases").await, None);
}

#[tokio::test]
async fn an_index_that_is_not_to_be_believed_changes_nothing() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (node, mut link, [acme, other]) = serving(&machine, &control).await;
    let at = start_of_time() + Duration::seconds(10);
    link.tell_all(control.index(at, &[&acme, &other])).await;
    link.settle().await;
    let kept = fs::read(index_file(&machine)).unwrap();

    let later = at + Duration::seconds(10);
    let foreign = ControlPlane {
        signer: ReleaseSigner::from_secret(&[8; 32]),
    };
    let mut elsewhere = control.index(later, &[&other]);
    let Some(Down::Index { jws }) = elsewhere.pop() else {
        panic!("no index");
    };
    let mut index = RegionIndex::verify(&jws, &control.trust()).unwrap();
    index.region = "elsewhere".parse().unwrap();
    let jws = index.sign(&control.signer).unwrap();
    elsewhere.push(Down::Index { jws });
    // A document that is not what is named: the name of `other`'s bucket, with another content.
    let mut forged = control.index(later, &[&control.draft(tenant(2), "other", 7)]);
    let next = control.index(later, &[&control.draft(tenant(2), "other", 8)]);
    forged.pop();
    forged.extend(next.last().cloned());
    let older = control.index(at - Duration::seconds(1), &[&other]);
    for (what, frames) in [
        ("a stranger's", foreign.index(later, &[&other])),
        ("another region's", elsewhere),
        ("one with a forged document", forged),
        ("an older one", older.clone()),
    ] {
        link.tell_all(frames).await;
        link.settle().await;
        assert!(node.tenant(tenant(1)).is_some(), "{what}");
        assert_eq!(machine.not_ready_because("releases").await, None, "{what}");
        assert_eq!(fs::read(index_file(&machine)).unwrap(), kept, "{what}");
    }
    // Nor an older one after a restart, on another connection.
    drop((link, node));
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    link.tell_all(older).await;
    link.settle().await;
    assert!(node.tenant(tenant(1)).is_some());
    // A real one that does not name it drops it.
    link.tell_all(control.index(later, &[&other])).await;
    link.settle().await;
    assert!(node.tenant(tenant(1)).is_none());
    assert!(node.tenant(tenant(2)).is_some());
}

/// What is done to the disk between two starts, and which of the tenants 1 and 2 are served then.
type Harm = (&'static str, fn(&Machine), [bool; 2]);

const HARM: &[Harm] = &[
    ("nothing", |_| {}, [true, true]),
    (
        "the index is gone",
        |machine| fs::remove_file(index_file(machine)).unwrap(),
        [true, true],
    ),
    (
        "the index is damaged",
        |machine| flip(&index_file(machine)),
        [true, true],
    ),
    (
        "a release is damaged",
        |machine| flip(&record(machine, tenant(1))),
        [false, true],
    ),
    (
        "a release is gone",
        |machine| fs::remove_file(record(machine, tenant(1))).unwrap(),
        [false, true],
    ),
    (
        "a release is another tenant's",
        |machine| {
            fs::copy(record(machine, tenant(2)), record(machine, tenant(1))).unwrap();
        },
        [false, true],
    ),
];

fn flip(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damage_costs_only_its_tenant_and_is_repaired_by_comparing() {
    for (what, harm, served) in HARM {
        let (machine, control) = (Machine::new(), ControlPlane::new());
        let (node, mut link, drafts) = serving(&machine, &control).await;
        let frames = control.index(start_of_time(), &[&drafts[0], &drafts[1]]);
        link.tell_all(frames.clone()).await;
        link.settle().await;
        drop((link, node));
        harm(&machine);
        let node = machine.start().await;
        let holds = [1, 2].map(|n| node.tenant(tenant(n)).is_some());
        assert_eq!(holds, *served, "{what}");
        let Some(Down::Index { jws }) = frames.last() else {
            panic!("no index");
        };
        let index = RegionIndex::verify(jws, &control.trust()).unwrap();
        let (mut link, names) = Link::greet(&node).await;
        assert_eq!(names == index.buckets, *served == [true, true], "{what}");
        // What is lacking comes again, and is taken although it is no newer.
        assert_eq!(
            link.release(&control, &drafts[0]).await,
            Outcome::Applied,
            "{what}"
        );
        assert!(node.tenant(tenant(1)).is_some(), "{what}");
    }
}

#[tokio::test]
async fn what_the_index_vouches_for_needs_no_signature_and_nothing_else_does_without() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (node, mut link, [acme, other]) = serving(&machine, &control).await;
    link.tell_all(control.index(start_of_time(), &[&acme, &other]))
        .await;
    link.settle().await;
    // The index does not name this one yet.
    let next = control.draft(tenant(2), "other", 2);
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
    drop((link, node));
    let node = machine.start().await;
    for (n, version) in [(1, 1), (2, 2)] {
        assert_eq!(node.tenant(tenant(n)).unwrap().version(), version);
    }
    let served = node.tenant_by_slug("acme").unwrap();
    assert_eq!(served.policies().token.access_token_seconds, 301);
    drop(node);
    // A node that trusts somebody else by now believes neither the index nor what it vouched for.
    let mut machine = machine;
    machine.trust = ControlPlane {
        signer: ReleaseSigner::from_secret(&[8; 32]),
    }
    .trust();
    let node = machine.start().await;
    assert!(node.tenant_ids().is_empty());
}

#[tokio::test]
async fn a_release_file_that_was_put_back_is_refused_f_06() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (node, mut link, [_, other]) = serving(&machine, &control).await;
    let earlier = fs::read(record(&machine, tenant(1))).unwrap();
    let next = control.draft(tenant(1), "acme", 2);
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
    link.tell_all(control.index(start_of_time(), &[&next, &other]))
        .await;
    link.settle().await;
    drop((link, node));
    fs::write(record(&machine, tenant(1)), earlier).unwrap();
    let node = machine.start().await;
    assert!(node.tenant(tenant(1)).is_none(), "version 1 is over");
    assert!(node.tenant(tenant(2)).is_some());
    let why = machine.not_ready_because("releases").await.unwrap();
    assert!(why.contains("1 tenants are behind"), "{why}");
    // Nor is it taken from the network; the one it had come to is.
    let mut link = Link::connect(&node).await;
    let old = control.draft(tenant(1), "acme", 1);
    let Outcome::Rejected { reason } = link.release(&control, &old).await else {
        panic!("a step back");
    };
    assert!(reason.contains("is not newer than 2"), "{reason}");
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
    assert_eq!(node.tenant(tenant(1)).unwrap().version(), 2);
}

#[tokio::test]
async fn a_large_release_keeps_a_file_per_section_and_writes_only_what_changed() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let mut large = control.draft(tenant(1), "acme", 1);
    // Insignificant space is content like any other: it is hashed and kept.
    let body = large.sections.get_mut(&SectionName::Apis).unwrap();
    body.push_str(&" ".repeat(MAX_SECTION_BYTES / 2));
    let hash = ContentHash::of(body.as_bytes());
    large
        .manifest
        .sections
        .insert(SectionName::Apis, hash.clone());
    assert_eq!(link.release(&control, &large).await, Outcome::Applied);
    let folder = record(&machine, tenant(1)).parent().unwrap().to_owned();
    let apis = folder.join(format!("{hash}.section"));
    let written = fs::metadata(&apis).unwrap().modified().unwrap();

    let mut next = control.draft(tenant(1), "acme", 2);
    next.manifest.sections.insert(SectionName::Apis, hash);
    next.sections.remove(&SectionName::Apis);
    link.tell_all(control.index(start_of_time(), &[&next]))
        .await;
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
    assert_eq!(fs::metadata(&apis).unwrap().modified().unwrap(), written);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
    drop((link, node));
    let node = machine.start().await;
    assert_eq!(node.tenant(tenant(1)).unwrap().version(), 2);
    // Small again, it is one file again.
    let mut link = Link::connect(&node).await;
    let small = control.draft(tenant(1), "acme", 3);
    assert_eq!(link.release(&control, &small).await, Outcome::Applied);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[tokio::test]
async fn a_manifest_that_nobody_signed_is_not_believed_because_of_its_name() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let (_node, mut link, [acme, _]) = serving(&machine, &control).await;
    let unsigned = spoiled(&control.sign(&control.draft(tenant(1), "acme", 2)));
    let Outcome::Rejected { reason } = link.manifest(acme.manifest.tenant, unsigned).await else {
        panic!("nobody signed it");
    };
    assert!(reason.contains("signature"), "{reason}");
}
