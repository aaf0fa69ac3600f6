//! What a region's nodes are to hold: documents and roll as frames, made once for all lanes.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::{Containment, Roll},
    ids::ContainmentId,
    jws::ReleaseSigner,
    lane::LaneDown,
    section::ContentHash,
    tenant::Region,
};
use host::wire::Text;

use crate::containments::ContainmentRecord;

/// How long a document is told that counts no more and stands on no roll: one that lifts something has to be heard and
/// confirmed as well.
pub(super) const LINGERS: TimeDelta = TimeDelta::hours(1);

/// One containment by its newest revision.
pub(super) struct Document {
    /// What it says.
    pub(super) containment: Containment,
    /// The hash of the signed document.
    pub(super) hash: ContentHash,
    /// The frame that brings it.
    pub(super) frame: Text,
}

impl Document {
    /// When it is told no more.
    fn gone_at(&self) -> DateTime<Utc> {
        self.containment.forgotten_at() + LINGERS
    }
}

impl From<&ContainmentRecord> for Document {
    fn from(record: &ContainmentRecord) -> Self {
        Self {
            containment: record.containment.clone(),
            hash: ContentHash::of(record.document.as_bytes()),
            frame: frame(&LaneDown::Containment {
                jws: record.document.clone(),
            }),
        }
    }
}

/// The state of a region. Made anew with each change; documents are shared between one and the next.
#[derive(Default)]
pub(super) struct Told {
    /// Whether it was read yet.
    is_read: bool,
    sequence: u64,
    documents: BTreeMap<u64, Arc<Document>>,
    by_id: BTreeMap<ContainmentId, u64>,
    roll: Text,
    digest: String,
    /// When the first of the documents leaves the roll, or is told no more.
    forget_at: Option<DateTime<Utc>>,
}

impl Told {
    /// The number of the newest change that is in it; `None` before it was read.
    pub(super) fn known(&self) -> Option<u64> {
        self.is_read.then_some(self.sequence)
    }

    /// The number of the newest change.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The frame that brings the roll.
    pub(super) fn roll(&self) -> &Text {
        &self.roll
    }

    /// The digest of what the roll lists.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The documents, in the order of their numbers.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values().map(Arc::as_ref)
    }

    /// Those of the documents that came after a number.
    pub(super) fn documents_after(&self, sequence: u64) -> impl Iterator<Item = &Document> {
        let after = self.documents.range(sequence.saturating_add(1)..);
        after.map(|(_, document)| document.as_ref())
    }

    /// The document of a containment.
    pub(super) fn document(&self, id: ContainmentId) -> Option<&Document> {
        let sequence = self.by_id.get(&id)?;
        self.documents.get(sequence).map(Arc::as_ref)
    }

    /// Whether something in it may be forgotten.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.forget_at.is_some_and(|at| at <= now)
    }

    /// The state after further revisions, up to a number, without what is over by now. Whoever read the
    /// database earlier than another one takes nothing back. `None` if its roll cannot be signed; the present one
    /// goes on then.
    pub(super) fn with(
        &self,
        records: &[ContainmentRecord],
        (region, upto): (&Region, u64),
        now: DateTime<Utc>,
        signer: &ReleaseSigner,
    ) -> Option<Self> {
        let mut documents = self.documents.clone();
        let mut by_id = self.by_id.clone();
        for record in records {
            let (id, number) = (record.containment.id, record.containment.sequence);
            if by_id.get(&id).is_some_and(|newer| *newer >= number) {
                continue;
            }
            if let Some(former) = by_id.insert(id, number) {
                documents.remove(&former);
            }
            documents.insert(number, Arc::new(record.into()));
        }
        documents.retain(|_, document| now < document.gone_at());
        by_id.retain(|_, number| documents.contains_key(number));
        let counting = documents
            .values()
            .filter(|one| now < one.containment.forgotten_at());
        let roll = Roll {
            region: region.clone(),
            sequence: upto.max(self.sequence),
            issued_at: now,
            holds: counting
                .map(|one| (one.containment.id, one.containment.revision))
                .collect(),
        };
        let signed = roll.sign(signer);
        let jws = signed
            .inspect_err(|error| tracing::error!(%region, ?error, "a roll cannot be signed"))
            .ok()?;
        let ends = documents
            .values()
            .flat_map(|one| [one.containment.forgotten_at(), one.gone_at()]);
        Some(Self {
            is_read: true,
            sequence: roll.sequence,
            forget_at: ends.filter(|end| now < *end).min(),
            digest: roll.digest(),
            roll: frame(&LaneDown::Roll { jws }),
            documents,
            by_id,
        })
    }
}

/// The text of a frame.
pub(super) fn frame(frame: &LaneDown) -> Text {
    let text = serde_json::to_string(frame);
    text.expect("frames have string keys and always serialize")
        .into()
}
