//! What a node is told: first the difference between what it holds and should hold, then each change.
//!
//! The difference is found by names: the node is asked about buckets whose names differ, sent the whole of those
//! it has nothing of, and told nothing of the others.
//!
//! A node decides how fast it reads, so nothing of ours may wait with it: what is to be sent is read first, a
//! tenant at a time, and no transaction is open while frames go out; a node that takes no frame for a while
//! counts as gone, exactly like one that answers no ping.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use contract::{
    frames::{Down, MAX_ASKED},
    ids::{NodeId, TenantId},
    index::{Bucket, Entries, IndexEntry},
};
use host::wire::Text;
use tokio::sync::{
    broadcast::error::RecvError,
    mpsc::{self, error::SendTimeoutError},
};

use super::{
    asking::Asking,
    greeting::{Greeting, Opening},
    holds::{self, Compared},
    hub::frame,
    inbound::Todo,
    session::Ended,
    state::{Announcement, Change, Difference, Known, Region},
};
use crate::{ControlPlane, store::Tx};

/// How often a node is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Unanswered pings after which it is not.
const MAX_UNANSWERED: u32 = 3;
/// How long a full link may take no frame: as long as a node may leave pings unanswered.
const STALLED_AFTER: Duration = PING_EVERY.saturating_mul(MAX_UNANSWERED);
/// Pings between two comparisons of states, the safety net under the announcements.
const PINGS_PER_COMPARISON: u64 = 20;

/// The telling half of a session.
///
/// A node that was told of every change up to `seen` is in step: the next one is told as it was announced. For
/// the rest, only exceptions are kept, so that a session costs the same however many tenants a region has.
pub(super) struct Outbound {
    control_plane: ControlPlane,
    node: NodeId,
    has_certificate: bool,
    down: mpsc::Sender<Text>,
    region: Arc<Region>,
    /// What the node was asked.
    asking: Arc<Asking>,
    /// The last change that the node was told of.
    seen: u64,
    /// Buckets of which it was told more: everything up to this change.
    ahead: BTreeMap<Bucket, u64>,
    /// The last change that is in the index it was sent.
    indexed: u64,
    /// The versions it refused: what follows must not rely on their content.
    refused: BTreeMap<TenantId, u64>,
    unanswered: u32,
    pings: u64,
}

impl Outbound {
    pub(super) fn new(
        control_plane: ControlPlane,
        greeting: Greeting,
        region: Arc<Region>,
        (asking, down): (Arc<Asking>, mpsc::Sender<Text>),
    ) -> Self {
        Self {
            control_plane,
            node: greeting.node,
            has_certificate: greeting.certificate.is_some(),
            down,
            region,
            asking,
            seen: 0,
            ahead: BTreeMap::new(),
            indexed: 0,
            refused: BTreeMap::new(),
            unanswered: 0,
            pings: 0,
        }
    }

    /// Tells until the node is gone. `questions` are open already.
    pub(super) async fn run(
        mut self,
        (opening, questions): (Opening, Vec<Bucket>),
        mut commands: mpsc::UnboundedReceiver<Text>,
        mut work: mpsc::UnboundedReceiver<Todo>,
    ) -> Ended {
        let mut authorities = self.control_plane.hub().authorities_changes();
        let Opening {
            mut changes,
            difference,
            serves,
            ..
        } = opening;
        let begun = async {
            self.tell_authorities().await?;
            self.begin(difference, questions).await?;
            self.ask_keys(serves).await
        };
        if let Err(ended) = begun.await {
            return ended;
        }
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.reset();
        loop {
            let step = tokio::select! {
                Some(text) = commands.recv() => self.send(text).await,
                Some(todo) = work.recv() => self.attend(todo).await,
                heard = changes.recv() => self.hear(heard).await,
                Ok(()) = authorities.changed() => self.tell_authorities().await,
                _ = pings.tick() => self.ping().await,
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    async fn attend(&mut self, todo: Todo) -> Result<(), Ended> {
        match todo {
            Todo::Alive => self.unanswered = 0,
            Todo::Certificate(certificate) => {
                self.send(frame(&Down::Certificate { certificate })).await?;
            }
            Todo::Distrust(tenant, version) => {
                self.refused.insert(tenant, version);
            }
            Todo::Holds(bucket, holds) => self.complete(bucket, holds).await?,
            Todo::SendAll(tenant) => self.send_current(tenant).await?,
        }
        Ok(())
    }

    /// Says what the node cannot know, asks what it holds, and sends what it has nothing of.
    async fn begin(&mut self, difference: Difference, questions: Vec<Bucket>) -> Result<(), Ended> {
        self.seen = difference.generation;
        self.indexed = difference.generation;
        self.send_all(difference.frames).await?;
        self.compare(questions).await?;
        for bucket in difference.empty {
            let (generation, wanted) = self.region.bucket(bucket);
            let nothing = (Entries::new(), &BTreeSet::new());
            let compared = Compared::new(self.node, wanted, nothing);
            self.bring_up(generation, bucket, compared).await?;
        }
        Ok(())
    }

    /// Compares states again: a newer index is sent, and if changes were `missed`, the node is asked what it
    /// holds of the buckets they were in. Costs nothing when nothing changed.
    async fn compare_again(&mut self, missed: bool) -> Result<(), Ended> {
        self.region.catch_up(&self.control_plane).await?;
        let known = Known::Told {
            seen: self.seen,
            indexed: self.indexed,
        };
        let signer = &self.control_plane.inner.signer;
        let difference = self.region.difference(known, signer)?;
        self.indexed = difference.generation;
        self.send_all(difference.frames).await?;
        if !missed {
            // Changes that wait to be heard are told one by one.
            return Ok(());
        }
        self.seen = difference.generation;
        let questions = self.asking.ask(difference.ask, self.pings);
        self.compare(questions).await
    }

    async fn compare(&self, buckets: Vec<Bucket>) -> Result<(), Ended> {
        if buckets.is_empty() {
            return Ok(());
        }
        self.send(frame(&Down::Compare { buckets })).await
    }

    async fn hear(&mut self, heard: Result<Arc<Change>, RecvError>) -> Result<(), Ended> {
        let change = match heard {
            Ok(change) if change.generation <= self.seen => return Ok(()),
            Ok(change) => change,
            // Too far behind to hear each one: look at the whole instead.
            Err(RecvError::Lagged(_)) => return self.compare_again(true).await,
            Err(RecvError::Closed) => return Err(Ended::Gone),
        };
        match &change.release {
            Some(release) if change.generation == self.seen + 1 => {
                self.seen = change.generation;
                self.announce(change.generation, release).await
            }
            _ => self.compare_again(true).await,
        }
    }

    async fn announce(&mut self, generation: u64, release: &Announcement) -> Result<(), Ended> {
        let bucket = Bucket::of(release.tenant);
        let told = self.ahead.get(&bucket).copied().unwrap_or(0);
        if told <= self.seen {
            self.ahead.remove(&bucket);
        }
        // What is open is sent when the node has answered, as of then.
        if told >= generation || self.asking.is_open(bucket) {
            return Ok(());
        }
        if self.refused.remove(&release.tenant).is_some() {
            return self.send_current(release.tenant).await;
        }
        self.send_all(release.frames.iter().cloned()).await
    }

    /// Works on the node's answer about a bucket.
    async fn complete(&mut self, bucket: Bucket, holds: Entries) -> Result<(), Ended> {
        let (generation, wanted) = self.region.bucket(bucket);
        let ahead = holds::ahead(&self.control_plane, &wanted, &holds).await?;
        let compared = Compared::new(self.node, wanted, (holds, &ahead));
        compared.remember(&self.control_plane, self.node).await?;
        for tenants in compared.ahead.chunks(MAX_ASKED) {
            let tenants = tenants.to_vec();
            self.send(frame(&Down::AskManifests { tenants })).await?;
        }
        // From here on its changes are heard again; up to this one they are told below.
        self.asking.close(bucket);
        self.bring_up(generation, bucket, compared).await
    }

    /// Sends what the node lacks of a bucket.
    async fn bring_up(
        &mut self,
        generation: u64,
        bucket: Bucket,
        compared: Compared,
    ) -> Result<(), Ended> {
        self.ahead.insert(bucket, generation);
        for (tenant, wanted) in compared.wanted {
            let held = compared.held.get(&tenant);
            let is_refused = self.refused.get(&tenant) == Some(&wanted.version);
            let is_there = held.is_some_and(|held| held.version >= wanted.version);
            if is_there || is_refused {
                continue;
            }
            let is_trusted = !self.refused.contains_key(&tenant);
            // A release never changes, so each may be read in a transaction of its own.
            let tx = self.control_plane.store().begin_read().await?;
            let base = held.filter(|_| is_trusted);
            let frames = self.frames(&tx, (tenant, wanted.version), base).await?;
            drop(tx);
            self.send_all(frames).await?;
        }
        Ok(())
    }

    /// Sends a tenant's current version with everything.
    async fn send_current(&mut self, tenant: TenantId) -> Result<(), Ended> {
        self.refused.remove(&tenant);
        let Some(wanted) = self.region.find_entry(tenant) else {
            return Ok(());
        };
        let tx = self.control_plane.store().begin_read().await?;
        let frames = self.frames(&tx, (tenant, wanted.version), None).await?;
        drop(tx);
        self.send_all(frames).await
    }

    /// The frames that bring a node from what it holds of a tenant to a version.
    async fn frames(
        &self,
        tx: &Tx,
        (tenant, version): (TenantId, u64),
        held: Option<&IndexEntry>,
    ) -> Result<Vec<Text>, Ended> {
        let Some(release) = tx.find_release(tenant, version).await? else {
            return Ok(Vec::new());
        };
        let base = match held {
            Some(held) => tx
                .find_release(tenant, held.version)
                .await?
                // A node that names a version we never signed gets everything.
                .filter(|known| known.manifest_hash == held.manifest),
            None => None,
        };
        let frames = self
            .control_plane
            .frames_between(tx, base.as_ref(), release);
        Ok(frames.await?)
    }

    /// Says whom to believe on connections; a node of this process has none.
    async fn tell_authorities(&self) -> Result<(), Ended> {
        if !self.has_certificate {
            return Ok(());
        }
        let jws = self.control_plane.signed_authorities().await?;
        self.send(frame(&Down::Authorities { jws })).await
    }

    /// Asks a node that `serves` something for keys that were lost on their way, or with a database.
    async fn ask_keys(&self, serves: bool) -> Result<(), Ended> {
        if !serves {
            return Ok(());
        }
        let tx = self.control_plane.store().begin_read().await?;
        let tenants = tx.list_unreported(self.region.name()).await?;
        drop(tx);
        for tenants in tenants.chunks(MAX_ASKED) {
            let tenants = tenants.to_vec();
            self.send(frame(&Down::AskKeys { tenants })).await?;
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        if self.unanswered >= MAX_UNANSWERED {
            return Err(Ended::Silent);
        }
        self.unanswered += 1;
        self.pings += 1;
        self.send(frame(&Down::Ping { nonce: self.pings })).await?;
        if self.pings.is_multiple_of(PINGS_PER_COMPARISON) {
            self.compare_again(false).await?;
        }
        Ok(())
    }

    async fn send_all(&self, frames: impl IntoIterator<Item = Text>) -> Result<(), Ended> {
        for text in frames {
            self.send(text).await?;
        }
        Ok(())
    }

    async fn send(&self, text: Text) -> Result<(), Ended> {
        hand_over(&self.down, text, STALLED_AFTER).await
    }
}

/// Puts a frame on the link, waiting for room no longer than `patience`.
async fn hand_over(down: &mpsc::Sender<Text>, text: Text, patience: Duration) -> Result<(), Ended> {
    match down.send_timeout(text, patience).await {
        Ok(()) => Ok(()),
        Err(SendTimeoutError::Timeout(_)) => Err(Ended::Silent),
        Err(SendTimeoutError::Closed(_)) => Err(Ended::Gone),
    }
}

#[cfg(test)]
mod tests;
