//! A node as it is outside: enrolled, and connected over mutual TLS to one of several replicas.

mod lane;

use std::{net::TcpListener, time::Duration};

use contract::{
    enrolment::{
        Authorities, CONTROL_PLANE_NAME, Der, EnrolAnswer, EnrolRequest, JoinToken, PUSH_ALPN,
        PUSH_PATH,
    },
    frames::{Down, Up},
};
use control_plane::{
    Caller, ControlPlane, Mode,
    nodes::{NewNode, Ring},
};
use host::{
    HostPort, Shutdown,
    wire::{self, Client, Identity, Limits, Link, LinkError, Text},
};
use rcgen::{CertificateParams, KeyPair};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::World;

/// Longest wait for a frame: shorter than what a session does without being told.
const PATIENCE: Duration = Duration::from_secs(10);
const LIMITS: Limits = Limits {
    frame_bytes: 1024 * 1024,
    silence: Duration::from_secs(60),
    stall: Duration::from_secs(60),
};

/// Receives nodes at a replica; says where.
pub fn receive(replica: &ControlPlane, shutdown: &Shutdown) -> HostPort {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (replica, shutdown) = (replica.clone(), shutdown.clone());
    tokio::spawn(async move { replica.serve_nodes(listener, shutdown).await.unwrap() });
    at.parse().unwrap()
}

/// What an enrolled node has.
pub struct Enrolled {
    pub answer: EnrolAnswer,
    key: KeyPair,
}

impl Enrolled {
    /// Makes a node of this name at the first replica, and enrols as it.
    pub async fn new(world: &World, by: &Caller, name: &str) -> Self {
        let new = NewNode {
            name: name.parse().unwrap(),
            region: "local".parse().unwrap(),
            ring: Ring::default(),
        };
        let made = world.cp.create_node(by, new, Mode::Commit).await;
        let id = made.unwrap().node.id;
        let made = world.cp.make_join_token(by, id, Mode::Commit).await;
        let token: JoinToken = made.unwrap().text.expose().parse().unwrap();
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key);
        let request = EnrolRequest {
            name: token.name,
            region: token.region,
            secret: token.secret,
            csr: Der::new(csr.unwrap().der().to_vec()).unwrap(),
        };
        let answer = world.cp.enrol(request).await.unwrap();
        Self { answer, key }
    }

    /// Connects, and greets if it is let in.
    pub async fn connect(&self, world: &World, to: &HostPort) -> Result<WiredNode, LinkError> {
        let key = Zeroizing::new(self.key.serialize_der());
        let certificate = self.answer.certificate.as_bytes().to_vec();
        let identity = Identity::new(certificate, key);
        let list = Authorities::verify(&self.answer.authorities, &self.answer.trust).unwrap();
        let roots = list.certificates.iter().map(|der| der.as_bytes().to_vec());
        let roots: Vec<_> = roots.collect();
        let client = Client::new(Some(&identity), &roots, PUSH_ALPN, &world.time).unwrap();
        let tls = wire::connect(to, CONTROL_PLANE_NAME, &client, PATIENCE).await;
        let socket = wire::open(tls.unwrap(), CONTROL_PLANE_NAME, PUSH_PATH, LIMITS).await?;
        let (said, to_peer) = mpsc::channel(8);
        let (from_peer, heard) = mpsc::channel(64);
        tokio::spawn(wire::carry(socket, Link { to_peer, from_peer }, LIMITS));
        let hello = Up::Hello {
            node: self.answer.node,
            region: "local".parse().unwrap(),
            version: "0.1.0".to_owned(),
            buckets: Default::default(),
        };
        let hello = serde_json::to_string(&hello).unwrap();
        said.send(hello.into()).await.unwrap();
        Ok(WiredNode { heard, _said: said })
    }
}

/// A node's end of a connection; dropping it ends the session.
pub struct WiredNode {
    heard: mpsc::Receiver<Text>,
    _said: mpsc::Sender<Text>,
}

impl WiredNode {
    async fn hear(&mut self) -> Option<Down> {
        let text = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        let text = text.expect("a frame or the end within the time")?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Hears up to the next list of authorities that is not `known`.
    pub async fn hear_authorities_after(&mut self, known: &str) -> String {
        loop {
            match self.hear().await.expect("the control plane is there") {
                Down::Authorities { jws } if jws != known => return jws,
                _ => {}
            }
        }
    }

    /// Hears up to the end of the connection.
    pub async fn hear_the_end(&mut self) {
        while self.hear().await.is_some() {}
    }
}
