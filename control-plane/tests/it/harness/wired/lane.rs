//! The lane of an enrolled node, over mutual TLS.

use contract::{
    enrolment::{Authorities, CONTROL_PLANE_NAME, PUSH_ALPN},
    lane::LANE_PATH,
};
use host::{
    HostPort,
    statement::StatementKey,
    wire::{self, Client, Identity, Link, LinkError},
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{Enrolled, LIMITS, PATIENCE};
use crate::harness::{FakeLane, World};

impl Enrolled {
    /// Opens a lane, and greets if it is let in.
    pub async fn open_lane(&self, world: &World, to: &HostPort) -> Result<FakeLane, LinkError> {
        let key = Zeroizing::new(self.key.serialize_der());
        let signing = StatementKey::from_pkcs8(&key).unwrap();
        let certificate = self.answer.certificate.as_bytes().to_vec();
        let identity = Identity::new(certificate, key);
        let list = Authorities::verify(&self.answer.authorities, &self.answer.trust).unwrap();
        let roots = list.certificates.iter().map(|der| der.as_bytes().to_vec());
        let roots: Vec<_> = roots.collect();
        let client = Client::new(Some(&identity), &roots, PUSH_ALPN, &world.time).unwrap();
        let tls = wire::connect(to, CONTROL_PLANE_NAME, &client, PATIENCE).await;
        let socket = wire::open(tls.unwrap(), CONTROL_PLANE_NAME, LANE_PATH, LIMITS).await?;
        let (said, to_peer) = mpsc::channel(8);
        let (from_peer, heard) = mpsc::channel(64);
        tokio::spawn(wire::carry(socket, Link { to_peer, from_peer }, LIMITS));
        let lane = FakeLane::of(self.answer.node, (heard, said), signing, &world.cp);
        lane.greet(None).await;
        Ok(lane)
    }
}
