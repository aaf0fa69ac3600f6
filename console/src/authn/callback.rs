//! `GET /login/callback`: the browser comes back with a code, or with the issuer's word that it did not work.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use control_plane::console_sessions::LoginAttempt;
use leptos::prelude::*;

use super::{
    id_token::{self, Expected, IdTokenError},
    query,
    relying_party::ExchangeError,
    request_id,
};
use crate::{Console, fault::Fault, kit::*, return_path, shell, visit::see_other};

/// Why a sign-in ended here.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// No such sign-in, another browser's, or one that took too long.
    #[error("no sign-in of this browser is under way")]
    Attempt,
    /// The issuer said so.
    #[error("the issuer answered {0}")]
    Issuer(String),
    /// The code brought no token.
    #[error("the code could not be exchanged")]
    Exchange(#[from] ExchangeError),
    /// The token is not believed.
    #[error("the ID token was not believed")]
    Token(#[from] IdTokenError),
    /// What any request can run into.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Ends a sign-in: a session, or a page that says why not.
pub(crate) async fn show(console: Data<Console>, request: HttpRequest) -> HttpResponse {
    let state = query(&request, "state").unwrap_or_default();
    let mut answer = match finish(&console, &request, &state).await {
        Ok(answer) => answer,
        Err(Failed::Fault(fault)) => fault.outside(&console, &request),
        Err(failed) => failed.answer(&console),
    };
    let spent = console.cookies().end_login(&state);
    answer
        .add_cookie(&spent)
        .expect("a name of letters and an empty value are a valid cookie");
    answer
}

async fn finish(
    console: &Console,
    request: &HttpRequest,
    state: &str,
) -> Result<HttpResponse, Failed> {
    let control_plane = console.control_plane();
    let browser = console
        .cookies()
        .login(request, state)
        .ok_or(Failed::Attempt)?;
    let attempt = control_plane
        .open_console_login(state, browser.expose())
        .ok_or(Failed::Attempt)?;
    // RFC 9207: an answer that names another issuer is an answer to somebody else's question.
    if query(request, "iss").is_some_and(|issuer| issuer != console.relying_party().issuer()) {
        return Err(Failed::Attempt);
    }
    if let Some(error) = query(request, "error") {
        return Err(Failed::Issuer(error));
    }
    let code = query(request, "code").ok_or(Failed::Attempt)?;
    begin_session(console, request, code, &attempt).await
}

async fn begin_session(
    console: &Console,
    request: &HttpRequest,
    code: String,
    attempt: &LoginAttempt,
) -> Result<HttpResponse, Failed> {
    let (control_plane, party) = (console.control_plane(), console.relying_party());
    let token = party.exchange(code, attempt).await?;
    let keys = control_plane.platform_keys().await.map_err(Fault::from)?;
    let expected = Expected {
        issuer: party.issuer(),
        client_id: &party.client_id().to_string(),
        nonce: attempt.nonce.expose(),
        now: console.clock().now(),
    };
    let subject = id_token::verify(token.expose(), &keys, &expected)?;
    let session = control_plane
        .begin_console_session(subject, &token, &request_id(request))
        .await
        .map_err(Fault::from_operator_lookup)?;
    // A new session never continues an older one of the same browser (R-SESS-01).
    if let Some(earlier) = console.cookies().session(request) {
        control_plane
            .end_console_session(earlier.expose(), &request_id(request))
            .await
            .map_err(Fault::from)?;
    }
    let cookie = console.cookies().begin_session(&session);
    Ok(see_other(return_path::checked(&attempt.return_to))
        .cookie(cookie)
        .finish())
}

impl Failed {
    fn answer(self, console: &Console) -> HttpResponse {
        // The issuer's code comes from an address and could be anything: it is matched, never shown.
        let (status, text) = match &self {
            Self::Attempt => (
                StatusCode::BAD_REQUEST,
                "It took too long, was finished already, or began in another browser.",
            ),
            Self::Issuer(code) if code == "access_denied" => {
                (StatusCode::FORBIDDEN, "It was cancelled.")
            }
            Self::Issuer(_) | Self::Exchange(_) | Self::Token(_) | Self::Fault(_) => (
                StatusCode::BAD_GATEWAY,
                "The sign-in service gave an answer that can't be used.",
            ),
        };
        if status == StatusCode::BAD_GATEWAY {
            tracing::warn!(error = %self, source = ?std::error::Error::source(&self).map(ToString::to_string), "a sign-in failed");
        }
        shell::signed_out(console, status, "Sign-in did not work", || {
            view! {
                <h1>"Sign-in did not work"</h1>
                <p class="lede">{text}</p>
                <LinkButton href="/login" kind=ButtonKind::Primary>"Sign in again"</LinkButton>
            }
        })
    }
}
