//! A node that speaks frames: verifies like a real one, or says what a test wants it to say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::{
    frames::{Command, CommandOutcome, Delivery, Down, Outcome, Up},
    ids::{NodeId, TenantId, TypedId},
    index::{self, Bucket, BucketHashes, Entries, IndexEntry, RegionIndex},
    jws::TrustRoot,
    manifest::Manifest,
    receipt::Impact,
    release::Release,
    section::ContentHash,
    traffic::{Measured, Traffic},
};
use control_plane::{ControlPlane, NodeLink};
use tokio::task::JoinHandle;

use super::start;

/// What everything hits that could be contained.
pub const IMPACT: Impact = Impact {
    users: 1,
    sessions: 2,
    grants: 3,
    at_least: false,
};
/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct FakeNode {
    pub id: NodeId,
    link: Option<NodeLink>,
    trust: TrustRoot,
    sections: BTreeMap<ContentHash, String>,
    /// What it serves, or says that it serves.
    pub holds: Entries,
    /// The manifests it heard.
    offered: BTreeMap<(TenantId, u64), ContentHash>,
    documents: BTreeMap<ContentHash, (Bucket, String)>,
    /// The buckets it was asked about.
    pub asked: Vec<Bucket>,
    /// The bytes of all frames it heard.
    pub bytes: usize,
    counted: Arc<Mutex<BTreeMap<TenantId, Traffic>>>,
    obeying: Option<JoinHandle<()>>,
}

impl FakeNode {
    /// Connects and greets as node number `number`.
    pub async fn greet(
        cp: &ControlPlane,
        number: u128,
        holds: Vec<(TenantId, IndexEntry)>,
    ) -> Self {
        let id = NodeId::from_uuid(uuid::Uuid::from_u128(number));
        let node = Self {
            id,
            link: Some(cp.attach_node()),
            trust: cp.trust_root(),
            sections: BTreeMap::new(),
            holds: holds.into_iter().collect(),
            offered: BTreeMap::new(),
            documents: BTreeMap::new(),
            asked: Vec::new(),
            bytes: 0,
            counted: Arc::default(),
            obeying: None,
        };
        let hello = Up::Hello {
            node: id,
            region: "local".parse().unwrap(),
            version: "0.1.0".to_owned(),
            buckets: node.names(),
        };
        node.say(&hello).await;
        node
    }

    /// The names of what it holds.
    fn names(&self) -> BucketHashes {
        let buckets = Bucket::all().map(|bucket| (bucket, index::document(&self.bucket(bucket))));
        let named = |(bucket, body): (_, Result<Option<String>, _>)| {
            Some((bucket, ContentHash::of(body.unwrap()?.as_bytes())))
        };
        buckets.filter_map(named).collect()
    }

    fn bucket(&self, bucket: Bucket) -> Entries {
        let mut entries = self.holds.clone();
        entries.retain(|tenant, _| Bucket::of(*tenant) == bucket);
        entries
    }

    pub async fn say(&self, frame: &Up) {
        self.say_raw(serde_json::to_string(frame).unwrap()).await;
    }

    /// Says what no honest node would.
    pub async fn say_raw(&self, text: String) {
        let link = self.link.as_ref().unwrap();
        link.from_node.send(text.into()).await.unwrap();
    }

    /// The next frame, or `None` when the control plane hung up.
    pub async fn hear(&mut self) -> Option<Down> {
        let link = self.link.as_mut().unwrap();
        let text = tokio::time::timeout(PATIENCE, link.to_node.recv())
            .await
            .expect("a frame within the time");
        let text = text?;
        self.bytes += text.len();
        let frame = serde_json::from_str(&text).unwrap();
        if let Down::Compare { buckets } = &frame {
            self.answer(buckets).await;
        }
        Some(frame)
    }

    /// Says what it holds of the buckets.
    async fn answer(&mut self, buckets: &[Bucket]) {
        for bucket in buckets {
            self.asked.push(*bucket);
            let (bucket, holds) = (*bucket, self.bucket(*bucket));
            self.say(&Up::Holds { bucket, holds }).await;
        }
    }

    /// Hears frames up to the next index, and tells what it names, as far as documents came with it.
    pub async fn hear_index(&mut self) -> (RegionIndex, Entries) {
        loop {
            match self.hear().await.expect("the control plane is there") {
                Down::Bucket { bucket, body } => {
                    let name = ContentHash::of(body.as_bytes());
                    self.documents.insert(name, (bucket, body));
                }
                Down::Index { jws } => {
                    let index = RegionIndex::verify(&jws, &self.trust).unwrap();
                    let mut entries = Entries::new();
                    for (bucket, hash) in &index.buckets {
                        if let Some((named, body)) = self.documents.get(hash) {
                            assert_eq!(named, bucket);
                            entries.extend(index::read_document(*bucket, hash, body).unwrap());
                        }
                    }
                    return (index, entries);
                }
                Down::Ping { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Hears frames up to the next release and tells how many sections came with it.
    pub async fn hear_release(&mut self) -> (TenantId, u64, usize) {
        let mut sections = 0;
        loop {
            match self.hear().await.expect("the control plane is there") {
                Down::Section { hash, body } => {
                    assert_eq!(ContentHash::of(body.as_bytes()), hash);
                    self.sections.insert(hash, body);
                    sections += 1;
                }
                Down::Release {
                    tenant,
                    manifest: manifest_jws,
                } => {
                    let manifest = Manifest::verify(&manifest_jws, &self.trust).unwrap();
                    let hash = Manifest::hash_of(&manifest_jws);
                    assert_eq!(manifest.tenant, tenant);
                    self.offered.insert((tenant, manifest.version), hash);
                    return (tenant, manifest.version, sections);
                }
                Down::Index { .. }
                | Down::Bucket { .. }
                | Down::Compare { .. }
                | Down::AskKeys { .. }
                | Down::Measure { .. }
                | Down::AskManifests { .. }
                | Down::Ping { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn ack(&mut self, tenant: TenantId, version: u64, outcome: Outcome) {
        if outcome == Outcome::Applied
            && let Some(manifest) = self.offered.get(&(tenant, version)).cloned()
        {
            let entry = IndexEntry { version, manifest };
            self.holds.insert(tenant, entry);
        }
        self.say(&Up::Ack {
            tenant,
            version,
            outcome,
        })
        .await;
    }

    /// Says what it counted of these tenants, as far as a test gave it something to say.
    async fn tell_measures(&self, tenants: &[TenantId]) {
        let counted = self.counted.lock().unwrap().clone();
        let told = tenants.iter().filter_map(|tenant| {
            Some(Measured {
                tenant: *tenant,
                version: self.holds.get(tenant)?.version,
                since: start(),
                traffic: counted.get(tenant).cloned().unwrap_or_default(),
            })
        });
        let tenants = told.collect();
        self.say(&Up::Measured { tenants }).await;
    }

    /// From now on it says that it counted this of a tenant.
    pub fn counts(&self, tenant: TenantId, traffic: Traffic) {
        self.counted.lock().unwrap().insert(tenant, traffic);
    }

    /// Nothing but pings comes for a moment.
    pub async fn hears_nothing(&mut self) {
        let link = self.link.as_mut().unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(150), link.to_node.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// From now on does as it is told, in the background.
    pub fn obey(mut self) -> Self {
        let mut worker = Self {
            id: self.id,
            link: self.link.take(),
            trust: self.trust.clone(),
            sections: std::mem::take(&mut self.sections),
            holds: self.holds.clone(),
            offered: std::mem::take(&mut self.offered),
            documents: BTreeMap::new(),
            asked: Vec::new(),
            bytes: 0,
            counted: Arc::clone(&self.counted),
            obeying: None,
        };
        self.obeying = Some(tokio::spawn(async move { worker.serve().await }));
        self
    }

    /// Stops and lets go of the link.
    pub async fn leave(mut self) {
        self.link = None;
        if let Some(task) = self.obeying.take() {
            task.abort();
            let _ = task.await;
        }
    }

    async fn serve(&mut self) {
        while let Some(text) = self.link.as_mut().unwrap().to_node.recv().await {
            match serde_json::from_str(&text).unwrap() {
                Down::Section { hash, body } => {
                    self.sections.insert(hash, body);
                }
                Down::Release {
                    tenant,
                    manifest: jws,
                } => {
                    let manifest = Manifest::verify(&jws, &self.trust).unwrap();
                    let version = manifest.version;
                    let hash = Manifest::hash_of(&jws);
                    self.offered.insert((tenant, version), hash);
                    let body = |hash: &ContentHash| self.sections.get(hash).map(String::as_str);
                    let outcome = match Release::assemble(manifest, body) {
                        Ok(_) => Outcome::Applied,
                        Err(error) => Outcome::Rejected {
                            reason: error.to_string(),
                        },
                    };
                    self.ack(tenant, version, outcome).await;
                }
                Down::Command { id, command, .. } => {
                    let outcome = match command {
                        Command::InviteUser { email, .. } if email.starts_with("unreachable") => {
                            CommandOutcome::Failed {
                                reason: "the mail server refuses it".to_owned(),
                            }
                        }
                        Command::InviteUser {
                            delivery: Delivery::Return,
                            email,
                            ..
                        } => CommandOutcome::Link {
                            url: format!("http://node/invite?for={email}"),
                        },
                        Command::InviteUser { .. } => CommandOutcome::Done,
                        Command::CountContained { .. } => {
                            CommandOutcome::Counted { impact: IMPACT }
                        }
                    };
                    self.say(&Up::CommandResult { id, outcome }).await;
                }
                Down::Measure { tenants } => self.tell_measures(&tenants).await,
                Down::Ping { nonce } => self.say(&Up::Pong { nonce }).await,
                Down::Compare { buckets } => self.answer(&buckets).await,
                Down::Index { .. }
                | Down::Bucket { .. }
                | Down::AskKeys { .. }
                | Down::AskManifests { .. }
                | Down::Authorities { .. }
                | Down::Certificate { .. } => {}
            }
        }
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        if let Some(task) = &self.obeying {
            task.abort();
        }
    }
}
