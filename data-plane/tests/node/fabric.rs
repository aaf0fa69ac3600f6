//! A control plane with nothing but its push port: an authority, a ledger of one token, real connections.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::{
    enrolment::{
        Der, ENROL_ALPN, ENROL_PATH, EnrolAnswer, EnrolRequest, JoinToken, MAX_ENROL_BYTES,
        PUSH_ALPN, PUSH_PATH,
    },
    frames::{Down, Outcome, Up},
    ids::{NodeId, TypedId},
    secret::format_secret,
};
use host::{
    Clock, Entropy, HostPort,
    wire::{self, Answered, Identity, Limits, Server, Text, Turned, Waiting},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    authority::{Authority, signed},
    harness::{ControlPlane, Draft},
};

/// Longest wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);
const LIMITS: Limits = Limits {
    frame_bytes: 1024 * 1024,
    silence: PATIENCE,
    stall: PATIENCE,
};

pub fn node_id() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(500))
}

/// What the control plane does on a connection of a node.
pub struct Session {
    down: mpsc::Sender<Text>,
    up: mpsc::Receiver<Text>,
    /// What the node proved itself with.
    pub certificate: Der,
}

impl Session {
    pub async fn tell(&self, frame: &Down) {
        let text = serde_json::to_string(frame).unwrap();
        self.down.send(text.into()).await.unwrap();
    }

    pub async fn tell_text(&self, text: &str) {
        self.down.send(text.into()).await.unwrap();
    }

    pub async fn hear(&mut self) -> Up {
        let text = patiently(self.up.recv()).await.expect("the node speaks");
        serde_json::from_str(&text).unwrap()
    }

    /// Hears until `wanted` finds what it looks for.
    pub async fn hear_until<T>(&mut self, wanted: impl Fn(Up) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.hear().await) {
                return found;
            }
        }
    }

    /// Sends a whole release, which the node takes.
    pub async fn release(&mut self, draft: &Draft) {
        for (name, body) in &draft.sections {
            let (hash, body) = (draft.manifest.sections[name].clone(), body.clone());
            self.tell(&Down::Section { hash, body }).await;
        }
        let (tenant, manifest) = (draft.manifest.tenant, ControlPlane::new().sign(draft));
        self.tell(&Down::Release { tenant, manifest }).await;
        let outcome = self.hear_until(|up| match up {
            Up::Ack { outcome, .. } => Some(outcome),
            _ => None,
        });
        assert_eq!(outcome.await, Outcome::Applied);
    }

    /// What was said before everything sent so far was handled.
    pub async fn settle(&mut self) -> Vec<Up> {
        self.tell(&Down::Ping { nonce: 9 }).await;
        let mut heard = Vec::new();
        loop {
            match self.hear().await {
                Up::Pong { nonce: 9 } => return heard,
                other => heard.push(other),
            }
        }
    }

    /// Waits until the node has left.
    pub async fn left(mut self) {
        while patiently(self.up.recv()).await.is_some() {}
    }
}

/// What the next connection meets. Tests change it between connections.
pub struct Behaviour {
    /// Refuses who wants to push, for this reason.
    pub turns_away: Option<&'static str>,
    /// Says to whom it turns away that they were revoked.
    pub revoked: bool,
    /// Proves itself with a certificate of this authority instead.
    pub certified_by: Option<Arc<Authority>>,
    /// Speaks TLS without asking for a certificate.
    pub plain: bool,
    /// What it answers to whom it enrols, if not the truth.
    pub spoils: Box<dyn FnMut(&mut EnrolAnswer) + Send>,
    /// The secrets that are good, each once.
    secrets: Vec<String>,
    asked: u32,
}

impl Behaviour {
    /// Makes a token worthless.
    pub fn forget(&mut self, token: &JoinToken) {
        self.secrets.retain(|secret| *secret != token.secret);
    }
}

/// The push port.
pub struct Fabric {
    pub authority: Arc<Authority>,
    pub address: HostPort,
    behaviour: Arc<Mutex<Behaviour>>,
    sessions: mpsc::Receiver<Session>,
    port: Port,
    accepting: JoinHandle<()>,
}

impl Fabric {
    pub async fn open(clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (told, sessions) = mpsc::channel(8);
        let behaviour = Arc::new(Mutex::new(Behaviour {
            turns_away: None,
            revoked: false,
            certified_by: None,
            plain: false,
            spoils: Box::new(|_| {}),
            secrets: Vec::new(),
            asked: 0,
        }));
        let port = Port {
            authority: Arc::new(Authority::new()),
            behaviour: Arc::clone(&behaviour),
            clock: clock.clone(),
            told,
        };
        Self {
            authority: Arc::clone(&port.authority),
            address: address.parse().unwrap(),
            behaviour,
            sessions,
            accepting: port.clone().accept(listener),
            port,
        }
    }

    /// Stops listening; connections live on.
    pub async fn go_away(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// Listens again.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address.to_string()).await.unwrap();
        self.accepting = self.port.clone().accept(listener);
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// How often somebody asked to enrol.
    pub fn asked(&self) -> u32 {
        self.behaviour.lock().unwrap().asked
    }

    /// A token that is good once.
    pub fn token(&self) -> JoinToken {
        let secret = format_secret(&Entropy::system().bytes());
        self.change(|behaviour| behaviour.secrets.push(secret.clone()));
        JoinToken {
            address: self.address.to_string(),
            name: "eu-1".parse().unwrap(),
            region: "local".parse().unwrap(),
            authorities: vec![self.authority.certificate.clone()],
            secret,
        }
    }

    pub async fn session(&mut self) -> Session {
        patiently(self.sessions.recv())
            .await
            .expect("the port is open")
    }
}

#[derive(Clone)]
struct Port {
    authority: Arc<Authority>,
    behaviour: Arc<Mutex<Behaviour>>,
    clock: Clock,
    told: mpsc::Sender<Session>,
}

impl Port {
    fn accept(self, listener: TcpListener) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(self.clone().meet(tcp));
            }
        })
    }

    async fn meet(self, tcp: TcpStream) {
        let Ok(waiting) = Waiting::of(tcp).await else {
            return;
        };
        match waiting.wants(ENROL_ALPN) {
            true => self.enrol(waiting).await,
            false => self.push(waiting).await,
        }
    }

    fn identity(&self) -> Identity {
        let behaviour = self.behaviour.lock().unwrap();
        let authority = behaviour.certified_by.as_ref().unwrap_or(&self.authority);
        authority.server(self.clock.now())
    }

    async fn enrol(self, waiting: Waiting) {
        let server = Server::open(&self.identity(), ENROL_ALPN, &self.clock).unwrap();
        let Ok(peer) = waiting.welcome(&server).await else {
            return;
        };
        wire::answer(
            peer.into_stream(),
            ENROL_PATH,
            MAX_ENROL_BYTES,
            PATIENCE,
            |body| std::future::ready(self.decide(&serde_json::from_slice(&body).unwrap())),
        )
        .await;
    }

    fn decide(&self, request: &EnrolRequest) -> Answered {
        let mut behaviour = self.behaviour.lock().unwrap();
        behaviour.asked += 1;
        let known = behaviour
            .secrets
            .iter()
            .position(|secret| *secret == request.secret);
        let Some(known) = known else {
            let body = br#"{"detail":"it is not known here"}"#.to_vec();
            let status = 403_u16.try_into().unwrap();
            return Answered { status, body };
        };
        behaviour.secrets.remove(known);
        let now = self.clock.now();
        let mut answer = EnrolAnswer {
            node: node_id(),
            certificate: self.authority.certify(&request.csr, now),
            authorities: signed(&ControlPlane::new().signer, &[&self.authority], now),
            trust: ControlPlane::new().trust(),
        };
        (behaviour.spoils)(&mut answer);
        Answered {
            status: 201_u16.try_into().unwrap(),
            body: serde_json::to_vec(&answer).unwrap(),
        }
    }

    async fn push(self, waiting: Waiting) {
        let roots = [self.authority.certificate.as_bytes().to_vec()];
        let plain = self.behaviour.lock().unwrap().plain;
        let server = match plain {
            true => Server::open(&self.identity(), PUSH_ALPN, &self.clock).unwrap(),
            false => Server::mutual(&self.identity(), &roots, PUSH_ALPN, &self.clock).unwrap(),
        };
        let Ok(peer) = waiting.welcome(&server).await else {
            return;
        };
        let Some(certificate) = peer.certificate() else {
            return;
        };
        let (turns_away, revoked) = {
            let behaviour = self.behaviour.lock().unwrap();
            (behaviour.turns_away, behaviour.revoked)
        };
        let verdict = match turns_away {
            Some(reason) => Err(Turned {
                status: if revoked { 410_u16 } else { 403 }.try_into().unwrap(),
                reason: reason.to_owned(),
            }),
            None => Ok(()),
        };
        let Ok(socket) = wire::accept(peer.into_stream(), PUSH_PATH, verdict, LIMITS).await else {
            return;
        };
        let (down, to_peer) = mpsc::channel(8);
        let (from_peer, up) = mpsc::channel(8);
        let session = Session {
            down,
            up,
            certificate: Der::new(certificate).unwrap(),
        };
        if self.told.send(session).await.is_ok() {
            wire::carry(socket, wire::Link { to_peer, from_peer }, LIMITS).await;
        }
    }
}

/// Fails instead of waiting for ever.
pub async fn patiently<T>(awaited: impl Future<Output = T>) -> T {
    let awaited = tokio::time::timeout(PATIENCE, awaited);
    awaited.await.expect("it happens in time")
}

/// Looks again and again, in the gaps between everything else.
pub async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    patiently(async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}
