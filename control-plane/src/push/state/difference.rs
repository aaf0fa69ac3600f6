//! In what a node differs from its ring, found by the names of buckets; and the index that says so, signed once.

use std::sync::atomic::Ordering;

use chrono::SubsecRound;
use contract::{
    frames::Down,
    index::{self, Bucket, BucketHashes, RegionIndex},
    jws::ReleaseSigner,
    section::ContentHash,
};
use host::wire::Text;

use super::{Content, DIGITS_OF_SECOND, Document, Region, Shelf, lock};
use crate::{Refusal, push::hub::frame};

/// What is known of a node's state.
pub(in crate::push) enum Known<'a> {
    /// What it said.
    Said(&'a BucketHashes),
    /// What it was told.
    Told {
        /// It was told of every change up to this one.
        seen: u64,
        /// And of the index as of this one.
        indexed: u64,
    },
}

/// In what a node differs from its region.
#[derive(Debug, Default)]
pub(in crate::push) struct Difference {
    /// The region as of this change.
    pub(in crate::push) generation: u64,
    /// The documents that the node cannot know, and the index.
    pub(in crate::push) frames: Vec<Text>,
    /// The buckets of which the node holds something else.
    pub(in crate::push) ask: Vec<Bucket>,
    /// The buckets of which it holds nothing.
    pub(in crate::push) empty: Vec<Bucket>,
}

impl Difference {
    /// Whether the node holds exactly what it should of a bucket.
    pub(in crate::push) fn is_equal(&self, bucket: Bucket) -> bool {
        !self.ask.contains(&bucket) && !self.empty.contains(&bucket)
    }
}

impl Region {
    /// In what a node differs.
    ///
    /// # Errors
    /// More tenants than an index has room for.
    pub(in crate::push) fn difference(
        &self,
        known: Known<'_>,
        signer: &ReleaseSigner,
    ) -> Result<Difference, Refusal> {
        let mut content = lock(&self.content);
        let mut difference = Difference {
            generation: content.generation,
            ..Difference::default()
        };
        for bucket in Bucket::all() {
            let shelf = &mut content.shelves[bucket.number()];
            let changed = shelf.changed;
            // Whatever a node holds of an empty bucket concerns nobody: the index tells it so.
            let Document(Some((hash, document))) = shelf.document(bucket)? else {
                continue;
            };
            let (ask, lacks) = match &known {
                Known::Said(theirs) => match theirs.get(&bucket) {
                    Some(theirs) => (*theirs != hash, *theirs != hash),
                    None => {
                        difference.empty.push(bucket);
                        (false, true)
                    }
                },
                Known::Told { seen, indexed } => (changed > *seen, changed > *indexed),
            };
            if ask {
                difference.ask.push(bucket);
            }
            if lacks {
                difference.frames.push(document);
            }
        }
        let needs_index = match known {
            Known::Said(_) => true,
            Known::Told { indexed, .. } => content.generation > indexed,
        };
        if needs_index {
            let index = self.index(&mut content, signer)?;
            difference.frames.push(index);
        }
        Ok(difference)
    }

    /// The signed index as a frame.
    fn index(&self, content: &mut Content, signer: &ReleaseSigner) -> Result<Text, Refusal> {
        if let Some(index) = &content.index {
            return Ok(index.clone());
        }
        let mut buckets = BucketHashes::new();
        for bucket in Bucket::all() {
            let Document(document) = content.shelves[bucket.number()].document(bucket)?;
            buckets.extend(document.map(|(hash, _)| (bucket, hash)));
        }
        let index = RegionIndex {
            region: self.name.clone(),
            issued_at: content.newest.trunc_subsecs(DIGITS_OF_SECOND),
            buckets,
        };
        let jws = index.sign(signer)?;
        self.signed.fetch_add(1, Ordering::Relaxed);
        let index = frame(&Down::Index { jws });
        content.index = Some(index.clone());
        Ok(index)
    }
}

impl Shelf {
    fn document(&mut self, bucket: Bucket) -> Result<Document, Refusal> {
        if let Some(document) = &self.document {
            return Ok(document.clone());
        }
        let body = index::document(&self.entries)?;
        let document = Document(body.map(|body| {
            let hash = ContentHash::of(body.as_bytes());
            (hash, frame(&Down::Bucket { bucket, body }))
        }));
        self.document = Some(document.clone());
        Ok(document)
    }
}
