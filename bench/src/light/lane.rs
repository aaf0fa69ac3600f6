//! The conversation about containments: what comes is confirmed under the key of the certificate.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use contract::{
    containment::{Containment, Roll, digest},
    lane::{CONFIRMATION_TYPE, Confirmation, LANE_PATH, LaneDown, LaneUp, Probe},
    section::ContentHash,
};
use host::{Clock, wire::Text};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{Light, push::open};
use crate::{Result, board::Event};

/// One connection, from its beginning to its end.
pub(super) async fn session(light: &Light) -> Result<()> {
    let (mut from, to) = open(light, LANE_PATH).await?;
    let hello = {
        let held = light.held();
        LaneUp::Hello {
            node: light.node,
            region: light.region.clone(),
            sequence: held.sequence,
            holds: held.containments.clone(),
            key: None,
        }
    };
    say(&to, &hello).await?;
    while let Some(text) = from.recv().await {
        if light.held().mute {
            continue;
        }
        match serde_json::from_str(&text)? {
            LaneDown::Containment { jws } => {
                light.board.document(text.len());
                let (event, word) = light.contain(&jws)?;
                say(&to, &word).await?;
                light.board.note(event, light.number, Instant::now());
            }
            LaneDown::Roll { jws } => light.roll(&jws)?,
            LaneDown::Pulse { .. } => {
                light.board.pulse(text.len());
                say(&to, &light.pulse()).await?;
            }
        }
    }
    Ok(())
}

async fn say(to: &mpsc::Sender<Text>, frame: &LaneUp) -> Result<()> {
    let text = serde_json::to_string(frame)?;
    if matches!(frame, LaneUp::Pulse { .. }) && text.len() > 256 {
        return Err("a pulse is larger than 256 bytes".into());
    }
    to.send(text.into())
        .await
        .map_err(|_| "the connection ended".into())
}

impl Light {
    fn contain(&self, jws: &str) -> Result<(Event, LaneUp)> {
        let clock = Clock::system();
        let heard_at = clock.now();
        let one: Containment = payload(jws)?;
        self.held().containments.insert(one.id, one.revision);
        let confirmation = Confirmation {
            node: self.node,
            containment: one.id,
            revision: one.revision,
            document: ContentHash::of(jws.as_bytes()),
            heard_at,
            applied_at: clock.now(),
            probe: Probe::None {
                reason: "a light node has no door".to_owned(),
            },
        };
        let json = serde_json::to_vec(&confirmation)?;
        let jws = self.key.sign(CONFIRMATION_TYPE, &json)?;
        Ok((
            Event::Containment(one.id, one.revision),
            LaneUp::Confirmed { jws },
        ))
    }

    fn roll(&self, jws: &str) -> Result<()> {
        let roll: Roll = payload(jws)?;
        let mut held = self.held();
        held.sequence = roll.sequence;
        held.containments
            .retain(|id, _| roll.holds.contains_key(id));
        Ok(())
    }

    fn pulse(&self) -> LaneUp {
        let held = self.held();
        LaneUp::Pulse {
            sequence: held.sequence,
            digest: digest(&held.containments),
        }
    }
}

fn payload<T: DeserializeOwned>(jws: &str) -> Result<T> {
    let part = jws.split('.').nth(1).ok_or("no compact JWS")?;
    Ok(serde_json::from_slice(&B64.decode(part)?)?)
}
