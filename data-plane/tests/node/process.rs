//! `bailiwick-node` itself: a process that is no node becomes one, and remains it.

use std::{path::Path, process::Stdio};

use contract::{frames::Up, jws::TrustRoot};
use host::{Clock, Entropy, Kek};
use tokio::process::Command;

use crate::{
    fabric::{Fabric, node_id, patiently},
    harness::ControlPlane,
};

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-node"));
    command
        .env_clear()
        .arg("--data-dir")
        .arg(dir)
        .args(["--auth-addr", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a process that cannot go on says last.
async fn last_words(mut command: Command) -> String {
    let ended = patiently(command.output()).await.unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    said.lines().last().unwrap().to_owned()
}

#[tokio::test]
async fn a_process_becomes_a_node_and_remains_it_r_node_01() {
    let home = tempfile::tempdir().unwrap();
    let mut fabric = Fabric::open(&Clock::system()).await;
    let token = home.path().join("join-token");
    std::fs::write(&token, fabric.token().to_text()).unwrap();
    let dir = home.path().join("data");

    let joining = command(&dir).arg("--join-token-file").arg(&token).spawn();
    let mut process = joining.unwrap();
    let mut session = fabric.session().await;
    let Up::Hello { node, .. } = session.hear().await else {
        panic!("expected a greeting");
    };
    assert_eq!(node, node_id());
    let trust = std::fs::read(dir.join("trust.json")).unwrap();
    let trust: TrustRoot = serde_json::from_slice(&trust).unwrap();
    assert_eq!(trust, ControlPlane::new().trust());
    let certificate = session.certificate.clone();

    // However it ends, it comes back as itself, and asks nobody to be enrolled again.
    process.kill().await.unwrap();
    session.left().await;
    std::fs::remove_file(&token).unwrap();
    let mut process = command(&dir).spawn().unwrap();
    let session = fabric.session().await;
    assert_eq!(session.certificate, certificate);
    assert_eq!(fabric.asked(), 1);
    process.kill().await.unwrap();

    // It neither moves to another region nor forgets under which key it is.
    let mut elsewhere = command(&dir);
    elsewhere.env("BAILIWICK_REGION", "eu-west");
    let said = last_words(elsewhere).await;
    assert!(
        said.ends_with("(it is eu-west, and this node was enrolled in local)"),
        "{said}"
    );
    std::fs::remove_file(dir.join("kek")).unwrap();
    Kek::load_or_create(&dir.join("kek"), &Entropy::system()).unwrap();
    let said = last_words(command(&dir)).await;
    assert!(
        said.starts_with("bailiwick-node: cannot use the node's identity ("),
        "{said}"
    );
}
