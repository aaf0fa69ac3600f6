//! One node's lane: greet, then tell and hear at the same time until either side is gone.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use contract::{
    ids::ContainmentId,
    lane::{LaneDown, PULSE_EVERY, PULSE_MISSED},
};
use host::wire::Text;
use tokio::{
    sync::{Notify, mpsc},
    time::MissedTickBehavior,
};

use super::{
    Feed, Presence,
    greeting::{Greeting, greet},
    ledger::Line,
    told::{Document, Told, frame},
};
use crate::{
    ControlPlane, Refusal,
    containments::LaneLink,
    nodes::NotAdmitted,
    push::{
        session::{Ended, Proof},
        strangers::Place,
    },
};

/// How often a node's standing is asked of the ledger of certificates.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Looks in vain after which nobody is believed to be admitted: together less than 60 s (R-NODE-10).
const UNREAD_LOOKS: u32 = 3;
/// Pulses after which other replicas are told again that the lane is there.
const PULSES_PER_RENEWAL: u32 = 15;
/// A lane under way.
pub(super) struct Lane<'a> {
    pub(super) control_plane: &'a ControlPlane,
    pub(super) feed: &'a Feed,
    pub(super) presence: &'a Presence<'a>,
    pub(super) greeting: &'a Greeting,
    /// Wakes the telling half: the node is to be told everything once more.
    pub(super) again: Notify,
    /// Whether the node's last pulse was behind; once it may be, because frames are under way.
    pub(super) is_behind: AtomicBool,
}

/// Runs a lane to its end. A stranger's `place` is given back once the node has greeted.
pub(in crate::push) async fn run(
    control_plane: ControlPlane,
    proof: Proof,
    place: Option<Place>,
    (mut up, down): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
) -> Ended {
    let greeted = greet(&control_plane, &proof, &mut up).await;
    // From here on the node is no stranger.
    drop(place);
    let ended = match greeted {
        Ok(greeting) => converse(&control_plane, &proof, &greeting, (up, down)).await,
        Err(ended) => ended,
    };
    match &ended {
        Ended::Failed(error) => tracing::error!(?error, "a node's lane failed"),
        Ended::Protocol(reason) => tracing::warn!(reason, "a node broke the lane's protocol"),
        _ => {}
    }
    ended
}

async fn converse(
    control_plane: &ControlPlane,
    proof: &Proof,
    greeting: &Greeting,
    (up, down): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
) -> Ended {
    let feed = match feed_of(control_plane, greeting).await {
        Ok(feed) => feed,
        Err(error) => return Ended::Failed(error),
    };
    let presence = feed.join(greeting.node, control_plane.clock().now());
    let lane = Lane {
        control_plane,
        feed: &feed,
        presence: &presence,
        greeting,
        again: Notify::new(),
        is_behind: AtomicBool::new(false),
    };
    tracing::info!(node = %greeting.node, region = %greeting.region, "a node listens for containments");
    lane.note_link(true);
    // One task for both directions: while one waits for a full link, the other goes on.
    let ended = tokio::select! {
        ended = lane.tell(down) => ended,
        ended = lane.hear(up) => ended,
        ended = no_longer_admitted(control_plane, proof, &presence) => ended,
        () = presence.replaced() => Ended::Replaced,
    };
    if presence.heard_at().is_some() {
        lane.note_link(false);
    }
    tracing::info!(node = %greeting.node, reason = %ended, "a node's lane ended");
    ended
}

/// What the node is to hold, read as far as it says that there is.
async fn feed_of(control_plane: &ControlPlane, greeting: &Greeting) -> Result<Arc<Feed>, Refusal> {
    let Greeting {
        node,
        region,
        sequence,
        ..
    } = greeting;
    let feed = control_plane.lanes().feed(region);
    let is_behind = |told: &Told| told.known().is_none_or(|known| known < *sequence);
    if is_behind(&feed.told()) {
        control_plane.read_feed(&feed, region).await?;
    }
    if is_behind(&feed.told()) {
        tracing::error!(%node, sequence, "a node holds newer containments than this control plane knows: its database is behind");
    }
    Ok(feed)
}

impl Lane<'_> {
    /// Tells the node what it lacks, then every change as it comes, and each second that we are here.
    async fn tell(&self, down: mpsc::Sender<Text>) -> Ended {
        let ended = self.try_to_tell(&down).await;
        ended.err().unwrap_or(Ended::Gone)
    }

    async fn try_to_tell(&self, down: &mpsc::Sender<Text>) -> Result<(), Ended> {
        let mut changes = self.feed.told.subscribe();
        let mut told = Arc::clone(&changes.borrow_and_update());
        for document in self.lacking(&told).await? {
            say(down, &document.frame).await?;
        }
        say(down, told.roll()).await?;
        let every = PULSE_EVERY.to_std().unwrap_or(Duration::from_secs(1));
        let mut pulse = tokio::time::interval(every);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pulses = 0_u32;
        let mut was_heard = true;
        loop {
            tokio::select! {
                biased;
                changed = changes.changed() => {
                    changed.map_err(|_| Ended::Gone)?;
                    let next = Arc::clone(&changes.borrow_and_update());
                    for document in next.documents_after(told.sequence()) {
                        say(down, &document.frame).await?;
                    }
                    say(down, next.roll()).await?;
                    told = next;
                }
                () = self.again.notified() => {
                    for document in told.documents() {
                        say(down, &document.frame).await?;
                    }
                    say(down, told.roll()).await?;
                }
                _ = pulse.tick() => {
                    let (sequence, at) = (told.sequence(), self.control_plane.clock().now());
                    say(down, &frame(&LaneDown::Pulse { sequence, at })).await?;
                    self.feed.forget(self.control_plane, &self.greeting.region);
                    pulses = pulses.wrapping_add(1);
                    let is_heard = self.is_heard();
                    if is_heard != was_heard || pulses.is_multiple_of(PULSES_PER_RENEWAL) {
                        self.note_link(is_heard);
                        was_heard = is_heard;
                    }
                }
            }
        }
    }

    /// What the node does not hold, or holds without our having its word for it: that was lost on the way.
    async fn lacking<'t>(&self, told: &'t Told) -> Result<Vec<&'t Document>, Ended> {
        let Greeting { node, holds, .. } = self.greeting;
        let ids: Vec<ContainmentId> = told.documents().map(|one| one.containment.id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let tx = self.control_plane.store().begin_read().await?;
        let confirmed = tx.list_confirmed_by(*node, &ids).await?;
        let lacks = |document: &&Document| {
            let (id, revision) = (document.containment.id, document.containment.revision);
            holds.get(&id) != Some(&revision) || !confirmed.contains(&(id, revision))
        };
        Ok(told.documents().filter(lacks).collect())
    }

    fn is_heard(&self) -> bool {
        let now = self.control_plane.clock().now();
        let heard_at = self.presence.heard_at();
        heard_at.is_some_and(|heard_at| now - heard_at <= PULSE_MISSED)
    }

    /// Has other replicas know whether the node is heard here.
    fn note_link(&self, connected: bool) {
        let Some(heard_at) = self.presence.heard_at() else {
            return;
        };
        self.control_plane.note(Line::Link(LaneLink {
            node: self.greeting.node,
            region: self.greeting.region.clone(),
            replica: self.control_plane.replica().to_owned(),
            connected,
            heard_at,
        }));
    }
}

async fn say(down: &mpsc::Sender<Text>, text: &Text) -> Result<(), Ended> {
    down.send(text.clone()).await.map_err(|_| Ended::Gone)
}

/// Ends when the node may not be here any more, as its other connection does: asked when somebody doubts it, and
/// now and then in any case.
async fn no_longer_admitted(
    control_plane: &ControlPlane,
    proof: &Proof,
    presence: &Presence<'_>,
) -> Ended {
    let Proof::Certificate {
        admitted,
        certificate,
    } = proof
    else {
        return std::future::pending().await;
    };
    let mut doubts = presence.doubts();
    let mut unread = 0;
    loop {
        if control_plane.clock().now() >= admitted.ends_at {
            return Ended::Expired;
        }
        match control_plane.admit_node(certificate).await {
            Ok(_) => unread = 0,
            Err(NotAdmitted::Expired) => return Ended::Expired,
            Err(NotAdmitted::Failed(error)) if unread < UNREAD_LOOKS => {
                unread += 1;
                tracing::error!(?error, "the ledger cannot be read");
            }
            Err(NotAdmitted::Failed(error)) => return Ended::Failed(error),
            Err(refused) => return Ended::NoLongerAdmitted(refused.reason()),
        }
        tokio::select! {
            Ok(()) = doubts.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
