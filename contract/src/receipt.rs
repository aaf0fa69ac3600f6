//! The receipt of a containment: what was contained, which nodes refuse it and since when, what is still exposed.
//!
//! It is signed by the control plane and carries each node's own signed word, so that it can be checked by
//! somebody who believes neither, with the trust root and nothing else (R-REV-04). The figures are not believed
//! but computed again: [`Receipt::verify`] refuses one whose sums do not follow from its lines. Checking the
//! nodes' signatures needs X.509 and is the verifier's next step (`bailiwick verify`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    containment::Containment,
    enrolment::{Der, NodeName},
    ids::NodeId,
    jwk::PublicJwk,
    jws::{DocumentKind, JwsError, ReleaseSigner, TrustRoot},
};

/// A signed [`Receipt`]. A line with statement and certificate has about 3 KiB.
pub const RECEIPT: DocumentKind = DocumentKind {
    typ: "bailiwick-containment-receipt+jwt",
    max_bytes: 64 * 1024 * 1024,
};

/// The version of this format.
pub const FORMAT: u32 = 1;

/// What was contained and what came of it, as known when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: u32,
    /// The revision it is about, as it was signed for the nodes: its signature is part of the proof.
    pub document: String,
    /// Why, in the words of whoever did it.
    pub reason: String,
    /// Who did it: an operator's id or what acted.
    pub actor: String,
    /// When the control plane accepted it.
    pub accepted_at: DateTime<Utc>,
    /// When this receipt was made; a later one may know more.
    pub made_at: DateTime<Utc>,
    /// What it was going to hit, if the region was asked.
    pub impact: Option<Impact>,
    /// Each node of the region that may serve, by name.
    pub nodes: Vec<NodeLine>,
    /// The sums of the lines.
    pub figures: Figures,
    /// Until when something may still be accepted somewhere.
    pub residual: Residual,
    /// Who issued the nodes' certificates.
    pub authorities: Vec<Der>,
}

/// What a containment hits, counted in the tenant's region. Counts only; no data about anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Impact {
    /// People.
    pub users: u64,
    /// Browser sessions alive.
    pub sessions: u64,
    /// Grants with a refresh token alive.
    pub grants: u64,
    /// Whether a count stopped at its limit: there are at least as many.
    pub at_least: bool,
}

/// What one node did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeLine {
    /// Which.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
    /// What is known of it.
    pub outcome: NodeOutcome,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeOutcome {
    /// It applied the revision and said so.
    Confirmed {
        /// Microseconds from acceptance to its word, by the control plane's clock.
        after_us: u64,
        /// Its word: a signed [`crate::lane::Confirmation`].
        statement: String,
        /// Whose key that is.
        proof: Proof,
    },
    /// It does not believe the document, or cannot keep it.
    Refused {
        /// Why.
        reason: String,
    },
    /// Nothing was heard of it yet.
    Silent {
        /// When anything was last heard of it.
        last_heard_at: Option<DateTime<Utc>>,
    },
}

/// Whose key signs a node's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// The key of this certificate, which one of the receipt's authorities issued for the node.
    Certificate {
        /// It.
        certificate: Der,
    },
    /// A key that the node, part of the control plane's own process, showed it there.
    SameProcess {
        /// It.
        key: PublicJwk,
    },
}

/// The sums of the lines; microseconds from acceptance. Percentiles by nearest rank over the nodes that confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Nodes.
    pub nodes: u32,
    /// Those that confirmed.
    pub confirmed: u32,
    /// The first confirmation.
    pub first_us: Option<u64>,
    /// Half of those that confirmed had by then.
    pub p50_us: Option<u64>,
    /// 99 of 100 of those that confirmed had by then.
    pub p99_us: Option<u64>,
    /// The last confirmation.
    pub slowest_us: Option<u64>,
    /// Whose that was.
    pub slowest: Option<NodeId>,
}

/// Until when something may still be accepted somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Access tokens that were issued before, at resource servers that verify signatures only and never ask: until
    /// they expire (R-REV-01).
    pub tokens_until: Option<DateTime<Utc>>,
    /// Nodes that have not confirmed refuse by themselves from then on, because they hear nothing; `None` with such
    /// nodes left means: no bound but the containment's own end.
    pub silent_until: Option<DateTime<Utc>>,
    /// Nodes that have not confirmed.
    pub silent: u32,
}

/// Why a receipt is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Its own signature or form.
    #[error("the receipt {0}")]
    Receipt(JwsError),
    /// Of a newer format.
    #[error("the receipt has format {0}, which this version does not know")]
    Format(u32),
    /// The signature or form of the document inside.
    #[error("the containment inside {0}")]
    Document(JwsError),
    /// It contradicts itself.
    #[error("the receipt's sums do not follow from its lines")]
    Figures,
}

impl Receipt {
    /// Signs it.
    ///
    /// # Errors
    /// More nodes than one receipt has room for.
    pub fn sign(&self, signer: &ReleaseSigner) -> Result<String, Invalid> {
        signer.sign(RECEIPT, self)
    }

    /// Verifies a signed one with the document inside, and computes its sums again. The nodes' statements are not
    /// looked at.
    ///
    /// # Errors
    /// See [`ReceiptError`].
    pub fn verify(jws: &str, trust: &TrustRoot) -> Result<(Self, Containment), ReceiptError> {
        let receipt: Self = trust.verify(RECEIPT, jws).map_err(ReceiptError::Receipt)?;
        if receipt.format != FORMAT {
            return Err(ReceiptError::Format(receipt.format));
        }
        let document =
            Containment::verify(&receipt.document, trust).map_err(ReceiptError::Document)?;
        if receipt.figures != Figures::of(&receipt.nodes) {
            return Err(ReceiptError::Figures);
        }
        Ok((receipt, document))
    }
}

impl Figures {
    /// Computes them.
    pub fn of(lines: &[NodeLine]) -> Self {
        let confirmed = lines.iter().filter_map(|line| match line.outcome {
            NodeOutcome::Confirmed { after_us, .. } => Some((after_us, line.node)),
            _ => None,
        });
        Self::of_times(lines.len(), confirmed.collect())
    }

    /// Computes them from how many nodes there are and what those took that confirmed.
    pub fn of_times(nodes: usize, mut confirmed: Vec<(u64, NodeId)>) -> Self {
        confirmed.sort_unstable();
        let rank = |percent: usize| {
            let rank = (confirmed.len() * percent).div_ceil(100).max(1);
            confirmed.get(rank - 1).map(|(after, _)| *after)
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            nodes: count(nodes),
            confirmed: count(confirmed.len()),
            first_us: confirmed.first().map(|(after, _)| *after),
            p50_us: rank(50),
            p99_us: rank(99),
            slowest_us: confirmed.last().map(|(after, _)| *after),
            slowest: confirmed.last().map(|(_, node)| *node),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        containment::Subject,
        ids::{ContainmentId, TenantId, TypedId},
    };

    fn line(number: u128, after_us: Option<u64>) -> NodeLine {
        NodeLine {
            node: NodeId::from_uuid(Uuid::from_u128(number)),
            name: format!("eu-{number}").parse().unwrap(),
            outcome: match after_us {
                Some(after_us) => NodeOutcome::Confirmed {
                    after_us,
                    statement: "s".into(),
                    proof: Proof::Certificate {
                        certificate: Der::new(vec![1]).unwrap(),
                    },
                },
                None => NodeOutcome::Silent {
                    last_heard_at: None,
                },
            },
        }
    }

    #[test]
    fn figures_by_nearest_rank() {
        let of = |times: &[Option<u64>]| {
            let lines: Vec<_> = (0..).zip(times).map(|(n, time)| line(n, *time)).collect();
            let figures = Figures::of(&lines);
            (
                figures.confirmed, figures.first_us, figures.p50_us, figures.p99_us,
                figures.slowest_us,
            )
        };
        assert_eq!(of(&[]), (0, None, None, None, None));
        assert_eq!(of(&[None]), (0, None, None, None, None));
        assert_eq!(of(&[Some(9)]), (1, Some(9), Some(9), Some(9), Some(9)));
        let four = [Some(4), Some(1), None, Some(3), Some(2)];
        assert_eq!(of(&four), (4, Some(1), Some(2), Some(4), Some(4)));
        let hundred: Vec<_> = (1..=200).map(Some).collect();
        assert_eq!(
            of(&hundred),
            (200, Some(1), Some(100), Some(198), Some(200))
        );
    }

    fn document() -> Containment {
        Containment {
            id: ContainmentId::from_uuid(Uuid::from_u128(1)),
            revision: 1,
            sequence: 1,
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            region: "eu".parse().unwrap(),
            subject: Subject::Tenant {},
            ends_existing: false,
            begun_at: DateTime::UNIX_EPOCH,
            until: DateTime::UNIX_EPOCH,
            lifted_at: None,
        }
    }

    #[test]
    fn a_receipt_is_believed_whole_or_not_at_all_r_rev_04() {
        let signer = ReleaseSigner::from_secret(&[1; 32]);
        let trust = TrustRoot {
            keys: vec![signer.public()],
        };
        let document = document();
        let nodes = vec![line(1, Some(5)), line(2, None)];
        let receipt = Receipt {
            format: FORMAT,
            document: document.sign(&signer).unwrap(),
            reason: "drill".into(),
            actor: "opr".into(),
            accepted_at: DateTime::UNIX_EPOCH,
            made_at: DateTime::UNIX_EPOCH,
            impact: None,
            figures: Figures::of(&nodes),
            nodes,
            residual: Residual {
                tokens_until: None,
                silent_until: None,
                silent: 1,
            },
            authorities: Vec::new(),
        };
        let jws = receipt.sign(&signer).unwrap();
        assert_eq!(
            Receipt::verify(&jws, &trust).unwrap(),
            (receipt.clone(), document)
        );
        for position in (0..jws.len()).step_by(37) {
            let mut bytes = jws.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Receipt::verify(&changed, &trust).is_err(), "{position}");
        }
        let mut boasting = receipt.clone();
        boasting.figures.confirmed = 2;
        let jws = boasting.sign(&signer).unwrap();
        assert_eq!(Receipt::verify(&jws, &trust), Err(ReceiptError::Figures));
        let mut forged = receipt.clone();
        forged.document = forged.document.replace('.', "..");
        let jws = forged.sign(&signer).unwrap();
        assert!(matches!(
            Receipt::verify(&jws, &trust),
            Err(ReceiptError::Document(_))
        ));
        let newer = Receipt {
            format: 2,
            ..receipt
        };
        let jws = newer.sign(&signer).unwrap();
        assert_eq!(Receipt::verify(&jws, &trust), Err(ReceiptError::Format(2)));
    }
}
