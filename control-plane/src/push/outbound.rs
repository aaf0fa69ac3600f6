//! What a node is told: first the difference between what it holds and should hold, then each change.
//!
//! A node decides how fast it reads, so nothing of ours may wait with it: what is to be sent is read first, a
//! tenant at a time, and no transaction is open while frames go out; a node that takes no frame for a while
//! counts as gone, exactly like one that answers no ping.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contract::{
    frames::Down,
    ids::TenantId,
    index::{IndexEntry, RegionIndex},
    manifest::Manifest,
    section::ContentHash,
    tenant::Region,
};
use host::wire::Text;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc::{self, error::SendTimeoutError},
};

use super::{
    hub::{Announcement, frame},
    inbound::Todo,
    session::{Ended, Greeting},
};
use crate::{
    ControlPlane, Refusal,
    store::{StoredRelease, Tx},
};

/// How often a node is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Unanswered pings after which it is not.
const MAX_UNANSWERED: u32 = 3;
/// How long a full link may take no frame: as long as a node may leave pings unanswered.
const STALLED_AFTER: Duration = PING_EVERY.saturating_mul(MAX_UNANSWERED);
/// Pings between two comparisons of states, the safety net under the announcements.
const PINGS_PER_COMPARISON: u64 = 20;

/// What a node has been told about one tenant.
#[derive(Debug, Clone)]
struct Told {
    version: u64,
    /// The signed form of that version, by name.
    manifest: Option<ContentHash>,
    /// Whether the node, once it worked through everything told, holds that version's content.
    relied_on: bool,
}

/// The telling half of a session.
pub(super) struct Outbound {
    control_plane: ControlPlane,
    region: Region,
    has_certificate: bool,
    down: mpsc::Sender<Text>,
    told: BTreeMap<TenantId, Told>,
    unanswered: u32,
    pings: u64,
}

impl Outbound {
    pub(super) fn new(
        control_plane: ControlPlane,
        greeting: Greeting,
        down: mpsc::Sender<Text>,
    ) -> Self {
        let told = greeting.holds.into_iter().map(|held| {
            let told = Told {
                version: held.version,
                manifest: Some(held.manifest),
                relied_on: true,
            };
            (held.tenant, told)
        });
        Self {
            control_plane,
            region: greeting.region,
            has_certificate: greeting.certificate.is_some(),
            down,
            told: told.collect(),
            unanswered: 0,
            pings: 0,
        }
    }

    /// Tells until the node is gone.
    pub(super) async fn run(
        mut self,
        mut announcements: broadcast::Receiver<Arc<Announcement>>,
        mut commands: mpsc::UnboundedReceiver<Text>,
        mut work: mpsc::UnboundedReceiver<Todo>,
    ) -> Ended {
        let mut authorities = self.control_plane.hub().authorities_changes();
        let begun = async {
            self.tell_authorities().await?;
            self.compare().await
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
                heard = announcements.recv() => match heard {
                    Ok(announcement) => self.announce(&announcement).await,
                    // Too far behind to hear each one: look at the whole instead.
                    Err(RecvError::Lagged(_)) => self.compare().await,
                    Err(RecvError::Closed) => Err(Ended::Gone),
                },
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
            Todo::Distrust(tenant) => {
                if let Some(told) = self.told.get_mut(&tenant) {
                    told.relied_on = false;
                }
            }
            Todo::SendAll(tenant) => {
                let tx = self.control_plane.store().begin_read().await?;
                let latest = tx.find_latest_release(tenant).await?;
                let frames = match latest {
                    Some(latest) => self.frames(&tx, latest, None).await?,
                    None => Vec::new(),
                };
                drop(tx);
                self.send_all(frames).await?;
            }
        }
        Ok(())
    }

    async fn announce(&mut self, announcement: &Announcement) -> Result<(), Ended> {
        if announcement.region != self.region {
            return Ok(());
        }
        let (known, relied_on) = self
            .told
            .get(&announcement.tenant)
            .map_or((0, true), |told| (told.version, told.relied_on));
        if known >= announcement.version {
            return Ok(());
        }
        if known + 1 == announcement.version && relied_on {
            self.send_all(announcement.frames.clone()).await?;
            let told = Told {
                version: announcement.version,
                manifest: None,
                relied_on: true,
            };
            self.told.insert(announcement.tenant, told);
            return Ok(());
        }
        let tx = self.control_plane.store().begin_read().await?;
        let frames = match tx.find_latest_release(announcement.tenant).await? {
            Some(latest) => self.bring_up(&tx, latest).await?,
            None => Vec::new(),
        };
        drop(tx);
        self.send_all(frames).await
    }

    /// Says whom to believe on connections; a node of this process has none.
    async fn tell_authorities(&self) -> Result<(), Ended> {
        if !self.has_certificate {
            return Ok(());
        }
        let jws = self.control_plane.signed_authorities().await?;
        self.send(frame(&Down::Authorities { jws })).await
    }

    /// Compares what the node should hold with what it was told, and sends the difference.
    async fn compare(&mut self) -> Result<(), Ended> {
        let tx = self.control_plane.store().begin_read().await?;
        let current = tx.list_current_releases(&self.region).await?;
        drop(tx);
        let index = RegionIndex {
            region: self.region.clone(),
            issued_at: self.control_plane.clock().now(),
            tenants: current
                .iter()
                .map(|(tenant, version, manifest)| {
                    let entry = IndexEntry {
                        version: *version,
                        manifest: manifest.clone(),
                    };
                    (*tenant, entry)
                })
                .collect(),
        };
        let jws = index
            .sign(&self.control_plane.inner.signer)
            .map_err(|error| Ended::Failed(error.into()))?;
        self.send(frame(&Down::Index { jws })).await?;
        for (tenant, version, manifest) in current {
            let up_to_date = self.told.get(&tenant).is_some_and(|told| {
                let same = told.manifest.as_ref().is_none_or(|told| *told == manifest);
                told.version >= version && same
            });
            if up_to_date {
                continue;
            }
            // A release never changes, so each may be read in a transaction of its own.
            let tx = self.control_plane.store().begin_read().await?;
            let frames = match tx.find_release(tenant, version).await? {
                Some(release) => self.bring_up(&tx, release).await?,
                None => Vec::new(),
            };
            drop(tx);
            self.send_all(frames).await?;
        }
        Ok(())
    }

    /// A release with what the node lacks of it.
    async fn bring_up(&mut self, tx: &Tx, release: StoredRelease) -> Result<Vec<Text>, Ended> {
        let told = self
            .told
            .get(&release.tenant)
            .filter(|told| told.relied_on)
            .cloned();
        let base = match told {
            Some(told) => tx
                .find_release(release.tenant, told.version)
                .await?
                // A node that names a version we never signed gets everything.
                .filter(|known| told.manifest.is_none_or(|named| named == known.manifest_hash)),
            None => None,
        };
        self.frames(tx, release, base).await
    }

    /// The frames that bring a node from `base` to `release`, which from now on counts as told: they are
    /// sent next, or the session ends.
    async fn frames(
        &mut self,
        tx: &Tx,
        release: StoredRelease,
        base: Option<StoredRelease>,
    ) -> Result<Vec<Text>, Ended> {
        let manifest = self.read(&release)?;
        let base = base.as_ref().map(|base| self.read(base)).transpose()?;
        let missing: Vec<ContentHash> = manifest
            .missing_from(base.as_ref())
            .into_iter()
            .map(|(_, hash)| hash.clone())
            .collect();
        let sections = tx.list_sections(release.tenant, &missing).await?;
        let mut frames: Vec<Text> = sections
            .into_iter()
            .map(|(hash, body)| frame(&Down::Section { hash, body }))
            .collect();
        let told = Told {
            version: release.version,
            manifest: Some(release.manifest_hash),
            relied_on: true,
        };
        self.told.insert(release.tenant, told);
        frames.push(frame(&Down::Release {
            tenant: release.tenant,
            manifest: release.manifest,
        }));
        Ok(frames)
    }

    fn read(&self, release: &StoredRelease) -> Result<Manifest, Ended> {
        Manifest::verify(&release.manifest, &self.control_plane.trust_root())
            .map_err(|error| Ended::Failed(Refusal::internal(error)))
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        if self.unanswered >= MAX_UNANSWERED {
            return Err(Ended::Silent);
        }
        self.unanswered += 1;
        self.pings += 1;
        self.send(frame(&Down::Ping { nonce: self.pings })).await?;
        if self.pings.is_multiple_of(PINGS_PER_COMPARISON) {
            self.compare().await?;
        }
        Ok(())
    }

    async fn send_all(&self, frames: Vec<Text>) -> Result<(), Ended> {
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
