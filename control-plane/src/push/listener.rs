//! The push address: one port on which processes become nodes and nodes stay connected.
//!
//! What a connection is for stands in its first message (ALPN). A process without a certificate reaches the
//! one question of enrolment and nothing else; everything else is mutual TLS, and a certificate must also
//! stand in the ledger: a stolen authority key alone lets nobody in (R-NODE-01, R-NODE-02).
//!
//! Connections are strangers' until the handshake is over, so each is given little time and there are only
//! so many of them at once.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use contract::enrolment::{
    ENROL_ALPN, ENROL_PATH, EnrolRequest, MAX_ENROL_BYTES, PUSH_ALPN, PUSH_PATH,
};
use host::{
    Shutdown,
    wire::{self, Answered, Limits, Link, Peer, Server, Turned, Waiting, WireError},
};
use http::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    LINK_DEPTH,
    session::{self, Proof},
};
use crate::{ControlPlane, Refusal, nodes::NotAdmitted};

/// Longest time from the first byte to the end of the handshake, and for the question of enrolment.
const STRANGER_LIMIT: Duration = Duration::from_secs(10);
/// Connections that may be strangers' at once.
const STRANGERS: usize = 256;
/// Pause after the system refused a connection: it is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often authorities are looked at: another replica may have changed them.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// What a node's connection may cost. A greeting names every tenant held, about 150 bytes each.
const LIMITS: Limits = Limits {
    frame_bytes: 16 * 1024 * 1024,
    silence: Duration::from_secs(60),
    stall: Duration::from_secs(45),
};

/// How whoever connects is received, while authorities and our own certificate are what they are.
struct Reception {
    enrol: Server,
    push: Server,
    authorities: Vec<Vec<u8>>,
    /// When to make a new certificate of our own: at half of its life.
    renew_at: DateTime<Utc>,
}

/// What every connection shares.
struct Shared {
    control_plane: ControlPlane,
    reception: Mutex<Arc<Reception>>,
    strangers: Arc<Semaphore>,
}

impl ControlPlane {
    /// Receives nodes on `listener` until the process stops.
    ///
    /// # Errors
    /// The authorities cannot be read, or the socket cannot be used.
    pub async fn serve_nodes(
        &self,
        listener: std::net::TcpListener,
        shutdown: Shutdown,
    ) -> Result<(), Refusal> {
        listener.set_nonblocking(true).map_err(Refusal::internal)?;
        let listener = TcpListener::from_std(listener).map_err(Refusal::internal)?;
        let shared = Arc::new(Shared {
            control_plane: self.clone(),
            reception: Mutex::new(Arc::new(Reception::of(self).await?)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        });
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                let Ok(permit) = Arc::clone(&shared.strangers).acquire_owned().await else {
                    return;
                };
                match listener.accept().await {
                    Ok((tcp, _)) => {
                        connections.spawn(Arc::clone(&shared).receive(tcp, permit));
                    }
                    Err(error) => pause(&error).await,
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accepting => {}
            () = shared.keep_current() => {}
            () = shutdown.requested() => {}
        }
        connections.shutdown().await;
        Ok(())
    }
}

async fn pause(error: &io::Error) {
    tracing::error!(%error, "a connection cannot be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

impl Reception {
    async fn of(control_plane: &ControlPlane) -> Result<Self, Refusal> {
        let clock = control_plane.clock();
        let (identity, ends_at) = control_plane.server_identity().await?;
        let authorities = control_plane.authority_certificates().await?;
        let enrol = Server::open(&identity, ENROL_ALPN, clock).map_err(Refusal::internal)?;
        let push =
            Server::mutual(&identity, &authorities, PUSH_ALPN, clock).map_err(Refusal::internal)?;
        let now = clock.now();
        Ok(Self {
            enrol,
            push,
            authorities,
            renew_at: now + ((ends_at - now) / 2).max(TimeDelta::zero()),
        })
    }
}

impl Shared {
    fn reception(&self) -> Arc<Reception> {
        let current = self.reception.lock();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks again at authorities and our own certificate, now and then and when told.
    async fn keep_current(&self) {
        let mut changes = self.control_plane.hub().authorities_changes();
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = self.refresh().await {
                tracing::error!(?error, "the authorities cannot be read; the last ones stay");
            }
        }
    }

    async fn refresh(&self) -> Result<(), Refusal> {
        let current = self.reception();
        let authorities = self.control_plane.authority_certificates().await?;
        let changed = authorities != current.authorities;
        if !changed && self.control_plane.clock().now() < current.renew_at {
            return Ok(());
        }
        let fresh = Arc::new(Reception::of(&self.control_plane).await?);
        *self
            .reception
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
        if changed {
            // Sessions that are open learn the new list as well, whichever replica changed it.
            self.control_plane.hub().tell_authorities_changed();
        }
        Ok(())
    }

    async fn receive(self: Arc<Self>, tcp: TcpStream, permit: OwnedSemaphorePermit) {
        let shaken = tokio::time::timeout(STRANGER_LIMIT, self.shake(tcp)).await;
        match shaken {
            Ok(Ok((peer, Purpose::Push))) => self.admit(peer, permit).await,
            Ok(Ok((peer, Purpose::Enrol))) => self.enrol(peer).await,
            // Anyone can cause this, so it is no alarm.
            Ok(Err(error)) => tracing::info!(%error, "a connection of a stranger was refused"),
            Err(_) => tracing::info!("a connection said too little for too long"),
        }
    }

    async fn shake(&self, tcp: TcpStream) -> Result<(Peer, Purpose), WireError> {
        let waiting = Waiting::of(tcp).await?;
        let reception = self.reception();
        let (server, purpose) = if waiting.wants(ENROL_ALPN) {
            (&reception.enrol, Purpose::Enrol)
        } else {
            (&reception.push, Purpose::Push)
        };
        Ok((waiting.welcome(server).await?, purpose))
    }

    async fn enrol(&self, peer: Peer) {
        let control_plane = &self.control_plane;
        let decide = |body: Vec<u8>| async move { decide(control_plane, &body).await };
        wire::answer(
            peer.into_stream(),
            ENROL_PATH,
            MAX_ENROL_BYTES,
            STRANGER_LIMIT,
            decide,
        )
        .await;
    }

    async fn admit(&self, peer: Peer, permit: OwnedSemaphorePermit) {
        let Some(certificate) = peer.certificate() else {
            return;
        };
        let admitted = self.control_plane.admit_node(&certificate).await;
        let verdict = match &admitted {
            Ok(_) => Ok(()),
            Err(refused) => Err(turned(refused)),
        };
        let accepting = wire::accept(peer.into_stream(), PUSH_PATH, verdict, LIMITS);
        let socket = match tokio::time::timeout(STRANGER_LIMIT, accepting).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return tracing::debug!(%error, "no link was made"),
            Err(_) => return tracing::debug!("a node asked for no link in time"),
        };
        drop(permit);
        let Ok(admitted) = admitted else {
            return;
        };
        let (down, to_peer) = mpsc::channel(LINK_DEPTH);
        let (from_peer, up) = mpsc::channel(LINK_DEPTH);
        let proof = Proof::Certificate {
            admitted,
            certificate,
        };
        let session = session::run(self.control_plane.clone(), proof, up, down);
        let carried = wire::carry(socket, Link { to_peer, from_peer }, LIMITS);
        // When the session ends, its queue closes, which closes the connection in order, and the reverse.
        let (carried, ()) = tokio::join!(carried, session);
        tracing::debug!(%carried, "a node's connection ended");
    }
}

/// What a connection is for.
enum Purpose {
    Enrol,
    Push,
}

fn turned(refused: &NotAdmitted) -> Turned {
    let status = match refused {
        NotAdmitted::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    tracing::warn!(reason = refused.reason(), "a node was not admitted");
    Turned {
        status,
        reason: refused.reason(),
    }
}

/// Answers a request to enrol.
async fn decide(control_plane: &ControlPlane, body: &[u8]) -> Answered {
    let refuse = |status: StatusCode, code: &str, detail: String| {
        let problem = serde_json::json!({
            "type": format!("urn:bailiwick:problem:{code}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code,
            "detail": detail,
        });
        Answered {
            status,
            body: problem.to_string().into_bytes(),
        }
    };
    let Ok(request) = serde_json::from_slice::<EnrolRequest>(body) else {
        let detail = "The request is not one to enrol.".to_owned();
        return refuse(StatusCode::BAD_REQUEST, "malformed", detail);
    };
    match control_plane.enrol(request).await {
        Ok(answer) => Answered {
            status: StatusCode::CREATED,
            body: serde_json::to_vec(&answer).expect("texts and lists of texts are JSON"),
        },
        Err(Refusal::Internal(error)) => {
            tracing::error!(?error, "a node could not be enrolled");
            let detail = "The control plane cannot do it now.".to_owned();
            refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
        Err(refusal @ Refusal::Unavailable { .. }) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            refusal.to_string(),
        ),
        Err(refusal @ Refusal::Invalid(_)) => {
            refuse(StatusCode::BAD_REQUEST, "malformed", refusal.to_string())
        }
        Err(refusal) => refuse(
            StatusCode::FORBIDDEN,
            "join_token_refused",
            refusal.to_string(),
        ),
    }
}
