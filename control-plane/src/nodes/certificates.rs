//! The ledger of node certificates: what was issued, and whether it still lets anybody in.
//!
//! A signature of our authority alone admits nobody: what connects must be in the ledger, so revoking is
//! striking out, without lists that somebody would have to fetch. A key is certified once; who asks again
//! because the answer was lost gets that same certificate. Renewals are in the ledger and not in the audit
//! log, where two a day and node would bury what people did (R-AUD-01).

use chrono::{DateTime, TimeDelta, Utc};
use contract::{canonical::sha256_hex, enrolment::Der, ids::NodeId, tenant::Region};

use super::NodeStanding;
use crate::{
    ControlPlane, Refusal,
    authorities::{Issued, NodeKey},
    store::{StoreError, Tx},
};

/// Most certificates of one node that are good at the same time: the present one, the next one, and a few
/// that it asked for and was restarted before it had them.
const MAX_GOOD: u64 = 8;
/// How long a certificate stays in the ledger after its end, also when its node is gone.
const KEPT: TimeDelta = TimeDelta::days(90);

/// A certificate that was issued to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeCertificate {
    /// Lower-case hexadecimal SHA-256 of its bytes.
    pub(crate) fingerprint: String,
    /// The certificate itself, for a node that did not get it the first time.
    pub(crate) certificate: Der,
    /// Whose it is.
    pub(crate) node: NodeId,
    /// Lower-case hexadecimal SHA-256 of its public key (SubjectPublicKeyInfo).
    pub(crate) key_sha256: String,
    /// When it was issued.
    pub(crate) issued_at: DateTime<Utc>,
    /// Its end.
    pub(crate) ends_at: DateTime<Utc>,
    /// When it was voided, if it was.
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

impl NodeCertificate {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.ends_at
    }
}

/// Whom a certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Which node.
    pub(crate) node: NodeId,
    /// Where it stands.
    pub(crate) region: Region,
    /// When the certificate ends.
    pub(crate) ends_at: DateTime<Utc>,
}

/// Why a certificate admits nobody. What is said of it crosses the wire, so there is nothing in it that
/// anybody wrote: why a node was revoked is for those who may see the list of nodes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// It is not in the ledger.
    #[error("the certificate is not in the ledger")]
    Unknown,
    /// Its node was revoked.
    #[error("the node was revoked")]
    Revoked,
    /// Its node was deleted.
    #[error("the node was deleted")]
    Deleted,
    /// It was voided when the node enrolled again.
    #[error("the node enrolled again; this certificate is of before")]
    Replaced,
    /// It is past its end.
    #[error("the certificate has ended")]
    Expired,
    /// It cannot be told now.
    #[error("the ledger cannot be read at the moment")]
    Failed(#[source] Refusal),
}

impl NotAdmitted {
    /// The same in words that may cross the wire.
    pub(crate) fn reason(&self) -> String {
        self.to_string()
    }
}

impl From<StoreError> for NotAdmitted {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl ControlPlane {
    /// Whom a certificate stands for, by the ledger and not by what it says of itself.
    ///
    /// # Errors
    /// See [`NotAdmitted`].
    pub(crate) async fn admit_node(&self, certificate: &[u8]) -> Result<Admitted, NotAdmitted> {
        let tx = self.store().begin_read().await?;
        let entry = tx
            .find_node_certificate(&sha256_hex(certificate))
            .await?
            .ok_or(NotAdmitted::Unknown)?;
        let node = tx
            .find_node(entry.node)
            .await?
            .ok_or(NotAdmitted::Deleted)?;
        if node.standing == NodeStanding::Revoked {
            return Err(NotAdmitted::Revoked);
        }
        if entry.revoked_at.is_some() || node.standing != NodeStanding::Enrolled {
            return Err(NotAdmitted::Replaced);
        }
        if entry.ends_at <= self.clock().now() {
            return Err(NotAdmitted::Expired);
        }
        Ok(Admitted {
            node: node.id,
            region: node.region,
            ends_at: entry.ends_at,
        })
    }

    /// Issues a further certificate to the node that is connected with the one of this fingerprint; its earlier
    /// ones keep their own end. Asked again for the same key, it gives the same certificate again: the answer
    /// was lost on the way.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for the request (see [`NodeKey::of`]) or a key that was certified for another node
    /// or in a certificate that is not good any more, or in the one that the node is connected with;
    /// [`Refusal::Conflict`] if the certificate is not good any more or the node not enrolled
    /// (`not_enrolled`), or if it has too many certificates already (`too_many_certificates`).
    pub(crate) async fn renew(&self, certificate: &str, csr: &Der) -> Result<Der, Refusal> {
        let key = NodeKey::of(csr)?;
        let tx = self.store().begin().await?;
        let now = self.clock().now();
        let present = find_good(&tx, certificate, now).await?;
        if let Some(lost) = find_lost(&tx, &present, &key, now).await? {
            return Ok(lost);
        }
        let node = present.node;
        if tx.count_node_certificates(node, now).await? >= MAX_GOOD {
            return Err(Refusal::conflict(
                "too_many_certificates",
                format!("The node has {MAX_GOOD} good certificates already."),
            ));
        }
        let issued = self.issue(&tx, node, &key).await?;
        // Only now, as nobody can void it until this is committed: whoever was this node before it enrolled
        // again must not become it once more by what they have open.
        find_good(&tx, certificate, now).await?;
        tx.commit().await?;
        Ok(issued.certificate)
    }

    /// Signs a certificate for an enrolled node and writes it into the ledger.
    pub(super) async fn issue(
        &self,
        tx: &Tx,
        node: NodeId,
        key: &NodeKey,
    ) -> Result<Issued, Refusal> {
        check_new(tx, key).await?;
        let now = self.clock().now();
        let issued = self.signing_authority(tx).await?.certify(node, key, now)?;
        // The node's row first, as whoever revokes it does: of the two one waits, and sees the other.
        if !tx.extend_node(node, issued.ends_at).await? {
            return Err(not_enrolled());
        }
        let entry = NodeCertificate {
            fingerprint: issued.certificate.fingerprint(),
            certificate: issued.certificate.clone(),
            node,
            key_sha256: key.sha256(),
            issued_at: now,
            ends_at: issued.ends_at,
            revoked_at: None,
        };
        tx.insert_node_certificate(&entry).await?;
        tx.sweep_node_certificates(node, now - KEPT).await?;
        Ok(issued)
    }
}

fn not_enrolled() -> Refusal {
    Refusal::conflict("not_enrolled", "The node is not enrolled any more.")
}

/// The certificate of this fingerprint, as long as it is good.
async fn find_good(
    tx: &Tx,
    fingerprint: &str,
    now: DateTime<Utc>,
) -> Result<NodeCertificate, Refusal> {
    let found = tx.find_node_certificate(fingerprint).await?;
    let good = found.filter(|found| found.is_good(now));
    good.ok_or_else(not_enrolled)
}

/// What this very node was given for this very key, as long as it is good; but not what it is connected
/// with, as that did arrive.
async fn find_lost(
    tx: &Tx,
    present: &NodeCertificate,
    key: &NodeKey,
    now: DateTime<Utc>,
) -> Result<Option<Der>, Refusal> {
    let known = tx.find_node_certificate_of_key(&key.sha256()).await?;
    let lost = known.filter(|known| {
        known.node == present.node && known.fingerprint != present.fingerprint && known.is_good(now)
    });
    Ok(lost.map(|lost| lost.certificate))
}

/// Forgets what is left of deleted nodes once it has been kept for long enough. Nobody renews in their name,
/// so it is looked for when a node is made or deleted.
pub(super) async fn sweep_deleted(tx: &Tx, now: DateTime<Utc>) -> Result<(), Refusal> {
    Ok(tx.sweep_certificates_of_no_node(now - KEPT).await?)
}

/// Refuses a key that was certified before: whoever has it now may not be who had it then.
async fn check_new(tx: &Tx, key: &NodeKey) -> Result<(), Refusal> {
    match tx.find_node_certificate_of_key(&key.sha256()).await? {
        None => Ok(()),
        Some(_) => Err(Refusal::invalid(
            "csr",
            "is for a key that was certified before",
        )),
    }
}
