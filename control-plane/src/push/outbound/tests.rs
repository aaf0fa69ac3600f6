//! A node that stops reading keeps nothing of ours waiting, and is asked what it missed.

use contract::{
    frames::{Down, Up},
    ids::{NodeId, TypedId},
};
use host::{Clock, Entropy, Kek};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    ControlPlaneConfig, RegionPlace,
    nodes::Ring,
    push::{
        session::{self, Proof},
        state::tests::flood,
    },
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

async fn control_plane() -> ControlPlane {
    // In memory there is one connection: whoever holds it keeps everybody else out.
    let cp = ControlPlane::open(ControlPlaneConfig {
        database_url: "sqlite::memory:".into(),
        regions: vec![RegionPlace::new(
            "local".parse().unwrap(),
            "http://127.0.0.1:7100".parse().unwrap(),
        )],
        bake_seconds: 30,
        push_address: None,
        bus: std::sync::Arc::new(crate::LocalBus::default()),
        kek: Kek::from_bytes([7; 32]),
        clock: Clock::system(),
        entropy: Entropy::seeded(7),
    })
    .await
    .unwrap();
    cp.ensure_platform_tenant().await.unwrap();
    cp
}

/// A node that greeted, at the end of a link that takes one frame.
async fn greeted(
    cp: &ControlPlane,
) -> (JoinHandle<Ended>, mpsc::Receiver<Text>, mpsc::Sender<Text>) {
    let (down, to_node) = mpsc::channel(1);
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
        buckets: Default::default(),
    };
    let hello = serde_json::to_string(&hello).unwrap();
    from_node.send(hello.into()).await.unwrap();
    (session, to_node, from_node)
}

#[tokio::test]
async fn a_node_that_takes_no_frame_holds_no_connection_to_the_database() {
    let cp = control_plane().await;
    let (session, mut to_node, _from_node) = greeted(&cp).await;
    // The first frame comes out, so the comparison has begun; its next frames find the link full.
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

#[tokio::test]
async fn a_node_that_fell_too_far_behind_is_asked_what_it_holds() {
    let cp = control_plane().await;
    let (session, mut to_node, from_node) = greeted(&cp).await;
    let region = cp
        .region(&"local".parse().unwrap(), Ring::Wide)
        .await
        .unwrap();
    // It has greeted, and reads nothing.
    while to_node.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let bucket = flood(&region, 77);
    let mut frames = Vec::new();
    loop {
        let text = tokio::time::timeout(Duration::from_secs(5), to_node.recv());
        let text = text.await.expect("a frame").expect("the session goes on");
        match serde_json::from_str(&text).unwrap() {
            Down::Compare { buckets } => break assert_eq!(buckets, [bucket]),
            frame => frames.push(frame),
        }
    }
    // Nothing was told that it could not use: after the document and the new index, it is asked.
    assert!(matches!(frames.pop(), Some(Down::Index { .. })));
    assert!(matches!(frames.pop(), Some(Down::Bucket { bucket: of, .. }) if of == bucket));
    // From then on it is in step.
    let holds = region.bucket(bucket).1;
    let held = serde_json::to_string(&Up::Holds { bucket, holds }).unwrap();
    from_node.send(held.into()).await.unwrap();
    session.abort();
}
