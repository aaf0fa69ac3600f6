//! `bailiwick-node`: serves without a control plane what its disk holds, and refuses what was tampered with.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    browser::client,
    harness::{Place, Running},
    journey::Shop,
};

async fn report(place: &Place, node: &mut Running) -> (u16, Value) {
    for _ in 0..200 {
        if let Ok(answer) = client().get(format!("{}/readyz", place.auth)).send().await {
            return (answer.status().as_u16(), answer.json().await.unwrap());
        }
        assert!(node.is_alive(), "the node ended:\n{}", node.logged());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the node does not listen:\n{}", node.logged());
}

#[tokio::test]
async fn a_node_serves_while_the_control_plane_is_gone() {
    let place = Place::new().await;
    assert_eq!(place.start().await.stop().await.code(), Some(0));

    let mut node = place.spawn(place.node());
    let (status, ready) = report(&place, &mut node).await;
    assert_eq!(status, 200, "{ready}");
    assert_eq!(ready["status"], "degraded");
    assert_eq!(ready["reasons"][0]["check"], "control_plane", "{ready}");
    assert!(
        ready["reasons"][0]["reason"]
            .as_str()
            .unwrap()
            .starts_with("not enrolled")
    );

    let shop = Shop::open(&place).await;
    let page = shop.sign_in(&mut crate::browser::Browser::new()).await;
    let (status, tokens) = shop.redeem(&shop.code(&page)).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(node.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_blank_disk_is_said_to_be_blank() {
    let place = Place::new().await;
    let mut node = place.spawn(place.node());
    let (status, report) = report(&place, &mut node).await;
    assert_eq!(status, 503);
    let text = report.to_string();
    assert!(
        text.contains("trust.json is missing") && text.contains("no release is held"),
        "{text}"
    );
    let alive = client()
        .get(format!("{}/healthz", place.auth))
        .send()
        .await
        .unwrap();
    assert_eq!(alive.status(), 200);
    assert!(node.is_alive());
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Whoever was shut out could come in if it served without knowing; so it does not start, and says what is wrong.
#[tokio::test]
async fn a_node_that_cannot_read_what_is_contained_does_not_start_r_rev_01() {
    let place = Place::new().await;
    assert_eq!(place.start().await.stop().await.code(), Some(0));
    flip(&place.dir().join("node/containments"));
    let mut node = place.spawn(place.node());
    assert_eq!(node.ended().await.code(), Some(1));
    let said = node.logged();
    assert!(
        said.contains("what is contained is not known") && said.contains("node/containments"),
        "{said}"
    );
}

#[tokio::test]
async fn a_snapshot_with_a_flipped_byte_is_refused() {
    let place = Place::new().await;
    assert_eq!(place.start().await.stop().await.code(), Some(0));
    let mut flipped = 0;
    let mut open = vec![place.dir().join("node")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().unwrap() != "containments" {
                flip(&path);
                flipped += 1;
            }
        }
    }
    assert!(flipped > 0, "the snapshot is there");

    let mut node = place.spawn(place.node());
    let (status, report) = report(&place, &mut node).await;
    assert_eq!(status, 503, "{report}");
    let url = format!("{}/t/acme/.well-known/openid-configuration", place.auth);
    assert_eq!(
        client().get(url).send().await.unwrap().status(),
        404,
        "nothing damaged is served"
    );
    assert!(
        node.logged().contains("ERROR") || node.logged().contains("WARN"),
        "{}",
        node.logged()
    );
    node.stop().await;

    // The damaged record also held how far the node had come, so nothing replaces it silently: the
    // operator removes it, and the control plane sends what is missing.
    fs::remove_dir_all(place.dir().join("node")).unwrap();
    let _up = place.start().await;
    Shop::open(&place).await;
}
