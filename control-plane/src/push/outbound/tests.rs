//! A node that stops reading keeps nothing of ours waiting.

use contract::{
    frames::Up,
    ids::{NodeId, TypedId},
};
use host::{Clock, Entropy, Kek};

use super::*;
use crate::{
    ControlPlaneConfig, RegionPlace,
    push::session::{self, Proof},
};

#[tokio::test]
async fn a_node_that_takes_no_frame_is_silent_and_one_that_left_is_gone() {
    let (down, mut to_node) = mpsc::channel(1);
    let moment = Duration::from_millis(20);
    hand_over(&down, "taken".into(), moment).await.unwrap();
    let stalled = hand_over(&down, "too much".into(), moment).await;
    assert!(matches!(stalled, Err(Ended::Silent)), "{stalled:?}");
    assert_eq!(to_node.recv().await.as_deref(), Some("taken"));
    hand_over(&down, "taken again".into(), moment)
        .await
        .unwrap();
    drop(to_node);
    let gone = hand_over(&down, "too late".into(), moment).await;
    assert!(matches!(gone, Err(Ended::Gone)), "{gone:?}");
}

#[tokio::test]
async fn a_node_that_takes_no_frame_holds_no_connection_to_the_database() {
    // In memory there is one connection: whoever holds it keeps everybody else out.
    let cp = ControlPlane::open(ControlPlaneConfig {
        database_url: "sqlite::memory:".into(),
        regions: vec![RegionPlace::new(
            "local".parse().unwrap(),
            "http://127.0.0.1:7100".parse().unwrap(),
        )],
        push_address: None,
        bus: std::sync::Arc::new(crate::LocalBus::default()),
        kek: Kek::from_bytes([7; 32]),
        clock: Clock::system(),
        entropy: Entropy::seeded(7),
    })
    .await
    .unwrap();
    cp.ensure_platform_tenant().await.unwrap();
    let (down, mut to_node) = mpsc::channel(1);
    let (from_node, up) = mpsc::channel(1);
    let session = tokio::spawn(session::run(
        cp.clone(),
        Proof::SameProcess,
        None,
        (up, down),
    ));
    let hello = Up::Hello {
        node: NodeId::from_uuid(uuid::Uuid::from_u128(1)),
        region: "local".parse().unwrap(),
        version: "0.1.0".into(),
        holds: Vec::new(),
    };
    let hello = serde_json::to_string(&hello).unwrap();
    from_node.send(hello.into()).await.unwrap();
    // The index comes out, so the comparison has begun; its next frames find the link full.
    to_node.recv().await.unwrap();
    while to_node.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let tx = tokio::time::timeout(Duration::from_secs(2), cp.store().begin());
        let tx = tx.await.expect("a free connection").unwrap();
        tx.roll_back().await.unwrap();
    }
    session.abort();
}
