//! Section bodies that arrived and wait for the release that needs them.
//!
//! Bounded by bytes, oldest out first: a sender that never follows up costs a fixed amount of memory. A
//! section dropped too early shows as missing, and the control plane sends it again.

use std::collections::{HashMap, VecDeque};

use contract::{
    manifest::Manifest,
    section::{ContentHash, MAX_SECTION_BYTES},
};

use crate::releases::apply::Applier;

/// Room for a release of ten thousand applications several times over.
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Sections {
    bodies: HashMap<ContentHash, String>,
    order: VecDeque<ContentHash>,
    bytes: usize,
}

impl Sections {
    /// Keeps a body. Its hash is checked when a release uses it, so that a flipped byte is reported with
    /// the release it spoils.
    pub(super) fn put(&mut self, hash: ContentHash, body: String) {
        if body.len() > MAX_SECTION_BYTES {
            tracing::error!(%hash, "ALARM: a section larger than 1 MiB is refused");
            return;
        }
        self.remove(&hash);
        self.bytes += body.len();
        self.order.push_back(hash.clone());
        self.bodies.insert(hash, body);
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.front().cloned() else {
                return;
            };
            self.remove(&oldest);
        }
    }

    /// Takes out what a manifest names, used or spoiled: whatever its fate, it is sent anew next time.
    pub(super) fn take_for(
        &mut self,
        jws: &str,
        applier: &Applier,
    ) -> HashMap<ContentHash, String> {
        let Ok(manifest) = Manifest::verify(jws, &applier.trust) else {
            return HashMap::new();
        };
        let named = manifest.sections.values();
        named
            .filter_map(|hash| self.remove(hash).map(|body| (hash.clone(), body)))
            .collect()
    }

    fn remove(&mut self, hash: &ContentHash) -> Option<String> {
        let body = self.bodies.remove(hash)?;
        self.bytes -= body.len();
        self.order.retain(|kept| kept != hash);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut sections = Sections::default();
        let hash = |n: usize| ContentHash::of(n.to_string().as_bytes());
        for n in 0..70 {
            sections.put(hash(n), "x".repeat(MAX_SECTION_BYTES));
        }
        assert!(sections.bytes <= MAX_BYTES);
        assert!(sections.remove(&hash(0)).is_none());
        assert!(sections.remove(&hash(69)).is_some());
        sections.put(hash(99), "x".repeat(MAX_SECTION_BYTES + 1));
        assert!(sections.remove(&hash(99)).is_none());
    }
}
