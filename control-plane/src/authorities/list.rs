//! The list of authorities as nodes are told it: from every replica, whenever asked, the same text.
//!
//! A node never goes back to an older list, and replicas' clocks differ. The moment in the list is therefore
//! not when somebody happened to sign it but when it became what it is, which follows from what is stored;
//! and as an Ed25519 signature follows from what is signed (RFC 8032), so does the whole text.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{enrolment::Authorities, jws::ReleaseSigner};

use super::{Authority, believed};
use crate::{ControlPlane, Refusal, store::Tx};

/// The finest step of time that both databases keep.
const STEP: TimeDelta = TimeDelta::microseconds(1);

/// The list that was signed last, with its text: every session asks for it, and it seldom changes.
#[derive(Default)]
pub(crate) struct SignedList(Mutex<Option<(Authorities, String)>>);

impl SignedList {
    /// The signed text of a list.
    fn text(&self, list: Authorities, signer: &ReleaseSigner) -> Result<String, Refusal> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((signed, text)) = &*last
            && *signed == list
        {
            return Ok(text.clone());
        }
        // A list that cannot be signed is our fault and nobody's who asked.
        let text = list.sign(signer).map_err(Refusal::internal)?;
        *last = Some((list, text.clone()));
        Ok(text)
    }
}

impl ControlPlane {
    /// The list of authorities, as nodes are told it.
    pub(crate) async fn signed_authorities(&self) -> Result<String, Refusal> {
        let tx = self.store().begin_read().await?;
        self.sign_authorities(&tx).await
    }

    /// The same, as a transaction sees it.
    pub(crate) async fn sign_authorities(&self, tx: &Tx) -> Result<String, Refusal> {
        let now = self.clock().now();
        let known = tx.list_authorities().await?;
        let issued_at = changed_at(&known, now)
            .ok_or_else(|| Refusal::internal("there is no authority to tell of"))?;
        let certificates = believed(known, now).into_iter().map(|one| one.certificate);
        let list = Authorities {
            certificates: certificates.collect(),
            issued_at,
        };
        self.inner.authority_list.text(list, &self.inner.signer)
    }
}

/// When the list became what it is: when the last authority came, or the last one went by its age. Which one
/// signs makes no difference to it.
fn changed_at(known: &[Authority], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let came = known.iter().map(|one| one.created_at);
    let went = known.iter().map(Authority::trusted_until);
    came.chain(went.filter(|until| *until <= now)).max()
}

/// When an authority is made that joins those known: now, but in any case later than anything that happened
/// to them, or its list would pass for an older one where another replica's clock was ahead.
pub(super) fn moment_after(known: &[Authority], now: DateTime<Utc>) -> DateTime<Utc> {
    changed_at(known, now).map_or(now, |last| now.max(last + STEP))
}
