//! One plain HTTP question to a listener of this very process: how a node asks its own door.
//!
//! Outbound calls go through [`crate::egress`]; this is none, because it only reaches an address that the process
//! itself listens on.

use std::{net::SocketAddr, time::Duration};

use http::{Method, Request, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::link::LinkError;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The authority it is asked under.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The access token that is presented (RFC 6750).
    pub bearer: &'a str,
}

/// Asks, and returns the status and the challenge that came with it (RFC 9110 section 11.6.1), if any.
///
/// # Errors
/// [`LinkError::Failed`] if nobody answers in time.
pub async fn get(
    address: SocketAddr,
    asked: Asked<'_>,
    limit: Duration,
) -> Result<(u16, String), LinkError> {
    let asking = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(Method::GET)
            .uri(asked.path)
            .header(header::HOST, asked.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", asked.bearer))
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())?;
        let exchange = sender.send_request(request);
        tokio::pin!(exchange);
        let response = tokio::select! {
            response = &mut exchange => response?,
            // It ends with the whole answer, or with an error that the exchange is told.
            _ = connection => exchange.await?,
        };
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok());
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((
            response.status().as_u16(),
            challenge.unwrap_or_default().to_owned(),
        ))
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(answered) => answered.map_err(|error| LinkError::Failed(error.to_string())),
        Err(_) => Err(LinkError::Failed("no answer came in time".to_owned())),
    }
}
