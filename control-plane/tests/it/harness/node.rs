//! A node that speaks frames: verifies like a real one, or says what a test wants it to say.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    frames::{Command, CommandOutcome, Delivery, Down, Held, Outcome, Up},
    ids::{NodeId, TenantId, TypedId},
    jws::TrustRoot,
    manifest::Manifest,
    release::Release,
    section::ContentHash,
};
use control_plane::{ControlPlane, NodeLink};
use tokio::task::JoinHandle;

/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct FakeNode {
    pub id: NodeId,
    link: Option<NodeLink>,
    trust: TrustRoot,
    sections: BTreeMap<ContentHash, String>,
    pub held: BTreeMap<TenantId, Held>,
    obeying: Option<JoinHandle<()>>,
}

impl FakeNode {
    /// Connects and greets as node number `number`.
    pub async fn greet(cp: &ControlPlane, number: u128, holds: Vec<Held>) -> Self {
        let id = NodeId::from_uuid(uuid::Uuid::from_u128(number));
        let node = Self {
            id,
            link: Some(cp.attach_node()),
            trust: cp.trust_root(),
            sections: BTreeMap::new(),
            held: holds
                .iter()
                .map(|held| (held.tenant, held.clone()))
                .collect(),
            obeying: None,
        };
        node.say(&Up::Hello {
            node: id,
            region: "local".parse().unwrap(),
            version: "0.1.0".to_owned(),
            holds,
        })
        .await;
        node
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
        text.map(|text| serde_json::from_str(&text).unwrap())
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
                Down::Release { tenant, manifest } => {
                    let manifest = Manifest::verify(&manifest, &self.trust).unwrap();
                    assert_eq!(manifest.tenant, tenant);
                    return (tenant, manifest.version, sections);
                }
                Down::Index { .. } | Down::Ping { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn ack(&self, tenant: TenantId, version: u64, outcome: Outcome) {
        self.say(&Up::Ack {
            tenant,
            version,
            outcome,
        })
        .await;
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
            held: self.held.clone(),
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
                Down::Release { tenant, manifest } => {
                    let manifest = Manifest::verify(&manifest, &self.trust).unwrap();
                    let version = manifest.version;
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
                    let Command::InviteUser {
                        delivery, email, ..
                    } = command;
                    let outcome = match delivery {
                        _ if email.starts_with("unreachable") => CommandOutcome::Failed {
                            reason: "the mail server refuses it".to_owned(),
                        },
                        Delivery::Return => CommandOutcome::Link {
                            url: format!("http://node/invite?for={email}"),
                        },
                        Delivery::Mail => CommandOutcome::Done,
                    };
                    self.say(&Up::CommandResult { id, outcome }).await;
                }
                Down::Ping { nonce } => self.say(&Up::Pong { nonce }).await,
                Down::Index { .. } | Down::Authorities { .. } | Down::Certificate { .. } => {}
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
