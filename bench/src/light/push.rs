//! The conversation about releases.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use contract::{
    enrolment::{CONTROL_PLANE_NAME, PUSH_PATH},
    frames::{Down, Outcome, Up},
    ids::TenantId,
    index::{Bucket, Entries, IndexEntry},
    manifest::Manifest,
    section::ContentHash,
};
use host::wire::{self, Link, Text};
use tokio::sync::mpsc;

use super::{CONNECT_LIMIT, LIMITS, Light};
use crate::{Result, board::Event};

/// Frames that wait in each direction, as a node has it.
const QUEUE: usize = 16;

/// One connection, from its beginning to its end.
pub(super) async fn session(light: &Light) -> Result<()> {
    let (mut from, to) = open(light, PUSH_PATH).await?;
    let hello = Up::Hello {
        node: light.node,
        region: light.region.clone(),
        version: "0.0.0-light".to_owned(),
        buckets: light.buckets(),
    };
    say(&to, &hello).await?;
    while let Some(text) = from.recv().await {
        light.board.count_bytes(text.len());
        let frame: Down = serde_json::from_str(&text)?;
        for answer in light.hear(frame, text.len()) {
            let event = match &answer {
                Up::Ack {
                    tenant, version, ..
                } => Some(Event::Release(*tenant, *version)),
                _ => None,
            };
            say(&to, &answer).await?;
            if let Some(event) = event {
                light.board.note(event, light.number, Instant::now());
            }
        }
    }
    Ok(())
}

/// Opens a connection for `path` and carries frames on it, in a task of its own, until the queues are dropped.
pub(super) async fn open(
    light: &Light,
    path: &str,
) -> Result<(mpsc::Receiver<Text>, mpsc::Sender<Text>)> {
    let stream = wire::connect(
        &light.address, CONTROL_PLANE_NAME, &light.client, CONNECT_LIMIT,
    );
    let opening = wire::open(stream.await?, CONTROL_PLANE_NAME, path, LIMITS);
    let socket = tokio::time::timeout(CONNECT_LIMIT, opening).await??;
    let (to_control, to_peer) = mpsc::channel(QUEUE);
    let (from_peer, from_control) = mpsc::channel(QUEUE);
    tokio::spawn(wire::carry(socket, Link { to_peer, from_peer }, LIMITS));
    Ok((from_control, to_control))
}

async fn say(to: &mpsc::Sender<Text>, frame: &Up) -> Result<()> {
    let text = serde_json::to_string(frame)?;
    to.send(text.into())
        .await
        .map_err(|_| "the connection ended".into())
}

impl Light {
    /// What it answers to a frame, if anything.
    fn hear(&self, frame: Down, bytes: usize) -> Vec<Up> {
        match frame {
            Down::Section { hash, body } => {
                self.board.section(bytes);
                if ContentHash::of(body.as_bytes()) == hash {
                    self.held().sections.insert(hash);
                }
                Vec::new()
            }
            Down::Release { tenant, manifest } => vec![self.release(tenant, &manifest)],
            Down::Compare { buckets } => buckets.into_iter().map(|one| self.holds(one)).collect(),
            Down::Index { .. } => {
                self.board.note(Event::Index, self.number, Instant::now());
                Vec::new()
            }
            Down::Ping { nonce } => vec![Up::Pong { nonce }],
            // Its keys are those of the full nodes, and its certificate outlives the run.
            Down::Bucket { .. }
            | Down::AskKeys { .. }
            | Down::AskManifests { .. }
            | Down::Measure { .. }
            | Down::Authorities { .. }
            | Down::Certificate { .. }
            | Down::Command { .. } => Vec::new(),
        }
    }

    fn holds(&self, bucket: Bucket) -> Up {
        let held = self.held();
        let own = held
            .releases
            .iter()
            .filter(|(tenant, _)| Bucket::of(**tenant) == bucket);
        let holds: Entries = own
            .map(|(tenant, entry)| (*tenant, entry.clone()))
            .collect();
        Up::Holds { bucket, holds }
    }

    fn release(&self, tenant: TenantId, jws: &str) -> Up {
        let (version, outcome) = match self.check(tenant, jws) {
            Ok(version) => (version, Outcome::Applied),
            Err((version, reason)) => {
                self.board.count_refusal();
                (version, Outcome::Rejected { reason })
            }
        };
        Up::Ack {
            tenant,
            version,
            outcome,
        }
    }

    /// Takes a release all of whose sections came, with this one or before.
    fn check(&self, tenant: TenantId, jws: &str) -> std::result::Result<u64, (u64, String)> {
        let payload = jws.split('.').nth(1).and_then(|part| B64.decode(part).ok());
        let payload = payload.and_then(|json| serde_json::from_slice::<Manifest>(&json).ok());
        let manifest = payload.ok_or((0, "the manifest cannot be read".to_owned()))?;
        let version = manifest.version;
        if manifest.tenant != tenant {
            return Err((version, "the manifest is of another tenant".to_owned()));
        }
        let mut held = self.held();
        if let Some((name, _)) = manifest
            .sections
            .iter()
            .find(|(_, hash)| !held.sections.contains(*hash))
        {
            return Err((version, format!("section {name} is missing")));
        }
        let entry = IndexEntry {
            version,
            manifest: Manifest::hash_of(jws),
        };
        held.releases.insert(tenant, entry);
        Ok(version)
    }
}
