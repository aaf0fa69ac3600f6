//! The push address: one port on which processes become nodes and nodes stay connected.
//!
//! What a connection is for stands in its first message (ALPN). A process without a certificate reaches the
//! one question of enrolment and nothing else; everything else is mutual TLS, and a certificate must also
//! stand in the ledger: a stolen authority key alone admits no node (R-NODE-01, R-NODE-02).
//!
//! Whoever connects is a stranger until they have greeted: see [`super::strangers`].

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    enrolment::{ENROL_ALPN, ENROL_PATH, EnrolRequest, MAX_ENROL_BYTES, PUSH_ALPN, PUSH_PATH},
    frames::MAX_UP_BYTES,
    lane::LANE_PATH,
};
use futures::future::BoxFuture;
use host::{
    Shutdown,
    wire::{self, Answered, Limits, Link, Peer, Server, Socket, Turned, Waiting, WireError},
};
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    LINK_DEPTH, lanes,
    session::{self, Ended, Proof},
    strangers::{Place, Places},
};
use crate::{ControlPlane, Refusal, nodes::NotAdmitted};

/// Longest time to the end of the handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// Longest time for the question of enrolment, and from the handshake to a link.
const ASKING_LIMIT: Duration = Duration::from_secs(5);
/// Processes that may enrol at once: a person made a token for each.
const ENROLMENTS: usize = 32;
/// Frames of a node that may wait; each may be as large as what it holds of a bucket.
const UP_DEPTH: usize = 2;
/// How long what was still to be said may take once a session is over.
const PARTING_LIMIT: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection: it is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often authorities are looked at: another replica may have changed them.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// What a node's connection may cost. Its largest frame says what it holds of one bucket; a greeting is smaller
/// ([`contract::frames::MAX_GREETING_BYTES`]), and a stranger's first frame counts as one.
const LIMITS: Limits = Limits {
    frame_bytes: MAX_UP_BYTES,
    silence: Duration::from_secs(60),
    stall: Duration::from_secs(45),
};

/// What a lane may cost: it is never silent for long, because every pulse is answered. Until the handshake is over
/// nobody knows that it will be one, so the size of a frame is looked at where it is read.
const LANE_LIMITS: Limits = Limits {
    frame_bytes: LIMITS.frame_bytes,
    silence: Duration::from_secs(10),
    stall: Duration::from_secs(10),
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
    strangers: Places,
    enrolments: Semaphore,
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
            strangers: Places::default(),
            enrolments: Semaphore::new(ENROLMENTS),
        });
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((tcp, from)) => {
                        connections.spawn(Arc::clone(&shared).receive(tcp, from));
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

    async fn receive(self: Arc<Self>, tcp: TcpStream, from: SocketAddr) {
        match self.know(tcp, from).await {
            Ok((peer, Purpose::Push, place)) => self.admit(peer, place).await,
            Ok((peer, Purpose::Enrol, _place)) => self.enrol(peer).await,
            // Anyone can cause it, as often as they like, so it is no news.
            Err(why) => tracing::debug!(why, "a stranger's connection was refused"),
        }
    }

    async fn know(
        &self,
        tcp: TcpStream,
        from: SocketAddr,
    ) -> Result<(Peer, Purpose, Place), String> {
        let place = self.strangers.take(from.ip()).ok_or("there is no place")?;
        let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, self.shake(tcp)).await;
        let shaken = shaken.map_err(|_| "it said too little for too long")?;
        let (peer, purpose) = shaken.map_err(|error| error.to_string())?;
        Ok((peer, purpose, place))
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
        let Ok(_turn) = self.enrolments.try_acquire() else {
            return tracing::debug!("too many processes enrol at once");
        };
        let control_plane = &self.control_plane;
        let decide = |body: Vec<u8>| async move { decide(control_plane, &body).await };
        wire::answer(
            peer.into_stream(),
            ENROL_PATH,
            MAX_ENROL_BYTES,
            ASKING_LIMIT,
            decide,
        )
        .await;
    }

    async fn admit(&self, peer: Peer, place: Place) {
        let Some(certificate) = peer.certificate() else {
            return;
        };
        let asking = async {
            let admitted = self.control_plane.admit_node(&certificate).await;
            let verdict = match &admitted {
                Ok(_) => Ok(()),
                Err(refused) => Err(self.turn(refused, &certificate).await),
            };
            let paths = [PUSH_PATH, LANE_PATH];
            let accepted = wire::accept_any(peer.into_stream(), &paths, verdict, LIMITS).await;
            Some((accepted.ok()?, admitted.ok()?))
        };
        let Ok(Some(((socket, path), admitted))) = tokio::time::timeout(ASKING_LIMIT, asking).await
        else {
            return tracing::debug!("no link was made");
        };
        let proof = Proof::Certificate {
            admitted,
            certificate,
        };
        let (down, to_peer) = mpsc::channel(LINK_DEPTH);
        let (from_peer, up) = mpsc::channel(UP_DEPTH);
        let (control_plane, link) = (self.control_plane.clone(), Link { to_peer, from_peer });
        if path == LANE_PATH {
            let session = lanes::run(control_plane, proof, Some(place), (up, down));
            carry(socket, (link, LANE_LIMITS), Box::pin(session)).await;
        } else {
            let session = session::run(control_plane, proof, Some(place), (up, down));
            carry(socket, (link, LIMITS), Box::pin(session)).await;
        }
    }

    /// What a node is told that is not admitted. It may come again every few seconds for as long as it
    /// likes; the log tells of the first time in a while.
    async fn turn(&self, refused: &NotAdmitted, certificate: &[u8]) -> Turned {
        let status = match refused {
            NotAdmitted::Failed(error) => {
                tracing::error!(?error, "the ledger cannot be read; a node has to wait");
                StatusCode::SERVICE_UNAVAILABLE
            }
            // Told apart, because a node that hears it serves nobody any more (F-13).
            NotAdmitted::Revoked | NotAdmitted::Deleted => StatusCode::GONE,
            _ => StatusCode::FORBIDDEN,
        };
        let reason = refused.reason();
        if status != StatusCode::SERVICE_UNAVAILABLE
            && self.control_plane.is_new_refusal(certificate).await
        {
            tracing::warn!(reason, "a node was not admitted");
        }
        Turned { status, reason }
    }
}

/// Runs a session on a link.
async fn carry<S>(
    socket: Socket<S>,
    (link, limits): (Link, Limits),
    mut session: BoxFuture<'_, Ended>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let carrying = wire::carry(socket, link, limits);
    tokio::pin!(carrying);
    tokio::select! {
        ended = &mut session => match ended {
            // Whoever may not be here any more is not sent what was still waiting either.
            Ended::NoLongerAdmitted(_) | Ended::Expired => {}
            _ => {
                let _ = tokio::time::timeout(PARTING_LIMIT, carrying).await;
            }
        },
        // Its queues are closed now, so the session ends too.
        carried = &mut carrying => {
            tracing::debug!(%carried, "a node's connection ended");
            session.await;
        }
    }
}

/// What a connection is for.
enum Purpose {
    Enrol,
    Push,
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
