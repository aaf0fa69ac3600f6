//! How long a listener waits for a caller that is slow on purpose (R-INJ-06).
//!
//! A connection costs memory while it says nothing, so silences have an end: before its first request's head is
//! there, between two parts of a body, and between two requests. The server's own timers do the first and
//! the last; the second is done here, on the body's way to whoever reads it, so that no reader can forget it.
//!
//! Two things of R-INJ-06 are not here. actix-http arms its head timer once per connection: whoever sends one
//! whole request and then a second head slowly is not timed any more, because the first byte of that head also
//! ends the keep-alive timer. And connections are not counted per address. Both belong to the socket, which
//! actix-http reads by itself; until it is wrapped, the proxy in front does both (docs/operations.md).

use std::{io, pin::Pin, time::Duration};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    middleware::Next,
    web::Bytes,
};
use futures::{Stream, StreamExt, stream};
use tokio::time::timeout;

/// A listener's patience.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the connection to the end of its first request's head.
    pub head: Duration,
    /// Between two parts of a body.
    pub body_idle: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
}

impl Default for Patience {
    /// The values of R-INJ-06.
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            body_idle: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
        }
    }
}

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// Middleware that ends a body which pauses for longer than `idle` with an error of the kind
/// [`io::ErrorKind::TimedOut`].
pub(super) async fn wait_for_body(
    idle: Duration,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let body = request.take_payload();
    request.set_payload(match body {
        Payload::None => Payload::None,
        body => Payload::Stream {
            payload: within(body, idle),
        },
    });
    next.call(request).await
}

fn within(body: Payload, idle: Duration) -> Body {
    let parts = stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match timeout(idle, body.next()).await {
            Ok(part) => Some((part?, Some(body))),
            Err(_) => {
                let late = PayloadError::Io(io::ErrorKind::TimedOut.into());
                Some((Err(late), None))
            }
        }
    });
    Box::pin(parts)
}
