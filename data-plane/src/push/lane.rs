//! The node's side of the containment lane: take what comes, refuse from then on, say so under its own key.
//!
//! It shares nothing with the conversation about releases: neither connection nor task nor lock. Documents are applied
//! in the order in which they come; probing a door and confirming happen beside that, so a second document never
//! waits for the first one's proof.

use std::sync::Arc;

use contract::{
    containment::Subject,
    ids::ContainmentId,
    jwk::PublicJwk,
    lane::{CONFIRMATION_TYPE, Confirmation, LaneDown, LaneUp},
};
use host::{
    statement::{StatementError, StatementKey},
    wire::Text,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::NodeLink;
use crate::{
    clock_check::Witness,
    containments::apply::{NotTaken, Taken},
    node::Node,
};

/// The key that signs a node's confirmations.
#[derive(Clone)]
pub(crate) struct LaneKey {
    key: Arc<StatementKey>,
    /// Whether a certificate says whose it is.
    certified: bool,
}

impl LaneKey {
    /// The key of the node's certificate, in PKCS #8.
    pub(super) fn of_certificate(key: &[u8]) -> Result<Self, StatementError> {
        Ok(Self {
            key: Arc::new(StatementKey::from_pkcs8(key)?),
            certified: true,
        })
    }

    /// A key for as long as this process lives, shown to a control plane in the same process.
    pub(crate) fn of_process() -> Result<Self, StatementError> {
        Ok(Self {
            key: Arc::new(StatementKey::generate()?),
            certified: false,
        })
    }

    /// The public half, where no certificate says it.
    fn shown(&self) -> Option<PublicJwk> {
        if self.certified {
            return None;
        }
        let (x, y) = self.key.public().coordinates();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        serde_json::from_value(jwk).ok()
    }
}

/// The other side is gone.
struct Over;

/// Speaks until either side ends the link.
pub(crate) async fn run(node: &Node, link: NodeLink, key: LaneKey) {
    let NodeLink {
        mut from_control,
        to_control,
    } = link;
    let lane = Lane {
        node: node.clone(),
        to_control,
        key,
    };
    if lane.greet().await.is_err() {
        return;
    }
    while let Some(text) = from_control.recv().await {
        node.intake().heard().await;
        if lane.take(&text).await.is_err() {
            return;
        }
        node.judge_containments();
    }
}

#[derive(Clone)]
struct Lane {
    node: Node,
    to_control: mpsc::Sender<Text>,
    key: LaneKey,
}

impl Lane {
    async fn greet(&self) -> Result<(), Over> {
        self.say(&LaneUp::Hello {
            node: self.node.node_id(),
            region: self.node.region().clone(),
            sequence: self.node.containments().sequence(),
            holds: self.node.intake().holds(),
            key: self.key.shown(),
        })
        .await
    }

    async fn take(&self, text: &str) -> Result<(), Over> {
        // A frame of a newer control plane is skipped and the next one may be understood.
        let frame = match serde_json::from_str::<LaneDown>(text) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(
                    column = error.column(),
                    "a frame of the lane cannot be read"
                );
                return Ok(());
            }
        };
        match frame {
            LaneDown::Containment { jws } => self.containment(&jws).await,
            LaneDown::Roll { jws } => {
                self.roll(&jws).await;
                Ok(())
            }
            LaneDown::Pulse { at, .. } => {
                self.node.clock_check().hear(Witness::ControlPlane, at);
                self.say(&LaneUp::Pulse {
                    sequence: self.node.containments().sequence(),
                    digest: self.node.intake().digest(),
                })
                .await
            }
        }
    }

    async fn containment(&self, jws: &str) -> Result<(), Over> {
        match self.node.intake().take(jws).await {
            Ok(Some(taken)) => {
                let lane = self.clone();
                tokio::spawn(async move { lane.confirm(taken).await });
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(why) => {
                self.alarm(&why);
                self.say(&LaneUp::Refused {
                    containment: named(jws),
                    reason: why.to_string(),
                })
                .await
            }
        }
    }

    async fn roll(&self, jws: &str) {
        match self.node.intake().take_roll(jws).await {
            Ok(true) => self.node.roll_taken(),
            // The digest in the next pulse tells the other side.
            Ok(false) => tracing::warn!("a roll lists containments that have not come yet"),
            Err(why) => self.alarm(&why),
        }
    }

    fn alarm(&self, why: &NotTaken) {
        self.node.metrics().containment_rejected();
        tracing::error!(%why, "ALARM: a containment or roll is refused; what was refused before still is");
    }

    /// Says under the node's key that a document is applied, and what its door was seen to answer.
    async fn confirm(self, taken: Taken) {
        if let Subject::SigningKey { .. } = &taken.containment.subject {
            self.node.renew_keys(taken.containment.tenant).await;
        }
        let probe = self.node.probe(&taken.containment).await;
        let confirmation = Confirmation {
            node: self.node.node_id(),
            containment: taken.containment.id,
            revision: taken.containment.revision,
            document: taken.document,
            heard_at: taken.heard_at,
            applied_at: taken.applied_at,
            probe,
        };
        let payload = serde_json::to_vec(&confirmation).expect("texts and numbers are JSON");
        match self.key.key.sign(CONFIRMATION_TYPE, &payload) {
            Ok(jws) => {
                // If the link ended meanwhile, the document is told and confirmed again on the next one.
                let _ = self.say(&LaneUp::Confirmed { jws }).await;
            }
            Err(error) => tracing::error!(%error, "a confirmation cannot be signed"),
        }
    }

    async fn say(&self, frame: &LaneUp) -> Result<(), Over> {
        let text = serde_json::to_string(frame).expect("frames have string keys");
        self.to_control.send(text.into()).await.map_err(|_| Over)
    }
}

/// Which containment a document says it is about, believed or not; only to name it in a refusal.
fn named(jws: &str) -> Option<ContainmentId> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    #[derive(serde::Deserialize)]
    struct Named {
        id: ContainmentId,
    }
    let payload = URL_SAFE_NO_PAD.decode(jws.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Named>(&payload)
        .ok()
        .map(|it| it.id)
}
