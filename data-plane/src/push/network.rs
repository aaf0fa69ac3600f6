//! Keeping a node connected to its control plane over the network (R-NODE-02).
//!
//! The node opens the connection, so it can stand where nobody reaches it. Both sides prove who they are;
//! then frames travel exactly as they do inside one process. Whatever ends a connection, another is made
//! after a wait that grows and differs between nodes. Nothing here touches what is served: a node that is
//! refused, or whose certificate ended while the control plane was away, serves the releases it holds and
//! says so (R-NODE-07, R-NODE-09).

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use contract::enrolment::{CONTROL_PLANE_NAME, PUSH_PATH};
use host::{
    Clock, HostPort, Shutdown,
    wire::{self, Carried, Limits, Link, LinkError, Socket, WireError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

use super::{
    NodeLink,
    backoff::{Backoff, Pace},
    credentials::Credentials,
    enrol::{EnrolError, Joining},
    identity::NodeIdentity,
    lane_network::LaneNetwork,
};
use crate::node::Node;

/// Longest wait for a connection, and again for the answer on it.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The control plane pings every 15 seconds; a section may have 16 MiB.
const LIMITS: Limits = Limits {
    frame_bytes: 24 * 1024 * 1024,
    silence: Duration::from_secs(50),
    stall: Duration::from_secs(45),
};
/// Frames that wait in each direction, beside what the network holds.
const QUEUE: usize = 16;
/// A connection that lived this long was a good one: the next wait is short.
const SETTLED: TimeDelta = TimeDelta::seconds(30);
/// The status of a refusal (RFC 9110 section 15.5.4).
const FORBIDDEN: u16 = 403;
/// The status for a node that was revoked or deleted: it need not come again (RFC 9110 section 15.5.11).
const GONE: u16 = 410;
/// What strangers read of a refusal.
const REFUSED: &str = "refused by the control plane, serving the releases held";
/// What strangers read once this node is none any more.
const REVOKED: &str = "revoked by the control plane, serving nobody";

/// A node's way to its control plane.
pub struct Network {
    node: Node,
    credentials: Arc<Credentials>,
    address: Option<HostPort>,
    rejoining: Option<Joining>,
    /// Why the last attempt to enrol again led to nothing, if there was a token.
    not_rejoined: Option<EnrolError>,
    pace: Pace,
}

/// Why there is no connection (any more).
pub(super) enum Ended {
    /// There was none.
    Failed {
        /// With addresses: for the log.
        why: String,
        /// For whoever asks `/readyz`.
        in_public: &'static str,
    },
    /// The control plane knows the certificate, and wants nothing to do with it.
    Refused(String),
    /// It says that this node was revoked.
    Revoked(String),
    /// There was one since then.
    Carried(DateTime<Utc>, Carried),
}

/// What a node remembers from one connection to the next.
struct Course {
    backoff: Backoff,
    disconnected_at: DateTime<Utc>,
    /// What was logged last; the same again is not news.
    said: String,
}

impl Network {
    /// Connects `node`, which was opened under the identity that `credentials` hold, to where that identity
    /// enrolled.
    pub fn new(node: Node, credentials: Credentials) -> Self {
        Self {
            node,
            credentials: Arc::new(credentials),
            address: None,
            rejoining: None,
            not_rejoined: None,
            pace: Pace::default(),
        }
    }

    /// Connects to `address` instead.
    pub fn at(mut self, address: Option<HostPort>) -> Self {
        self.address = address;
        self
    }

    /// Once the certificate has ended, trades a join token for a new one. A certificate that has ended
    /// cannot ask for its own renewal: it proves nothing.
    pub fn rejoining(mut self, joining: Option<Joining>) -> Self {
        self.rejoining = joining;
        self
    }

    /// Waits differently between attempts.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Keeps the node connected until `shutdown`: for releases and commands, and on a lane of its own for
    /// containments.
    pub async fn keep_connected(self, shutdown: Shutdown) {
        let lane = LaneNetwork {
            node: self.node.clone(),
            credentials: Arc::clone(&self.credentials),
            address: self.address.clone(),
            pace: self.pace,
        };
        let listening = tokio::spawn(lane.keep_listening(shutdown.clone()));
        self.keep_updated(shutdown).await;
        listening.abort();
    }

    async fn keep_updated(mut self, shutdown: Shutdown) {
        let mut course = Course {
            backoff: Backoff::new(self.pace, self.node.entropy().clone()),
            disconnected_at: self.node.clock().now(),
            said: String::new(),
        };
        let stopping = shutdown.requested();
        tokio::pin!(stopping);
        loop {
            let ended = tokio::select! {
                () = &mut stopping => return,
                ended = self.session() => ended,
            };
            if matches!(ended, Ended::Revoked(_)) {
                stand_down(&self.node, &self.credentials).await;
            }
            self.judge(&mut course, ended);
            let ends = self.credentials.identity().certificate_ends_at();
            let now = self.node.clock().now();
            self.node.standing().certified_until(ends, now);
            tokio::select! {
                () = &mut stopping => return,
                () = tokio::time::sleep(course.backoff.next()) => {}
            }
        }
    }

    /// One connection, from its beginning to its end.
    async fn session(&mut self) -> Ended {
        self.rejoin_if_ended().await;
        let socket = match self.open().await {
            Ok(socket) => socket,
            Err(ended) => return ended,
        };
        let opened_at = self.node.clock().now();
        tracing::info!("connected to the control plane");
        let ends = self.credentials.identity().certificate_ends_at();
        self.node.standing().certified_until(ends, opened_at);
        let (to_control, to_peer) = mpsc::channel(QUEUE);
        let (from_peer, from_control) = mpsc::channel(QUEUE);
        let ends = Link { to_peer, from_peer };
        // A task of its own: frames go on travelling while a release is verified, and the connection is
        // closed in order when this side is dropped.
        let carrying = tokio::spawn(wire::carry(socket, ends, LIMITS));
        let link = NodeLink {
            from_control,
            to_control,
        };
        super::run(&self.node, link, Some(&self.credentials)).await;
        Ended::Carried(opened_at, carrying.await.unwrap_or(Carried::Gone))
    }

    async fn open(&self) -> Result<Socket<impl AsyncRead + AsyncWrite + Unpin + use<>>, Ended> {
        let way = Way {
            identity: &self.credentials.identity(),
            address: self.address.as_ref(),
            path: PUSH_PATH,
            limits: LIMITS,
        };
        way.open(self.node.clock()).await
    }

    async fn rejoin_if_ended(&mut self) {
        if !self.credentials.have_ended() {
            return;
        }
        let Some(joining) = &mut self.rejoining else {
            return;
        };
        let known = self.credentials.identity();
        self.not_rejoined = match joining.attempt(Some(&known)).await {
            Ok(identity) => {
                self.credentials.replace(identity);
                None
            }
            // A token that was used is thrown away, so none is no news.
            Err(EnrolError::NoToken { .. }) => None,
            Err(error) => Some(error),
        };
    }

    /// Says at `/readyz` and in the log what became of the connection, and how soon to try again. The other
    /// side's words are for the log only: anybody may ask `/readyz`.
    fn judge(&self, course: &mut Course, ended: Ended) {
        let now = self.node.clock().now();
        let (line, public) = match ended {
            Ended::Failed { why, in_public } => (why, in_public),
            Ended::Refused(reason) => {
                course.backoff.exhaust();
                course.say(&format!("refused by the control plane: {reason}"));
                self.node.control_plane_health().degraded(REFUSED);
                return;
            }
            Ended::Revoked(reason) => {
                course.backoff.exhaust();
                course.say(&format!("revoked: {reason}"));
                self.node.control_plane_health().degraded(REVOKED);
                return;
            }
            Ended::Carried(opened_at, how) => {
                course.disconnected_at = now;
                course.said.clear();
                if now - opened_at >= SETTLED {
                    course.backoff.reset();
                }
                (how.to_string(), end_in_public(&how))
            }
        };
        match self.end_of_certificate(EnrolError::to_string) {
            Some(ended) => course.say(&format!("{line}; {ended}")),
            None => course.say(&line),
        }
        let since = moment(course.disconnected_at);
        let ended = self.end_of_certificate(|error| error.in_public().to_owned());
        let public = ended.unwrap_or_else(|| public.to_owned());
        self.node.control_plane_health().degraded(format!(
            "not connected since {since}, serving the releases held: {public}"
        ));
    }

    /// What a person has to know and do, once the certificate has ended; `words` says why there is no other.
    fn end_of_certificate(&self, words: fn(&EnrolError) -> String) -> Option<String> {
        if !self.credentials.have_ended() {
            return None;
        }
        let ends = moment(self.credentials.identity().certificate_ends_at());
        let mut told = format!(
            "certificate ended {ends}; a new join token is needed if the control plane does not renew it"
        );
        if let Some(error) = &self.not_rejoined {
            told.push_str(&format!(" ({})", words(error)));
        }
        Some(told)
    }
}

/// Serves nobody from now on, also after a restart: a control plane that proved itself said that this node is revoked.
pub(super) async fn stand_down(node: &Node, credentials: &Credentials) {
    node.stand_down();
    credentials.revoked().await;
}

/// A connection to be made.
pub(super) struct Way<'a> {
    /// As whom.
    pub(super) identity: &'a NodeIdentity,
    /// Where to, if not where that one enrolled.
    pub(super) address: Option<&'a HostPort>,
    /// What for.
    pub(super) path: &'static str,
    /// What it may cost.
    pub(super) limits: Limits,
}

impl Way<'_> {
    /// Makes it.
    pub(super) async fn open(
        &self,
        clock: &Clock,
    ) -> Result<Socket<impl AsyncRead + AsyncWrite + Unpin + use<>>, Ended> {
        let address = self.address.unwrap_or(&self.identity.address);
        let client = self.identity.client(clock)?;
        let stream = wire::connect(address, CONTROL_PLANE_NAME, &client, CONNECT_LIMIT).await?;
        let opening = wire::open(stream, CONTROL_PLANE_NAME, self.path, self.limits);
        match tokio::time::timeout(CONNECT_LIMIT, opening).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(LinkError::Refused { status, reason })) if status == FORBIDDEN => {
                Err(Ended::Refused(reason))
            }
            Ok(Err(LinkError::Refused { status, reason })) if status == GONE => {
                Err(Ended::Revoked(reason))
            }
            // Since TLS 1.3 a client hears only now that its certificate is not believed.
            Ok(Err(error)) => Err(Ended::Failed {
                why: error.to_string(),
                in_public: "it does not take the connection",
            }),
            Err(_) => Err(WireError::Late.into()),
        }
    }
}

impl Course {
    fn say(&mut self, line: &str) {
        if self.said == line {
            return;
        }
        tracing::warn!(why = line, "no connection to the control plane");
        line.clone_into(&mut self.said);
    }
}

impl From<WireError> for Ended {
    fn from(error: WireError) -> Self {
        Self::Failed {
            in_public: in_public(&error),
            why: error.to_string(),
        }
    }
}

/// The reason for strangers: one of these sentences, without addresses.
pub(super) fn in_public(error: &WireError) -> &'static str {
    match error {
        WireError::Unusable(_) => "a certificate cannot be used",
        WireError::Unreachable { .. } => "the control plane cannot be reached",
        WireError::Handshake(_) => "the other side does not prove to be the control plane",
        WireError::OtherTime(_) => {
            "the control plane's certificate is not valid at this node's time: one of the two clocks is wrong"
        }
        WireError::Late => "the control plane does not answer in time",
    }
}

/// How a connection ended, for strangers: one of these sentences, without anything that came.
fn end_in_public(how: &Carried) -> &'static str {
    match how {
        Carried::Done => "this side closed the connection",
        Carried::Gone => "the other side closed the connection",
        Carried::Silent => "the other side does not answer",
        Carried::Unreadable(_) => "what came cannot be read",
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_read_nothing_of_what_came() {
        let came = Carried::Unreadable("geheim".to_owned());
        assert!(came.to_string().contains("geheim"), "the log has it");
        assert_eq!(end_in_public(&came), "what came cannot be read");
        for how in [Carried::Done, Carried::Gone, Carried::Silent] {
            assert_eq!(end_in_public(&how), how.to_string());
        }
    }
}
