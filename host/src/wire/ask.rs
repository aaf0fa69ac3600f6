//! One question and its answer as HTTP/1.1 on a connection of its own: for the conversation that comes
//! before there is a link.

use std::{convert::Infallible, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::link::{LinkError, one_line};

/// What a question came to.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The HTTP status.
    pub status: StatusCode,
    /// JSON.
    pub body: Vec<u8>,
}

/// What is asked, and of whom.
#[derive(Debug)]
pub struct Question<'a> {
    /// The other side's name.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The question, JSON.
    pub json: Vec<u8>,
    /// Most bytes of an answer that is taken.
    pub most: usize,
}

/// Posts the question and waits for the answer, within `limit`.
///
/// # Errors
/// [`LinkError::Refused`] with the other side's words; [`LinkError::Failed`] if it does not speak as
/// agreed, answers more than it may or nothing in time.
pub async fn ask<S>(
    stream: S,
    question: Question<'_>,
    limit: Duration,
) -> Result<Vec<u8>, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Question {
        host,
        path,
        json,
        most,
    } = question;
    let asking = async {
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(json)))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), most).collect().await?;
            Ok::<_, Failure>((status, body.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::select! {
            exchanged = &mut exchange => exchanged,
            // It ends as soon as the whole answer has come in, or with an error that the exchange is told.
            _ = connection => exchange.await,
        }
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(Ok((status, body))) if status.is_success() => Ok(body.to_vec()),
        Ok(Ok((status, body))) => Err(LinkError::Refused {
            status: status.as_u16(),
            reason: detail(&body),
        }),
        Ok(Err(error)) => Err(LinkError::Failed(error.to_string())),
        Err(_) => Err(LinkError::Failed("no answer came in time".to_owned())),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Answers the one question on a connection: `POST path` with at most `most` bytes. Anything else is told
/// so. Gives up after `limit`.
pub async fn answer<S, F, Fut>(
    stream: S,
    path: &'static str,
    most: usize,
    limit: Duration,
    decide: F,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Fn(Vec<u8>) -> Fut,
    Fut: Future<Output = Answered>,
{
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let decide = &decide;
        async move { Ok::<_, Infallible>(respond(request, path, most, decide).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(limit, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a question could not be answered"),
        Err(_) => tracing::debug!("a question took too long"),
    }
}

async fn respond<F, Fut>(
    request: Request<Incoming>,
    path: &str,
    most: usize,
    decide: &F,
) -> Response<Full<Bytes>>
where
    F: Fn(Vec<u8>) -> Fut,
    Fut: Future<Output = Answered>,
{
    if request.uri().path() != path {
        return plain(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED);
    }
    let body = match Limited::new(request.into_body(), most).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Err(_) => return plain(StatusCode::BAD_REQUEST),
    };
    let Answered { status, body } = decide(body).await;
    let kind = match status.is_success() {
        true => "application/json",
        false => "application/problem+json",
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// The `detail` of a problem document (RFC 9457), or what else was said.
fn detail(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: Option<String>,
        title: Option<String>,
    }
    let said = match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.detail.or(problem.title).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    one_line(&said)
}
