//! The hearing half of a lane: what a node says is believed only about itself, and only under the key that it proved
//! when it came.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use contract::{
    ids::ContainmentId,
    lane::{CONFIRMATION_TYPE, Confirmation, LaneUp},
};
use host::{statement::verify, wire::Text};
use tokio::sync::mpsc;

use super::{greeting::read, ledger::Line, session::Lane};
use crate::{
    containments::{Said, Word, lets_through},
    push::session::Ended,
};

/// How much of a node's reason is kept.
const MAX_REASON_CHARS: usize = 500;

impl Lane<'_> {
    /// Hears until the node is gone.
    pub(super) async fn hear(&self, mut up: mpsc::Receiver<Text>) -> Ended {
        while let Some(text) = up.recv().await {
            let now = self.control_plane.clock().now();
            self.presence.touch(now);
            let frame = match read(&text) {
                Ok(frame) => frame,
                Err(ended) => return ended,
            };
            match frame {
                LaneUp::Hello { .. } => return Ended::Protocol("it greeted twice"),
                LaneUp::Pulse { sequence, digest } => self.compare(sequence, &digest),
                LaneUp::Confirmed { jws } => self.hear_confirmed(jws, now),
                LaneUp::Refused {
                    containment,
                    reason,
                } => self.hear_refused(containment, &reason, now),
            }
        }
        Ended::Gone
    }

    /// Whether the node holds what it should; if not, it is told everything again.
    fn compare(&self, sequence: u64, digest: &str) {
        let told = self.feed.told();
        if sequence > told.sequence() {
            // It heard another replica before we did; what is new comes with the news.
            return;
        }
        let is_late = sequence < told.sequence();
        if !is_late && digest == told.digest() {
            self.is_behind.store(false, Ordering::Relaxed);
            return;
        }
        let was_late = self.is_behind.swap(is_late, Ordering::Relaxed);
        if !is_late || was_late {
            tracing::warn!(node = %self.greeting.node, sequence, "a node does not hold what it should; it is told again");
            self.again.notify_one();
        }
    }

    fn hear_confirmed(&self, statement: String, heard_at: DateTime<Utc>) {
        match self.check(&statement) {
            Ok(None) => {}
            Ok(Some(confirmation)) => self.control_plane.note(Line::Said(
                self.greeting.region.clone(),
                Word {
                    containment: confirmation.containment,
                    revision: confirmation.revision,
                    node: self.greeting.node,
                    heard_at,
                    said: Said::Confirmed {
                        statement,
                        proof: Some(self.greeting.key_proof.clone()),
                    },
                },
            )),
            Err(why) => {
                tracing::error!(node = %self.greeting.node, why, "a confirmation is not believed and not counted");
            }
        }
    }

    /// What a statement confirms; nothing for a revision that is not the newest any more.
    fn check(&self, statement: &str) -> Result<Option<Confirmation>, &'static str> {
        let payload = verify(CONFIRMATION_TYPE, statement, &self.greeting.key)
            .map_err(|_| "it is not signed with the key of the node")?;
        let said: Confirmation =
            serde_json::from_slice(&payload).map_err(|_| "it cannot be read")?;
        if said.node != self.greeting.node {
            return Err("it is of another node");
        }
        let told = self.feed.told();
        let document = told
            .document(said.containment)
            .ok_or("there is no such containment")?;
        if said.revision < document.containment.revision {
            return Ok(None);
        }
        if said.revision > document.containment.revision || said.document != document.hash {
            return Err("it is of another document");
        }
        if lets_through(&said.probe) && document.containment.is_in_force(self.now()) {
            tracing::error!(node = %said.node, containment = %said.containment, "a node's door lets through what it says it refuses");
        }
        Ok(Some(said))
    }

    fn hear_refused(&self, id: Option<ContainmentId>, reason: &str, heard_at: DateTime<Utc>) {
        let plain = reason.chars().filter(|c| !c.is_control());
        let reason: String = plain.take(MAX_REASON_CHARS).collect();
        tracing::error!(node = %self.greeting.node, containment = ?id, reason, "a node refused a containment");
        let told = self.feed.told();
        let Some(document) = id.and_then(|id| told.document(id)) else {
            return;
        };
        let word = Word {
            containment: document.containment.id,
            revision: document.containment.revision,
            node: self.greeting.node,
            heard_at,
            said: Said::Refused { reason },
        };
        let region = self.greeting.region.clone();
        self.control_plane.note(Line::Said(region, word));
    }

    fn now(&self) -> DateTime<Utc> {
        self.control_plane.clock().now()
    }
}
