//! Following the other replicas: what one commits, the nodes of all of them hear.
//!
//! Each replica reads the outbox from where it last was: when it is rung, and once a second in any case. What it
//! finds it tells its own sessions; a region knows what it holds, so hearing of the same thing twice
//! changes nothing.

use std::time::Duration;

use host::Shutdown;

use crate::{
    ControlPlane, Refusal,
    store::{News, Tx},
};

/// How often the outbox is read when nobody rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// News that are read at a time.
const BATCH: u64 = 200;
/// Tries to tell of one thing.
const TRIES: u32 = 5;

impl ControlPlane {
    /// Hears what other replicas commit, until the process stops.
    ///
    /// # Errors
    /// The outbox cannot be read at the beginning.
    pub async fn follow_replicas(&self, shutdown: Shutdown) -> Result<(), Refusal> {
        let mut follower = Follower {
            control_plane: self,
            heard: self.store().begin_read().await?.newest_news().await?,
            failed: 0,
        };
        loop {
            tokio::select! {
                () = self.bus().rung() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.requested() => return Ok(()),
            }
            if let Err(error) = follower.catch_up().await {
                // Sessions that are open compare states now and then, so this costs time only.
                tracing::error!(?error, "the outbox cannot be read; trying again");
            }
        }
    }
}

struct Follower<'a> {
    control_plane: &'a ControlPlane,
    heard: u64,
    /// How often the news after that could not be told.
    failed: u32,
}

impl Follower<'_> {
    async fn catch_up(&mut self) -> Result<(), Refusal> {
        loop {
            let tx = self.control_plane.store().begin_read().await?;
            let news = tx.list_news(self.heard, BATCH).await?;
            let last = news.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
            for (number, news) in news {
                if let Err(error) = self.tell(&tx, news).await {
                    self.failed += 1;
                    if self.failed < TRIES {
                        return Err(error);
                    }
                    // One that cannot be told must not keep the next ones back for ever.
                    tracing::error!(?error, number, "news of another control plane are left out");
                }
                (self.heard, self.failed) = (number, 0);
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn tell(&self, tx: &Tx, news: News) -> Result<(), Refusal> {
        let hub = self.control_plane.hub();
        match news {
            News::Release {
                tenant,
                region,
                version,
                reach,
            } => {
                for ring in hub.regions().rings(&region) {
                    // One without nodes here has nobody to tell; it catches up when one comes.
                    if !ring.is_deserted() {
                        let release = ((tenant, version), reach);
                        ring.attend(self.control_plane, tx, release).await?;
                    }
                }
            }
            News::Node(node) => {
                hub.doubt(node);
                self.control_plane.lanes().doubt(node);
            }
            News::Authorities => hub.tell_authorities_changed(),
            News::Containments(region) => self.control_plane.hear_containments(&region).await?,
            // Of a newer control plane, which tells its own nodes.
            News::Unknown(kind) => tracing::warn!(kind, "news of a kind that is not known here"),
        }
        Ok(())
    }
}
