//! A lane's first frame: who speaks, and with which key it will confirm.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    enrolment::Der,
    ids::{ContainmentId, NodeId},
    jwk::PublicJwk,
    lane::{LaneUp, MAX_FRAME_BYTES},
    receipt::Proof as KeyProof,
    tenant::Region,
};
use host::{statement::PublicPoint, wire::Text};
use tokio::sync::mpsc;

use crate::{
    ControlPlane, Refusal,
    nodes::NodeStanding,
    push::session::{Ended, Proof},
};

/// Longest wait for a node's greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// What a node says first.
pub(super) struct Greeting {
    /// Who speaks.
    pub(super) node: NodeId,
    /// Where it stands.
    pub(super) region: Region,
    /// The number of the newest roll it took.
    pub(super) sequence: u64,
    /// What it holds.
    pub(super) holds: BTreeMap<ContainmentId, u32>,
    /// What verifies its confirmations.
    pub(super) key: PublicPoint,
    /// Whose key that is, for the receipt.
    pub(super) key_proof: KeyProof,
}

/// Hears the greeting and believes it as far as it is proven.
pub(super) async fn greet(
    control_plane: &ControlPlane,
    proof: &Proof,
    up: &mut mpsc::Receiver<Text>,
) -> Result<Greeting, Ended> {
    let text = tokio::time::timeout(GREETING_LIMIT, up.recv())
        .await
        .map_err(|_| Ended::Silent)?
        .ok_or(Ended::Gone)?;
    let Ok(LaneUp::Hello {
        node,
        region,
        sequence,
        holds,
        key,
    }) = read(&text)
    else {
        return Err(Ended::Protocol("its first frame is not a greeting"));
    };
    if !control_plane.regions().contains(&region) {
        return Err(Ended::Protocol("its region is not one of ours"));
    }
    let (key, key_proof) = match proof {
        Proof::Certificate {
            admitted,
            certificate,
        } => {
            if (node, &region) != (admitted.node, &admitted.region) {
                return Err(Ended::Protocol(
                    "it says it is another node than its certificate",
                ));
            }
            certified_key(certificate)?
        }
        Proof::SameProcess => {
            let tx = control_plane.store().begin_read().await?;
            let known = tx.find_node(node).await?;
            if known.is_some_and(|known| known.standing == NodeStanding::Revoked) {
                return Err(Ended::NoLongerAdmitted("the node was revoked".to_owned()));
            }
            shown_key(key)?
        }
    };
    Ok(Greeting {
        node,
        region,
        sequence,
        holds,
        key,
        key_proof,
    })
}

/// Reads a frame.
pub(super) fn read(text: &Text) -> Result<LaneUp, Ended> {
    if text.len() > MAX_FRAME_BYTES {
        return Err(Ended::Protocol("a frame is too large"));
    }
    serde_json::from_str(text).map_err(|_| Ended::Protocol("a frame cannot be read"))
}

fn certified_key(certificate: &[u8]) -> Result<(PublicPoint, KeyProof), Ended> {
    let failed = |error: String| Ended::Failed(Refusal::internal(error));
    let point = PublicPoint::of_certificate(certificate);
    let point = point.map_err(|error| failed(error.to_string()))?;
    let certificate = Der::new(certificate.to_vec());
    let certificate = certificate.map_err(|error| failed(error.to_string()))?;
    Ok((point, KeyProof::Certificate { certificate }))
}

fn shown_key(key: Option<PublicJwk>) -> Result<(PublicPoint, KeyProof), Ended> {
    let missing = Ended::Protocol("it shows no key of P-256");
    let Some(PublicJwk::Ec { crv, x, y }) = key else {
        return Err(missing);
    };
    let (text_x, text_y) = (String::from(x.clone()), String::from(y.clone()));
    let Ok(point) = PublicPoint::from_coordinates(&text_x, &text_y) else {
        return Err(missing);
    };
    let key = PublicJwk::Ec { crv, x, y };
    Ok((point, KeyProof::SameProcess { key }))
}
