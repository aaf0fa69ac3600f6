//! `Idempotency-Key`: a POST that is sent again gets the first one's answer instead of a second thing.
//!
//! After draft-ietf-httpapi-idempotency-key-header, for POSTs only: everything else here is guarded by
//! `If-Match` or reads. A dry run keeps nothing, so it is not remembered either.
//!
//! What was begun under a key is finished even if the caller hangs up: whoever sends a key will ask again,
//! and is to find the answer. Must never repeat an answer to anyone but who it was given to.

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{Method, StatusCode, header},
    middleware::Next,
    web::{Bytes, Data},
};

use super::{admit::admitted, asking, body, problem::Problem};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    idempotency::{Attempt, Begun, Claim, KeptAnswer},
};

/// The header a caller sends.
pub(super) const KEY: &str = "idempotency-key";
/// The header that tells a repeated answer from a first one.
pub(super) const REPLAYED: &str = "idempotency-replayed";
/// Longest key.
const MAX_KEY_BYTES: usize = 255;

/// Middleware around one resource.
pub(super) async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = match begin(&mut request).await {
        Ok(begun) => begun,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    let Some((plane, begun)) = begun else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let claim = match begun {
        Begun::First(claim) => claim,
        Begun::Again(answer) => return Ok(request.into_response(replay(answer))),
        Begun::Mismatch => return Ok(request.error_response(mismatch())),
        Begun::UnderWay => return Ok(request.error_response(under_way())),
        Begun::Lost => return Ok(request.error_response(lost())),
    };
    let caller = request.extensions_mut().remove::<Caller>();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller.under(claim.clone()));
    }
    // In a task of its own, which ends when its work does and not when the caller goes away.
    let work = actix_web::rt::spawn(async move {
        let response = next.call(request).await?.map_into_boxed_body();
        finish(&plane, &claim, response).await
    });
    work.await
        .unwrap_or_else(|_| Err(Problem::from(Refusal::internal(Interrupted)).into()))
}

#[derive(Debug, thiserror::Error)]
#[error("the handler of a request ended before it answered")]
struct Interrupted;

/// Begins the attempt a request makes; `None` if it carries no key or nothing that is to be remembered.
async fn begin(request: &mut ServiceRequest) -> Result<Option<(ControlPlane, Begun)>, Problem> {
    let Some(key) = key_of(request)? else {
        return Ok(None);
    };
    // A query string that cannot be read is refused by the handler, like any other.
    let writing = asking::writing(request.request());
    if !matches!(writing, Ok(Mode::Commit)) {
        return Ok(None);
    }
    let plane = request.app_data::<Data<ControlPlane>>();
    let plane = plane.map(|plane| ControlPlane::clone(plane));
    let caller = request.extensions().get::<Caller>().cloned();
    let (Some(plane), Some(caller)) = (plane, caller) else {
        return Err(Problem::unauthenticated());
    };
    let tenant = admitted(request.request());
    let bytes = body::read(request.take_payload()).await?.freeze();
    let target = request.uri().to_string();
    let parts = [
        request.method().as_str().as_bytes(),
        target.as_bytes(),
        bytes.as_ref(),
    ];
    let attempt = Attempt::new(&caller, tenant, &key, &parts);
    request.set_payload(payload(bytes));
    let begun = plane.begin_attempt(&caller, attempt).await?;
    Ok(Some((plane, begun)))
}

fn key_of(request: &ServiceRequest) -> Result<Option<String>, Problem> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let mut keys = request.headers().get_all(KEY);
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let key = key.as_bytes();
    let is_one = keys.next().is_none();
    let is_short = (1..=MAX_KEY_BYTES).contains(&key.len());
    if is_one && is_short && key.iter().all(u8::is_ascii_graphic) {
        return Ok(Some(String::from_utf8_lossy(key).into_owned()));
    }
    Err(Problem::malformed(
        "Idempotency-Key must be one value of 1 to 255 visible ASCII characters.",
    ))
}

fn payload(bytes: Bytes) -> Payload {
    let once = futures::stream::once(async move { Ok::<_, PayloadError>(bytes) });
    Payload::Stream {
        payload: Box::pin(once),
    }
}

/// Keeps the answer, or forgets the attempt if it was refused.
async fn finish(
    plane: &ControlPlane,
    claim: &Claim,
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !response.status().is_success() || response.response().error().is_some() {
        record(plane.forget_attempt(claim).await);
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body)
        .await
        .map_err(|error| Problem::from(Refusal::internal(error.to_string())))?;
    let text = |name| {
        let value = head.headers().get(name)?;
        value.to_str().ok().map(ToOwned::to_owned)
    };
    let answer = KeptAnswer {
        status: head.status().as_u16(),
        etag: text(header::ETAG),
        location: text(header::LOCATION),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    record(plane.keep_answer(claim, &answer).await);
    Ok(ServiceResponse::new(
        request,
        head.set_body(BoxBody::new(body)),
    ))
}

/// The change stands whatever becomes of its record, so the caller gets the answer all the same.
fn record(outcome: Result<(), Refusal>) {
    if let Err(error) = outcome {
        tracing::error!(?error, "what became of an Idempotency-Key was not recorded");
    }
}

fn replay(answer: KeptAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.insert_header((REPLAYED, "true"));
    if let Some(etag) = answer.etag {
        response.insert_header((header::ETAG, etag));
    }
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if answer.body.is_empty() {
        return response.finish();
    }
    response
        .content_type(header::ContentType::json())
        .body(answer.body)
}

fn mismatch() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_mismatch",
        "Idempotency-Key used before",
        "This Idempotency-Key was sent with another request. Give each request a key of its own.",
    )
}

fn under_way() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_in_progress",
        "Under way",
        "A request with this Idempotency-Key is being carried out. Send it again in a moment.",
    )
}

fn lost() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_answer_lost",
        "Done, but the answer was lost",
        "The request with this Idempotency-Key was carried out, and its answer was lost. It is not carried out again; look at what is there now.",
    )
}
