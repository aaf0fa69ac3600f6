//! What the demo must remember between starts: chosen ids, passwords and client secrets, sealed.
//!
//! A password or secret is written here before (or as soon as) it exists anywhere else, so a start that
//! ends halfway loses nothing, and a deleted `demo.json` comes back the same.

use std::collections::BTreeMap;

use contract::ids::{ApplicationId, TypedId, UserId};
use data_plane::process::{DataDir, Failure};
use host::{Clock, Entropy, SealedFile, SealedFileError, Secret};
use serde::{Deserialize, Serialize};

use crate::planes::Means;

/// Characters that nobody confuses when typing.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
const GROUPS: usize = 4;
const GROUP_LENGTH: usize = 5;

/// The memory, and where it lies.
pub struct Vault {
    file: SealedFile,
    clock: Clock,
    entropy: Entropy,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    people: BTreeMap<String, KeptPerson>,
    clients: BTreeMap<String, KeptClient>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPerson {
    id: UserId,
    password: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptClient {
    id: ApplicationId,
    secret: String,
}

/// A person's account and password.
pub struct KnownPerson {
    /// The account's id.
    pub id: UserId,
    /// The password.
    pub password: Secret,
}

/// An application and its secret.
pub struct KnownClient {
    /// The application, and its `client_id`.
    pub id: ApplicationId,
    /// Its secret.
    pub secret: Secret,
}

impl Vault {
    /// Reads the memory of earlier starts, or begins a new one.
    ///
    /// # Errors
    /// The file is damaged, or sealed with another key.
    pub fn open(dir: &DataDir, means: &Means) -> Result<Self, Failure> {
        let file = SealedFile::new(dir.join("demo.sealed"), "demo", means.kek.key("demo"));
        let cannot = || format!("cannot read {}", file.path().display());
        let kept = match file.read() {
            Ok(text) => serde_json::from_slice(&text).map_err(Failure::because(cannot()))?,
            Err(SealedFileError::Missing { .. }) => Kept::default(),
            Err(error) => return Err(Failure::new(cannot(), error)),
        };
        Ok(Self {
            file,
            clock: means.clock.clone(),
            entropy: means.entropy.clone(),
            kept,
        })
    }

    /// The account id and password of `email`, chosen at the first call.
    ///
    /// # Errors
    /// The memory cannot be written.
    pub fn person(&mut self, email: &str) -> Result<KnownPerson, Failure> {
        let kept = match self.kept.people.get(email) {
            Some(kept) => kept.clone(),
            None => {
                let kept = KeptPerson {
                    id: UserId::from_uuid(self.entropy.uuid_v7(self.clock.now())),
                    password: password(&self.entropy),
                };
                self.kept.people.insert(email.to_owned(), kept.clone());
                self.write()?;
                kept
            }
        };
        Ok(KnownPerson {
            id: kept.id,
            password: Secret::new(kept.password),
        })
    }

    /// Whether the account was chosen here.
    pub fn made(&self, account: UserId) -> bool {
        self.kept.people.values().any(|kept| kept.id == account)
    }

    /// What is known of the application `name`.
    pub fn client(&self, name: &str) -> Option<KnownClient> {
        self.kept.clients.get(name).map(|kept| KnownClient {
            id: kept.id,
            secret: Secret::new(kept.secret.clone()),
        })
    }

    /// Remembers an application and its secret.
    ///
    /// # Errors
    /// The memory cannot be written.
    pub fn keep_client(
        &mut self,
        name: &str,
        id: ApplicationId,
        secret: &Secret,
    ) -> Result<(), Failure> {
        let kept = KeptClient {
            id,
            secret: secret.expose().to_owned(),
        };
        self.kept.clients.insert(name.to_owned(), kept);
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec(&self.kept).expect("the memory is plain JSON");
        self.file
            .write(&self.entropy, &text)
            .map_err(Failure::because(format!(
                "cannot write {}",
                self.file.path().display()
            )))
    }
}

/// 100 random bits that a person can type: `k7fq2-9xw3m-…`.
fn password(entropy: &Entropy) -> String {
    let bytes = entropy.bytes::<{ GROUPS * GROUP_LENGTH }>();
    let letters: Vec<u8> = bytes
        .iter()
        .map(|byte| ALPHABET[usize::from(byte & 31)])
        .collect();
    letters
        .chunks(GROUP_LENGTH)
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let entropy = Entropy::seeded(1);
        let (one, other) = (password(&entropy), password(&entropy));
        assert_eq!(one.len(), GROUPS * GROUP_LENGTH + GROUPS - 1);
        assert_ne!(one, other);
    }
}
