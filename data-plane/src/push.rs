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
mod credentials;
pub mod enrol;
mod identity;
pub mod network;
mod sections;

use std::collections::HashMap;

use contract::{
    enrolment::Der,
    frames::{Down, Up},
    ids::TenantId,
    index::RegionIndex,
};
use host::wire::Text;
use tokio::sync::mpsc;

use self::sections::Sections;
pub use self::{
    backoff::Pace,
    credentials::Credentials,
    identity::{IdentityError, IdentityFile, NodeIdentity},
};
use crate::node::Node;

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
    /// The versions the latest index asks for.
    expected: HashMap<TenantId, u64>,
    latest_index: Option<chrono::DateTime<chrono::Utc>>,
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
        expected: HashMap::new(),
        latest_index: None,
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
        let held = self.node.tenants();
        self.say(&Up::Hello {
            node: self.node.node_id(),
            region: self.node.region().clone(),
            version: self.node.software_version().to_owned(),
            holds: held.iter().map(|runtime| runtime.held()).collect(),
        })
        .await?;
        for runtime in held {
            self.report_keys(runtime.id()).await?;
        }
        Ok(())
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
                self.index(&jws).await;
                Ok(())
            }
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
                if let Some(credentials) = self.credentials {
                    credentials.authorities(jws).await;
                }
                Ok(())
            }
            Down::Certificate { certificate } => match self.credentials {
                Some(credentials) if credentials.certificate(certificate).await => Err(Over),
                _ => Ok(()),
            },
            Down::Ping { nonce } => self.say(&Up::Pong { nonce }).await,
        }
    }

    async fn release(&mut self, tenant: TenantId, jws: &str) -> Result<(), Over> {
        let is_new = self.node.tenant(tenant).is_none();
        let bodies = self.sections.take_for(jws, self.node.applier());
        let (version, outcome) = self.node.applier().apply(tenant, jws, bodies).await;
        self.say(&Up::Ack {
            tenant,
            // A manifest that is not believed has no version worth repeating.
            version: version.unwrap_or(0),
            outcome,
        })
        .await?;
        self.judge();
        if is_new && self.node.tenant(tenant).is_some() {
            self.report_keys(tenant).await?;
        }
        Ok(())
    }

    async fn index(&mut self, jws: &str) {
        let index = match RegionIndex::verify(jws, &self.node.applier().trust) {
            Ok(index) => index,
            Err(error) => {
                tracing::error!(%error, "ALARM: an index is refused");
                return;
            }
        };
        if index.region != *self.node.region() {
            tracing::error!(region = %index.region, "ALARM: an index of another region is refused");
            return;
        }
        // An old index replayed must neither drop a tenant nor lower an expectation.
        if self
            .latest_index
            .is_some_and(|latest| index.issued_at < latest)
        {
            tracing::error!("ALARM: an index older than the one at hand is refused");
            return;
        }
        self.latest_index = Some(index.issued_at);
        self.node.applier().drop_unlisted(&index).await;
        let wanted = index.tenants.iter();
        self.expected = wanted.map(|(id, entry)| (*id, entry.version)).collect();
        self.judge();
    }

    /// Tells health whether the node serves what it should.
    fn judge(&self) {
        let held: HashMap<_, _> = self
            .node
            .tenants()
            .iter()
            .map(|runtime| (runtime.id(), runtime.version()))
            .collect();
        let behind = self
            .expected
            .iter()
            .filter(|(tenant, version)| held.get(tenant).is_none_or(|held| held < version))
            .count();
        self.node.judge_releases(behind);
    }

    async fn report_keys(&self, tenant: TenantId) -> Result<(), Over> {
        let Some(runtime) = self.node.tenant(tenant) else {
            return Ok(());
        };
        let keys = runtime.keys().public_keys().to_vec();
        self.say(&Up::Keys { tenant, keys }).await
    }

    async fn say(&self, frame: &Up) -> Result<(), Over> {
        let text =
            serde_json::to_string(frame).expect("frames have string keys and finite numbers");
        self.to_control.send(text.into()).await.map_err(|_| Over)
    }
}
