//! How long a node of ten thousand tenants takes to start, and where the time goes.
//!
//! Not part of the suite: it writes ten thousand synced files. With an optimised build, on a quiet machine:
//! `cargo test --release -p data-plane --lib -- --ignored --nocapture cold_start`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use contract::{
    api::{Api, ApiScope},
    ids::{NodeId, TypedId},
    index::{self, Bucket, BucketHashes, Entries, RegionIndex},
    jws::{ReleaseSigner, TrustRoot},
    manifest::FORMAT,
    policies::PolicySet,
    release::ReleaseContent,
    tenant::{Environment, TenantStatus},
};
use host::{Clock, Entropy, Health, Kek, Stopwatch};
use uuid::Uuid;

use super::*;
use crate::{
    Node, NodeConfig, mailer::Mailbox, releases::index::Documents, state::memory::MemoryState,
};

const TENANTS: u128 = 10_000;
const SOFTWARE: &str = "0.1.0";

fn then() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn signer() -> ReleaseSigner {
    ReleaseSigner::from_secret(&[7; 32])
}

async fn open(directory: &Path) -> Node {
    let (clock, _) = Clock::manual(then());
    let keys = vec![signer().public()];
    let config = NodeConfig {
        node_id: NodeId::from_uuid(Uuid::from_u128(1)),
        region: "local".parse().unwrap(),
        software_version: SOFTWARE.into(),
        data_dir: directory.to_owned(),
        identity_url: format!(
            "sqlite://{}?mode=rwc",
            directory.join("identity.db").display()
        ),
        state: Arc::new(MemoryState::new(clock.clone())),
        trust: TrustRoot { keys },
        kek: Kek::from_bytes([9; 32]),
        mailer: Arc::new(Mailbox::new(clock.clone())),
        clock,
        entropy: Entropy::system(),
        auth_base_url: "http://127.0.0.1:7100".parse().unwrap(),
        hash_workers: 1,
        meter: opentelemetry::global::meter("test"),
        health: Health::new(),
    };
    Node::open(config).await.unwrap()
}

/// A tenant of the usual size: policies, and two APIs of a dozen scopes.
fn sections(number: u128) -> (TenantId, BTreeMap<SectionName, String>) {
    let id = TenantId::from_uuid(Uuid::from_u128((number << 64) + number));
    let api = |api: u128| Api {
        id: contract::ids::ApiId::from_uuid(Uuid::from_u128(api)),
        name: format!("Api {api}"),
        audience: format!("urn:api:{api}").parse().unwrap(),
        scopes: (0..6)
            .map(|scope| ApiScope {
                scope: format!("api:{api}:{scope}").parse().unwrap(),
                description: "See what there is to see".into(),
            })
            .collect(),
    };
    let content = ReleaseContent {
        tenant: contract::tenant::TenantProfile {
            id,
            slug: format!("tenant-{number}").parse().unwrap(),
            name: "A tenant".parse().unwrap(),
            environment: Environment::Production,
            issuer: format!("http://127.0.0.1:7100/t/tenant-{number}"),
            host: None,
        },
        policies: PolicySet::default(),
        apis: vec![api(1), api(2)],
        applications: vec![],
        client_grants: vec![],
    };
    (id, Release::sections(content).unwrap())
}

fn store(node: &Node, number: u128) -> (TenantId, IndexEntry, usize) {
    let (tenant, sections) = sections(number);
    let hashed = sections.into_iter().map(|(name, body)| {
        let hash = ContentHash::of(body.as_bytes());
        ((name, hash.clone()), (hash, body))
    });
    let (sections, bodies): (BTreeMap<_, _>, Bodies) = hashed.unzip();
    let manifest = Manifest {
        format: FORMAT,
        tenant,
        version: 1,
        region: "local".parse().unwrap(),
        issued_at: then(),
        min_node_version: SOFTWARE.into(),
        status: TenantStatus::Active,
        sections,
    };
    let jws = manifest.sign(&signer()).unwrap();
    let snapshot = &node.applier().snapshot;
    snapshot.store(&manifest, &jws, &bodies, SOFTWARE).unwrap();
    let bytes = jws.len() + bodies.values().map(String::len).sum::<usize>();
    let entry = IndexEntry {
        version: 1,
        manifest: Manifest::hash_of(&jws),
    };
    (tenant, entry, bytes)
}

fn index_of(buckets: &BTreeMap<Bucket, Entries>) -> (String, Documents) {
    let mut hashes = BucketHashes::new();
    let mut documents = Documents::new();
    for (bucket, entries) in buckets {
        let body = index::document(entries).unwrap().unwrap();
        let hash = ContentHash::of(body.as_bytes());
        hashes.insert(*bucket, hash.clone());
        documents.insert(hash, (*bucket, body));
    }
    let index = RegionIndex {
        region: "local".parse().unwrap(),
        issued_at: then(),
        buckets: hashes,
    };
    (index.sign(&signer()).unwrap(), documents)
}

async fn fill(directory: &Path) -> usize {
    let node = open(directory).await;
    let mut buckets: BTreeMap<Bucket, Entries> = BTreeMap::new();
    let mut bytes = 0;
    for number in 1..=TENANTS {
        let (tenant, entry, size) = store(&node, number);
        let entries = buckets.entry(Bucket::of(tenant)).or_default();
        entries.insert(tenant, entry);
        bytes += size;
    }
    let (jws, documents) = index_of(&buckets);
    node.applier().take_index(&jws, &documents).await.unwrap();
    bytes
}

fn say(what: &str, time: Duration) {
    println!("{what:<56} {:>8.1} ms", time.as_secs_f64() * 1e3);
}

#[tokio::test]
#[ignore = "writes ten thousand synced files"]
async fn cold_start_of_ten_thousand_tenants() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = fill(directory.path()).await;
    println!("{TENANTS} tenants of {} bytes", bytes / TENANTS as usize);
    for _ in 0..3 {
        let whole = Stopwatch::start();
        let node = open(directory.path()).await;
        say(
            "start, everything (open databases, read, hash, index)",
            whole.elapsed(),
        );
        assert_eq!(node.tenant_ids().len(), TENANTS as usize);
        let names = Stopwatch::start();
        assert_eq!(node.applier().releases.bucket_hashes().len(), Bucket::COUNT);
        say(
            "  then, when it connects: names of its buckets",
            names.elapsed(),
        );
        let first = Stopwatch::start();
        let slug = format!("tenant-{}", TENANTS / 2);
        assert!(node.tenant_by_slug(&slug).is_some());
        say("  first use of a tenant, without its keys", first.elapsed());
        split(&node);
    }
}

/// The parts of a start, one after the other on one thread.
fn split(node: &Node) {
    let applier = node.applier();
    let index = Stopwatch::start();
    applier.recall_index().unwrap();
    say(
        "  one thread: the index, with its signature",
        index.elapsed(),
    );
    let accepted = applier.expected.accepted().unwrap();
    let tenants = applier.snapshot.tenants().unwrap();
    let reading = Stopwatch::start();
    let records: Vec<Record> = tenants
        .iter()
        .map(|tenant| applier.snapshot.record(*tenant).unwrap().unwrap())
        .collect();
    say("  one thread: read and unseal", reading.elapsed());
    let hashing = Stopwatch::start();
    let mut hashed = 0;
    for record in &records {
        let jws = record.manifest.as_deref().unwrap();
        hashed += Manifest::hash_of(jws).as_str().len();
        for body in record.bodies.values() {
            hashed += ContentHash::of(body.as_bytes()).as_str().len();
        }
    }
    assert!(hashed > 0);
    say("  one thread: hash", hashing.elapsed());
    let all = Stopwatch::start();
    let slots = applier.read_all(&tenants, Some(&accepted)).unwrap();
    say(
        "  one thread: all of it, with manifests and names",
        all.elapsed(),
    );
    let filling = Stopwatch::start();
    applier.releases.fill(slots);
    say("  one thread: the directory", filling.elapsed());
}
