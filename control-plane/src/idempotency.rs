//! Asked twice, done once: what is remembered of a request that carries an `Idempotency-Key`.
//!
//! Three steps, so that a crash at any point makes no change happen twice. *Before*: the key is claimed in a
//! transaction of its own. *With the change*: the very transaction that makes it ([`crate::change`]) writes
//! that it was made, and only while the claim still holds; a claim that was taken over makes the change
//! roll back. *After*: the answer is kept for a day.
//!
//! What that cannot give: a process that dies after the change and before the answer is kept leaves a key
//! whose answer nobody knows. The change is not made again then; the caller is told so and looks for
//! themselves ([`Begun::Lost`]). Likewise an invitation's mail may be lost with the process that was to
//! send it, and is sent again by its own operation.
//!
//! An answer may hold a secret that is shown once, so it rests only sealed; neither the key nor anything of
//! the request is stored but hashes. A refusal changed nothing and is not remembered: the same request may
//! be allowed a minute later.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    canonical::sha256_hex,
    ids::{OperatorId, TenantId},
};
use host::SealContext;
use serde::{Deserialize, Serialize};

use crate::{
    Caller, ControlPlane, Refusal,
    change::Target,
    store::{Remembered, Tx},
};

/// How long an answer is kept.
const LIFE: TimeDelta = TimeDelta::hours(24);
/// After which time without an answer whoever claimed a key is taken for dead. Far longer than any request
/// takes; and should one take longer all the same, its change is rolled back.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Where a key counts: keys of different tenants and operators never meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The tenant's id, or `platform`.
    pub(crate) scope: String,
    /// Whose key it is.
    pub(crate) operator: OperatorId,
    /// SHA-256 of the key.
    pub(crate) key_sha256: String,
}

/// The right to carry out what a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// For which key.
    pub(crate) place: Place,
    /// Tells this claim from one that took its place.
    pub(crate) token: String,
}

/// A request under a key.
#[derive(Debug)]
pub(crate) struct Attempt {
    place: Place,
    fingerprint: String,
}

impl Attempt {
    /// A request of `caller` in `tenant` (or on the platform) under `key`; `parts` are all that makes it
    /// this request and no other.
    pub(crate) fn new(
        caller: &Caller,
        tenant: Option<TenantId>,
        key: &str,
        parts: &[&[u8]],
    ) -> Self {
        // The key goes into the fingerprint too: a body that could be guessed stays unguessable from it.
        let mut hashed = Vec::new();
        for part in [key.as_bytes()].iter().chain(parts) {
            hashed.extend_from_slice(&(part.len() as u64).to_be_bytes());
            hashed.extend_from_slice(part);
        }
        Self {
            place: Place {
                scope: tenant.map_or_else(|| "platform".to_owned(), |tenant| tenant.to_string()),
                operator: caller.operator(),
                key_sha256: sha256_hex(key.as_bytes()),
            },
            fingerprint: sha256_hex(&hashed),
        }
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptAnswer {
    /// Its status.
    pub(crate) status: u16,
    /// The version of what it shows.
    pub(crate) etag: Option<String>,
    /// Where the new thing is.
    pub(crate) location: Option<String>,
    /// Its JSON; empty if it has none.
    pub(crate) body: String,
}

/// How an attempt begins.
pub(crate) enum Begun {
    /// Nobody carried it out yet: do it.
    First(Claim),
    /// It was carried out; this was the answer.
    Again(KeptAnswer),
    /// The key was used for something else.
    Mismatch,
    /// It is being carried out.
    UnderWay,
    /// It was carried out, and the answer was lost.
    Lost,
}

impl ControlPlane {
    /// Begins an attempt. Who is given a kept answer must still hold every permission it was made
    /// with.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for an answer the caller may not have any more.
    pub(crate) async fn begin_attempt(
        &self,
        caller: &Caller,
        attempt: Attempt,
    ) -> Result<Begun, Refusal> {
        let now = self.clock().now();
        let claim = Claim {
            place: attempt.place,
            token: self.entropy().uuid_v7(now).to_string(),
        };
        let tx = self.store().begin().await?;
        tx.purge_idempotency(now).await?;
        let known = tx.find_idempotency(&claim.place).await?;
        let acted = known.as_ref().and_then(|known| known.acted.clone());
        let begun = match known {
            Some(known) if known.fingerprint != attempt.fingerprint => Begun::Mismatch,
            Some(known) => self.resume(&tx, known, claim, now).await?,
            None => {
                let expires_at = now + LIFE;
                let is_ours = tx
                    .insert_idempotency(&claim, &attempt.fingerprint, now, expires_at)
                    .await?;
                if is_ours {
                    Begun::First(claim)
                } else {
                    Begun::UnderWay
                }
            }
        };
        tx.commit().await?;
        if let (Begun::Again(_), Some((tenant, permissions))) = (&begun, acted) {
            for permission in permissions {
                self.view(caller, Target::Tenant(tenant), permission)
                    .await?;
            }
        }
        Ok(begun)
    }

    async fn resume(
        &self,
        tx: &Tx,
        known: Remembered,
        claim: Claim,
        now: DateTime<Utc>,
    ) -> Result<Begun, Refusal> {
        if let Some(sealed) = known.answer {
            return Ok(Begun::Again(self.open_answer(&claim.place, &sealed)?));
        }
        if now < known.claimed_at + LEASE {
            return Ok(Begun::UnderWay);
        }
        if known.acted.is_some() {
            return Ok(Begun::Lost);
        }
        let is_ours = tx.retake_idempotency(&claim, &known.claim, now).await?;
        Ok(if is_ours {
            Begun::First(claim)
        } else {
            Begun::UnderWay
        })
    }

    /// Keeps the answer of an attempt that went well.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn keep_answer(
        &self,
        claim: &Claim,
        answer: &KeptAnswer,
    ) -> Result<(), Refusal> {
        let plain = serde_json::to_vec(answer).expect("an answer has string keys");
        let row = row_of(&claim.place);
        let sealed = self
            .seal()
            .seal(self.entropy(), &context(&claim.place, &row), &plain);
        let tx = self.store().begin().await?;
        if !tx.put_idempotency_answer(claim, sealed).await? {
            // It changed nothing, so there is nothing that must not happen twice.
            tx.delete_idempotency(claim).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets an attempt that was refused. One that changed something all the same stays known.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn forget_attempt(&self, claim: &Claim) -> Result<(), Refusal> {
        let tx = self.store().begin().await?;
        tx.delete_idempotency(claim).await?;
        Ok(tx.commit().await?)
    }

    fn open_answer(&self, place: &Place, sealed: &[u8]) -> Result<KeptAnswer, Refusal> {
        let row = row_of(place);
        let plain = self
            .seal()
            .open(&context(place, &row), sealed)
            .map_err(Refusal::internal)?;
        serde_json::from_slice(&plain).map_err(Refusal::internal)
    }
}

fn row_of(place: &Place) -> String {
    format!("{}/{}", place.operator, place.key_sha256)
}

fn context<'a>(place: &'a Place, row: &'a str) -> SealContext<'a> {
    SealContext {
        tenant: &place.scope,
        table: "idempotency_keys",
        column: "answer",
        row,
    }
}
