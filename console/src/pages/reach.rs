//! How far a release has come, in the words people use: who serves it, for whom it still waits.

use control_plane::releases::Effectiveness;
use leptos::prelude::AnyView;

use super::list::counted;
use crate::kit::{Tone, pill};

/// `On the only node`, `On all 3 nodes`, `Waiting for 1 of 3 nodes`, `Refused by 1 node`.
pub(crate) fn words(reach: &Effectiveness) -> String {
    let Effectiveness {
        applied,
        nodes,
        rejected,
        ..
    } = reach;
    let all = || counted(*nodes, "node", "nodes");
    match (rejected.len(), nodes.saturating_sub(*applied), nodes) {
        (_, _, 0) => "No node of the region has reported yet".to_owned(),
        (0, 0, 1) => "On the only node".to_owned(),
        (0, 0, nodes) => format!("On all {nodes} nodes"),
        (0, waiting, _) if waiting == *nodes => format!("Waiting for {}", all()),
        (0, waiting, _) => format!("Waiting for {waiting} of {}", all()),
        (refused, ..) => format!("Refused by {}", counted(refused, "node", "nodes")),
    }
}

/// The same as a mark.
pub(crate) fn mark(reach: &Effectiveness) -> AnyView {
    let tone = match reach {
        Effectiveness { rejected, .. } if !rejected.is_empty() => Tone::Bad,
        Effectiveness { applied, nodes, .. } if *nodes > 0 && applied == nodes => Tone::Ok,
        _ => Tone::Warn,
    };
    pill(tone, words(reach))
}

#[cfg(test)]
mod tests {
    use contract::ids::{NodeId, TypedId};

    use super::*;

    #[test]
    fn every_state_has_its_sentence() {
        let node = NodeId::from_uuid(uuid::Uuid::nil());
        for (applied, nodes, refused, expected) in [
            (0, 0, 0, "No node of the region has reported yet"),
            (1, 1, 0, "On the only node"),
            (3, 3, 0, "On all 3 nodes"),
            (0, 1, 0, "Waiting for 1 node"),
            (0, 2, 0, "Waiting for 2 nodes"),
            (2, 3, 0, "Waiting for 1 of 3 nodes"),
            (1, 2, 1, "Refused by 1 node"),
        ] {
            let reach = Effectiveness {
                ahead: None,
                version: 4,
                applied,
                nodes,
                rejected: vec![(node, "bad".to_owned()); refused],
                serving: Vec::new(),
            };
            assert_eq!(words(&reach), expected);
        }
    }
}
