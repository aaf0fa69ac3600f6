//! Signing out: the console's session first, then the issuer's, then a page that says so.
//!
//! The order matters: if the issuer cannot be reached, the console is closed already.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use leptos::prelude::*;

use super::{login::to_issuer, request_id};
use crate::{Console, csrf, fault::Fault, kit::*, routes::own_form, shell, visit::see_other};

/// `POST /logout`.
pub(crate) async fn run(
    console: Data<Console>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    match end(&console, &request, body).await {
        Ok(mut answer) => {
            let gone = console.cookies().end_session();
            answer
                .add_cookie(&gone)
                .expect("a fixed name and an empty value are a valid cookie");
            answer
        }
        Err(fault) => fault.outside(&console, &request),
    }
}

async fn end(
    console: &Console,
    request: &HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    let form = own_form(console, request, body).await?;
    let control_plane = console.control_plane();
    let secret = console.cookies().session(request);
    let Some(secret) = secret else {
        return Ok(see_other("/signed-out").finish());
    };
    let Some(session) = control_plane.find_console_session(secret.expose()).await? else {
        return Ok(see_other("/signed-out").finish());
    };
    if !csrf::matches(&session.csrf, form.raw(csrf::FIELD)) {
        return Err(Fault::ForeignForm);
    }
    let id_token = control_plane
        .end_console_session(secret.expose(), &request_id(request))
        .await?;
    Ok(to_issuer(
        &console.relying_party().end_session_url(id_token.as_ref()),
    ))
}

/// `GET /signed-out`: where signing out ends.
pub(crate) async fn show(console: Data<Console>) -> HttpResponse {
    shell::signed_out(&console, StatusCode::OK, "Signed out", || {
        view! {
            <h1>"You are signed out"</h1>
            <p class="lede">"Close the window if others use this computer."</p>
            <LinkButton href="/login" kind=ButtonKind::Primary>"Sign in"</LinkButton>
        }
    })
}
