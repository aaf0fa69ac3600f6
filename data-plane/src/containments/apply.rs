//! Taking documents and rolls: verify, swap, let what is under way end, write down; then it may be confirmed.
//!
//! The swap comes first, because to refuse early is always safe. A confirmation promises that no answer is still on
//! its way that knew less, so it waits until nobody holds the set before; and that a restart knows it too, so it waits for
//! the disk. Nothing is believed that is not signed, nothing is taken back but by a newer roll (R-NODE-04, R-REV-01).

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    containment::{Containment, Roll, digest},
    ids::ContainmentId,
    jws::{JwsError, TrustRoot},
    section::ContentHash,
    tenant::Region,
};
use tokio::sync::Mutex;

use super::{Containments, DenySet, Keeper, KeeperError, keeper::Kept, set::Held};

/// Longest wait for answers under way. They are made without waiting for anything, so this is never reached.
const UNDER_WAY_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How old what is written of the last word may be: a restart is no way around the silence limit (R-REV-02).
const HEARD_WRITTEN_EVERY: TimeDelta = TimeDelta::seconds(5);

/// Why something is not taken. Texts go to the control plane and into the log: no personal data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the document {0}")]
    Untrusted(#[from] JwsError),
    #[error("it is of region {0}, and this node stands elsewhere")]
    OtherRegion(Region),
    #[error("two documents with the same revision differ")]
    OtherContent,
    #[error(
        "its number is {offered}, and this node has taken {taken}: the control plane is behind"
    )]
    Behind { offered: u64, taken: u64 },
    #[error("answers under way did not end")]
    Busy,
    #[error("it cannot be kept: {0}")]
    NotKept(#[from] KeeperError),
    #[error("the node is stopping")]
    Interrupted,
}

/// A document that is applied.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) containment: Containment,
    pub(crate) document: ContentHash,
    pub(crate) heard_at: DateTime<Utc>,
    pub(crate) applied_at: DateTime<Utc>,
}

/// Takes documents and rolls, one at a time.
pub(crate) struct Intake {
    containments: Arc<Containments>,
    keeper: Keeper,
    trust: TrustRoot,
    turn: Mutex<Written>,
}

/// What is on disk beside the documents.
#[derive(Default)]
struct Written {
    heard_at: Option<DateTime<Utc>>,
    knows_roll: bool,
}

impl Intake {
    /// Loads what was kept and verifies it again. Until then nobody may be served.
    pub(crate) fn open(
        containments: Arc<Containments>,
        keeper: Keeper,
        trust: TrustRoot,
    ) -> Result<Self, KeeperError> {
        let mut intake = Self {
            containments,
            keeper,
            trust,
            turn: Mutex::default(),
        };
        intake.load()?;
        Ok(intake)
    }

    fn load(&mut self) -> Result<(), KeeperError> {
        let kept = self.keeper.read()?;
        self.turn.get_mut().knows_roll = kept.knows_roll;
        let held = kept.documents.into_iter().map(|jws| {
            let containment = self
                .verify(&jws)
                .map_err(|why| KeeperError::Content(why.to_string()))?;
            Ok(Arc::new(Held { containment, jws }))
        });
        let held: Vec<_> = held.collect::<Result<_, KeeperError>>()?;
        let all = &self.containments;
        all.set.store(Arc::new(DenySet::of(held)));
        all.sequence.store(kept.sequence, Ordering::Release);
        if let Some(heard) = kept.heard_at {
            all.heard_at
                .store(heard.timestamp_millis(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn verify(&self, jws: &str) -> Result<Containment, NotTaken> {
        let containment = Containment::verify(jws, &self.trust)?;
        match containment.region == self.containments.region {
            true => Ok(containment),
            false => Err(NotTaken::OtherRegion(containment.region)),
        }
    }

    /// Whether a roll was ever taken here: until then nobody knows what is contained.
    pub(crate) fn knows_roll(&mut self) -> bool {
        self.turn.get_mut().knows_roll
    }

    /// What is held, as the other side compares it.
    pub(crate) fn holds(&self) -> BTreeMap<ContainmentId, u32> {
        let set = self.containments.set();
        set.all()
            .map(|held| (held.containment.id, held.containment.revision))
            .collect()
    }

    /// The short name of what is held.
    pub(crate) fn digest(&self) -> String {
        digest(&self.holds())
    }

    /// Applies a document. `None` for one that was overtaken by a newer revision; one that is held already is
    /// confirmed once more.
    ///
    /// # Errors
    /// See [`NotTaken`]; what was refused before still is.
    pub(crate) async fn take(&self, jws: &str) -> Result<Option<Taken>, NotTaken> {
        let heard_at = self.containments.clock.now();
        let containment = self.verify(jws)?;
        let mut written = self.turn.lock().await;
        let set = self.containments.set();
        let known = set.find(containment.id);
        if let Some(known) = known {
            if known.containment.revision > containment.revision {
                return Ok(None);
            }
            if known.containment.revision == containment.revision
                && known.containment != containment
            {
                return Err(NotTaken::OtherContent);
            }
        }
        let next = set.with(Held {
            containment: containment.clone(),
            jws: jws.to_owned(),
        });
        drop(set);
        self.swap(next).await?;
        let applied_at = self.containments.clock.now();
        self.write(&mut written).await?;
        tracing::warn!(
            containment = %containment.id, tenant = %containment.tenant, kind = containment.subject.kind(),
            revision = containment.revision, in_force = containment.is_in_force(applied_at), "containment applied"
        );
        Ok(Some(Taken {
            document: ContentHash::of(jws.as_bytes()),
            containment,
            heard_at,
            applied_at,
        }))
    }

    /// Takes a roll: what it does not list is over. Whether everything that it lists is held.
    ///
    /// # Errors
    /// See [`NotTaken`]; nothing was let go then.
    pub(crate) async fn take_roll(&self, jws: &str) -> Result<bool, NotTaken> {
        let roll = Roll::verify(jws, &self.trust)?;
        if roll.region != self.containments.region {
            return Err(NotTaken::OtherRegion(roll.region));
        }
        let mut written = self.turn.lock().await;
        let taken = self.containments.sequence();
        if roll.sequence < taken {
            let offered = roll.sequence;
            return Err(NotTaken::Behind { offered, taken });
        }
        let set = self.containments.set();
        let complete = roll.holds.iter().all(|(id, revision)| {
            set.find(*id)
                .is_some_and(|held| held.containment.revision >= *revision)
        });
        // A document that is newer than the roll is not on it yet.
        let stays = |held: &&Arc<Held>| {
            roll.holds.contains_key(&held.containment.id)
                || held.containment.sequence > roll.sequence
        };
        let staying: Vec<_> = set.all().filter(stays).cloned().collect();
        let let_go = staying.len() < set.all().count();
        drop(set);
        if let_go {
            self.swap(DenySet::of(staying)).await?;
        }
        if complete && roll.sequence > taken {
            self.containments
                .sequence
                .store(roll.sequence, Ordering::Release);
        }
        let is_first = complete && !written.knows_roll;
        written.knows_roll |= complete;
        if let_go || is_first || (complete && roll.sequence > taken) {
            self.write(&mut written).await?;
        }
        Ok(complete)
    }

    /// The control plane was heard; written down now and then.
    pub(crate) async fn heard(&self) {
        self.containments.note_heard();
        let now = self.containments.clock.now();
        let Ok(mut written) = self.turn.try_lock() else {
            return;
        };
        let due = |at: DateTime<Utc>| now - at >= HEARD_WRITTEN_EVERY;
        if written.heard_at.is_none_or(due)
            && let Err(error) = self.write(&mut written).await
        {
            tracing::error!(%error, "what is contained cannot be written down");
        }
    }

    /// Every answer from here on meets the new set; returns once none that met the old one is on its way.
    async fn swap(&self, next: DenySet) -> Result<(), NotTaken> {
        let old = self.containments.set.swap(Arc::new(next));
        let under_way = async {
            while Arc::strong_count(&old) > 1 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(UNDER_WAY_LIMIT, under_way)
            .await
            .map_err(|_| NotTaken::Busy)
    }

    async fn write(&self, written: &mut Written) -> Result<(), NotTaken> {
        let heard_at = self.containments.clock.now() - self.containments.silence();
        let set = self.containments.set();
        let kept = Kept {
            sequence: self.containments.sequence(),
            knows_roll: written.knows_roll,
            heard_at: Some(heard_at),
            documents: set.all().map(|held| held.jws.clone()).collect(),
        };
        drop(set);
        let keeper = self.keeper.clone();
        let writing = tokio::task::spawn_blocking(move || keeper.write(&kept)).await;
        writing.map_err(|_| NotTaken::Interrupted)??;
        written.heard_at = Some(heard_at);
        Ok(())
    }
}
