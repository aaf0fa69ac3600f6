//! A node's lane: hears of containments and confirms them, when it is told to.

use actix_web::rt;
use contract::{
    containment::{Containment, Roll, digest},
    ids::{ContainmentId, NodeId, TypedId},
    jwk::{Coordinate, Curve, PublicJwk},
    lane::{CONFIRMATION_TYPE, Confirmation, LaneDown, LaneUp, Probe},
    section::ContentHash,
};
use control_plane::NodeLink;
use host::statement::StatementKey;
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::watch, time::timeout};

use crate::{harness::World, post};

/// Lets a node confirm what it heard; until then it only says that it is there.
pub struct Go(watch::Sender<bool>);

impl Go {
    pub fn ahead(&self) {
        self.0.send_replace(true);
    }
}

/// A node with both of its connections, that confirms nothing until it is told to.
pub async fn hesitant(world: &World, number: u128) -> Go {
    post::node(world, number).await;
    let (go, may) = watch::channel(false);
    let (told, has_roll) = watch::channel(false);
    let lane = Lane {
        node: NodeId::from_uuid(uuid::Uuid::from_u128(number)),
        link: world.control_plane.attach_lane(),
        key: StatementKey::generate().unwrap(),
        holds: BTreeMap::new(),
        sequence: 0,
        told,
    };
    lane.greet().await;
    let trust = world.control_plane.trust_root();
    rt::spawn(lane.run(trust, may));
    let mut has_roll = has_roll;
    let there = has_roll.wait_for(|told| *told);
    timeout(Duration::from_secs(10), there)
        .await
        .unwrap()
        .unwrap();
    Go(go)
}

/// The same, that confirms at once.
pub async fn obedient(world: &World, number: u128) {
    let go = hesitant(world, number).await;
    go.ahead();
    std::mem::forget(go);
}

struct Lane {
    node: NodeId,
    link: NodeLink,
    key: StatementKey,
    holds: BTreeMap<ContainmentId, u32>,
    sequence: u64,
    told: watch::Sender<bool>,
}

impl Lane {
    async fn greet(&self) {
        let (x, y) = self.key.public().coordinates();
        let read = |text: String| Coordinate::try_from(text).unwrap();
        let key = PublicJwk::Ec {
            crv: Curve::P256,
            x: read(x),
            y: read(y),
        };
        self.say(&LaneUp::Hello {
            node: self.node,
            region: "local".parse().unwrap(),
            sequence: 0,
            holds: BTreeMap::new(),
            key: Some(key),
        })
        .await;
    }

    async fn say(&self, frame: &LaneUp) {
        let text = serde_json::to_string(frame).unwrap();
        let _ = self.link.from_node.send(text.into()).await;
    }

    async fn run(mut self, trust: contract::jws::TrustRoot, mut may: watch::Receiver<bool>) {
        let mut unsaid: Vec<(Containment, String)> = Vec::new();
        loop {
            tokio::select! {
                heard = self.link.to_node.recv() => {
                    let Some(text) = heard else { return };
                    match serde_json::from_str(&text).unwrap() {
                        LaneDown::Containment { jws } => {
                            let document = Containment::verify(&jws, &trust).unwrap();
                            self.holds.insert(document.id, document.revision);
                            unsaid.push((document, jws));
                        }
                        LaneDown::Roll { jws } => {
                            self.sequence = Roll::verify(&jws, &trust).unwrap().sequence;
                            self.told.send_replace(true);
                        }
                        LaneDown::Pulse { .. } => {
                            let (sequence, digest) = (self.sequence, digest(&self.holds));
                            self.say(&LaneUp::Pulse { sequence, digest }).await;
                        }
                    }
                }
                _ = may.changed(), if !*may.borrow() => {}
            }
            if *may.borrow() {
                for (document, jws) in unsaid.drain(..) {
                    self.confirm(&document, &jws).await;
                }
            }
        }
    }

    async fn confirm(&self, document: &Containment, jws: &str) {
        let confirmation = Confirmation {
            node: self.node,
            containment: document.id,
            revision: document.revision,
            document: ContentHash::of(jws.as_bytes()),
            heard_at: document.begun_at,
            applied_at: document.begun_at,
            probe: Probe::Refused {
                at: document.begun_at,
                requests: 1,
            },
        };
        let payload = serde_json::to_vec(&confirmation).unwrap();
        let jws = self.key.sign(CONFIRMATION_TYPE, &payload).unwrap();
        self.say(&LaneUp::Confirmed { jws }).await;
    }
}
