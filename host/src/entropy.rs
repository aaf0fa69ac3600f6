//! Chance, as a value a service holds.
//!
//! Ids, secrets and nonces are drawn here so that a test can replay them. The system source is the
//! operating system's generator and nothing else: there is no fallback, because a weak secret is worse
//! than a stopped process.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A source of random bytes. Clones share the same source.
#[derive(Clone, Debug)]
pub struct Entropy(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Seeded(Arc<Mutex<Stream>>),
}

impl Entropy {
    /// The operating system's random number generator.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// For tests only: the same seed gives the same bytes in the same order. Anyone who knows the seed
    /// knows every secret drawn from it.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(Stream {
            seed,
            block: 0,
        }))))
    }

    /// Fills `out` with random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing secure can follow.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the OS generator"
    )]
    pub fn fill(&self, out: &mut [u8]) {
        match &self.0 {
            Source::System => {
                getrandom::fill(out).expect("the operating system supplies randomness");
            }
            Source::Seeded(stream) => {
                stream
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill(out);
            }
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// 256 random bits as 43 characters of unpadded base64url: a token that cannot be guessed.
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A UUIDv7 (RFC 9562 section 5.7): ordered by `now` to the millisecond, 74 bits of chance.
    pub fn uuid_v7(&self, now: DateTime<Utc>) -> Uuid {
        // The format has no place for years before 1970; such a clock is wrong, and order is lost, not uniqueness.
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid()
    }
}

/// SHA-256 in counter mode over the seed.
#[derive(Debug)]
struct Stream {
    seed: u64,
    block: u64,
}

impl Stream {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(digest::SHA256_OUTPUT_LEN) {
            let mut input = [0; 16];
            input[..8].copy_from_slice(&self.seed.to_be_bytes());
            input[8..].copy_from_slice(&self.block.to_be_bytes());
            self.block += 1;
            let block = digest::digest(&digest::SHA256, &input);
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_and_never_repeats_itself() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        let drawn: Vec<[u8; 40]> = (0..50).map(|_| a.bytes()).collect();
        assert!(drawn.iter().all(|bytes| *bytes == b.bytes::<40>()));
        let distinct: std::collections::HashSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), drawn.len());
        assert_ne!(Entropy::seeded(8).bytes::<40>(), drawn[0]);
    }

    #[test]
    fn a_clone_continues_the_stream_instead_of_repeating_it() {
        let a = Entropy::seeded(1);
        assert_ne!(a.clone().bytes::<16>(), a.bytes::<16>());
    }

    #[test]
    fn tokens_carry_256_bits() {
        let token = Entropy::system().token();
        assert_eq!(URL_SAFE_NO_PAD.decode(&token).unwrap().len(), 32);
        assert_eq!(token.len(), 43);
        assert_ne!(token, Entropy::system().token());
    }

    #[test]
    fn uuids_are_version_7_and_follow_time() {
        let entropy = Entropy::seeded(1);
        let first: DateTime<Utc> = "2026-01-01T00:00:00.001Z".parse().unwrap();
        let (a, b) = (
            entropy.uuid_v7(first),
            entropy.uuid_v7(first + chrono::Duration::milliseconds(1)),
        );
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(a.get_variant(), uuid::Variant::RFC4122);
        assert!(a < b);
        let before_epoch = "1969-01-01T00:00:00Z".parse().unwrap();
        assert_ne!(entropy.uuid_v7(before_epoch), entropy.uuid_v7(before_epoch));
    }
}
