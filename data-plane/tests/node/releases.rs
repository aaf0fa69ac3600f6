//! What is believed, what is refused, what survives (R-NODE-03 to R-NODE-07).

use std::fs;

use chrono::Duration;
use contract::{
    frames::{Down, Outcome},
    jws::ReleaseSigner,
    manifest::FORMAT,
    section::SectionName,
    tenant::TenantStatus,
};
use data_plane::{Node, OpenError, releases::TenantRuntime};

use crate::harness::{ControlPlane, Draft, Link, Machine, start_of_time, tenant};

fn refused(outcome: Outcome, why: &str) {
    match outcome {
        Outcome::Rejected { reason } => assert!(reason.contains(why), "{reason:?} lacks {why:?}"),
        Outcome::Applied => panic!("applied, but {why:?} was to be refused"),
    }
}

#[tokio::test]
async fn a_release_is_served_and_the_next_replaces_it() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let why = machine
        .not_ready_because("releases")
        .await
        .expect("nothing is held");
    assert!(why.contains("no release is held"), "{why}");
    let mut link = Link::connect(&node).await;
    let first = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &first).await, Outcome::Applied);
    assert_eq!(machine.not_ready_because("releases").await, None);
    let served = node.tenant_by_slug("acme").expect("it is served");
    assert_eq!((served.version(), served.is_active()), (1, true));

    // Only what changed travels.
    let mut second = control.draft(tenant(1), "acme", 2);
    second.manifest.status = TenantStatus::Suspended;
    second
        .sections
        .retain(|name, _| *name == SectionName::Policies);
    assert_eq!(link.release(&control, &second).await, Outcome::Applied);
    let now_served = node.tenant_by_slug("acme").expect("it is served");
    assert_eq!((now_served.version(), now_served.is_active()), (2, false));
    assert_eq!(now_served.policies().token.access_token_seconds, 302);
    // A request under way keeps the rules it began with.
    assert_eq!(served.version(), 1);
    let keys = |runtime: &TenantRuntime| runtime.keys().public_keys().unwrap().to_vec();
    assert_eq!(keys(&served), keys(&now_served));
    // Saying the same twice is no error.
    let again = link.manifest(tenant(1), control.sign(&second)).await;
    assert_eq!(again, Outcome::Applied);
}

/// A change to version 2 that must be refused, and what the refusal says.
type Spoil = (&'static str, fn(&mut Draft));

const SPOILED: &[Spoil] = &[
    ("does not match its hash", |draft| {
        let body = draft
            .sections
            .get_mut(&SectionName::Policies)
            .expect("policies");
        *body = body.replacen("302", "303", 1);
    }),
    ("section policies is missing", |draft| {
        draft.sections.remove(&SectionName::Policies);
    }),
    ("section tenant is missing", |draft| {
        draft.manifest.sections.remove(&SectionName::Tenant);
    }),
    ("is for region elsewhere", |draft| {
        draft.manifest.region = "elsewhere".parse().expect("a region");
    }),
    ("which this software does not know", |draft| {
        draft.manifest.format = FORMAT + 1
    }),
    ("needs node version 99.0.0", |draft| {
        draft.manifest.min_node_version = "99.0.0".into();
    }),
    ("applied with other content", |draft| {
        draft.manifest.version = 1
    }),
    ("is not newer than 1", |draft| draft.manifest.version = 0),
];

#[tokio::test]
async fn spoiled_releases_are_refused_and_the_last_good_one_stays_r_node_03() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let good = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &good).await, Outcome::Applied);
    for (why, spoil) in SPOILED {
        let mut draft = control.draft(tenant(1), "acme", 2);
        spoil(&mut draft);
        refused(link.release(&control, &draft).await, why);
        let served = node.tenant_by_slug("acme").expect("still served");
        assert_eq!(served.version(), 1, "{why}");
    }
    // None of it poisons what comes next.
    let next = control.draft(tenant(1), "acme", 2);
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
}

#[tokio::test]
async fn forged_and_misdirected_manifests_are_refused_r_node_03() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let good = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &good).await, Outcome::Applied);
    let next = control.draft(tenant(1), "acme", 2);
    let signed = control.sign(&next);

    for at in [0, signed.len() / 2, signed.len() - 2] {
        let flipped = if signed.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        let mut tampered = signed.clone();
        tampered.replace_range(at..=at, flipped);
        link.sections(&next).await;
        refused(link.manifest(tenant(1), tampered).await, "the manifest");
    }
    let stranger = next
        .manifest
        .sign(&ReleaseSigner::from_secret(&[8; 32]))
        .expect("signed");
    refused(link.manifest(tenant(1), stranger).await, "not trusted");
    let Some(Down::Index { jws: as_index }) = control.index(start_of_time(), &[&next]).pop() else {
        panic!("no index");
    };
    refused(link.manifest(tenant(1), as_index).await, "another type");
    link.sections(&next).await;
    refused(link.manifest(tenant(2), signed).await, "another tenant");
    for noise in ["", "a.b.c", "ünïcode"] {
        refused(
            link.manifest(tenant(1), noise.to_owned()).await,
            "the manifest",
        );
    }
    let double = control.draft(tenant(2), "acme", 1);
    refused(link.release(&control, &double).await, "same slug or host");
    assert_eq!(
        node.tenant_by_slug("acme").expect("still served").version(),
        1
    );
    assert!(node.tenant(tenant(2)).is_none());
}

#[tokio::test]
async fn a_restart_serves_without_the_control_plane_r_node_07() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let keys = {
        let node = machine.start().await;
        let mut link = Link::connect(&node).await;
        for version in 1..=3 {
            let draft = control.draft(tenant(1), "acme", version);
            assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
        }
        let other = control.draft(tenant(2), "other", 1);
        assert_eq!(link.release(&control, &other).await, Outcome::Applied);
        jwks(&node, "acme").await
    };
    let node = machine.start().await;
    let served = node.tenant_by_slug("acme").expect("served from disk");
    assert_eq!(served.version(), 3);
    // Keys are read when they are needed.
    assert!(!served.is_warm());
    assert_eq!(jwks(&node, "acme").await, keys);
    assert_ne!(jwks(&node, "other").await, keys);
    assert_eq!(machine.not_ready_because("releases").await, None);
    let why = machine
        .not_ready_because("control_plane")
        .await
        .expect("it is absent");
    assert!(why.contains("not connected"), "{why}");

    // Replayed to the restarted node, old versions are still old (R-NODE-04).
    let (mut link, names) = Link::greet(&node).await;
    assert_eq!(names.len(), 2);
    assert_eq!(link.holds(tenant(1)).await[&tenant(1)].version, 3);
    let old = control.draft(tenant(1), "acme", 2);
    refused(link.release(&control, &old).await, "is not newer than 3");
    // Sections that no version needs any more are gone.
    let folder = machine
        .dir
        .path()
        .join("node/tenants")
        .join(tenant(1).to_string());
    let files = fs::read_dir(folder).expect("the snapshot").count();
    assert_eq!(files, 1, "small releases lie in one file");
}

/// The keys of a tenant, as a request would be told them.
async fn jwks(node: &Node, slug: &str) -> Vec<u8> {
    let runtime = node.tenant_by_slug(slug).expect("served");
    runtime.warm().await.expect("the database answers");
    runtime.keys().jwks().expect("at hand").to_vec()
}

#[tokio::test]
async fn the_snapshot_is_verified_again_and_private() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    {
        let node = machine.start().await;
        let mut link = Link::connect(&node).await;
        for (n, slug) in [(1, "acme"), (2, "other")] {
            let draft = control.draft(tenant(n), slug, 1);
            assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
        }
    }
    let folder = machine
        .dir
        .path()
        .join("node/tenants")
        .join(tenant(1).to_string());
    let mut spoiled = 0;
    for entry in fs::read_dir(&folder).expect("the snapshot") {
        let path = entry.expect("a file").path();
        let mut bytes = fs::read(&path).expect("a file");
        assert!(!bytes.windows(4).any(|window| window == b"Acme"), "sealed");
        if path.extension().is_some_and(|kind| kind == "sealed") {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(&path, bytes).expect("written");
            spoiled += 1;
        }
    }
    assert!(spoiled > 0);
    let node = machine.start().await;
    // Damage costs only its tenant, and the control plane can repair it.
    assert!(node.tenant(tenant(1)).is_none());
    assert!(node.tenant(tenant(2)).is_some());
    let mut link = Link::connect(&node).await;
    let again = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &again).await, Outcome::Applied);
    assert!(node.tenant(tenant(1)).is_some());
}

#[tokio::test]
async fn a_wrong_key_refuses_to_start() {
    let (mut machine, control) = (Machine::new(), ControlPlane::new());
    {
        let node = machine.start().await;
        let mut link = Link::connect(&node).await;
        let draft = control.draft(tenant(1), "acme", 1);
        assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
    }
    machine.kek = [10; 32];
    let error = machine.try_start("node").await.err().expect("refused");
    assert!(matches!(error, OpenError::IdentityKey(_)), "{error}");
    assert!(!error.to_string().contains('\n'));
    // Even with a database of its own, the snapshot tells.
    machine.identity_url = "sqlite::memory:".into();
    let error = machine.try_start("node").await.err().expect("refused");
    assert!(matches!(error, OpenError::Snapshot(_)), "{error}");
}

#[tokio::test]
async fn unusable_stores_are_one_line_each() {
    let mut machine = Machine::new();
    for url in [
        "mysql://x",
        "sqlite:///nonexistent-dir/x.db",
        "postgres://u:geheim@127.0.0.1:1/x",
    ] {
        machine.identity_url = url.into();
        let error = machine
            .try_start("node")
            .await
            .err()
            .expect("refused")
            .to_string();
        assert!(
            !error.contains('\n') && !error.contains("geheim"),
            "{error}"
        );
    }
    machine.identity_url = "sqlite::memory:".into();
    fs::write(machine.dir.path().join("file"), b"not a directory").expect("written");
    let error = machine
        .try_start("file")
        .await
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("cannot be used"), "{error}");
}

#[tokio::test]
async fn a_newer_index_drops_what_it_does_not_name() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let (acme, other) = (
        control.draft(tenant(1), "acme", 4),
        control.draft(tenant(2), "other", 1),
    );
    for draft in [&acme, &other] {
        assert_eq!(link.release(&control, draft).await, Outcome::Applied);
    }
    let later = start_of_time() + Duration::seconds(1);
    let foreign = ControlPlane {
        signer: ReleaseSigner::from_secret(&[8; 32]),
    };
    for (frames, kept) in [
        // As old as the releases, signed by a stranger, then a real one, then a replayed older one.
        (control.index(start_of_time(), &[&other]), true),
        (foreign.index(later, &[&other]), true),
        (control.index(later, &[&other]), false),
        (control.index(start_of_time(), &[&acme]), false),
    ] {
        link.tell_all(frames).await;
        link.settle().await;
        assert_eq!(node.tenant(tenant(1)).is_some(), kept);
        assert!(node.tenant(tenant(2)).is_some());
    }
    // What was dropped cannot come back as something older.
    refused(link.release(&control, &acme).await, "is not newer than 4");
    let next = control.draft(tenant(1), "acme", 5);
    assert_eq!(link.release(&control, &next).await, Outcome::Applied);
}

#[tokio::test]
async fn noise_on_the_link_changes_nothing_r_node_05() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    for noise in [
        "",
        "{}",
        "null",
        "[]",
        "{\"frame\":\"shutdown\"}",
        "\u{0}",
        &"[".repeat(5000),
    ] {
        link.tell_text(noise.to_owned()).await;
    }
    link.settle().await;
    let draft = control.draft(tenant(1), "acme", 1);
    assert_eq!(link.release(&control, &draft).await, Outcome::Applied);
    drop(link);
    assert!(node.tenant(tenant(1)).is_some());
}

#[tokio::test]
async fn announced_releases_that_do_not_come_show_in_health() {
    let (machine, control) = (Machine::new(), ControlPlane::new());
    let node = machine.start().await;
    let mut link = Link::connect(&node).await;
    let (acme, other) = (
        control.draft(tenant(1), "acme", 1),
        control.draft(tenant(2), "other", 1),
    );
    let frames = control.index(start_of_time(), &[&acme, &other]);
    link.tell_all(frames).await;
    link.settle().await;
    let why = machine
        .not_ready_because("releases")
        .await
        .expect("not ready");
    assert!(why.contains("2 announced"), "{why}");
    assert_eq!(link.release(&control, &acme).await, Outcome::Applied);
    link.settle().await;
    let why = machine
        .not_ready_because("releases")
        .await
        .expect("degraded");
    assert!(why.contains("1 tenants are behind"), "{why}");
    assert_eq!(link.release(&control, &other).await, Outcome::Applied);
    link.settle().await;
    assert_eq!(machine.not_ready_because("releases").await, None);
}
