//! A node's lane: applies and confirms like a real one, or says what a test wants it to say.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    containment::{Containment, Roll, digest},
    ids::{ContainmentId, NodeId, TypedId},
    jwk::{Coordinate, Curve, PublicJwk},
    jws::TrustRoot,
    lane::{CONFIRMATION_TYPE, Confirmation, LaneDown, LaneUp, Probe},
    section::ContentHash,
};
use control_plane::{ControlPlane, NodeLink};
use host::{statement::StatementKey, wire::Text};
use tokio::{sync::mpsc, task::JoinHandle};

use super::start;

/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct FakeLane {
    pub id: NodeId,
    heard: mpsc::Receiver<Text>,
    said: mpsc::Sender<Text>,
    pub key: StatementKey,
    trust: TrustRoot,
    pub sequence: u64,
    pub holds: BTreeMap<ContainmentId, u32>,
    /// The documents, as they came.
    pub documents: BTreeMap<ContainmentId, String>,
}

/// A lane that does as it is told, until this is dropped.
pub struct Obeying(JoinHandle<()>);

impl Drop for Obeying {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FakeLane {
    /// Opens a lane in the same process as node number `number`, and greets.
    pub async fn open(cp: &ControlPlane, number: u128) -> Self {
        Self::open_with(cp, number, 0, BTreeMap::new()).await
    }

    /// The same, holding something already.
    pub async fn open_with(
        cp: &ControlPlane,
        number: u128,
        sequence: u64,
        holds: BTreeMap<ContainmentId, u32>,
    ) -> Self {
        let id = NodeId::from_uuid(uuid::Uuid::from_u128(number));
        let NodeLink { to_node, from_node } = cp.attach_lane();
        let key = StatementKey::generate().unwrap();
        let mut lane = Self::of(id, (to_node, from_node), key, cp);
        (lane.sequence, lane.holds) = (sequence, holds);
        let shown = lane.shown_key();
        lane.greet(Some(shown)).await;
        lane
    }

    /// A lane over a connection.
    pub fn of(
        id: NodeId,
        (heard, said): (mpsc::Receiver<Text>, mpsc::Sender<Text>),
        key: StatementKey,
        cp: &ControlPlane,
    ) -> Self {
        Self {
            id,
            heard,
            said,
            key,
            trust: cp.trust_root(),
            sequence: 0,
            holds: BTreeMap::new(),
            documents: BTreeMap::new(),
        }
    }

    /// The key that signs, as a node of this process shows it.
    pub fn shown_key(&self) -> PublicJwk {
        let (x, y) = self.key.public().coordinates();
        let read = |text: String| Coordinate::try_from(text).unwrap();
        PublicJwk::Ec {
            crv: Curve::P256,
            x: read(x),
            y: read(y),
        }
    }

    pub async fn greet(&self, key: Option<PublicJwk>) {
        self.say(&LaneUp::Hello {
            node: self.id,
            region: "local".parse().unwrap(),
            sequence: self.sequence,
            holds: self.holds.clone(),
            key,
        })
        .await;
    }

    pub async fn say(&self, frame: &LaneUp) {
        let text = serde_json::to_string(frame).unwrap();
        self.said.send(text.into()).await.unwrap();
    }

    /// The next frame, or `None` when the control plane hung up.
    pub async fn hear(&mut self) -> Option<LaneDown> {
        let text = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        let text = text.expect("a frame within the time")?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// The next frame that is no pulse. Pulses are not answered.
    pub async fn hear_news(&mut self) -> LaneDown {
        loop {
            match self.hear().await.expect("the control plane is there") {
                LaneDown::Pulse { .. } => {}
                other => return other,
            }
        }
    }

    /// The next document, which must come before the next roll; applied.
    pub async fn hear_document(&mut self) -> Containment {
        match self.hear_news().await {
            LaneDown::Containment { jws } => self.apply(jws),
            other => panic!("{other:?}"),
        }
    }

    /// The next roll, which must come before the next document; applied.
    pub async fn hear_roll(&mut self) -> Roll {
        match self.hear_news().await {
            LaneDown::Roll { jws } => self.apply_roll(&jws),
            other => panic!("{other:?}"),
        }
    }

    /// Hears up to the end of the connection.
    pub async fn hear_the_end(&mut self) {
        while self.hear().await.is_some() {}
    }

    /// What an honest node says about a document that it heard.
    pub fn confirmation(&self, of: ContainmentId) -> Confirmation {
        Confirmation {
            node: self.id,
            containment: of,
            revision: self.holds[&of],
            document: ContentHash::of(self.documents[&of].as_bytes()),
            heard_at: start(),
            applied_at: start(),
            probe: Probe::Refused {
                at: start(),
                requests: 1,
            },
        }
    }

    /// Confirms what it heard.
    pub async fn confirm(&self, of: ContainmentId) {
        self.confirm_so(&self.confirmation(of)).await;
    }

    /// Confirms something, signed as it should be.
    pub async fn confirm_so(&self, confirmation: &Confirmation) {
        let payload = serde_json::to_vec(confirmation).unwrap();
        let jws = self.key.sign(CONFIRMATION_TYPE, &payload).unwrap();
        self.say(&LaneUp::Confirmed { jws }).await;
    }

    /// Answers a pulse with what it holds.
    pub async fn pulse(&self) {
        self.say(&LaneUp::Pulse {
            sequence: self.sequence,
            digest: digest(&self.holds),
        })
        .await;
    }

    /// From now on does as it is told, in the background.
    pub fn obey(mut self) -> Obeying {
        Obeying(tokio::spawn(async move {
            while let Some(text) = self.heard.recv().await {
                match serde_json::from_str(&text).unwrap() {
                    LaneDown::Containment { jws } => {
                        let id = self.apply(jws).id;
                        self.confirm(id).await;
                    }
                    LaneDown::Roll { jws } => {
                        self.apply_roll(&jws);
                    }
                    LaneDown::Pulse { .. } => self.pulse().await,
                }
            }
        }))
    }

    /// Applies a document.
    pub fn apply(&mut self, jws: String) -> Containment {
        let containment = Containment::verify(&jws, &self.trust).unwrap();
        self.holds.insert(containment.id, containment.revision);
        self.documents.insert(containment.id, jws);
        containment
    }

    /// Applies a roll.
    pub fn apply_roll(&mut self, jws: &str) -> Roll {
        let roll = Roll::verify(jws, &self.trust).unwrap();
        assert!(roll.sequence >= self.sequence, "a roll never goes back");
        self.sequence = roll.sequence;
        self.holds.retain(|id, _| roll.holds.contains_key(id));
        roll
    }
}
