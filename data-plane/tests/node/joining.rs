//! Machines that become nodes, and what they say of their connection.

use std::{path::PathBuf, time::Duration as Wait};

use chrono::Duration;
use contract::enrolment::{CERTIFICATE_LIFE, JoinToken};
use data_plane::{
    Node,
    push::{Credentials, IdentityFile, NodeIdentity, Pace, enrol::Joining, network::Network},
};
use host::{Entropy, Kek, Shutdown};

use crate::{
    fabric::{Fabric, until},
    harness::Machine,
};

/// Waits of tests: real, and too short to notice.
pub const PACE: Pace = Pace {
    first: Wait::from_millis(1),
    longest: Wait::from_millis(5),
};

impl Machine {
    pub fn identity_file(&self) -> IdentityFile {
        let dir = self.dir.path();
        IdentityFile::new(dir, &Kek::from_bytes(self.kek), Entropy::system())
    }

    /// Puts a token where the node looks for one.
    pub fn bring(&self, token: &JoinToken) -> PathBuf {
        let path = self.dir.path().join("join-token");
        std::fs::write(&path, format!("{}\n", token.to_text())).unwrap();
        path
    }

    pub fn joining(&self) -> Joining {
        let token_file = self.dir.path().join("join-token");
        Joining::new(token_file, self.identity_file(), self.clock.clone())
    }

    /// A node that enrolled with `fabric`.
    pub async fn join(&self, fabric: &Fabric) -> NodeIdentity {
        self.bring(&fabric.token());
        self.joining().attempt(None).await.expect("it is enrolled")
    }

    /// Opens a node under its identity and keeps it connected.
    pub async fn connect(&self, fabric: &Fabric) -> (Node, Shutdown) {
        let identity = match self.identity_file().read().unwrap() {
            Some(identity) => identity,
            None => self.join(fabric).await,
        };
        let node = self.start_as(identity.node).await;
        let file = self.identity_file();
        let credentials = Credentials::new(identity, file, self.clock.clone());
        let network = Network::new(node.clone(), credentials)
            .rejoining(Some(self.joining()))
            .pace(PACE);
        let shutdown = Shutdown::new();
        tokio::spawn(network.keep_connected(shutdown.clone()));
        (node, shutdown)
    }

    /// Waits until `/readyz` says this of the control plane.
    pub async fn told_of_control_plane(&self, part: &str) -> String {
        self.told_of("control_plane", part).await
    }

    /// Waits until `/readyz` says a thing of a check; tells all that it says of it.
    pub async fn told_of(&self, check: &str, part: &str) -> String {
        until(async || {
            let said = self.not_ready_because(check).await?;
            said.contains(part).then_some(said)
        })
        .await
    }

    /// Waits until `/readyz` has nothing to say of the control plane.
    pub async fn connected(&self) {
        until(async || {
            let said = self.not_ready_because("control_plane").await;
            said.is_none().then_some(())
        })
        .await;
    }
}

/// More than half of a certificate's life.
pub fn past_half_life() -> Duration {
    CERTIFICATE_LIFE / 2 + Duration::minutes(1)
}
