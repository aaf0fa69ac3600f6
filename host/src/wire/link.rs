//! Text frames over WebSocket, between two queues.
//!
//! The queues are the planes' only view of a connection, so what speaks over a network speaks the same over
//! a channel inside one process.

use std::{fmt, time::Duration};

use futures::{SinkExt, StreamExt};
use http::{Response, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config, client_async_with_config,
    tungstenite::{
        self, Message, Utf8Bytes,
        error::ProtocolError,
        handshake::server::{ErrorResponse, Request, Response as Accepted},
        protocol::WebSocketConfig,
    },
};

/// A frame's text; clones share it, so that one serialization serves every connection.
pub type Text = Utf8Bytes;

/// A connection that frames travel on.
pub type Socket<S> = WebSocketStream<S>;

/// Bytes read or gathered at a time: a connection that is silent most of the time holds little.
const BUFFER_BYTES: usize = 4 * 1024;

/// What a connection may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of a frame that is taken.
    pub frame_bytes: usize,
    /// Longest silence of the other side.
    pub silence: Duration,
    /// Longest time the other side may take for one frame.
    pub stall: Duration,
}

/// The planes' end of a connection.
#[derive(Debug)]
pub struct Link {
    /// What to say; closed when the conversation is over.
    pub to_peer: mpsc::Receiver<Text>,
    /// What was heard.
    pub from_peer: mpsc::Sender<Text>,
}

/// Why a connection could not be made into a link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side says no, and why.
    #[error("the other side refuses, with status {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words, cut to one short line.
        reason: String,
    },
    /// It does not speak as agreed, or is gone.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Carried {
    /// Our side had nothing more to say.
    #[error("this side closed the connection")]
    Done,
    /// The other side closed it, in order or not.
    #[error("the other side closed the connection")]
    Gone,
    /// The other side said nothing for too long, or took nothing.
    #[error("the other side does not answer")]
    Silent,
    /// What came was no text frame of permitted size.
    #[error("what came cannot be read: {0}")]
    Unreadable(String),
}

/// A refusal to become a link.
#[derive(Debug, Clone)]
pub struct Turned {
    /// The HTTP status.
    pub status: StatusCode,
    /// Why, in words that may cross the wire.
    pub reason: String,
}

/// Asks the other side to turn the connection into a link.
///
/// # Errors
/// See [`LinkError`].
pub async fn open<S>(
    stream: S,
    host: &str,
    path: &str,
    limits: Limits,
) -> Result<Socket<S>, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let url = format!("wss://{host}{path}");
    let answered = client_async_with_config(url, stream, Some(config(limits))).await;
    answered.map(|(socket, _)| socket).map_err(refused)
}

/// Turns a connection into a link, if it asks for `path` and `verdict` allows it.
///
/// # Errors
/// See [`LinkError`].
pub async fn accept<S>(
    stream: S,
    path: &'static str,
    verdict: Result<(), Turned>,
    limits: Limits,
) -> Result<Socket<S>, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (socket, _) = accept_any(stream, &[path], verdict, limits).await?;
    Ok(socket)
}

/// Turns a connection into a link, if it asks for one of `paths` and `verdict` allows it; tells which.
///
/// # Errors
/// See [`LinkError`].
pub async fn accept_any<S>(
    stream: S,
    paths: &[&'static str],
    verdict: Result<(), Turned>,
    limits: Limits,
) -> Result<(Socket<S>, &'static str), LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut asked = "";
    // The handshake's error type is tungstenite's, and large.
    #[allow(clippy::result_large_err)]
    let judge = |request: &Request, response: Accepted| -> Result<Accepted, ErrorResponse> {
        let found = paths.iter().find(|path| **path == request.uri().path());
        asked = found.copied().unwrap_or_default();
        let verdict = match found {
            Some(_) => verdict,
            None => Err(Turned {
                status: StatusCode::NOT_FOUND,
                reason: "there is nothing here".to_owned(),
            }),
        };
        match verdict {
            Ok(()) => Ok(response),
            Err(turned) => {
                let mut answer = Response::new(Some(turned.reason));
                *answer.status_mut() = turned.status;
                Err(answer)
            }
        }
    };
    let socket = accept_hdr_async_with_config(stream, judge, Some(config(limits)))
        .await
        .map_err(refused)?;
    Ok((socket, asked))
}

/// Carries frames between the connection and the link until either side is done.
pub async fn carry<S>(socket: Socket<S>, link: Link, limits: Limits) -> Carried
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let Link {
        mut to_peer,
        from_peer,
    } = link;
    let telling = async {
        while let Some(text) = to_peer.recv().await {
            let sent = tokio::time::timeout(limits.stall, sink.send(Message::Text(text))).await;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return ended(&error),
                Err(_) => return Carried::Silent,
            }
        }
        let _ = tokio::time::timeout(limits.stall, sink.close()).await;
        Carried::Done
    };
    let hearing = async {
        loop {
            let heard = tokio::time::timeout(limits.silence, stream.next()).await;
            let text = match heard {
                Err(_) => return Carried::Silent,
                Ok(None) => return Carried::Gone,
                Ok(Some(Err(error))) => return ended(&error),
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Binary(_)))) => {
                    return Carried::Unreadable("frames are text".to_owned());
                }
                Ok(Some(Ok(Message::Close(_)))) => return Carried::Gone,
                Ok(Some(Ok(_))) => continue,
            };
            if from_peer.send(text).await.is_err() {
                return Carried::Done;
            }
        }
    };
    // One task for both directions: while one waits, the other goes on.
    tokio::select! {
        ended = telling => ended,
        ended = hearing => ended,
    }
}

fn config(limits: Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(limits.frame_bytes))
        .max_frame_size(Some(limits.frame_bytes))
}

fn ended(error: &tungstenite::Error) -> Carried {
    match error {
        // A peer that was killed closes nothing in order.
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Carried::Gone,
        tungstenite::Error::Capacity(_)
        | tungstenite::Error::Utf8(_)
        | tungstenite::Error::Protocol(_) => Carried::Unreadable(error.to_string()),
        _ => Carried::Gone,
    }
}

fn refused(error: tungstenite::Error) -> LinkError {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            LinkError::Refused {
                status: response.status().as_u16(),
                reason: one_line(&String::from_utf8_lossy(body)),
            }
        }
        other => LinkError::Failed(other.to_string()),
    }
}

/// What the other side wrote, as one short line that can be logged.
pub(super) fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
