//! Documents of buckets that arrived and wait for the index that names them.
//!
//! Bounded by bytes: a sender that never follows up costs a fixed amount of memory. One that is too much is
//! refused, and the index that would need it waits until it is sent again.

use contract::{
    index::{Bucket, MAX_BUCKET_BYTES},
    section::ContentHash,
};

use crate::releases::index::Documents;

/// Room for the documents of the fullest region several times over.
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Arrived {
    by_name: Documents,
    bytes: usize,
}

impl Arrived {
    /// Keeps a document under its name. It says nothing until an index names it.
    pub(super) fn put(&mut self, bucket: Bucket, body: String) {
        if body.len() > MAX_BUCKET_BYTES || self.bytes + body.len() > MAX_BYTES {
            tracing::error!(%bucket, "ALARM: a bucket that is too large is refused");
            return;
        }
        let added = body.len();
        let name = ContentHash::of(body.as_bytes());
        if self.by_name.insert(name, (bucket, body)).is_none() {
            self.bytes += added;
        }
    }

    pub(super) fn by_name(&self) -> &Documents {
        &self.by_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let mut arrived = Arrived::default();
        let bucket = Bucket::all().next().unwrap();
        arrived.put(bucket, "x".repeat(MAX_BUCKET_BYTES + 1));
        assert_eq!((arrived.by_name.len(), arrived.bytes), (0, 0));
        for n in 0..80 {
            let body = format!("{n:02}{}", "x".repeat(MAX_BUCKET_BYTES - 2));
            arrived.put(bucket, body.clone());
            // The same again is no more.
            arrived.put(bucket, body);
        }
        assert!(arrived.bytes <= MAX_BYTES, "{}", arrived.bytes);
        assert_eq!(arrived.by_name.len(), MAX_BYTES / MAX_BUCKET_BYTES);
    }
}
