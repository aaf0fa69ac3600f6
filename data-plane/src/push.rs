//! The node's side of the push conversation: say what is held, take what comes, answer.
//!
//! Frames are text, whatever carries them (design section 5). Nothing is believed because of how it
//! arrived: manifests and indexes carry signatures, sections are hashed again when they are used. When
//! the link ends, the node goes on serving what it has; the caller makes a new link and runs again.
//!
//! A link is two queues. [`network`] puts a connection behind them, for a process that became a node by
//! [`enrol`]; `bailiwick up` puts its own control plane there.

mod backoff;
mod command;
mod count;
mod credentials;
mod documents;
pub mod enrol;
mod identity;
pub(crate) mod lane;
mod lane_network;
pub mod network;
mod sections;

use std::sync::Arc;

use contract::{
    enrolment::Der,
    frames::{Down, MAX_ASKED, MAX_MEASURED, MAX_UP_BYTES, Up},
    ids::TenantId,
    index::Bucket,
    traffic::Measured,
};
use host::wire::Text;
use tokio::sync::mpsc;

pub use self::{
    backoff::Pace,
    credentials::Credentials,
    identity::{IdentityError, IdentityFile, NodeIdentity},
};
use self::{documents::Arrived, sections::Sections};
use crate::{node::Node, releases::index::IndexError};

/// A connection to the control plane.
pub struct NodeLink {
    /// Frames from it.
    pub from_control: mpsc::Receiver<Text>,
    /// Frames to it.
    pub to_control: mpsc::Sender<Text>,
}

/// The conversation is over: the other side is gone, or the next one begins with a new certificate.
struct Over;

struct Conversation<'a> {
    node: &'a Node,
    /// What the connection stands on, if it is one.
    credentials: Option<&'a Credentials>,
    to_control: mpsc::Sender<Text>,
    sections: Sections,
    /// Documents that an index may name.
    documents: Arrived,
    /// An index that waits for documents.
    waiting_index: Option<String>,
}

/// Speaks until either side ends the link. `credentials` are what the connection stands on; a link inside
/// one process has none.
pub(crate) async fn run(node: &Node, link: NodeLink, credentials: Option<&Credentials>) {
    let NodeLink {
        mut from_control,
        to_control,
    } = link;
    let mut conversation = Conversation {
        node,
        credentials,
        to_control,
        sections: Sections::default(),
        documents: Arrived::default(),
        waiting_index: None,
    };
    if conversation.greet().await.is_err() {
        return;
    }
    node.control_plane_health().ready();
    loop {
        let going_on = tokio::select! {
            heard = from_control.recv() => match heard {
                Some(text) => conversation.take(&text).await,
                None => return,
            },
            csr = renewal(credentials) => conversation.say(&Up::Renew { csr }).await,
            tenant = node.applier().keys.made() => conversation.report_keys(tenant).await,
        };
        if going_on.is_err() {
            return;
        }
    }
}

/// Waits until a certificate is due, if there is one.
async fn renewal(credentials: Option<&Credentials>) -> Der {
    match credentials {
        Some(credentials) => credentials.renewal().await,
        None => std::future::pending().await,
    }
}

impl Conversation<'_> {
    async fn greet(&mut self) -> Result<(), Over> {
        self.say(&Up::Hello {
            node: self.node.node_id(),
            region: self.node.region().clone(),
            version: self.node.software_version().to_owned(),
            buckets: self.node.applier().releases.bucket_hashes(),
        })
        .await
    }

    async fn take(&mut self, text: &str) -> Result<(), Over> {
        // A frame of a newer control plane is skipped and the next one may be understood.
        let frame = match serde_json::from_str::<Down>(text) {
            Ok(frame) => frame,
            Err(error) => {
                // The parser's message may quote the frame; its position may not.
                tracing::error!(column = error.column(), "a push frame cannot be read");
                return Ok(());
            }
        };
        match frame {
            Down::Index { jws } => {
                self.index(jws).await;
                Ok(())
            }
            Down::Bucket { bucket, body } => {
                self.documents.put(bucket, body);
                if let Some(jws) = self.waiting_index.take() {
                    self.index(jws).await;
                }
                Ok(())
            }
            Down::Compare { buckets } => self.compare(buckets).await,
            Down::AskKeys { tenants } => self.report_all_keys(tenants).await,
            Down::AskManifests { tenants } => self.show_manifests(tenants).await,
            Down::Section { hash, body } => {
                self.sections.put(hash, body);
                Ok(())
            }
            Down::Release { tenant, manifest } => self.release(tenant, &manifest).await,
            Down::Command {
                id,
                tenant,
                command,
            } => {
                let outcome = command::execute(self.node, tenant, command).await;
                self.say(&Up::CommandResult { id, outcome }).await
            }
            Down::Authorities { jws } => {
                self.authorities(jws).await;
                Ok(())
            }
            Down::Certificate { certificate } => match self.credentials {
                Some(credentials) if credentials.certificate(certificate).await => Err(Over),
                _ => Ok(()),
            },
            Down::Measure { tenants } => self.measure(tenants).await,
            Down::Ping { nonce } => self.say(&Up::Pong { nonce }).await,
        }
    }

    async fn release(&mut self, tenant: TenantId, jws: &str) -> Result<(), Over> {
        let is_new = !self.node.holds(tenant);
        let bodies = self.sections.take_for(jws, self.node.applier());
        let (version, outcome) = self.node.applier().apply(tenant, jws, bodies).await;
        self.say(&Up::Ack {
            tenant,
            // A manifest that is not believed has no version worth repeating.
            version: version.unwrap_or(0),
            outcome,
        })
        .await?;
        self.node.judge_release(tenant);
        if is_new && self.node.holds(tenant) {
            self.report_keys(tenant).await?;
        }
        Ok(())
    }

    async fn index(&mut self, jws: String) {
        let taken = self
            .node
            .applier()
            .take_index(&jws, self.documents.by_name());
        match taken.await {
            Ok(()) => self.documents = Arrived::default(),
            Err(error @ IndexError::Incomplete(_)) => {
                tracing::debug!(%error, "an index waits");
                self.waiting_index = Some(jws);
            }
            Err(error @ IndexError::NotKept(_)) => {
                tracing::error!(%error, "the region's index is believed, but not for the next start");
            }
            Err(error) => tracing::error!(%error, "ALARM: an index is refused"),
        }
        self.node.judge_releases();
    }

    /// Says what is held of each of these buckets.
    async fn compare(&self, buckets: Vec<Bucket>) -> Result<(), Over> {
        for bucket in buckets.into_iter().take(Bucket::COUNT) {
            let holds = self.node.applier().releases.bucket(bucket);
            self.say(&Up::Holds { bucket, holds }).await?;
        }
        Ok(())
    }

    /// Says how tenants fare that are held.
    async fn measure(&self, tenants: Vec<TenantId>) -> Result<(), Over> {
        let measured = tenants.into_iter().take(MAX_MEASURED).filter_map(|tenant| {
            let runtime = self.node.tenant(tenant)?;
            Some(Measured {
                tenant,
                version: runtime.version(),
                since: self.node.started_at(),
                traffic: runtime.counts().read(),
            })
        });
        let tenants = measured.collect();
        self.say(&Up::Measured { tenants }).await
    }

    /// Proves which versions are held, by what the control plane once signed.
    async fn show_manifests(&self, tenants: Vec<TenantId>) -> Result<(), Over> {
        for tenant in tenants.into_iter().take(MAX_ASKED) {
            let snapshot = Arc::clone(&self.node.applier().snapshot);
            let reading = tokio::task::spawn_blocking(move || snapshot.record(tenant)).await;
            let record = reading.ok().and_then(Result::ok).flatten();
            let manifest = record.and_then(|record| record.manifest);
            if let Some(manifest) = manifest.filter(|jws| jws.len() < MAX_UP_BYTES / 2) {
                self.say(&Up::Manifest { tenant, manifest }).await?;
            }
        }
        Ok(())
    }

    /// Hears whom to believe on connections; a link inside one process has nobody to doubt.
    async fn authorities(&self, jws: String) {
        if let Some(credentials) = self.credentials {
            credentials.authorities(jws).await;
        }
    }

    async fn report_all_keys(&self, tenants: Vec<TenantId>) -> Result<(), Over> {
        for tenant in tenants.into_iter().take(MAX_ASKED) {
            self.report_keys(tenant).await?;
        }
        Ok(())
    }

    /// Reports the public keys of a tenant that is held.
    async fn report_keys(&self, tenant: TenantId) -> Result<(), Over> {
        let Some(runtime) = self.node.tenant(tenant) else {
            return Ok(());
        };
        let source = &self.node.applier().keys;
        source.reported(tenant);
        let keys = match runtime.warm().await {
            Ok(()) => runtime.keys().public_keys().unwrap_or_default(),
            Err(error) => {
                tracing::error!(%tenant, %error, "a tenant's signing keys cannot be read");
                return Ok(());
            }
        };
        // Reading them may have made them.
        source.reported(tenant);
        let said = self.say(&Up::Keys { tenant, keys }).await;
        if said.is_err() {
            source.unreported(tenant);
        }
        said
    }

    async fn say(&self, frame: &Up) -> Result<(), Over> {
        let text =
            serde_json::to_string(frame).expect("frames have string keys and finite numbers");
        self.to_control.send(text.into()).await.map_err(|_| Over)
    }
}
