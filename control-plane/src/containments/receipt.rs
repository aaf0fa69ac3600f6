//! The receipt: what came of a revision, as far as is known now, signed (R-REV-04).
//!
//! It has the nodes' own words inside, the certificates of the keys that signed them, and the authorities that
//! issued those: whoever reads it needs our public key and nothing of ours besides.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contract::{
    containment::Containment,
    enrolment::Der,
    ids::{ContainmentId, NodeId, TenantId},
    receipt::{FORMAT, Figures, NodeLine, NodeOutcome, Proof, Receipt},
};
use host::statement::check_certificate;

use super::{
    ContainmentRecord, RevisionRecord, Said, Word, existing,
    state::{RegionNode, micros_between, nothing_left, residual, token_policy},
};
use crate::{Caller, ControlPlane, Refusal, store::Tx};

impl ControlPlane {
    /// Makes the receipt of a containment's newest revision, as a compact JWS of a
    /// [`contract::receipt::Receipt`]. A later one may know more.
    ///
    /// # Errors
    /// Needs `tenant.containments.view`; [`Refusal::NotFound`].
    pub async fn containment_receipt(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ContainmentId,
    ) -> Result<String, Refusal> {
        self.containment_receipt_of(caller, tenant, (id, None))
            .await
    }

    /// The same of any revision: of the first one also once it was lifted. `None` stands for the newest.
    ///
    /// # Errors
    /// As [`ControlPlane::containment_receipt`].
    pub async fn containment_receipt_of(
        &self,
        caller: &Caller,
        tenant: TenantId,
        (id, revision): (ContainmentId, Option<u32>),
    ) -> Result<String, Refusal> {
        let tx = self.view_containments(caller, tenant).await?;
        let record = existing(&tx, tenant, id).await?;
        let number = revision.unwrap_or(record.containment.revision);
        let found = tx.find_containment_revision(id, number).await?;
        let revision = found.ok_or(Refusal::NotFound { what: "revision" })?;
        let receipt = self.receipt_of(&tx, &record, revision).await?;
        receipt.sign(self.signer()).map_err(Refusal::internal)
    }

    async fn receipt_of(
        &self,
        tx: &Tx,
        newest: &ContainmentRecord,
        revision: RevisionRecord,
    ) -> Result<Receipt, Refusal> {
        let containment = Containment::verify(&revision.document, &self.trust_root());
        let containment = containment.map_err(Refusal::internal)?;
        let now = self.clock().now();
        let words = tx
            .list_proven_words(containment.id, containment.revision)
            .await?;
        let nodes = self.nodes_of_region(tx, &containment.region).await?;
        let authorities = authorities_of(tx, &words).await?;
        let lines = lines(nodes, words, revision.accepted_at);
        let silent = silent(&lines);
        let tokens = token_policy(tx, containment.tenant).await?;
        Ok(Receipt {
            format: FORMAT,
            residual: match newest.containment.is_in_force(now) {
                true => residual(&containment, revision.accepted_at, &tokens, &silent),
                false => nothing_left(&silent),
            },
            document: revision.document,
            reason: revision.reason,
            actor: revision.actor.to_string(),
            accepted_at: revision.accepted_at,
            made_at: now,
            impact: newest.impact,
            figures: Figures::of(&lines),
            nodes: lines,
            authorities,
        })
    }
}

/// When each node was last heard that did not confirm.
fn silent(lines: &[NodeLine]) -> Vec<Option<DateTime<Utc>>> {
    let silent = lines.iter().filter_map(|line| match &line.outcome {
        NodeOutcome::Confirmed { .. } => None,
        NodeOutcome::Refused { .. } => Some(None),
        NodeOutcome::Silent { last_heard_at } => Some(*last_heard_at),
    });
    silent.collect()
}

fn lines(nodes: Vec<RegionNode>, words: Vec<Word>, accepted_at: DateTime<Utc>) -> Vec<NodeLine> {
    let mut words: HashMap<NodeId, Word> =
        words.into_iter().map(|word| (word.node, word)).collect();
    let line = |node: RegionNode| {
        let silent = NodeOutcome::Silent {
            last_heard_at: node.heard_at,
        };
        let outcome = words.remove(&node.node).and_then(|word| match word.said {
            Said::Confirmed { statement, proof } => Some(NodeOutcome::Confirmed {
                after_us: micros_between(accepted_at, word.heard_at),
                statement,
                proof: proof?,
            }),
            Said::Refused { reason } => Some(NodeOutcome::Refused { reason }),
        });
        NodeLine {
            node: node.node,
            name: node.name,
            outcome: outcome.unwrap_or(silent),
        }
    };
    nodes.into_iter().map(line).collect()
}

/// Those of the authorities that vouch for a certificate among the words' proofs.
async fn authorities_of(tx: &Tx, words: &[Word]) -> Result<Vec<Der>, Refusal> {
    let known = tx.list_authorities().await?;
    let vouches = |authority: &Der| {
        let root = [authority.as_bytes().to_vec()];
        words.iter().any(|word| match &word.said {
            Said::Confirmed {
                proof: Some(Proof::Certificate { certificate }),
                ..
            } => check_certificate(certificate.as_bytes(), &root, word.heard_at).is_ok(),
            _ => false,
        })
    };
    let known = known.into_iter().map(|authority| authority.certificate);
    Ok(known.filter(vouches).collect())
}
