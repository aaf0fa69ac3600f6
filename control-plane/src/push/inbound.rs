//! What a node says: recorded at once, believed only about itself and only within its bounds.
//!
//! A node of one region has nothing to say about a tenant of another, and nothing about a version that was
//! never released: such a word is logged and forgotten, because what is stored here is shown as "effective"
//! and decides what is sent next.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{
    enrolment::Der,
    frames::{MAX_KEYS, MAX_MEASURED, Outcome, PublicKey, Up},
    ids::{NodeId, TenantId},
    index::{self, Bucket, Entries},
    manifest::Manifest,
    tenant::Region,
};
use host::wire::Text;
use tokio::sync::mpsc;

use super::{asking::Asking, greeting::Greeting, session::Ended};
use crate::{ControlPlane, Refusal, nodes::Holding, store::Ahead, tenants::Tenant};

/// How much of a node's reason is kept.
const MAX_REASON_CHARS: usize = 500;

/// What a node's answer makes the sending side do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Todo {
    /// Content was missing: send the tenant's current version once more, with everything.
    SendAll(TenantId),
    /// A version was refused: the next one must not rely on its content being there.
    Distrust(TenantId, u64),
    /// What the node holds of a bucket: send what it lacks.
    Holds(Bucket, Entries),
    /// The node answered a ping.
    Alive,
    /// The node has a new certificate; tell it.
    Certificate(Der),
}

/// The hearing half of a session.
pub(super) struct Inbound {
    control_plane: ControlPlane,
    node: NodeId,
    region: Region,
    certificate: Option<String>,
    todo: mpsc::UnboundedSender<Todo>,
    asking: Arc<Asking>,
    /// Versions that were sent again in full once; a node that refuses those too is not asked a third time.
    resent: BTreeSet<(TenantId, u64)>,
}

impl Inbound {
    pub(super) fn new(
        control_plane: ControlPlane,
        greeting: &Greeting,
        todo: mpsc::UnboundedSender<Todo>,
        asking: Arc<Asking>,
    ) -> Self {
        Self {
            control_plane,
            node: greeting.node,
            region: greeting.region.clone(),
            certificate: greeting.certificate.clone(),
            todo,
            asking,
            resent: BTreeSet::new(),
        }
    }

    /// Hears until the node is gone.
    pub(super) async fn run(mut self, mut up: mpsc::Receiver<Text>) -> Ended {
        while let Some(text) = up.recv().await {
            let Ok(frame) = serde_json::from_str(&text) else {
                return Ended::Protocol("a frame cannot be read");
            };
            if let Err(ended) = self.hear(frame).await {
                return ended;
            }
            self.control_plane.hub().tell_heard();
        }
        Ended::Gone
    }

    async fn hear(&mut self, frame: Up) -> Result<(), Ended> {
        match frame {
            Up::Hello { .. } => Err(Ended::Protocol("it greeted twice")),
            Up::Holds { bucket, holds } => self.hear_holds(bucket, holds),
            Up::Manifest { tenant, manifest } => self.hear_manifest(tenant, &manifest).await,
            Up::Ack {
                tenant,
                version,
                outcome,
            } => self.hear_ack(tenant, version, outcome).await,
            Up::Keys { tenant, keys } => self.hear_keys(tenant, &keys).await,
            Up::CommandResult { id, outcome } => {
                self.control_plane.hub().answer(self.node, id, outcome);
                Ok(())
            }
            Up::Measured { tenants } => {
                if tenants.len() > MAX_MEASURED {
                    return Err(Ended::Protocol("it tells more than it was asked"));
                }
                let heard = self
                    .control_plane
                    .hear_measures(self.node, &self.region, tenants);
                Ok(heard.await?)
            }
            Up::Renew { csr } => self.hear_renew(&csr).await,
            Up::Pong { nonce } => {
                if self.asking.is_overdue(nonce) {
                    return Err(Ended::Protocol("it does not say what it holds"));
                }
                let tx = self.control_plane.store().begin().await?;
                let at = self.control_plane.clock().now();
                tx.touch_node(self.node, at).await?;
                tx.put_node_link(self.node, &self.region, self.control_plane.replica(), at)
                    .await?;
                tx.commit().await?;
                self.tell(Todo::Alive);
                Ok(())
            }
        }
    }

    fn hear_holds(&self, bucket: Bucket, holds: Entries) -> Result<(), Ended> {
        if index::check_bucket(bucket, &holds).is_err() {
            return Err(Ended::Protocol("it names a tenant of another bucket"));
        }
        if !self.asking.answer(bucket) {
            return Err(Ended::Protocol("it answers what it was not asked"));
        }
        self.tell(Todo::Holds(bucket, holds));
        Ok(())
    }

    /// Takes proof that there was a version which this database does not know. What we did not sign ourselves proves
    /// nothing.
    async fn hear_manifest(&self, tenant: TenantId, jws: &str) -> Result<(), Ended> {
        let proven = Manifest::verify(jws, &self.control_plane.trust_root())
            .ok()
            .filter(|proven| proven.tenant == tenant && proven.region == self.region);
        let Some(proven) = proven else {
            return Err(Ended::Protocol("what it shows is no manifest of ours"));
        };
        let tx = self.control_plane.store().begin().await?;
        let Some(known) = tx.lock_tenant(tenant).await? else {
            return Ok(());
        };
        let (version, current) = (proven.version, known.release_version);
        let last = tx.find_release(tenant, current).await?;
        let is_known = last.is_some_and(|last| last.manifest == jws);
        if known.region != self.region || version < current || is_known {
            return Ok(());
        }
        tx.put_ahead(&Ahead {
            tenant,
            node: self.node,
            version,
            at: self.control_plane.clock().now(),
        })
        .await?;
        tx.commit().await?;
        tracing::error!(node = %self.node, %tenant, version, current, "ALARM: a node holds a release that this control plane does not know: its database is behind the fleet");
        Ok(())
    }

    async fn hear_renew(&self, csr: &Der) -> Result<(), Ended> {
        let Some(certificate) = &self.certificate else {
            return Err(Ended::Protocol("it has no certificate to renew"));
        };
        match self.control_plane.renew(certificate, csr).await {
            Ok(certificate) => {
                self.tell(Todo::Certificate(certificate));
                Ok(())
            }
            Err(Refusal::Internal(error)) => Err(Ended::Failed(Refusal::Internal(error))),
            Err(refusal) => {
                tracing::warn!(node = %self.node, %refusal, "a node's certificate is not renewed");
                Ok(())
            }
        }
    }

    async fn hear_keys(&self, tenant: TenantId, keys: &[PublicKey]) -> Result<(), Ended> {
        check_keys(keys).map_err(Ended::Protocol)?;
        let tx = self.control_plane.store().begin().await?;
        // A key of a tenant that we do not know, or not there, is nobody's.
        let found = tx.lock_tenant(tenant).await?;
        if found.is_none_or(|tenant| tenant.region != self.region) {
            return Err(Ended::Protocol(
                "it reported keys of a tenant of another region",
            ));
        }
        tx.replace_tenant_keys(tenant, keys).await?;
        Ok(tx.commit().await?)
    }

    async fn hear_ack(
        &mut self,
        tenant: TenantId,
        version: u64,
        outcome: Outcome,
    ) -> Result<(), Ended> {
        let at = self.control_plane.clock().now();
        let tx = self.control_plane.store().begin().await?;
        let found = tx.find_tenant(tenant).await?;
        if let Some(doubt) = doubt_ack(found.as_ref(), &self.region, version, &outcome) {
            tracing::warn!(node = %self.node, %tenant, version, doubt, "a node's word about a release is not believed");
            return Ok(());
        }
        // The node's row before what it holds, as when it greets: two sessions of one node may overlap.
        tx.touch_node(self.node, at).await?;
        // A manifest that a node could not read has no version it could name (0): nothing to store then.
        if version > 0 {
            let known = tx.find_holding(self.node, tenant).await?;
            let said = Said {
                version,
                outcome: &outcome,
                at,
            };
            tx.put_holding(&said.after(known, self.node, tenant))
                .await?;
        }
        tx.commit().await?;
        if let Outcome::Rejected { reason } = outcome {
            tracing::error!(node = %self.node, %tenant, version, reason, "a node refused a release");
            let missing = reason.contains("missing") && self.resent.insert((tenant, version));
            self.tell(if missing {
                Todo::SendAll(tenant)
            } else {
                Todo::Distrust(tenant, version)
            });
        }
        Ok(())
    }

    fn tell(&self, todo: Todo) {
        // The sending half is in the same task; if it is gone, so are we.
        let _ = self.todo.send(todo);
    }
}

/// An acknowledgement that is believed.
struct Said<'a> {
    version: u64,
    outcome: &'a Outcome,
    at: DateTime<Utc>,
}

impl Said<'_> {
    /// What the node holds of the tenant after this.
    fn after(&self, known: Option<Holding>, node: NodeId, tenant: TenantId) -> Holding {
        let applied = known.map_or(0, |known| known.applied_version);
        let (applied_version, rejected_version, reason) = match self.outcome {
            Outcome::Applied => (self.version, None, None),
            Outcome::Rejected { reason } => {
                let reason = printable(reason).take(MAX_REASON_CHARS).collect();
                (applied, Some(self.version), Some(reason))
            }
        };
        Holding {
            node,
            tenant,
            applied_version,
            rejected_version,
            reason,
            at: self.at,
        }
    }
}

/// A report replaces what was known, so one that is not whole must not: with no key of the platform left,
/// nobody could sign in to put it right.
fn check_keys(keys: &[PublicKey]) -> Result<(), &'static str> {
    if keys.is_empty() {
        return Err("it reported that a tenant has no keys");
    }
    if keys.len() > MAX_KEYS {
        return Err("it reported more keys than a tenant can have");
    }
    let kids: BTreeSet<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    if kids.len() < keys.len() {
        return Err("it reported two keys with one id");
    }
    Ok(())
}

/// What a node wrote, without control characters: it is shown and logged, and PostgreSQL keeps no NUL.
pub(super) fn printable(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_control())
}

/// Why an acknowledgement is not believed; `None` if it is.
fn doubt_ack(
    tenant: Option<&Tenant>,
    region: &Region,
    version: u64,
    outcome: &Outcome,
) -> Option<&'static str> {
    match tenant {
        None => Some("there is no such tenant"),
        Some(tenant) if tenant.region != *region => Some("the tenant lives in another region"),
        Some(tenant) if version > tenant.release_version => Some("the version was never released"),
        Some(_) if version == 0 && *outcome == Outcome::Applied => {
            Some("there is no version 0 to apply")
        }
        Some(_) => None,
    }
}
