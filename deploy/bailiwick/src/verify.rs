//! `bailiwick verify`: whether a receipt of a containment is true, without a network and without us.
//!
//! It believes one thing, the trust root, which whoever asks got and kept before they needed it. From there on
//! everything follows: the control plane signed the receipt and the document in it; the receipt names the
//! authorities that vouched for the nodes; each node signed what it refuses and since when. A receipt of which any
//! part does not hold is not valid as a whole, because nobody can tell what else was touched.

use std::{fmt, fs, path::Path};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::Containment,
    jwk::PublicJwk,
    jws::TrustRoot,
    lane::{CONFIRMATION_TYPE, Confirmation, Probe},
    receipt::{NodeLine, NodeOutcome, Proof, Receipt, ReceiptError},
    section::ContentHash,
};
use data_plane::process::Failure;
use host::statement::{self, PublicPoint, StatementError};

use crate::cli::Verify;

/// Most bytes of a file that is read: more than a receipt may have.
const MAX_BYTES: u64 = 80 * 1024 * 1024;

/// Why a receipt is not valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotValid {
    /// The receipt itself.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// What one node said in it.
    #[error("the statement of node {node} is not believed: {why}")]
    Statement {
        /// The node's name.
        node: String,
        /// Why.
        why: StatementError,
    },
    /// A node's statement is about something else than the receipt.
    #[error("the statement of node {node} is about {what}")]
    Other {
        /// The node's name.
        node: String,
        /// What it is about.
        what: &'static str,
    },
}

/// A receipt that holds, with what its nodes said.
#[derive(Debug)]
pub struct Verified {
    /// The receipt.
    pub receipt: Receipt,
    /// The document in it.
    pub containment: Containment,
    /// What each line's node said, in the receipt's order; none for those that said nothing.
    pub said: Vec<Option<Confirmation>>,
}

/// Reads both files, verifies, and describes what holds.
///
/// # Errors
/// A file cannot be read, or the receipt is not valid.
pub fn run(asked: &Verify) -> Result<String, Failure> {
    let root = read(&asked.trust)?;
    let trust: TrustRoot = serde_json::from_str(&root).map_err(|_| {
        Failure::new(
            format!("cannot use {}", asked.trust.display()),
            "it is not a trust root",
        )
    })?;
    let receipt = read(&asked.file)?;
    match verify(receipt.trim(), &trust) {
        Ok(verified) => Ok(verified.to_string()),
        Err(why) => Err(Failure::new(
            format!("NOT VALID: {}", asked.file.display()),
            why,
        )),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let what = || format!("cannot read {}", path.display());
    let size = fs::metadata(path)
        .map_err(|why| Failure::new(what(), why))?
        .len();
    if size > MAX_BYTES {
        return Err(Failure::new(what(), "it is larger than any receipt"));
    }
    fs::read_to_string(path).map_err(|why| Failure::new(what(), why))
}

/// Verifies a receipt to its last line.
///
/// # Errors
/// See [`NotValid`].
pub fn verify(jws: &str, trust: &TrustRoot) -> Result<Verified, NotValid> {
    let (receipt, containment) = Receipt::verify(jws, trust)?;
    let document = ContentHash::of(receipt.document.as_bytes());
    let authorities: Vec<Vec<u8>> = receipt
        .authorities
        .iter()
        .map(|authority| authority.as_bytes().to_vec())
        .collect();
    let said = receipt
        .nodes
        .iter()
        .map(|line| {
            let heard = hear(line, &authorities, receipt.accepted_at)?;
            let Some(said) = heard else { return Ok(None) };
            let other = |what| NotValid::Other {
                node: line.name.to_string(),
                what,
            };
            if said.node != line.node {
                return Err(other("another node"));
            }
            if (said.containment, said.revision) != (containment.id, containment.revision) {
                return Err(other("another containment"));
            }
            if said.document != document {
                return Err(other("another document"));
            }
            Ok(Some(said))
        })
        .collect::<Result<_, NotValid>>()?;
    Ok(Verified {
        receipt,
        containment,
        said,
    })
}

/// What a node said, if its signature holds.
fn hear(
    line: &NodeLine,
    authorities: &[Vec<u8>],
    accepted_at: DateTime<Utc>,
) -> Result<Option<Confirmation>, NotValid> {
    let NodeOutcome::Confirmed {
        after_us,
        statement,
        proof,
    } = &line.outcome
    else {
        return Ok(None);
    };
    let refuse = |why| NotValid::Statement {
        node: line.name.to_string(),
        why,
    };
    let after = i64::try_from(*after_us).map_or(TimeDelta::MAX, TimeDelta::microseconds);
    let heard_at = accepted_at.checked_add_signed(after).unwrap_or(accepted_at);
    let key = key_of(line, proof, authorities, heard_at).map_err(refuse)?;
    let payload = statement::verify(CONFIRMATION_TYPE, statement, &key).map_err(refuse)?;
    serde_json::from_slice(&payload)
        .map(Some)
        .map_err(|_| refuse(StatementError::Malformed))
}

/// The key that a node's statement must be signed with.
fn key_of(
    line: &NodeLine,
    proof: &Proof,
    authorities: &[Vec<u8>],
    at: DateTime<Utc>,
) -> Result<PublicPoint, StatementError> {
    match proof {
        Proof::Certificate { certificate } => {
            let certificate = certificate.as_bytes();
            statement::check_certificate(certificate, authorities, at)?;
            let name = format!("bailiwick://node/{}", line.node);
            if statement::uris_of(certificate)? != [name] {
                return Err(StatementError::NotVouchedFor(
                    "it is the certificate of another node".to_owned(),
                ));
            }
            PublicPoint::of_certificate(certificate)
        }
        Proof::SameProcess { key } => match key {
            PublicJwk::Ec { x, y, .. } => {
                PublicPoint::from_coordinates(&String::from(x.clone()), &String::from(y.clone()))
            }
            PublicJwk::Rsa { .. } => Err(StatementError::Key),
        },
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (receipt, containment) = (&self.receipt, &self.containment);
        writeln!(f, "VALID: receipt of containment {}", containment.id)?;
        writeln!(f, "  subject    {}", containment.subject)?;
        writeln!(
            f,
            "  tenant     {} in {}",
            containment.tenant, containment.region
        )?;
        writeln!(
            f,
            "  begun      {}, revision {}",
            containment.begun_at, containment.revision
        )?;
        match containment.lifted_at {
            Some(lifted) => writeln!(f, "  lifted     {lifted}")?,
            None => writeln!(f, "  until      {}", containment.until)?,
        }
        writeln!(f, "  reason     {}", receipt.reason)?;
        writeln!(f, "  by         {}", receipt.actor)?;
        let figures = &receipt.figures;
        write!(
            f,
            "  effective  on {} of {} nodes",
            figures.confirmed, figures.nodes
        )?;
        if let (Some(first), Some(p50), Some(p99), Some(slowest)) = (
            figures.first_us, figures.p50_us, figures.p99_us, figures.slowest_us,
        ) {
            let [first, p50, p99, slowest] = [first, p50, p99, slowest].map(millis);
            write!(
                f,
                ": first {first}, p50 {p50}, p99 {p99}, slowest {slowest}"
            )?;
        }
        writeln!(f)?;
        for (line, said) in receipt.nodes.iter().zip(&self.said) {
            writeln!(f, "    {}  {}", line.name, describe(line, said.as_ref()))?;
        }
        if let Some(until) = receipt.residual.tokens_until {
            writeln!(
                f,
                "  exposed    tokens issued before, where only signatures are checked, until {until}"
            )?;
        }
        match (receipt.residual.silent, receipt.residual.silent_until) {
            (0, _) => {}
            (silent, Some(until)) => {
                writeln!(f, "  exposed    {silent} silent nodes, until {until}")?
            }
            (silent, None) => writeln!(f, "  exposed    {silent} silent nodes, without a bound")?,
        }
        write!(f, "  as of      {}", receipt.made_at)
    }
}

fn describe(line: &NodeLine, said: Option<&Confirmation>) -> String {
    match (&line.outcome, said) {
        (NodeOutcome::Confirmed { after_us, .. }, Some(said)) => {
            let probe = match &said.probe {
                Probe::Refused { requests, .. } => {
                    format!("its door refused a canary, at request {requests}")
                }
                Probe::LetThrough { requests, .. } => {
                    format!("its door let a canary through, at request {requests}")
                }
                Probe::None { reason } => format!("its door was not probed: {reason}"),
            };
            format!("confirmed after {}; {probe}", millis(*after_us))
        }
        (NodeOutcome::Refused { reason }, _) => format!("refused the document: {reason}"),
        (
            NodeOutcome::Silent {
                last_heard_at: Some(at),
            },
            _,
        ) => format!("silent, last heard {at}"),
        _ => "silent, never heard".to_owned(),
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

#[cfg(test)]
mod tests;
