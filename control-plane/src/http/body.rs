//! Request bodies: JSON of at most 1 MiB, read strictly, refused with the place where it goes wrong.
//!
//! Not actix-web's own extractor, because callers need the position, the name of an unknown member
//! (R-ADM-08) and distinct statuses for "not JSON", "too large" and "not this media type". A body is never
//! logged and never echoed.

use std::{future::Future, io, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header},
    web::BytesMut,
};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Most bytes a request body may have.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A JSON request body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_media_type(request).and_then(|()| check_announced_length(request));
        let payload = payload.take();
        Box::pin(async move {
            checked?;
            let bytes = read(payload).await?;
            parse(&bytes).map(Self)
        })
    }
}

fn check_media_type(request: &HttpRequest) -> Result<(), Problem> {
    let media_type = request.content_type();
    if media_type == "application/json" || media_type.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "Unsupported media type",
        "Send the body as application/json.",
    ))
}

fn check_announced_length(request: &HttpRequest) -> Result<(), Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    match announced {
        Some(length) if length > MAX_BODY_BYTES => Err(too_large()),
        _ => Ok(()),
    }
}

/// Reads a body to its end.
pub(super) async fn read(mut payload: Payload) -> Result<BytesMut, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(broken)?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Why a body ended before its end. The listener decides how long a pause may be (R-INJ-06).
fn broken(error: PayloadError) -> Problem {
    match error {
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "Request too slow",
            "The body stopped arriving. Nothing was changed; send the request again.",
        ),
        _ => Problem::malformed("The body ended too early."),
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "Request too large",
        "A request body may have at most 1 MiB.",
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::malformed("The body is empty; send a JSON object."));
    }
    // serde_json's sentence names the member, what was expected, the line and the column.
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::malformed(format!("The body is refused: {error}.")))
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, web::Bytes};
    use futures::stream;

    use super::*;

    #[actix_web::test]
    async fn a_body_that_does_not_arrive_says_why_r_inj_06() {
        let late = PayloadError::Io(io::ErrorKind::TimedOut.into());
        for (end, status) in [
            (late, StatusCode::REQUEST_TIMEOUT),
            (PayloadError::Incomplete(None), StatusCode::BAD_REQUEST),
        ] {
            let parts = [Ok(Bytes::from_static(b"{")), Err(end)];
            let payload: Payload = Payload::Stream {
                payload: Box::pin(stream::iter(parts)),
            };
            assert_eq!(read(payload).await.unwrap_err().status_code(), status);
        }
    }
}
